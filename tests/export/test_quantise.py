from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from poselift.export.compact import compact, rounded
from poselift.export.quantise import (
    Layer,
    calibrate,
    fewest_in_float,
    find_layers,
    quantise,
    quantised,
    session,
)


def two_products(seed: int = 0) -> onnx.ModelProto:
    """(B, 32) -> Gemm with a bias -> Relu -> MatMul -> (B, 32)."""
    rng = np.random.default_rng(seed)
    constants = {
        "w1": rng.normal(size=(32, 48)),
        "b1": rng.normal(size=48),
        "w2": rng.normal(size=(48, 32)) * np.logspace(-3, 0, 32),  # channels of unlike sizes
    }
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], "first"),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w2"], ["y"], "second"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "two",
        [value("x", TensorProto.FLOAT, ["B", 32])],
        [value("y", TensorProto.FLOAT, ["B", 32])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(200, 32)).astype(np.float32)


def test_close_and_per_channel(inputs: np.ndarray) -> None:
    proto = two_products()
    layers = find_layers(proto)
    assert [layer.node for layer in layers] == ["first", "second"]
    graph = quantised(proto, layers, calibrate(proto, layers, inputs))
    onnx.checker.check_model(graph, full_check=True)
    expected, given = session(proto)(inputs)[0], session(graph)(inputs)[0]
    error = np.abs(given - expected).max(axis=0) / np.abs(expected).max(axis=0)
    assert 1e-4 < error.max() < 0.05  # of each channel's own size, however small it is
    # Shared zeros cannot be made unsigned where there are no integer dot products.
    zeros = [
        n.input[2] for n in graph.graph.node if n.op_type == "DequantizeLinear" and n.input[2:]
    ]
    assert len(zeros) == len(set(zeros))
    types = {t.data_type for t in graph.graph.initializer if len(t.dims) == 2}
    assert types == {TensorProto.INT8}


def test_calibration_over_batches(inputs: np.ndarray) -> None:
    proto = two_products()
    ranges = calibrate(proto, find_layers(proto), inputs)
    assert ranges["x"].low == inputs.min()
    assert ranges["x"].high == inputs.max()
    np.testing.assert_allclose(ranges["x"].mean, inputs.mean(axis=0), atol=1e-5)
    assert ranges["r"].low == 0.0


