from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from poselift.errors import CheckpointError, DataError, MissingExtraError, UsageError
from poselift.runtime.backends import LiteRt, open_backend
from poselift.runtime.store import find


def test_both_backends_agree(tiny_causal: Path) -> None:
    x = np.random.default_rng(0).normal(size=(5, 9, 17, 2)).astype(np.float32)
    graph, torch = (open_backend(find(tiny_causal), b, 1) for b in ("onnxruntime", "torch"))
    assert graph.about == torch.about
    assert np.abs(graph(x) - torch(x)).max() < 1e-5
    assert np.abs(graph(x)[2:3] - graph(x[2:3])).max() < 1e-6


def test_auto_takes_what_is_there(tiny: Path, tiny_causal: Path) -> None:
    assert type(open_backend(find(tiny), "auto")).__name__ == "Torch"
    assert type(open_backend(find(tiny_causal), "auto")).__name__ == "OnnxRuntime"


def test_options(tiny: Path, tiny_causal: Path) -> None:
    with pytest.raises(UsageError, match="unknown backend 'cuda'"):
        open_backend(find(tiny), "cuda")
    with pytest.raises(CheckpointError, match="no exported graph"):
        open_backend(find(tiny), "onnxruntime")
    with pytest.raises(CheckpointError, match="an exported file"):
        open_backend(find(tiny_causal / "model.onnx"), "torch")
    for threads in (0, -1, 1.5, True, "2"):
        with pytest.raises(UsageError, match="threads"):
            open_backend(find(tiny_causal), "onnxruntime", threads)  # type: ignore[arg-type]


def test_without_torch(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'poselift\[train\]'"):
        open_backend(find(tiny), "torch")


@pytest.fixture
def copy(tiny_causal: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_causal, tmp_path / "Netz mit Lücke 网络"))


def test_any_path_and_working_directory(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((1, 9, 17, 2), np.float32)
    expected = open_backend(find(copy), "onnxruntime")(x)
    monkeypatch.chdir(copy)
    assert np.array_equal(open_backend(find(Path("model.onnx")), "onnxruntime")(x), expected)


@pytest.mark.parametrize("content", [b"", b"no graph", None])
def test_damaged_graph(copy: Path, content: bytes | None) -> None:
    graph = copy / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:5000] if content is None else content)
    with pytest.raises(CheckpointError, match="ONNX Runtime cannot load it"):
        open_backend(find(copy), "onnxruntime")


def test_weights_changed_or_gone(copy: Path) -> None:
    weights = copy / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(CheckpointError, match="changed since"):
        open_backend(find(copy), "onnxruntime")
    weights.unlink()
    with pytest.raises(CheckpointError, match="cannot load"):
        open_backend(find(copy), "onnxruntime")


@pytest.mark.parametrize("kind", ["float16", "float32", "beside"])
def test_a_graph_older_than_the_weights_beside_it(copy: Path, tmp_path: Path, kind: str) -> None:
    from poselift.export.onnx import export_onnx

    export_onnx(copy, weights=kind)  # type: ignore[arg-type]  # one of them
    assert type(open_backend(find(copy), "auto")).__name__ == "OnnxRuntime"
    if kind != "beside":  # elsewhere it is alone, whatever lies there
        (tmp_path / "weights.safetensors").write_bytes(b"of another network")
        shutil.copy(copy / "model.onnx", tmp_path / "net.onnx")
        open_backend(find(tmp_path / "net.onnx"), "onnxruntime")
    weights = copy / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")  # trained again
    for stored in (find(copy), find(copy / "model.onnx")):
        with pytest.raises(CheckpointError, match="export the graph again"):
            open_backend(stored, "auto" if stored.folder else "onnxruntime")


def test_a_graph_that_does_not_know_its_weights(copy: Path) -> None:
    graph = onnx.load(copy / "model.onnx", load_external_data=False)
    config = {p.key: p.value for p in graph.metadata_props}["poselift"]
    for content in ("{}", "[1]", "null", "{", '{"crc32": "1"}'):
        helper.set_model_props(graph, {"poselift": config, "poselift_weights": content})
        (copy / "model.onnx").write_bytes(graph.SerializeToString())
        with pytest.raises(CheckpointError, match=r"changed since|no metadata"):
            open_backend(find(copy), "onnxruntime")


def test_a_graph_of_someone_else(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["a"], ["b"])],
        "other",
        [value("a", TensorProto.FLOAT, [1])],
        [value("b", TensorProto.FLOAT, [1])],
    )
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "o.onnx")
    with pytest.raises(CheckpointError, match="no metadata of poselift"):
        open_backend(find(tmp_path / "o.onnx"), "onnxruntime")


@pytest.fixture(scope="module")
def tflite(tmp_path_factory: pytest.TempPathFactory, tiny_single: Path) -> Path:
    from poselift.export.formats import export

    path = tmp_path_factory.mktemp("Gerät 网络") / "net.TFLITE"
    export(tiny_single, path, "litert")
    return path


def test_litert_in_any_batch_alone_and_from_any_place(
    tflite: Path, tiny_single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.chdir(shutil.copy(tflite, tmp_path / "net.tflite").parent)
    torch = open_backend(find(tiny_single), "torch", 1)
    for threads in (None, 2):
        network = open_backend(find(Path("net.tflite")), "auto", threads)
        assert network.about == torch.about
        for batch in (1, 5, 37, 1):
            x = np.random.default_rng(batch).normal(size=(batch, 1, 17, 2)).astype(np.float32)
            assert np.abs(network(x) - torch(x)).max() < 1e-5
    assert capfd.readouterr() == ("", "")
    with pytest.raises(UsageError, match="threads"):
        open_backend(find(tflite), "auto", 0)


def test_threads_share_a_litert_network(tflite: Path) -> None:
    network = open_backend(find(tflite), "auto", 1)
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(1 + i % 5, 1, 17, 2)).astype(np.float32) for i in range(1000)]
    expected = [network(x) for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        for given, right in zip(pool.map(network, inputs), expected, strict=True):
            assert np.array_equal(given, right)


def test_a_litert_file_of_someone_else(tflite: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.tflite"
    content = tflite.read_bytes().replace(b"poselift", b"somebody")
    path.write_bytes(content.replace(b'"skeleton"', b"\xff" * 10))
    with pytest.raises(CheckpointError, match="no metadata of poselift"):
        open_backend(find(path), "auto")
    with pytest.raises(DataError, match="cannot be read"):
        LiteRt(tmp_path / "none.tflite")


def test_a_damaged_litert_file(tflite: Path, tmp_path: Path) -> None:
    content = tflite.read_bytes()
    noise = bytearray(content)
    noise[100:4000] = np.random.default_rng(0).bytes(3900)
    for number, damaged in enumerate((content[: len(content) // 2], content[:-40], bytes(noise))):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"cannot load|no metadata"):
            open_backend(find(path), "auto")


def test_without_litert(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", ".interpreter", ".schema_py_generated"):
        monkeypatch.setitem(sys.modules, f"ai_edge_litert{name}", None)
    with pytest.raises(MissingExtraError, match="pip install 'ai-edge-litert'"):
        open_backend(find(tflite), "auto")
