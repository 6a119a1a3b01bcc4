"""Every format in every precision, on a small network that is traced in a second."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from poselift import models
from poselift.checkpoints import About
from poselift.cli.export import FORMATS as VERB_FORMATS
from poselift.cli.export import PRECISIONS as VERB_PRECISIONS
from poselift.errors import CheckpointError, UsageError
from poselift.export import onnx as module
from poselift.export.formats import PRECISIONS, SUFFIXES, export
from poselift.export.sample import agreement, sample
from poselift.models.checkpoint import read_config, save_checkpoint
from poselift.runtime.backends import OnnxRuntime, open_backend
from poselift.runtime.lifter import Lifter
from poselift.runtime.network import PixelNetwork
from poselift.runtime.store import find

ABOUT = {"skeleton": "h36m-17", "fps": 50.0, "target": "centre", "licence": "CC0-1.0"}


@pytest.fixture(scope="module", params=["screen", "person"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("one"), "person")


def make(folder: Path, normalisation: str) -> Path:
    torch.manual_seed(0)
    network = models.create("martinez", hidden=32, depth=1)
    with torch.no_grad():
        network.head.weight.mul_(0.2)
    save_checkpoint(folder, "martinez", network, {**ABOUT, "normalisation": normalisation})
    return folder


@pytest.fixture(autouse=True)
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights have no accuracy to lose."""
    for weights in ("int8", "bfloat16"):
        monkeypatch.setitem(module.P1_TOLERANCES, weights, 0.05)  # type: ignore[arg-type]  # a dict


def test_the_verb_offers_all() -> None:
    assert tuple(SUFFIXES) == VERB_FORMATS
    assert tuple(PRECISIONS) == VERB_PRECISIONS


@pytest.mark.parametrize(
    ("format", "precision", "most"),
    [
        ("onnx", "fp32", 1e-5),
        ("onnx", "fp16", 2e-3),
        ("onnx", "bf16", 3e-2),
        ("onnx", "int8", 5e-2),
        ("openvino", "fp32", 1e-5),
        ("openvino", "bf16", 3e-2),
        ("openvino", "int8", 5e-2),
        ("litert", "fp32", 1e-5),
        ("litert", "fp16", 2e-3),
        ("litert", "int8", 5e-2),
        ("torchscript", "fp32", 1e-5),
        ("torchscript", "bf16", 3e-2),
    ],
)
def test_a_file_is_enough(
    one: Path, tmp_path: Path, format: str, precision: str, most: float
) -> None:
    path = tmp_path / f"net{SUFFIXES[format]}"
    report, _ = export(one, path, format, precision)
    assert report.agreement.largest < most
    assert np.isnan(report.largest_difference) or precision != "int8"
    opened = open_backend(find(path), "auto", 1)
    assert opened.about == About.parse(read_config(one), "")
    shown = sample(opened.about, 9, first=77)
    with torch.inference_mode():
        expected = models.load(one)(torch.from_numpy(shown.windows)).numpy()
    found = agreement(expected, opened, shown, batch_sizes=(1, 4, 9))
    assert found.largest < most
    assert Lifter(path).about.licence == "CC0-1.0"


def test_int8_is_small(one: Path, tmp_path: Path) -> None:
    sizes = {}
    for precision in ("fp32", "int8"):
        path = tmp_path / f"{precision}.onnx"
        sizes[precision] = export(one, path, "onnx", precision)[0].size
    graph = onnx.load(tmp_path / "int8.onnx")
    stored = {t.data_type for t in graph.graph.initializer if np.prod(t.dims) > 256}
    assert onnx.TensorProto.INT8 in stored
    assert onnx.TensorProto.FLOAT not in stored
    assert sizes["int8"] < sizes["fp32"]


def test_raw_is_what_the_lifter_computes(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path / "raw.onnx", raw=True)
    export(folder, tmp_path / "net.onnx")
    network = PixelNetwork(OnnxRuntime(tmp_path / "net.onnx", 1))
    session = onnxruntime.InferenceSession(tmp_path / "raw.onnx")
    pixels = np.random.default_rng(0).uniform(0, 900, size=(3, 1, 17, 2)).astype(np.float32)
    for size in ((1920, 1080), (480, 640)):
        inputs = {"keypoints": pixels, "image_size": np.array(size, np.float32)}
        joints = session.run(["joints"], inputs)[0]
        np.testing.assert_allclose(joints, network(pixels, size), atol=2e-6)
    with pytest.raises(CheckpointError, match="a raw graph"):
        Lifter(tmp_path / "raw.onnx")


