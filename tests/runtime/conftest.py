"""Networks for the tests: tiny ones with random weights, and one that is no network at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from poselift.checkpoints import About
from poselift.data.windows import output_offset

ABOUT = {"skeleton": "h36m-17", "fps": 50.0, "licence": "CC-BY-4.0"}


def _make_checkpoint(
    folder: Path,
    model: str = "nanohtnet",
    target: str = "centre",
    normalisation: str = "person",
    **more: object,
) -> Path:
    """Folder with a tiny network of random weights in float16; ``more`` stands in its config."""
    import torch

    from poselift import models
    from poselift.models.checkpoint import save_checkpoint
    from poselift.models.registry import REGISTRY

    torch.manual_seed(0)
    network = models.create(model, **{**REGISTRY[model].tiny, "depth": 1})
    with torch.no_grad():
        for weight in network.parameters():  # no zeros and ones that would hide a mistake
            weight.add_(0.05 * torch.randn_like(weight))
    about = {**ABOUT, "target": target, "normalisation": normalisation, **more}
    save_checkpoint(folder, model, network, about, torch.float16)
    return folder


@pytest.fixture(scope="session")
def make_checkpoint() -> Callable[..., Path]:
    """Make a folder with a tiny network of random weights, see above."""
    return _make_checkpoint


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint folder of a network for the centre: 9 frames in, 3 out. No graph."""
    return _make_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint folder of a network for the newest frames: 9 frames in, 3 out. With graph."""
    from poselift.export.onnx import export_onnx

    folder = _make_checkpoint(tmp_path_factory.mktemp("causal"), target="newest")
    export_onnx(folder, weights="beside")
    return folder


@pytest.fixture(scope="session")
def tiny_single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint folder of a network for one frame. No graph."""
    return _make_checkpoint(tmp_path_factory.mktemp("single"), "htnet", normalisation="screen")


@pytest.fixture(scope="session")
def whole_window(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint folder of a network that predicts all of its 9 frames. No graph."""
    import torch

    from poselift import models
    from poselift.models.checkpoint import save_checkpoint
    from poselift.models.registry import REGISTRY

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("whole")
    name = "mixste+hot"
    about = {**ABOUT, "target": "centre", "normalisation": "screen"}
    save_checkpoint(folder, name, models.create(name, **REGISTRY[name].tiny), about)
    return folder


@dataclass
class Oracle:
    """In place of a network: gives x and y of the frames that it should predict, and z = 0.

    What it lifts must come out where it went in, at the right time.
    """

    about: About
    largest_batch: int = 0
    noise: float = 0.0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.largest_batch = max(self.largest_batch, len(x))
        first = output_offset(self.about.window, self.about.num_out, self.about.target)
        seen = x[:, first : first + self.about.num_out]
        joints = np.concatenate([seen, np.zeros_like(seen[..., :1])], axis=-1)
        return joints + self.noise * self.rng.normal(size=(len(x), 1, 17, 3)).astype(np.float32)


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Path, Oracle]]:
    """Make a checkpoint folder that opens as an `Oracle`."""

    def make(
        window: int = 9, num_out: int = 3, target: str = "centre", **options: float
    ) -> tuple[Path, Oracle]:
        content = {
            **ABOUT,
            "model": "nanohtnet",
            "config": {"num_frames": window, "num_out_frames": num_out},
            "normalisation": "screen",
            "target": target,
        }
        (tmp_path / "config.json").write_text(json.dumps(content))
        backend = Oracle(About.parse(content, "oracle"), **options)
        for user in ("lifter", "streaming"):
            monkeypatch.setattr(
                f"poselift.runtime.{user}.open_backend", lambda stored, name, threads: backend
            )
        return tmp_path, backend

    return make
