"""A LiteRT graph: tensors, operators, and the flatbuffer that holds them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder

Array = npt.NDArray[Any]

_SMALL = 256
"""Numbers up to which a constant stays float32."""
_ALIGNMENT = 16  # bytes, of every buffer: the schema asks for it


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