def test_tensorrt(one: Path, tmp_path: Path) -> None:
    report, files = export(one, tmp_path / "net.onnx", "tensorrt", "int8")
    assert [file.name for file in files] == ["net.trtexec.txt", "net.calibration"]
    comment, command = files[0].read_text().splitlines()
    assert "Not tested" in comment
    assert command == (
        "trtexec --onnx=net.onnx --saveEngine=net.engine --minShapes=x:1x1x17x2 "
        "--optShapes=x:1x1x17x2 --maxShapes=x:64x1x17x2 --int8 --fp16 --calib=net.calibration"
    )
    header, *lines = files[1].read_text().splitlines()
    assert header.startswith("TRT-")
    scales = {name: bytes.fromhex(text) for name, text in (line.split(": ") for line in lines)}
    values = {name for node in onnx.load(report.path).graph.node for name in node.output}
    assert set(scales) == values | {"x"}
    (scale,) = struct.unpack(">f", scales["x"])
    calibrated = sample(About.parse(read_config(one), ""), 64).windows
    assert scale == pytest.approx(np.abs(calibrated).max() / 127)
    report, files = export(one, tmp_path / "whole.onnx", "tensorrt", "int8", raw=True)
    _, *lines = files[1].read_text().splitlines()
    graph = onnx.load(report.path).graph
    values = {name for node in graph.node for name in node.output}
    assert {line.partition(": ")[0] for line in lines} == values | {"keypoints"}
    report, files = export(one, tmp_path / "raw.onnx", "tensorrt", "fp16", raw=True)
    assert "keypoints:1x1x17x2" in files[0].read_text()


@pytest.mark.parametrize(
    ("name", "format", "precision", "raw", "message"),
    [
        ("net.onnx", "onnx", "fp8", False, "'fp8'"),
        ("net.onnx", "coreml", "fp32", False, "'coreml'"),
        ("net.pt", "onnx", "fp32", False, "no onnx file"),
        ("net.pt", "torchscript", "int8", False, "in int8; expected one of fp32, bf16"),
        ("net.pt", "torchscript", "fp32", True, "a raw graph"),
        ("net.xml", "openvino", "fp32", True, "a raw graph"),
        ("net.tflite", "litert", "bf16", False, "in bf16; expected one of fp32, fp16, int8"),
    ],
)
def test_bad_choices(
    one: Path, tmp_path: Path, name: str, format: str, precision: str, raw: bool, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        export(one, tmp_path / name, format, precision, raw=raw)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", SUFFIXES)
def test_a_difference_is_refused(one: Path, tmp_path: Path, format: str) -> None:
    path = tmp_path / f"net{SUFFIXES[format]}"
    with pytest.raises(CheckpointError, match="differs from torch"):
        export(one, path, format, tolerance=-1.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["net.xml", "net.tflite", "net.pt"])
@pytest.mark.parametrize("content", [b"", b"no network"])
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot load"):
        Lifter(tmp_path / name)


def test_the_verb(one: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from poselift.cli.main import main

    path = tmp_path / "net.onnx"
    assert main(["export", str(one), "-o", str(path), "--precision", "fp16", "--raw"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}: ")
    assert " mm from torch over 32 windows, 1 and 7 at once; P1 " in second
    props = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert json.loads(props["poselift"])["licence"] == "CC0-1.0"
    for bad, code in (
        (["--tolerance", "0.0000001", "--precision", "int8"], 1),
        (["--tolerance", "-1"], 2),
        (["--data", "none.npz"], 1),
        (["--format", "tflite9"], 2),
        (["--format", "openvino"], 2),  # the name ends in .onnx
    ):
        other = tmp_path / "other.onnx"
        assert main(["export", str(one), "-o", str(other), *bad]) == code
        assert capsys.readouterr().err.count("\n") == 1
        assert not other.exists()
