"""How the operators of ONNX become LiteRT's: `RULES`.

What they become are operators that XNNPACK has, the runtime's fast kernels on processors, so that a
network runs in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import NodeProto

from poselift.errors import UsageError
from poselift.export.tflite.graph import Array, Graph, Shape


@dataclass(frozen=True)
class Node:
    """A node of an ONNX graph that is being translated.

    Args:
        proto: the node.
        attributes: by name.
        graph: where its translation goes.
        tensors: tensors of its data inputs, those that vary with what comes in.
        constants: its inputs that do not, by position.
        shapes: of its outputs.
        eight: whether it shall be computed in 8 bits.
    """

    proto: NodeProto
    attributes: Mapping[str, Any]
    graph: Graph
    tensors: Mapping[int, int]
    constants: Mapping[int, Array]
    shapes: Sequence[Shape]
    eight: bool

    def tensor(self, position: int) -> int:
        """The tensor of an input, constant or not."""
        if position in self.tensors:
            return self.tensors[position]
        return self.graph.constant(self.constants[position])

    def all_tensors(self) -> list[int]:
        """Those of all inputs."""
        return [self.tensor(position) for position in range(len(self.proto.input))]

    def emit(self, operator: str, inputs: Sequence[int], options: Any = None, **code: int) -> int:
        """Add an operator that gives the node's first output."""
        return self.graph.emit(operator, inputs, self.shapes[0], options, **code)

    def refuse(self, what: str) -> UsageError:
        """An error about it."""
        return unknown_operator(f"{self.proto.op_type} {what}")


def unknown_operator(what: str) -> UsageError:
    """The error about an operator without a rule."""
    return UsageError(
        f"LiteRT for a network with the operator {what}",
        f"operators among {', '.join(RULES)}",
        "choose onnx or openvino",
    )


def _same(operator: str, options: str | None = None) -> Callable[[Node], list[int]]:
    """The same operator by another name."""

    def rule(node: Node) -> list[int]:
        chosen = getattr(schema, options)() if options else None
        return [node.emit(operator, node.all_tensors(), chosen)]

    return rule


def _gelu(node: Node) -> list[int]:
    approximate = node.attributes.get("approximate", b"none") == b"tanh"
    return [node.emit("GELU", node.all_tensors(), schema.GeluOptionsT(approximate))]


def _softmax(node: Node) -> list[int]:
    if node.attributes.get("axis", -1) not in (-1, len(node.shapes[0].sizes) - 1):
        raise node.refuse("over another axis than the last")
    return [node.emit("SOFTMAX", node.all_tensors(), schema.SoftmaxOptionsT(beta=1.0))]


def _reshape(node: Node) -> list[int]:
    return [_reshaped(node.graph, node.tensor(0), node.shapes[0])]


def _reshaped(graph: Graph, tensor: int, shape: Shape) -> int:
    return graph.emit("RESHAPE", [tensor, graph.constant(shape.signature)], shape)


def _transpose(node: Node) -> list[int]:
    rank = len(node.shapes[0].sizes)
    order = node.graph.constant(node.attributes.get("perm", range(rank)[::-1]))
    version = {5: 4, 6: 6}.get(rank, 1)
    return [node.emit("TRANSPOSE", [node.tensor(0), order], version=version)]


def _concat(node: Node) -> list[int]:
    shape = node.shapes[0]
    axis = node.attributes["axis"] % len(shape.sizes)
    kept = list(node.tensors)
    filled = [np.unique(value) for value in node.constants.values()]
    if not filled or shape.growing is None:
        return [node.emit("CONCATENATION", node.all_tensors(), schema.ConcatenationOptionsT(axis))]
    # A constant would not grow with the batch, but an edge does.
    if len(kept) > 1 or len(np.unique(np.concatenate(filled))) > 1:
        raise node.refuse("of values and constants that are not all the same number")
    edges = np.zeros((len(shape.sizes), 2), np.int32)
    for position, value in node.constants.items():
        edges[axis, int(position > kept[0])] += value.shape[axis]
    inputs = [node.tensor(kept[0]), node.graph.constant(edges)]
    if filled[0] == 0:
        return [node.emit("PAD", inputs)]
    return [node.emit("PADV2", [*inputs, node.graph.constant(filled[0])])]


def _split(node: Node) -> list[int]:
    rank = len(node.shapes[0].sizes)
    axis = node.attributes.get("axis", 0) % rank
    sizes = [shape.sizes[axis] for shape in node.shapes]
    if len(sizes) == 1:
        return [node.tensor(0)]
    starts = np.cumsum([0, *sizes])
    if len(set(sizes)) > 1:
        return [
            _slice(node.graph, node.tensor(0), axis, start, shape)
            for start, shape in zip(starts, node.shapes, strict=False)
        ]
    inputs = [node.graph.constant(np.int32(axis)), node.tensor(0)]
    return node.graph.emit_several("SPLIT", inputs, node.shapes, schema.SplitOptionsT(len(sizes)))


