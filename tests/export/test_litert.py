"""The translation into LiteRT: each operator beside ONNX Runtime, and networks beside torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper
from samples import ABOUT

from poselift import models
from poselift.errors import CheckpointError, UsageError
from poselift.export.formats import export
from poselift.export.onnx import Loaded
from poselift.export.quantise import session
from poselift.export.sample import Agreement, Network, agreement
from poselift.export.tflite.rules import RULES
from poselift.export.tflite.translate import Values, translate
from poselift.models.checkpoint import save_checkpoint
from poselift.models.registry import REGISTRY
from poselift.runtime.backends import LiteRt, OnnxRuntime, open_litert
from poselift.runtime.lifter import Lifter
from poselift.runtime.network import PixelNetwork

Node = tuple[str, list[str], dict[str, Any]]

rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def graph_of(nodes: list[Node], constants: dict[str, np.ndarray], shape: tuple[int, ...]):
    """(B, *shape) values ``x`` -> ``y``; each node gives ``v0``, ``v1``, ..., or its own names."""
    made = []
    for number, (operator, inputs, attributes) in enumerate(nodes):
        given = dict(attributes)
        outputs = given.pop("outputs", ["y" if number == len(nodes) - 1 else f"v{number}"])
        made.append(helper.make_node(operator, inputs, outputs, name=f"n{number}", **given))
    graph = helper.make_graph(
        made,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", *shape])],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def litert_of(proto: onnx.ModelProto, shape: tuple[int, ...], **how: Any):
    return translate(Values(proto, normal(3, *shape), {}), **{"half": False, **how})


GRAPHS: dict[str, tuple[list[Node], dict[str, np.ndarray], tuple[int, ...]]] = {
    "rows times a matrix": (
        [("Gemm", ["x", "w", "b"], {"transB": 1}), ("Relu", ["v0"], {})],
        {"w": normal(5, 8), "b": normal(5)},
        (8,),
    ),
    "without a bias": ([("Gemm", ["x", "w"], {})], {"w": normal(8, 5)}, (8,)),
    "a matrix times rows": ([("MatMul", ["w", "x"], {})], {"w": normal(3, 4)}, (4, 5)),
    "values times values": (
        [("Transpose", ["x"], {"perm": [0, 1, 3, 2]}), ("MatMul", ["x", "v0"], {})],
        {},
        (2, 4, 5),
    ),
    "rows of several axes": ([("MatMul", ["x", "w"], {})], {"w": normal(5, 6)}, (3, 5)),
    "axes turned round": (
        [("Transpose", ["x"], {}), ("Add", ["v0", "one"], {}), ("Transpose", ["v1"], {})],
        {"one": np.array(1, np.float32)},
        (3, 4),
    ),
    "the batch inside an axis": (
        [
            ("Reshape", ["x", "rows"], {}),
            ("Tanh", ["v0"], {}),
            ("Reshape", ["v1", "back"], {}),
        ],
        {"rows": ints(-1, 4), "back": ints(-1, 3, 2, 2)},
        (3, 4),
    ),
    "a shape that is computed": (
        [
            ("Shape", ["x"], {}),
            ("Gather", ["v0", "zero"], {}),
            ("Concat", ["v1", "rest"], {"axis": 0}),
            ("Reshape", ["x", "v2"], {}),
            ("Relu", ["v3"], {}),
        ],
        {"zero": ints(0), "rest": ints(-1)},
        (3, 4),
    ),
    "equal parts": (
        [
            ("Split", ["x"], {"axis": 2, "num_outputs": 2, "outputs": ["a", "b"]}),
            ("Sub", ["a", "b"], {}),
        ],
        {},
        (3, 4),
    ),
    "unlike parts": (
        [
            ("Split", ["x", "sizes"], {"axis": 1, "outputs": ["a", "b"]}),
            ("Concat", ["b", "a"], {"axis": 1}),
        ],
        {"sizes": ints(1, 2)},
        (3, 4),
    ),
    "runs of joints": ([("Gather", ["x", "i"], {"axis": 1})], {"i": ints(1, 2, 5, 0, 1)}, (6, 2)),
    "one joint": ([("Gather", ["x", "i"], {"axis": 1})], {"i": np.array(-2)}, (6, 2)),
    "every second, from behind": (
        [("Slice", ["x", "from", "to", "axes", "steps"], {})],
        {"from": ints(1, -3), "to": ints(2**62, -1), "axes": ints(1, 2), "steps": ints(2, 1)},
        (6, 5),
    ),
    "ones in front": (
        [
            ("Shape", ["x"], {}),
            ("Expand", ["number", "v0"], {}),
            ("Concat", ["v1", "x"], {"axis": 2}),
        ],
        {"number": np.array(1, np.float32)},
        (3, 4),
    ),
    "zeros behind": (
        [
            ("Shape", ["x"], {}),
            ("Expand", ["number", "v0"], {}),
            ("Concat", ["x", "v1"], {"axis": 1}),
        ],
        {"number": np.array(0, np.float32)},
        (3, 4),
    ),
    "normalised": (
        [("LayerNormalization", ["x", "gain", "shift"], {"epsilon": 1e-3})],
        {"gain": normal(6), "shift": normal(6)},
        (3, 6),
    ),
    "shares": ([("Softmax", ["x"], {"axis": -1}), ("Gelu", ["v0"], {})], {}, (3, 6)),
    "means": (
        [
            ("Pow", ["x", "two"], {}),
            ("ReduceMean", ["v0", "axes"], {"keepdims": 0}),
            ("Sqrt", ["v1"], {}),
            ("ReduceMax", ["x", "all"], {"keepdims": 1, "outputs": ["most"]}),
            ("Squeeze", ["most", "all"], {"outputs": ["flat"]}),
            ("Mul", ["v2", "flat"], {"outputs": ["share"]}),
            ("Div", ["share", "two"], {"outputs": ["half"]}),
            ("Unsqueeze", ["half", "last"], {}),
        ],
        {"two": np.array(2, np.float32), "axes": ints(1, 2), "all": ints(1, 2), "last": ints(1)},
        (3, 6),
    ),
    "over time": (
        [
            ("Conv", ["x", "w", "b"], {"strides": [2], "dilations": [1], "group": 1}),
            ("Conv", ["v0", "v"], {"dilations": [2]}),
            ("Conv", ["v1", "u"], {}),
        ],
        {"w": normal(4, 3, 3), "b": normal(4), "v": normal(5, 4, 2), "u": normal(2, 5, 2)},
        (3, 11),
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_an_operator(name: str) -> None:
    nodes, constants, shape = GRAPHS[name]
    proto = graph_of(nodes, constants, shape)
    run = open_litert(litert_of(proto, shape).pack({}), threads=1)
    for batch in (1, 4, 2):
        x = normal(batch, *shape)
        expected = session(proto)(x)[0]
        given = run(x)
        assert given.shape == expected.shape
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5)


def test_every_rule_is_tried() -> None:
    assert {node[0] for nodes, _, _ in GRAPHS.values() for node in nodes} >= set(RULES)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("TopK", ["x", "k"], {"outputs": ["y", "index"]})], "operator TopK"),
        ([("Softmax", ["x"], {"axis": 1})], "Softmax over another axis"),
        (
            [
                ("Shape", ["x"], {}),
                ("Expand", ["w", "v0"], {}),
                ("Concat", ["x", "v1"], {"axis": 1}),
            ],
            "Concat of values and constants",
        ),
        ([("LayerNormalization", ["x", "gain"], {"axis": 1})], "LayerNormalization over several"),
        ([("Slice", ["x", "one", "k", "axis"], {})], "Slice backwards or over the batch"),
        ([("Slice", ["x", "axis", "one", "axis"], {})], "Slice backwards or over the batch"),
        (
            [("Slice", ["x", "end", "begin", "one", "end"], {})],
            "Slice backwards or over the batch",
        ),
        ([("Concat", ["x", "w1"], {"axis": 0})], r"shape \(3, 3, 4\) for two windows"),
        (
            [
                ("Shape", ["x"], {}),
                ("Gather", ["v0", "axis"], {"axis": 0}),
                ("Concat", ["v1", "v1"], {"axis": 0}),
                ("Expand", ["w00", "v2"], {}),
                ("ReduceMean", ["x", "all"], {}),
                ("Mul", ["v3", "v4"], {}),
            ],
            r"shape \(2, 2\) for two windows and \(3, 3\)",
        ),
    ],
)
def test_what_has_no_rule_is_named(nodes: list[Node], message: str) -> None:
    constants = {
        "k": ints(2),
        "one": ints(1),
        "axis": ints(0),
        "end": ints(-1),
        "begin": ints(-(2**62)),
        "all": ints(0, 1, 2),
        "w": normal(3, 4),
        "w1": normal(1, 3, 4),
        "w00": normal(1, 1),
        "gain": normal(3, 4),
    }
    used = {name for _, inputs, _ in nodes for name in inputs}
    proto = graph_of(nodes, {k: v for k, v in constants.items() if k in used}, (3, 4))
    with pytest.raises(UsageError, match=message):
        litert_of(proto, (3, 4))


def test_constants_are_stored_as_said() -> None:
    proto = graph_of(
        [("MatMul", ["x", "w"], {}), ("MatMul", ["v0", "v"], {})],
        {"w": normal(20, 30), "v": normal(30, 20)},
        (20,),
    )
    x = normal(5, 20)
    expected = session(proto)(x)[0]
    for how, kinds, most in (
        ({}, {"FLOAT32"}, 1e-5),
        ({"half": True}, {"FLOAT16"}, 0.05),
        ({"half": True, "eight": {"n0"}}, {"FLOAT16", "INT8"}, 1.0),
        ({"eight": {"n0", "n1"}}, {"INT8"}, 1.0),
    ):
        graph = litert_of(proto, (20,), **how)
        content = graph.pack({"a": {"b": 1}})
        stored = {
            tensor.type for tensor in graph.tensors if tensor.buffer and np.prod(tensor.shape) > 256
        }
        assert stored == {getattr(schema.TensorType, kind) for kind in kinds}
        gap = np.abs(open_litert(content, threads=1)(x) - expected).max()
        assert (gap > 1e-4) == bool(how)
        assert gap < most
        for i in range(len(graph.buffers)):  # some readers take them where they lie
            data = schema.Model.GetRootAs(content, 0).Buffers(i).DataAsNumpy()
            address = 0 if isinstance(data, int) else data.ctypes.data
            start = np.frombuffer(content, np.uint8).ctypes.data
            assert (address - start) % 16 == 0 or not address


def make(folder: Path, name: str, **options: Any) -> Path:
    torch.manual_seed(0)
    network = models.create(name, **{**REGISTRY[name].tiny, **options})
    with torch.no_grad():
        for weight in network.parameters():  # no zeros and ones that would hide a mistake
            weight.add_(0.05 * torch.randn_like(weight))
    save_checkpoint(folder, name, network, ABOUT)
    return folder


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("nanohtnet", 1),
        pytest.param("htnet", 1, marks=pytest.mark.slow),
        pytest.param("mgcn", 1, marks=pytest.mark.slow),
        pytest.param("mixste", 1, marks=pytest.mark.slow),
        ("tcn", 2),  # no steps over frames in XNNPACK
        pytest.param("motionbert", 1, marks=pytest.mark.slow),
    ],
)
def test_a_network(name: str, pieces: int, tmp_path: Path) -> None:
    folder = make(tmp_path, name, **({"depth": 1} if "depth" in REGISTRY[name].tiny else {}))
    path = tmp_path / "net.tflite"
    report, _ = export(folder, path, "litert")
    assert report.agreement.largest < 1e-5
    network, opened = models.load(folder).eval(), LiteRt(path, 1)
    for batch in (1, 3, 40, 2, 1):  # memory is laid out anew, and in pieces
        x = normal(batch, opened.about.window, 17, 2)
        with torch.inference_mode():
            assert np.abs(opened(x) - network(torch.from_numpy(x)).numpy()).max() < 1e-5
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    operators = [details["op_name"] for details in interpreter._get_ops_details()]
    # What XNNPACK runs, at its full speed.
    assert operators[sum(report.nodes.values()) :] == pieces * ["DELEGATE"]


def test_raw_is_what_the_lifter_computes(tmp_path: Path) -> None:
    folder = make(tmp_path, "martinez")
    export(folder, tmp_path / "raw.tflite", "litert", raw=True)
    export(folder, tmp_path / "net.onnx")
    network = PixelNetwork(OnnxRuntime(tmp_path / "net.onnx", 1))
    interpreter = Interpreter(str(tmp_path / "raw.tflite"))
    found = {d["name"]: d["shape_signature"].tolist() for d in interpreter.get_input_details()}
    assert found == {"keypoints": [-1, 1, 17, 2], "image_size": [2]}
    run = open_litert(tmp_path / "raw.tflite", threads=1)
    pixels = rng.uniform(0, 900, size=(3, 1, 17, 2)).astype(np.float32)
    for size in ((1920, 1080), (480, 640)):
        joints = run(pixels, np.array(size, np.float32))
        np.testing.assert_allclose(joints, network(pixels, size), atol=5e-6)
    with pytest.raises(CheckpointError, match="a raw graph"):
        Lifter(tmp_path / "raw.tflite")


def test_what_loses_most_stays_in_float(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unchecked(loaded: Loaded, path: Path, run: Network, *_: object, raw: bool) -> Agreement:
        return agreement(loaded.expected, run, loaded.sample, raw=raw)

    def farther(most: float) -> Callable[..., bool]:
        """By distance: P1 of random weights goes up and down with every layer."""

        def loses(loaded: Loaded, run: Network, *, raw: bool) -> bool:
            return bool(np.abs(run(loaded.sample.windows) - loaded.expected).max() > most)

        return loses

    folder = make(tmp_path, "martinez", hidden=64)
    kept, sizes = [], []
    monkeypatch.setattr(Loaded, "check", unchecked)
    for most in (1.0, 0.02, -1.0):
        monkeypatch.setattr(Loaded, "loses", farther(most))
        path = tmp_path / "net.tflite"
        report, _ = export(folder, path, "litert", "int8", tolerance=1.0)
        kept.append(report.kept_float)
        sizes.append(report.size)
    assert kept[0] == ()
    assert 0 < len(kept[1]) < len(kept[2]) == 4
    assert sizes == sorted(set(sizes))
