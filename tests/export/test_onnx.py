from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from poselift import models
from poselift.checkpoints import About
from poselift.errors import CheckpointError, DataError, PoseliftError, UsageError
from poselift.export import onnx as module
from poselift.export.onnx import export_onnx
from poselift.models.checkpoint import read_config, save_checkpoint
from poselift.models.registry import REGISTRY
from poselift.runtime.backends import OnnxRuntime
from poselift.runtime.lifter import Lifter
from poselift.runtime.streaming import StreamingLifter

ABOUT = {
    "skeleton": "h36m-17",
    "fps": 50.0,
    "normalisation": "person",
    "target": "centre",
    "licence": "CC-BY-4.0",
    "acknowledgement": "with thanks",
}


def make(folder: Path, model: str, dtype: torch.dtype, **overrides: Any) -> Path:
    torch.manual_seed(0)
    network = models.create(model, **overrides)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    save_checkpoint(folder, model, network, ABOUT, dtype)
    return folder


@pytest.fixture(scope="module", params=["nanohtnet", "htnet"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network and its float graphs."""
    folder = tmp_path_factory.mktemp(request.param)
    tiny = {**REGISTRY[request.param].tiny, "depth": 1}
    make(folder, request.param, torch.float16, **tiny)
    with pytest.MonkeyPatch.context() as patch:
        trace_once(patch)
        for weights in ("float16", "float32", "beside"):
            report = export_onnx(folder, folder / f"{weights}.onnx", weights=weights)
            assert report.largest_difference < 1e-5
            assert report.size == (folder / f"{weights}.onnx").stat().st_size
            assert report.nodes["MatMul"] > 0
    return folder


TRACE: Callable[..., onnx.ModelProto] = module.trace
traced: dict[tuple[str, int], onnx.ModelProto] = {}


def trace_once(patch: pytest.MonkeyPatch) -> None:
    """Frozen networks once, and others: tracing takes seconds."""

    def cached(network: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> onnx.ModelProto:
        key = type(network).__name__, len(list(network.buffers()))
        if key not in traced:
            traced[key] = TRACE(network, inputs)
        copy = onnx.ModelProto()
        copy.CopyFrom(traced[key])
        return copy

    patch.setattr(module, "trace", cached)


@pytest.mark.parametrize("weights", ["float16", "float32", "beside"])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_same_as_torch_at_any_batch(exported: Path, weights: str, batch: int) -> None:
    graph = OnnxRuntime(exported / f"{weights}.onnx", threads=1)
    rng = np.random.default_rng(batch)
    x = rng.normal(size=(batch, graph.about.window, 17, 2)).astype(np.float32)
    with torch.inference_mode():
        expected = models.load(exported)(torch.from_numpy(x)).numpy()
    assert graph(x).shape == expected.shape
    assert np.abs(graph(x) - expected).max() < 1e-5


def test_the_file_says_how_to_use_it(exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported / "float16.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    content = json.loads(metadata["poselift"])
    assert content == read_config(exported)
    assert {key: content[key] for key in ABOUT} == ABOUT
    assert [i.name for i in session.get_inputs()] == ["x"]
    assert session.get_inputs()[0].shape[0] == "batch"


def test_weights_are_held_once(exported: Path) -> None:
    sizes = {name: (exported / f"{name}.onnx").stat().st_size for name in ("float16", "float32")}
    beside = onnx.load(exported / "beside.onnx", load_external_data=False)
    outside = [t for t in beside.graph.initializer if t.external_data]
    assert {e.value for t in outside for e in t.external_data if e.key == "location"} == {
        "weights.safetensors"
    }
    assert len(outside) >= 3  # small products of weights are constants by themselves
    assert sizes["float16"] < 0.9 * sizes["float32"]  # the folding is in it as nodes


def test_an_export_alone_is_enough(exported: Path, tmp_path: Path) -> None:
    shutil.copy(exported / "float16.onnx", tmp_path / "net.onnx")
    about = Lifter(tmp_path / "net.onnx").about
    assert about == About.parse(read_config(exported), "")
    frame = StreamingLifter(tmp_path / "net.onnx").push(np.full((17, 2), 300.0))
    assert frame is not None
    assert np.isfinite(frame.joints).all()


def test_a_graph_that_differs_is_refused(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace_once(monkeypatch)
    path = exported / "refused.onnx"
    for tolerance in (-1.0, float("nan")):
        with pytest.raises(CheckpointError, match="differs from torch"):
            export_onnx(exported, path, tolerance=tolerance)
    about = About.parse(read_config(exported), "")
    bad = np.full((1, about.window, 17, 2), 1e30, np.float32)  # torch itself gives no number
    with pytest.raises(CheckpointError, match="differs from torch"):
        export_onnx(exported, path, weights="float32", windows=bad)
    monkeypatch.setitem(module.P1_TOLERANCES, "float32", -1.0)  # type: ignore[arg-type]  # a dict
    with pytest.raises(CheckpointError, match="larger mean joint error"):
        export_onnx(exported, path, weights="float32")
    assert not path.exists()
    assert not list(exported.glob(".poselift-*"))


def test_bad_arguments(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="weights"):
        export_onnx(exported, weights="int3")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(UsageError, match="not in"):
        export_onnx(exported, tmp_path / "model.onnx", weights="beside")
    with pytest.raises(DataError, match="windows"):
        export_onnx(exported, windows=np.zeros((1, 2, 3, 4), np.float32))
    with pytest.raises(PoseliftError):
        export_onnx(tmp_path / "nothing")


def test_16_bits_of_float32_weights(tmp_path: Path) -> None:
    folder = make(tmp_path, "martinez", torch.float32, hidden=32, depth=1)
    network = models.load(folder)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(0.5)
    save_checkpoint(folder, "martinez", network, ABOUT)
    for weights, least, most in (("float16", 1e-6, 1e-3), ("bfloat16", 1e-4, 3e-2)):
        report = export_onnx(folder, weights=weights)  # type: ignore[arg-type]  # two of them
        assert least < report.agreement.largest < most
        assert report.largest_difference < 1e-5
    assert export_onnx(folder, weights="float32").agreement.largest < 1e-6
    for factor, message in ((100, "differs from torch"), (1e6, "too large for float16")):
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(factor)
        save_checkpoint(folder, "martinez", network, ABOUT)
        with pytest.raises(CheckpointError, match=message):
            export_onnx(folder)


@pytest.mark.slow
def test_the_full_network(tmp_path: Path) -> None:
    folder = make(tmp_path, "nanohtnet", torch.float16)
    report = export_onnx(folder, weights="beside")
    assert report.largest_difference < 1e-5
    assert report.size < 260_000
    assert (folder / "weights.safetensors").stat().st_size < 6_000_000
    assert Lifter(folder, threads=1).about.window == 243