def _slice(graph: Graph, tensor: int, axis: int, start: int, shape: Shape, step: int = 1) -> int:
    """Part of an axis; ``shape`` is that of the result."""
    begin, stride = np.zeros(len(shape.sizes), np.int32), np.ones(len(shape.sizes), np.int32)
    begin[axis], stride[axis] = start, step
    end = np.zeros_like(begin)
    end[axis] = start + (shape.sizes[axis] - 1) * step + 1
    everything = sum(1 << i for i in range(len(begin)) if i != axis)
    inputs = [tensor, *(graph.constant(x) for x in (begin, end, stride))]
    options = schema.StridedSliceOptionsT(beginMask=everything, endMask=everything)
    return graph.emit("STRIDED_SLICE", inputs, shape, options, version=4 if len(end) > 4 else 1)


def _sliced(node: Node) -> list[int]:
    source = node.graph.shapes[node.tensor(0)]
    starts, ends = node.constants[1], node.constants[2]
    axes = node.constants.get(3, np.arange(len(starts)))
    steps = node.constants.get(4, np.ones(len(starts), np.int64))
    if min(steps) < 1 or node.shapes[0].growing != source.growing:
        raise node.refuse("backwards or over the batch")
    tensor, sizes = node.tensor(0), list(source.sizes)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = int(axis) % len(sizes)
        kept = range(sizes[axis])[int(start) : int(end) : int(step)]
        if len(kept) == sizes[axis]:
            continue
        if axis == source.growing:
            raise node.refuse("backwards or over the batch")
        sizes[axis] = len(kept)
        shape = Shape(tuple(sizes), source.growing)
        tensor = _slice(node.graph, tensor, axis, kept.start, shape, int(step))
    return [tensor]


def _gather(node: Node) -> list[int]:
    """Runs of neighbours as slices: they are copied as a whole."""
    source = node.graph.shapes[node.tensor(0)]
    axis = node.attributes.get("axis", 0) % len(source.sizes)
    if 1 not in node.constants or axis == source.growing:
        raise node.refuse("with indices that vary, or over the batch")
    indices = node.constants[1].reshape(-1) % source.sizes[axis]
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)

    def part(count: int) -> Shape:
        sizes = (*source.sizes[:axis], count, *source.sizes[axis + 1 :])
        return Shape(sizes, source.growing)

    parts = [_slice(node.graph, node.tensor(0), axis, run[0], part(len(run))) for run in runs]
    joined = parts[0]
    if len(parts) > 1:
        options = schema.ConcatenationOptionsT(axis)
        joined = node.graph.emit("CONCATENATION", parts, part(len(indices)), options)
    if node.constants[1].ndim == 1:
        return [joined]
    return [_reshaped(node.graph, joined, node.shapes[0])]


def _product(node: Node, matrix: Array, bias: Array | None) -> list[int]:
    """Rows times an (in, out) constant."""
    graph, weight = node.graph, matrix.T
    if node.eight:
        inputs, version = [node.tensor(0), graph.in_8_bits(weight)], 12
    else:
        inputs, version = [node.tensor(0), graph.constant(weight)], 6 if bias is None else 5
    if bias is not None:
        inputs.append(graph.constant(bias))
    options = schema.FullyConnectedOptionsT(keepNumDims=True, asymmetricQuantizeInputs=node.eight)
    return [node.emit("FULLY_CONNECTED", inputs, options, version=version)]


def _gemm(node: Node) -> list[int]:
    plain = all(node.attributes.get(name, 1.0) == 1.0 for name in ("alpha", "beta"))
    bias = node.constants.get(2)
    varying = 1 in node.tensors or 2 in node.tensors
    if (
        not plain
        or varying
        or node.attributes.get("transA")
        or (bias is not None and bias.ndim > 1)
    ):
        raise node.refuse("other than rows times a constant matrix")
    matrix = node.constants[1]
    return _product(node, matrix.T if node.attributes.get("transB") else matrix, bias)


def _matmul(node: Node) -> list[int]:
    if 1 in node.constants and node.constants[1].ndim == 2:
        return _product(node, node.constants[1], None)
    rank = len(node.shapes[0].sizes)
    inputs = [
        node.graph.constant(node.constants[i].reshape(-1, *node.constants[i].shape[-2:]))
        if i in node.constants and node.constants[i].ndim < rank
        else node.tensor(i)
        for i in (0, 1)
    ]
    return [node.emit("BATCH_MATMUL", inputs, schema.BatchMatMulOptionsT())]


