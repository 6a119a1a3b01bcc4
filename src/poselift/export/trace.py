"""From torch to ONNX."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from onnx import helper
from torch import Tensor, nn

OPSET = 20  # the first with Gelu as one node
IR_VERSION = 10  # what ONNX Runtime 1.20, the oldest that we support, can read


def trace(
    network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str] = ("joints",)
) -> onnx.ModelProto:
    """The graph of a network in eval mode, float32 weights inside.

    Args:
        network: called with the inputs in this order.
        inputs: name -> example. The first axis of those with more than one is the batch, which
            stays free; give two samples, since torch takes a batch of one for a constant.
        outputs: names.
    """
    batch = torch.export.Dim("batch")
    with quiet():
        program = torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} if x.ndim > 1 else None for x in inputs.values()),
            verbose=False,
        )
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    # Names and shapes of intermediate values, and the Python stack of each node: a third of a
    # small graph, and no runtime needs them.
    del proto.graph.value_info[:]
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del proto.graph.metadata_props[:]
    proto.ir_version = IR_VERSION
    proto.producer_name, proto.producer_version = "poselift", ""
    return proto


def fix_batch(proto: onnx.ModelProto, count: int) -> None:
    """Let the graph take ``count`` windows and no other number, as some accelerators ask for."""
    for value in (*proto.graph.input, *proto.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_value = count


def describe(proto: onnx.ModelProto, metadata: Mapping[str, Any]) -> None:
    """Write what must be known of a network into its graph, as JSON under each key."""
    helper.set_model_props(proto, {key: json.dumps(value) for key, value in metadata.items()})


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's warnings about its own insides and packages we do not use."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
