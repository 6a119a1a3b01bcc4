"""An ONNX graph becomes a LiteRT graph, operator by operator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import onnx
from onnx import NodeProto, helper, numpy_helper

from poselift.errors import UsageError
from poselift.export.quantise import opened
from poselift.export.tflite.graph import Array, Graph, Shape
from poselift.export.tflite.rules import RULES, Node, data_inputs, unknown_operator


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
            if node.op_type != "Shape" and self._varying & set(data_inputs(node)):
                self._varying.update(node.output)
        for node in self.needed():
            if node.op_type not in RULES:
                raise unknown_operator(node.op_type)
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
                wanted.update(self._varying & set(data_inputs(node)))
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