def _layer_norm(node: Node) -> list[int]:
    graph, x = node.graph, node.tensor(0)
    shape = graph.shapes[x]
    last = len(shape.sizes) - 1
    if node.attributes.get("axis", -1) not in (-1, last):
        raise node.refuse("over several axes")
    one = Shape((*shape.sizes[:-1], 1), shape.growing)
    axis, keep = graph.constant(np.array([last])), schema.ReducerOptionsT(keepDims=True)
    mean = graph.emit("MEAN", [x, axis], one, keep)
    centred = graph.emit("SUB", [x, mean], shape, schema.SubOptionsT())
    square = graph.emit("MUL", [centred, centred], shape, schema.MulOptionsT())
    variance = graph.emit("MEAN", [square, axis], one, keep)
    epsilon = graph.constant(np.float32(node.attributes.get("epsilon", 1e-5)))
    variance = graph.emit("ADD", [variance, epsilon], one, schema.AddOptionsT())
    scale = graph.emit("RSQRT", [variance], one)
    out = graph.emit("MUL", [centred, scale], shape, schema.MulOptionsT())
    gain, shift = node.constants[1], node.constants.get(2, np.zeros(1))
    if (gain != 1).any():
        out = graph.emit("MUL", [out, graph.constant(gain)], shape, schema.MulOptionsT())
    if (shift != 0).any():
        out = graph.emit("ADD", [out, graph.constant(shift)], shape, schema.AddOptionsT())
    return [out]


def _reduced(operator: str) -> Callable[[Node], list[int]]:
    def rule(node: Node) -> list[int]:
        every = np.arange(len(node.graph.shapes[node.tensor(0)].sizes))
        axes = node.graph.constant(node.constants.get(1, every))
        options = schema.ReducerOptionsT(keepDims=bool(node.attributes.get("keepdims", 1)))
        return [node.emit(operator, [node.tensor(0), axes], options)]

    return rule


def _conv(node: Node) -> list[int]:
    """Over time, (B, C, T): as one over an image of one row, whose channels come last."""
    graph, given = node.graph, node.attributes
    padded = any(given.get("pads", ())) or given.get("auto_pad", b"NOTSET") != b"NOTSET"
    groups = given.get("group", 1)
    if 1 not in node.constants or node.constants[1].ndim != 3 or padded or groups != 1:
        raise node.refuse("other than over time, without padding and groups")
    (stride,), (dilation,) = (given.get(name, (1,)) for name in ("strides", "dilations"))
    weight = node.constants[1]  # (out, in, width)
    x, shape = node.tensor(0), node.shapes[0]
    B, C, T = graph.shapes[x].sizes
    out, frames = shape.sizes[1:]
    swap = graph.constant(np.array([0, 2, 1]))
    rows = graph.emit("TRANSPOSE", [x, swap], Shape((B, T, C), 0))
    image = _reshaped(graph, rows, Shape((B, 1, T, C), 0))
    kernel = graph.constant(weight.transpose(0, 2, 1)[:, None])  # (out, 1, width, in)
    bias = graph.constant(node.constants.get(2, np.zeros(out)))
    options = schema.Conv2DOptionsT(schema.Padding.VALID, stride, 1, dilationWFactor=dilation)
    image = graph.emit("CONV_2D", [image, kernel, bias], Shape((B, 1, frames, out), 0), options)
    rows = _reshaped(graph, image, Shape((B, frames, out), 0))
    return [graph.emit("TRANSPOSE", [rows, swap], shape)]


@dataclass(frozen=True)
class Rule:
    """How an operator of ONNX is translated.

    Args:
        write: adds it to the graph and returns the tensors of its outputs.
        data: how many of its inputs are values; the others say what to do with them.
    """

    write: Callable[[Node], list[int]]
    data: int | None = None


RULES: Mapping[str, Rule] = {
    "Add": Rule(_same("ADD", "AddOptionsT")),
    "Sub": Rule(_same("SUB", "SubOptionsT")),
    "Mul": Rule(_same("MUL", "MulOptionsT")),
    "Div": Rule(_same("DIV", "DivOptionsT")),
    "Pow": Rule(_same("POW", "PowOptionsT")),
    "Sqrt": Rule(_same("SQRT")),
    "Tanh": Rule(_same("TANH")),
    "Relu": Rule(_same("RELU")),
    "Gelu": Rule(_gelu),
    "Softmax": Rule(_softmax),
    "Reshape": Rule(_reshape, 1),
    "Squeeze": Rule(_reshape, 1),
    "Unsqueeze": Rule(_reshape, 1),
    "Transpose": Rule(_transpose),
    "Concat": Rule(_concat),
    "Split": Rule(_split, 1),
    "Slice": Rule(_sliced, 1),
    "Gather": Rule(_gather),
    "Gemm": Rule(_gemm),
    "MatMul": Rule(_matmul),
    "Conv": Rule(_conv),
    "LayerNormalization": Rule(_layer_norm),
    "ReduceMean": Rule(_reduced("MEAN"), 1),
    "ReduceMax": Rule(_reduced("REDUCE_MAX"), 1),
}
"""By the name in ONNX."""


def data_inputs(node: NodeProto) -> Sequence[str]:
    """Names of the inputs that are values."""
    rule = RULES.get(node.op_type)
    return list(node.input)[: None if rule is None else rule.data]
