"""Exports that take one number of windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from samples import ABOUT

from poselift import models
from poselift.errors import UsageError
from poselift.export.formats import SUFFIXES, export
from poselift.models.checkpoint import save_checkpoint
from poselift.models.registry import REGISTRY
from poselift.runtime.backends import EXPORTED, in_pieces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = models.create("htnet", **REGISTRY["htnet"].tiny)
    folder = tmp_path_factory.mktemp("htnet")
    save_checkpoint(folder, "htnet", network, ABOUT)
    return folder


@pytest.mark.parametrize("format", ["onnx", "openvino", "litert"])
def test_runs_any_number_of_windows_by_the_one_it_takes(
    folder: Path, tmp_path: Path, format: str
) -> None:
    path = tmp_path / f"net{SUFFIXES[format]}"
    report, _ = export(folder, path, format, batch=3)
    assert report.agreement.batch_sizes == (3,)
    network = models.load(folder)
    run = EXPORTED[path.suffix](path, 1)
    for count in (1, 3, 5, 40):
        x = np.random.default_rng(count).normal(size=(count, 1, 17, 2)).astype(np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(run(x), expected, atol=1e-4)


def test_the_number_stands_in_the_file(folder: Path, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    export(folder, tmp_path / "net.onnx", batch=3)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    assert session.get_inputs()[0].shape == [3, 1, 17, 2]
    assert session.get_outputs()[0].shape == [3, 1, 17, 3]
    export(folder, tmp_path / "net.tflite", "litert", batch=3)
    for details in (
        Interpreter(str(tmp_path / "net.tflite")).get_input_details(),
        Interpreter(str(tmp_path / "net.tflite")).get_output_details(),
    ):
        assert details[0]["shape"].tolist()[0] == 3
        assert details[0]["shape_signature"].tolist()[0] == 3
    _, files = export(folder, tmp_path / "rt.onnx", "tensorrt", batch=1)
    assert "Shapes" not in files[0].read_text()


@pytest.mark.parametrize(
    ("name", "format", "batch"), [("a.pt", "torchscript", 2), ("a.onnx", "onnx", 0)]
)
def test_refused(folder: Path, tmp_path: Path, name: str, format: str, batch: int) -> None:
    with pytest.raises(UsageError, match=f"exactly {batch} windows"):
        export(folder, tmp_path / name, format, batch=batch)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 16, 40])
@pytest.mark.parametrize("batch", [None, 1, 3, 50])
def test_in_pieces(count: int, batch: int | None) -> None:
    if batch and not count:
        return
    sizes = []

    def run(x: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return 2 * x

    x = np.random.default_rng(0).normal(size=(count, 1, 17, 2)).astype(np.float32)
    np.testing.assert_array_equal(in_pieces(run, x, batch), 2 * x)
    assert set(sizes) == {batch} if batch else max(sizes) <= 16
