"""A graph in fewer bytes: constants in 8 and 16 bits, and short names.

The arithmetic stays as it is. Constants are widened by nodes that a runtime computes once, when
it loads the graph.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator
from itertools import count, product

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

Float32Array = npt.NDArray[np.float32]

_SMALL = 32  # numbers in a constant below which the node that widens it takes more
_ROWS = 8  # numbers for each step that make 8 bits worth it


def compact(
    proto: onnx.ModelProto, eight: float, nodes_named: Collection[str] = ()
) -> onnx.ModelProto:
    """The graph with its floating-point constants in 16 or 8 bits, and without long names.

    Args:
        proto: graph in float32.
        eight: numbers in a constant above which it has 8 bits, see :func:`rounded`.
        nodes_named: nodes that keep their names.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    graph = result.graph
    tensors: list[TensorProto] = []
    nodes: list[NodeProto] = []

    def widened(name: str, value: npt.NDArray[np.generic]) -> str:
        """Store a constant under another name, with the node that makes it float32."""
        tensors.append(numpy_helper.from_array(value, f"{name}.0"))
        nodes.append(helper.make_node("Cast", [f"{name}.0"], [name], to=TensorProto.FLOAT))
        return name

    for tensor in graph.initializer:
        name, value = tensor.name, numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.size < _SMALL or np.abs(value).max() > 65504:
            tensors.append(tensor)
        elif value.size > max(eight, _ROWS * value.shape[-1]):
            whole, steps = rounded(value)
            parts = [
                widened(f"{name}.whole", whole.astype(np.int8)),
                widened(f"{name}.step", steps.astype(np.float16)),
            ]
            nodes.append(helper.make_node("Mul", parts, [name]))
        else:
            widened(name, value.astype(np.float16))
    nodes.extend(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensors)
    graph.node.extend(nodes)
    _shorten(graph, nodes_named)
    return result


def rounded(
    value: Float32Array, least: float | Float32Array = 0.0
) -> tuple[Float32Array, Float32Array]:
    """(..., C) numbers as whole ones from -127 to 127, and (C,) their steps.

    Args:
        value: the numbers.
        least: the smallest steps allowed.

    Steps are such that float16 holds them exactly.
    """
    most = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)  # (C,)
    steps = np.maximum(most / 127, least).astype(np.float16)
    steps = np.maximum(steps, np.finfo(np.float16).smallest_subnormal).astype(np.float32)
    return np.clip(np.round(value / steps), -127, 127), steps


def _shorten(graph: GraphProto, nodes_named: Collection[str]) -> None:
    """Give all values but inputs and outputs short names, and other nodes none."""
    kept = {value.name for value in (*graph.input, *graph.output)}
    fresh = (name for name in _names() if name not in kept)
    short = {name: name for name in (*kept, "")}  # an input that is left out has no name
    for tensor in graph.initializer:
        old, tensor.name = tensor.name, next(fresh)
        short[old] = tensor.name
    for node in graph.node:  # in an order in which they can run: what comes in is known
        node.name = node.name if node.name in nodes_named else ""
        short.update({name: next(fresh) for name in node.output if name not in short})
        node.input[:] = [short[name] for name in node.input]
        node.output[:] = [short[name] for name in node.output]


def _names() -> Iterator[str]:
    """a, b, ..., Z, aa, ab, ..."""
    for length in count(1):
        yield from map("".join, product(string.ascii_letters, repeat=length))
