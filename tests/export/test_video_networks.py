"""Networks over windows, as graphs: with the choice of frames and neighbours inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from poselift import models
from poselift.checkpoints import About
from poselift.export.onnx import Loaded, build, export_onnx, in_onnxruntime, in_torch
from poselift.export.sample import sample
from poselift.export.torchscript import export_torchscript
from poselift.models.checkpoint import save_checkpoint
from poselift.models.pruning import PRUNINGS
from poselift.models.registry import REGISTRY
from poselift.runtime.backends import OnnxRuntime

ABOUT = {"skeleton": "h36m-17", "fps": 50.0, "normalisation": "person", "target": "centre"}


@pytest.mark.parametrize(
    ("name", "options", "choices"),
    [
        ("tcn", {}, 0),
        pytest.param("mhformer", {}, 0, marks=pytest.mark.slow),
        ("motionagformer", {"depth": 1}, 1),
        pytest.param("motionagformer+hot", {}, 4, marks=pytest.mark.slow),
        pytest.param("mhformer+tpc", {}, 2, marks=pytest.mark.slow),
        ("mixste+hot", {}, 2),
        pytest.param("mixste", {}, 0, marks=pytest.mark.slow),
        pytest.param("mixste+h2ot", {}, 2, marks=pytest.mark.slow),
        pytest.param("mixste+tpc", {}, 2, marks=pytest.mark.slow),
        pytest.param(
            "mixste+hot", {"prune": "attention", "recover": "linear"}, 1, marks=pytest.mark.slow
        ),
        pytest.param(
            "mixste+hot", {"prune": "motion", "recover": "nearest"}, 1, marks=pytest.mark.slow
        ),
        pytest.param("motionbert", {}, 0, marks=pytest.mark.slow),
        pytest.param("motionbert+hot", {}, 2, marks=pytest.mark.slow),
    ],
)
def test_a_graph_is_its_network(
    name: str, options: dict[str, Any], choices: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = models.create(name, **{**REGISTRY[name].tiny, **options}).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    save_checkpoint(tmp_path, name, network, ABOUT)
    frames = network.config.num_frames
    # A person who stands still, and one who does so at the ends, as at the ends of a clip: all
    # those frames are as similar as can be.
    rng = np.random.default_rng(0)
    moving = rng.normal(size=(1, frames, 17, 2)).astype(np.float32)
    still = moving[:, [0] * frames]
    ends = moving[:, np.arange(frames).clip(frames // 3, frames // 2)]
    hard = np.concatenate([still, ends])
    report = export_onnx(tmp_path, weights="float32", windows=hard)  # compares at batch 1 and 7
    assert report.nodes.get("TopK", 0) == choices
    graph = OnnxRuntime(report.path, threads=1)
    batch = np.concatenate([moving, hard, -moving])
    with torch.no_grad():
        expected = network(torch.from_numpy(batch)).numpy()
    assert np.abs(graph(batch) - expected).max() < 1e-4


@pytest.mark.parametrize("prune", PRUNINGS)
def test_a_traced_hourglass_is_its_network(prune: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {**REGISTRY["mixste+hot"].tiny, "prune": prune, "recover": "linear"}
    save_checkpoint(tmp_path, "mixste+hot", models.create("mixste+hot", **options), ABOUT)
    report = export_torchscript(tmp_path, tmp_path / "net.pt", "float32", tolerance=1.0)
    assert report.agreement.largest < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("tcn", "mhformer", "mhformer+tpc", "mixste", "mixste+hot", "mixste+h2ot", "mixste+tpc"),
        *("motionbert", "motionbert+hot", "motionagformer", "motionagformer+hot"),
        *("motionagformer-xs", "motionagformer-s", "motionagformer-l"),
    ],
)
def test_a_graph_of_the_published_size_is_its_network(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = models.create(name).eval()
    with torch.no_grad():
        for weight in network.parameters():  # positions, queries and scales begin at zero
            weight.add_(0.02 * torch.randn_like(weight))
    config: Any = {"num_frames": network.config.num_frames}
    config["num_out_frames"] = network.config.num_out_frames
    about = About.parse({**ABOUT, "model": name, "config": config}, name)
    # As `export_onnx` builds it, which compares dozens of windows: minutes at this size.
    nothing = sample(about, 0)
    proto, _ = build(Loaded(about, network, nothing, nothing.joints, {}, ()), "float32")
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    graph = in_onnxruntime(path)
    people = sample(about, 1).windows
    noise = np.random.default_rng(0).normal(size=people.shape).astype(np.float32)
    for batch in (people, np.concatenate([noise, people])):
        expected = in_torch(network)(batch)
        assert expected.shape == (len(batch), about.num_out, 17, 3)
        assert 0.05 < expected.std() < 5
        gaps = np.abs(graph(batch) - expected)
        # Among its thousands of choices of a neighbour some are even to rounding: torch in float64
        # makes other ones than in float32, and differs by as much (3e-4 m).
        chooses = name.startswith("motionagformer")
        difference = float(np.quantile(gaps, 0.99) if chooses else gaps.max())
        print(f"{name}, batch of {len(batch)}: largest difference {gaps.max():.1e} m")
        assert difference < 1e-4
