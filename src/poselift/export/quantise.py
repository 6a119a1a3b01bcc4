"""int8 after training: the products of a graph with 8-bit weights and inputs.

Weights are symmetric with a scale for each output channel, inputs asymmetric with one scale from
the smallest and largest value met in calibration (Jacob et al., "Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018; per channel as in
Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018). What a
layer's rounding adds to its output on average is taken off its bias (Nagel et al., "Data-free
quantization through weight equalization and bias correction", ICCV 2019, section 4.2). Sums,
normalisations, attention and the layers that lose most stay in floating point; what these need
is stored in 16 or 8 bits, too (`poselift.export.compact`).

The graph says so with QuantizeLinear and DequantizeLinear around the products, which ONNX
Runtime, OpenVINO and TensorRT turn into integer arithmetic.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from poselift.export.compact import compact, rounded
from poselift.export.sample import Network
from poselift.runtime.backends import session_options

Float32Array = npt.NDArray[np.float32]

NOTHING: Mapping[str, Float32Array] = {}

_SMALL = 256  # weights below this are not worth a conversion
_BATCH = 8  # windows at once in calibration
_EIGHT = (2**8, 2**11, 2**13, np.inf)  # numbers in other constants that are stored in 8 bits


@dataclass(frozen=True)
class Layer:
    """A product with a constant matrix.

    Args:
        node: its name.
        source: the value that comes in, (..., in).
        result: the value that goes out, (..., out).
        weight: the constant, (in, out), or (out, in) of a Gemm that transposes it.
    """

    node: str
    source: str
    result: str
    weight: str


@dataclass(frozen=True)
class Range:
    """What was met in calibration.

    Args:
        low, high: smallest and largest value.
        mean: (in,) mean of each channel.
    """

    low: float
    high: float
    mean: Float32Array


def find_layers(proto: onnx.ModelProto) -> list[Layer]:
    """All products with a constant matrix that are large enough to be worth it."""
    sizes = {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer}
    return [
        Layer(node.name, node.input[0], node.output[0], node.input[1])
        for node in proto.graph.node
        if node.op_type in ("Gemm", "MatMul")
        and not _flag(node, "transA")
        and len(sizes.get(node.input[1], ())) == 2
        and np.prod(sizes[node.input[1]]) > _SMALL
    ]


def _flag(node: NodeProto, name: str) -> bool:
    """Whether an attribute is there and not zero."""
    return any(attribute.name == name and attribute.i for attribute in node.attribute)


def calibrate(
    proto: onnx.ModelProto,
    layers: Iterable[Layer],
    windows: Float32Array,
    fixed: Mapping[str, Float32Array] = NOTHING,
) -> dict[str, Range]:
    """Ranges of what comes into the layers over (B, F, 17, 2 or 3) windows, by the value's name."""
    names = sorted({layer.source for layer in layers})
    watched = onnx.ModelProto()
    watched.CopyFrom(proto)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    run = session(watched, fixed)
    ranges: dict[str, Range] = {}
    batches = [windows[i : i + _BATCH] for i in range(0, len(windows), _BATCH)]
    for batch in batches:
        for name, value in zip(names, run(batch, names), strict=True):
            value = np.atleast_1d(value)
            mean = value.reshape(-1, value.shape[-1]).mean(axis=0) * (len(batch) / len(windows))
            found = Range(min(0.0, float(value.min())), max(0.0, float(value.max())), mean)
            old = ranges.get(name)
            if old is not None:
                found = Range(min(found.low, old.low), max(found.high, old.high), old.mean + mean)
            ranges[name] = found
    return ranges


def session(
    proto: onnx.ModelProto, fixed: Mapping[str, Float32Array] = NOTHING
) -> Callable[..., list[Float32Array]]:
    """Call of a graph: (windows, names of outputs) -> values.

    Args:
        proto: its first input are windows.
        fixed: its other inputs.
    """
    graph = opened(proto)
    source = graph.get_inputs()[0].name

    def run(x: Float32Array, names: list[str] | None = None) -> list[Float32Array]:
        values: list[Float32Array] = graph.run(names, {source: x, **fixed})
        return values

    return run