def test_runs_in_integers(inputs: np.ndarray, tmp_path) -> None:
    proto = two_products()
    layers = find_layers(proto)
    graph = quantised(proto, layers, calibrate(proto, layers, inputs))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(graph.SerializeToString(), options)
    operators = {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}
    assert operators & {"QGemm", "QLinearMatMul", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"}
    assert not operators & {"Gemm", "MatMul"}


def test_a_bias_far_larger_than_its_weights_fits(inputs: np.ndarray) -> None:
    proto = two_products()
    for tensor in proto.graph.initializer:
        factor = {"w1": 1e-7, "b1": 1e3}.get(tensor.name, 1.0)
        value = (numpy_helper.to_array(tensor) * factor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    layers = find_layers(proto)
    graph = quantised(proto, layers, calibrate(proto, layers, inputs))
    expected, given = session(proto)(inputs)[0], session(graph)(inputs)[0]
    assert np.abs(given - expected).max() < 0.02 * np.abs(expected).max()


def test_what_stays_in_float_is_stored_in_8_bits_if_that_costs_little(inputs: np.ndarray) -> None:
    proto = two_products()
    expected = session(proto)(inputs)[0]

    def loss(run) -> float:
        return float(np.abs(run(inputs) - expected).mean())

    layers = find_layers(proto)
    whole = quantised(proto, layers, calibrate(proto, layers, inputs))
    stored = compact(proto, 256)
    losses = [loss(lambda x, graph=graph: session(graph)(x)[0]) for graph in (whole, stored)]
    assert losses[1] < 0.7 * losses[0]
    graph, kept = quantise(proto, inputs, lambda run: loss(run) > 0.9 * losses[0])
    assert kept
    assert {t.data_type for t in graph.graph.initializer if np.prod(t.dims) > 256} == {
        TensorProto.INT8
    }


def test_compact(inputs: np.ndarray) -> None:
    proto = two_products()
    expected = session(proto)(inputs)[0]
    sizes = []
    for eight, most in ((np.inf, 2e-3), (256, 2e-2)):
        graph = compact(proto, eight)
        onnx.checker.check_model(graph, full_check=True)
        assert [value.name for value in (*graph.graph.input, *graph.graph.output)] == ["x", "y"]
        given = session(graph)(inputs)[0]
        assert 0 < np.abs(given - expected).max() < most * np.abs(expected).max()
        sizes.append(len(graph.SerializeToString()))
    full = len(proto.SerializeToString())
    assert sizes[0] < 0.55 * full
    assert sizes[1] < 0.3 * full
    assert numpy_helper.to_array(proto.graph.initializer[0]).dtype == np.float32  # as it was


def test_compact_keeps_names_that_matter_and_numbers_that_do_not_fit() -> None:
    value = helper.make_tensor_value_info
    huge = np.full(40, 1e6, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Clip", ["a", "", "top"], ["long.name"]),
            helper.make_node("Add", ["long.name", "huge"], ["b"]),
        ],
        "names",
        [value("a", TensorProto.FLOAT, ["B", 40])],
        [value("b", TensorProto.FLOAT, ["B", 40])],
        [
            numpy_helper.from_array(np.array(3, np.float32), "top"),
            numpy_helper.from_array(huge, "huge"),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    small = compact(proto, 8)
    onnx.checker.check_model(small, full_check=True)
    x = np.arange(40, dtype=np.float32)[None]
    assert np.array_equal(session(small)(x)[0], np.minimum(x, 3) + huge)


def test_rounded() -> None:
    value = np.random.default_rng(0).normal(size=(5, 7, 3)).astype(np.float32) * [1e-9, 1, 50]
    whole, steps = rounded(value.astype(np.float32))
    assert steps.shape == (3,)
    assert np.array_equal(steps, steps.astype(np.float16))
    assert np.abs(whole).max() == 127
    assert np.all(np.abs(whole * steps - value) <= 0.51 * steps)
    assert np.all(rounded(value.astype(np.float32), 0.25)[1] >= 0.25)


def test_keeps_in_float_what_costs_too_much(inputs: np.ndarray) -> None:
    proto = two_products()
    expected = session(proto)(inputs)[0]

    def loss(run) -> float:
        return float(np.abs(run(inputs) - expected).mean())

    everything, kept = quantise(proto, inputs, lambda run: False)
    assert kept == ()
    most = loss(lambda x: session(everything)(x)[0])
    some, kept = quantise(proto, inputs, lambda run: loss(run) > 0.9 * most)
    assert len(kept) == 1
    assert [node.name for node in some.graph.node if node.name] == [kept[0].node]
    assert loss(lambda x: session(some)(x)[0]) <= 0.9 * most
    nothing, kept = quantise(proto, inputs, lambda run: loss(run) > 0)
    assert len(kept) == 2
    assert np.array_equal(session(nothing)(inputs)[0], expected)


@pytest.mark.parametrize("enough", range(5))
def test_fewest_in_float(enough: int) -> None:
    layers = [Layer(name, "", "", "") for name in "abcd"]
    tried: list[int] = []

    def loses(eight: list[Layer]) -> bool:
        tried.append(4 - len(eight))
        return tried[-1] < enough

    kept, eight = fewest_in_float(layers, lambda layer: ord(layer.node), loses)
    assert [layer.node for layer in kept] == list("dcba"[:enough])
    assert {*kept, *eight} == set(layers)
    assert len(set(tried)) == len(tried)  # each costs minutes
