"""Export for LiteRT (TensorFlow Lite), as on phones and small boards: ``NAME.tflite``.

The folded ONNX graph is translated operator by operator into the flatbuffer of LiteRT's schema,
which comes with its runtime. :data:`RULES` holds the operators that our networks have; another is
refused by its name. What they become are operators that XNNPACK has, the runtime's fast kernels on
processors, so that a network runs in one piece.

In int8 a product rounds its weights with a step for each output, and what comes in row by row as
it comes ("dynamic range"). Needs the package ``ai-edge-litert``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper

from poselift.data.mocap import Motion
from poselift.errors import MissingExtraError, UsageError
from poselift.evaluation.mocap import IMAGE_SIZE
from poselift.export.onnx import ExportReport, Loaded, Weights, build
from poselift.export.quantise import Layer, fewest_in_float, find_layers, opened
from poselift.export.raw import INPUTS
from poselift.files import atomic_path
from poselift.runtime.backends import RAW_KEY, open_litert

try:
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder
except ImportError as error:
    raise MissingExtraError(
        f"this needs {error.name}", "ai-edge-litert installed", "pip install ai-edge-litert"
    ) from error

Array = npt.NDArray[Any]

_SMALL = 256
"""Numbers up to which a constant stays float32."""
_ALIGNMENT = 16  # bytes, of every buffer: the schema asks for it
_PROBED = 16  # windows


def export_litert(
    folder: Path,
    path: Path,
    weights: Weights,
    *,
    raw: bool = False,
    batch: int | None = None,
    tolerance: float | None = None,
    motions: Sequence[Motion] = (),
) -> ExportReport:
    """Export a checkpoint folder, compared with torch before it is kept.

    Args:
        folder: checkpoint folder.
        path: the ``.tflite`` file to write.
        weights: ``"float32"``; ``"float16"``, in which they are stored; ``"int8"``, in which the
            products with weights are also computed. What is not is then stored in float16.
        raw: see `poselift.export.onnx.export_onnx`; so are the errors.
        batch: see there.
        tolerance: see there.
        motions: see there.

    Raises:
        UsageError: other ``weights``, or a network with an operator that has no rule.
        MissingExtraError: ai-edge-litert is not installed.
    """
    if weights not in ("float32", "float16", "int8"):
        raise UsageError(f"weights={weights!r}", "float32, float16 or int8 for LiteRT")
    loaded = Loaded.read(folder, motions, batch)
    proto, _ = build(loaded, "float32", raw=raw)
    image = {INPUTS[1]: np.array(IMAGE_SIZE, np.float32)} if raw else {}
    shown = loaded.sample.pixels if raw else loaded.sample.windows
    values = Values(proto, shown[:3], image)
    if weights == "int8":
        graph, kept = _quantise(values, loaded, raw)
    else:
        graph, kept = translate(values, half=weights == "float16"), ()
    metadata = {**loaded.metadata, **({RAW_KEY: list(INPUTS)} if raw else {})}
    if batch is not None:
        graph.fix_batch(batch)
    content = graph.pack(metadata)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        run = open_litert(temporary, threads=1)
        found = loaded.check(path, lambda x: run(x, *image.values()), weights, tolerance, raw=raw)
    same = found.largest if weights == "float32" else np.nan
    return ExportReport(path, len(content), graph.counted(), same, found, kept)


def _quantise(values: Values, loaded: Loaded, raw: bool) -> tuple[Graph, tuple[str, ...]]:
    """As many products in 8 bits as the loss of accuracy allows.

    Returns:
        The graph, and the names of the products that stay in floating point, those that move
        joints most for their size.
    """
    probe = (loaded.sample.pixels if raw else loaded.sample.windows)[:_PROBED]

    def run(layers: Sequence[Layer], x: Array) -> Array:
        graph = translate(values, half=True, eight={layer.node for layer in layers})
        call = open_litert(graph.pack({}), threads=1)
        pieces = (x[i : i + _PROBED] for i in range(0, len(x), _PROBED))
        return np.concatenate([call(piece, *values.fixed.values()) for piece in pieces])

    reference = run([], probe)

    def moved(layer: Layer) -> float:
        """Mean square by which this layer alone moves a joint, for each of its weights."""
        change = np.square(run([layer], probe) - reference).mean()
        return float(change) / values.constant(layer.weight).size

    kept, eight = fewest_in_float(
        find_layers(values.proto),
        moved,
        lambda layers: loaded.loses(lambda x: run(layers, x), raw=raw),
    )
    graph = translate(values, half=True, eight={layer.node for layer in eight})
    return graph, tuple(layer.node for layer in kept)


class _Buffer(schema.BufferT):  # type: ignore[misc]  # the package has no types
    """Bytes, aligned as the schema asks for: its Python code aligns them to their own size, 1."""

    def Pack(self, builder: Builder) -> int:  # noqa: N802  # the schema's name
        """Write it."""
        size = len(self.data)
        builder.StartVector(1, size, _ALIGNMENT)
        builder.head -= size
        builder.Bytes[builder.head : builder.head + size] = self.data.tobytes()
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


@dataclass(frozen=True)
class Shape:
    """Sizes of a value.

    Args:
        sizes: for one window.
        growing: the axis that is as many times as large for a batch; ``None`` if there is none.
    """

    sizes: tuple[int, ...]
    growing: int | None = None

    @property
    def signature(self) -> list[int]:
        """The sizes, -1 for the one that grows."""
        return [-1 if axis == self.growing else n for axis, n in enumerate(self.sizes)]


class Graph:
    """A LiteRT graph that grows operator by operator.

    Args:
        half: store large matrices in float16.
    """

    def __init__(self, half: bool) -> None:
        self.half = half
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]  # number 0 means none
        self.operators: list[Any] = []
        self.codes: list[tuple[str, int]] = []
        self.shapes: list[Shape] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def value(self, shape: Shape) -> int:
        """A tensor without content yet."""
        return self._tensor(schema.TensorType.FLOAT32, shape)

    def _tensor(self, kind: int, shape: Shape, content: Array | None = None) -> int:
        tensor = schema.TensorT(shape=list(shape.sizes), type=kind, name=f"t{len(self.tensors)}")
        if shape.growing is not None:
            tensor.shapeSignature = shape.signature
        if content is not None:
            tensor.buffer = len(self.buffers)
            self.buffers.append(_Buffer(np.frombuffer(content.tobytes(), np.uint8)))
        self.tensors.append(tensor)
        self.shapes.append(shape)
        return len(self.tensors) - 1

    def constant(self, content: npt.ArrayLike) -> int:
        """A constant tensor. A bias stays float32: products in 8 bits take no other."""
        array = np.asarray(content)
        array = array.astype(np.int32 if array.dtype.kind in "iu" else np.float32)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            shape = Shape(array.shape)
            if array.dtype == np.int32:
                found = self._tensor(schema.TensorType.INT32, shape, array)
            elif self.half and array.ndim > 1 and array.size > _SMALL:
                with np.errstate(over="ignore"):  # no number then, which the comparison sees
                    short = array.astype(np.float16)
                stored = self._tensor(schema.TensorType.FLOAT16, shape, short)
                found = self.emit("DEQUANTIZE", [stored], shape, version=3)
            else:
                found = self._tensor(schema.TensorType.FLOAT32, shape, array)
            self._constants[key] = found
        return self._constants[key]

    def in_8_bits(self, matrix: Array) -> int:
        """An (out, in) constant as int8, a step for each output."""
        steps = np.maximum(np.abs(matrix).max(axis=1) / 127, 1e-12).astype(np.float32)
        whole = np.round(matrix / steps[:, None]).astype(np.int8)
        index = self._tensor(schema.TensorType.INT8, Shape(matrix.shape), whole)
        self.tensors[index].quantization = schema.QuantizationParametersT(
            scale=steps, zeroPoint=np.zeros(len(steps), np.int64), quantizedDimension=0
        )
        return index

    def emit(
        self, operator: str, inputs: Sequence[int], shape: Shape, options: Any = None, **code: int
    ) -> int:
        """Add an operator with one output, whose tensor is returned; see :meth:`emit_several`."""
        return self.emit_several(operator, inputs, [shape], options, **code)[0]

    def emit_several(
        self,
        operator: str,
        inputs: Sequence[int],
        shapes: Sequence[Shape],
        options: Any = None,
        version: int = 1,
    ) -> list[int]:
        """Add an operator.

        Args:
            operator: its name in the schema.
            inputs: tensors.
            shapes: of the outputs.
            options: one of the schema's tables.
            version: of the operator, the first that can do this.
        """
        outputs = [self.value(shape) for shape in shapes]
        if (operator, version) not in self.codes:
            self.codes.append((operator, version))
        added = schema.OperatorT(
            opcodeIndex=self.codes.index((operator, version)),
            inputs=list(inputs),
            outputs=outputs,
        )
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            added.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            added.builtinOptions = options
        self.operators.append(added)
        return outputs

    def counted(self) -> Mapping[str, int]:
        """Number of operators by name."""
        return Counter(self.codes[added.opcodeIndex][0] for added in self.operators)

    def name(self, tensor: int, name: str) -> None:
        """Name a tensor that programs look for."""
        self.tensors[tensor].name = name

    def fix_batch(self, count: int) -> None:
        """See `poselift.export.trace.fix_batch`."""
        for tensor, shape in zip(self.tensors, self.shapes, strict=True):
            if shape.growing is not None:
                tensor.shape[shape.growing] *= count
                tensor.shapeSignature = None

    def pack(self, metadata: Mapping[str, Any]) -> bytes:
        """The file, with metadata as JSON under each key."""
        codes = []
        for operator, version in self.codes:
            number = getattr(schema.BuiltinOperator, operator)
            # Readers of before 2020 know the first field alone, which has room for 127.
            codes.append(schema.OperatorCodeT(min(number, 127), None, version, number))
        main = schema.SubGraphT(self.tensors, self.inputs, self.outputs, self.operators, "main")
        texts = [np.frombuffer(json.dumps(x).encode(), np.uint8) for x in metadata.values()]
        entries = [schema.MetadataT(key, len(self.buffers) + i) for i, key in enumerate(metadata)]
        model = schema.ModelT(3, codes, [main], "poselift")
        model.buffers, model.metadata = [*self.buffers, *map(_Buffer, texts)], entries
        builder = Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


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
        return _unknown(f"{self.proto.op_type} {what}")


def _unknown(what: str) -> UsageError:
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


class Values:
    """An ONNX graph in float32, the shapes of its values, and those that no input changes.

    What is different between two and three windows tells the batch from other axes, in whatever
    way the exporter has them computed.

    Args:
        proto: the graph.
        windows: three, for its first input.
        fixed: its other inputs.

    Raises:
        UsageError: an operator without a rule.
    """

    def __init__(self, proto: onnx.ModelProto, windows: Array, fixed: Mapping[str, Array]) -> None:
        self.proto, self.fixed = proto, fixed
        self.inputs = [source.name for source in proto.graph.input]
        self.outputs = [result.name for result in proto.graph.output]
        self._constants = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
        self._varying = set(self.inputs)
        for node in proto.graph.node:
            if node.op_type != "Shape" and self._varying & set(_data(node)):
                self._varying.update(node.output)
        for node in self.needed():
            if node.op_type not in RULES:
                raise _unknown(node.op_type)
        self._sizes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        given = {self.inputs[0]: (windows[:2], windows[:3])}
        self._compute({**given, **{name: (value, value) for name, value in fixed.items()}})

    def _compute(self, held: dict[str, tuple[Array, Array]]) -> None:
        """Run the graph node by node: all values of a large one do not fit into memory.

        Args:
            held: the inputs, for two and for three windows.
        """
        nodes = self.proto.graph.node
        weights = {tensor.name: tensor for tensor in self.proto.graph.initializer}
        last = {name: i for i, node in enumerate(nodes) for name in node.input}
        self._note(held)
        for i, node in enumerate(nodes):
            made = [name for name in node.output if name]
            used = dict.fromkeys(node.input)
            given = {name: held[name] for name in used if name in held}
            kinds = {k: helper.np_dtype_to_tensor_dtype(two.dtype) for k, (two, _) in given.items()}
            graph = helper.make_graph(
                [node],
                "node",
                [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()],
                [helper.make_empty_tensor_value_info(name) for name in made],
                [weights[name] for name in used if name in weights],
            )
            run = opened(
                helper.make_model(
                    graph, opset_imports=self.proto.opset_import, ir_version=self.proto.ir_version
                )
            ).run
            two, three = (run(made, {name: x[j] for name, x in given.items()}) for j in (0, 1))
            values = dict(zip(made, zip(two, three, strict=True), strict=True))
            self._note(values)
            held = {name: x for name, x in {**held, **values}.items() if last.get(name, -1) > i}

    def _note(self, values: Mapping[str, tuple[Array, Array]]) -> None:
        """Keep what is asked for later."""
        for name, (two, three) in values.items():
            self._sizes[name] = two.shape, three.shape
            if name not in self._varying:
                self._constants[name] = two

    def needed(self) -> Iterator[NodeProto]:
        """The nodes that the outputs are computed by; not those that compute shapes alone."""
        wanted, found = set(self.outputs), []
        for node in reversed(self.proto.graph.node):
            if wanted & set(node.output):
                found.append(node)
                wanted.update(self._varying & set(_data(node)))
        return reversed(found)

    def shape(self, name: str) -> Shape:
        """The shape of a value."""
        two, three = self._sizes[name]
        growing = [axis for axis, (a, b) in enumerate(zip(two, three, strict=True)) if a != b]
        if not growing:
            return Shape(two)
        axis = growing[0]
        step = three[axis] - two[axis]
        if len(growing) > 1 or two[axis] != 2 * step:
            raise UsageError(
                f"LiteRT for a network with a value of shape {two} for two windows and {three} "
                "for three",
                "values with one axis that is as many times as large",
                "choose onnx or openvino",
            )
        return Shape((*two[:axis], step, *two[axis + 1 :]), axis)

    def constant(self, name: str) -> Array:
        """A value that does not depend on the inputs; of one window where its shape does."""
        value = self._constants[name]
        if name in self._sizes:  # not a constant of the file
            value = value[tuple(slice(n) for n in self.shape(name).sizes)]
        return value


def _data(node: NodeProto) -> Sequence[str]:
    """Names of the inputs that are values."""
    rule = RULES.get(node.op_type)
    return list(node.input)[: None if rule is None else rule.data]


def translate(values: Values, *, half: bool, eight: Collection[str] = ()) -> Graph:
    """Translate a graph.

    Args:
        values: the ONNX graph.
        half: store large matrices in float16.
        eight: names of the nodes that multiply with a constant in 8 bits.

    Raises:
        UsageError: a use of an operator that has no rule.
    """
    graph = Graph(half)
    tensors = {name: graph.value(values.shape(name)) for name in values.inputs}
    graph.inputs = list(tensors.values())
    for node in values.needed():
        inputs = {i: name for i, name in enumerate(node.input) if name}
        outputs = RULES[node.op_type].write(
            Node(
                node,
                {a.name: helper.get_attribute_value(a) for a in node.attribute},
                graph,
                {i: tensors[name] for i, name in inputs.items() if name in tensors},
                {i: values.constant(name) for i, name in inputs.items() if name not in tensors},
                [values.shape(name) for name in node.output],
                node.name in eight,
            )
        )
        tensors.update(zip(node.output, outputs, strict=True))
    graph.outputs = [tensors[name] for name in values.outputs]
    for name in (*values.inputs, *values.outputs):
        graph.name(tensors[name], name)
    return graph