def opened(proto: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A graph in ONNX Runtime, on the CPU."""
    return onnxruntime.InferenceSession(
        proto.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
    )


def quantised(
    proto: onnx.ModelProto, layers: Iterable[Layer], ranges: Mapping[str, Range]
) -> onnx.ModelProto:
    """The graph with these layers in 8 bits.

    Args:
        proto: graph in float32.
        layers: of :func:`find_layers`.
        ranges: of :func:`calibrate`.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    constants = {tensor.name: tensor for tensor in result.graph.initializer}
    by_node = {layer.node: layer for layer in layers}
    nodes: list[NodeProto] = []
    done: dict[str, tuple[str, np.float32]] = {}
    for node in result.graph.node:
        layer = by_node.get(node.name)
        if layer is None:
            nodes.append(node)
            continue
        met = ranges[layer.source]
        if layer.source not in done:
            done[layer.source] = _quantise_input(layer.source, met, constants, nodes)
        source, step = done[layer.source]
        weight = numpy_helper.to_array(constants[layer.weight])
        if _flag(node, "transB"):
            weight = weight.T
        bias = np.zeros(weight.shape[1], np.float32)
        if len(node.input) > 2:
            bias = numpy_helper.to_array(constants[node.input[2]])
        # A bias becomes a number of steps in the integer sums, and must fit into 32 bits.
        whole, steps = rounded(weight, (np.abs(bias) / (step * 2.0**30)).astype(np.float32))
        rounding = met.mean @ (whole * steps - weight)  # (out,) what rounding adds on average
        name = f"{layer.node}.weight"
        _add(constants, f"{name}.int8", whole.astype(np.int8))
        _add(constants, f"{name}.step", steps)
        # Without zeros ONNX Runtime computes in float; shared ones it cannot make unsigned.
        _add(constants, f"{name}.zeros", np.zeros(len(steps), np.int8))
        parts = [f"{name}.int8", f"{name}.step", f"{name}.zeros"]
        nodes.append(helper.make_node("DequantizeLinear", parts, [name], axis=1))
        inputs = [source, name]
        if node.op_type == "Gemm":
            _add(constants, f"{layer.node}.bias", bias - rounding)
            inputs.append(_quantise_bias(layer, nodes))
        nodes.append(helper.make_node(node.op_type, inputs, [layer.result], node.name))
    used = {name for node in nodes for name in node.input}
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    kept = [tensor for name, tensor in constants.items() if name in used]
    del result.graph.initializer[:]
    result.graph.initializer.extend(kept)
    return result


def _add(constants: dict[str, TensorProto], name: str, value: npt.NDArray[np.generic]) -> None:
    constants[name] = numpy_helper.from_array(np.asarray(value), name)


def _quantise_input(
    name: str,
    met: Range,
    constants: dict[str, TensorProto],
    nodes: list[NodeProto],
) -> tuple[str, np.float32]:
    """Nodes that round a value to 8 bits; returns the name of the result and the step."""
    step = np.float32(max(met.high - met.low, 1e-12) / 255)
    zero = np.array(round(-met.low / step), np.uint8)
    _add(constants, f"{name}.step", np.array(step))
    _add(constants, f"{name}.zero", zero)
    parts = [f"{name}.step", f"{name}.zero"]
    nodes.append(helper.make_node("QuantizeLinear", [name, *parts], [f"{name}.int8"]))
    nodes.append(
        helper.make_node("DequantizeLinear", [f"{name}.int8", *parts], [f"{name}.rounded"])
    )
    return f"{name}.rounded", step


def _quantise_bias(layer: Layer, nodes: list[NodeProto]) -> str:
    """Nodes that make a bias the number of steps in the integer sums that runtimes ask for.

    They compute it when they load the graph: half as many bytes, and no second copy of the steps.
    Returns the name of the result.
    """
    name = f"{layer.node}.bias"
    made = [f"{name}.{part}" for part in ("step", "steps", "whole", "int32", "rounded")]
    step, steps, whole, integer, result = made
    nodes += [
        helper.make_node("Mul", [f"{layer.source}.step", f"{layer.node}.weight.step"], [step]),
        helper.make_node("Div", [name, step], [steps]),
        helper.make_node("Round", [steps], [whole]),
        helper.make_node("Cast", [whole], [integer], to=TensorProto.INT32),
        helper.make_node("DequantizeLinear", [integer, step], [result], axis=0),
    ]
    return result


def fewest_in_float(
    layers: Sequence[Layer],
    moved: Callable[[Layer], float],
    loses: Callable[[Sequence[Layer]], bool],
) -> tuple[list[Layer], list[Layer]]:
    """Layers that stay in floating point, as few as possible, and those in 8 bits.

    The number is found by bisection, which takes for granted that the loss falls with every
    further layer that stays.

    Args:
        layers: all.
        moved: how much a layer in 8 bits moves joints for its size; those that do most stay.
        loses: whether a network with these layers in 8 bits loses too much.
    """
    if not loses(layers):
        return [], list(layers)
    ordered = sorted(layers, key=moved, reverse=True)
    count = bisect_left(range(len(ordered)), True, lo=1, key=lambda n: not loses(ordered[n:]))
    return ordered[:count], ordered[count:]


def quantise(
    proto: onnx.ModelProto,
    windows: Float32Array,
    loses: Callable[[Network], bool],
    *,
    fixed: Mapping[str, Float32Array] = NOTHING,
) -> tuple[onnx.ModelProto, tuple[Layer, ...]]:
    """Quantise as much of the weights as the loss of accuracy allows.

    Args:
        proto: graph in float32.
        windows: (B, F, 17, 2 or 3) to calibrate on.
        loses: whether a network loses too much.
        fixed: see :func:`session`.

    Returns:
        The graph, its other constants stored in 8 or 16 bits as far as the loss allows, and the
        layers that compute in float, those that lose most for their size first.
    """
    layers = find_layers(proto)
    ranges = calibrate(proto, layers, windows, fixed)
    sizes = {t.name: int(np.prod(t.dims)) for t in proto.graph.initializer}
    probe = windows[: 2 * _BATCH]
    expected = session(proto, fixed)(probe)[0]

    def moved(layer: Layer) -> float:
        """Mean square by which this layer alone moves a joint, for each of its weights."""
        run = session(quantised(proto, [layer], ranges), fixed)
        return float(np.square(run(probe)[0] - expected).mean()) / sizes[layer.weight]

    def loses_as(graph: onnx.ModelProto) -> bool:
        run = session(graph, fixed)
        return loses(lambda x: run(x)[0])

    kept, eight = fewest_in_float(
        layers, moved, lambda some: loses_as(quantised(proto, some, ranges))
    )
    graph = quantised(proto, eight, ranges)
    names = {layer.node for layer in kept}
    stored = (compact(graph, size, names) for size in _EIGHT)
    return next((each for each in stored if not loses_as(each)), graph), tuple(kept)
