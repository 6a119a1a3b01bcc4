"""Export to ONNX: dynamic batch, everything needed to use the network in the file's metadata.

The graph computes in float32. Its weights are stored in float16, half the size, and widened by
nodes that ONNX Runtime folds when it loads the graph. A graph that lies in a checkpoint folder
can also read them straight from ``weights.safetensors`` beside it: ONNX's external data is a
file, an offset and a length, and that is what a safetensors file is made of.
"""

from __future__ import annotations

import json
import logging
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from poselift.checkpoints import GRAPH_FILE, WEIGHTS_FILE, About, read_config
from poselift.data import procedural
from poselift.errors import CheckpointError, DataError, UsageError
from poselift.evaluation.mocap import IMAGE_SIZE, project_views
from poselift.files import atomic_path
from poselift.geometry.normalise import normalise
from poselift.models import load
from poselift.runtime.backends import CONFIG_KEY, WEIGHTS_KEY, OnnxRuntime, file_crc32

OPSET = 20  # the first with Gelu as one node
IR_VERSION = 10  # what ONNX Runtime 1.20, the oldest that we support, can read
TOLERANCE = 1e-4
"""Metres that the exported graph may differ from torch with the same weights."""
ROUNDING_TOLERANCE = 1e-3
"""Metres that rounding the weights to float16 may move a joint of a walking person."""

Weights = Literal["float16", "float32", "beside"]

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ExportReport:
    """What was exported, and how well it agrees with torch.

    Args:
        path: the file written.
        size: its size in bytes, without a weights file beside it.
        nodes: number of nodes of the graph by operator, as exported.
        largest_difference: from torch with the same weights, metres: the largest over all
            windows, frames, joints and axes.
        rounding: how far float16 weights move a joint at most on real windows, metres; 0 where
            the weights are kept as they are.
        windows: number of windows compared at each batch size.
        batch_sizes: batch sizes compared.
    """

    path: Path
    size: int
    nodes: Mapping[str, int]
    largest_difference: float
    rounding: float
    windows: int
    batch_sizes: tuple[int, ...]


def export_onnx(
    folder: str | Path,
    path: str | Path | None = None,
    *,
    weights: Weights = "float16",
    tolerance: float = TOLERANCE,
    windows: npt.NDArray[np.float32] | None = None,
) -> ExportReport:
    """Export a checkpoint folder, and compare the graph with torch before it is kept.

    Args:
        folder: checkpoint folder.
        path: file to write; ``model.onnx`` in the folder if not given.
        weights: ``"float16"`` or ``"float32"`` in the graph, or ``"beside"``: read from the
            ``weights.safetensors`` of the folder, in which the graph must then lie.
        tolerance: largest difference from torch allowed, metres.
        windows: (B, F, 17, 2) normalised windows to compare on, beside random ones and those of
            a walking person.

    Raises:
        CheckpointError: no checkpoint, a graph that differs from torch by more than
            ``tolerance``, or weights that float16 changes by more than ``ROUNDING_TOLERANCE``;
            nothing is written then.
        UsageError: unknown ``weights``, or ``"beside"`` for a file in another folder.
        DataError: ``windows`` of another shape, or the file cannot be written.
    """
    folder = Path(folder)
    path = folder / GRAPH_FILE if path is None else Path(path)
    if weights not in get_args(Weights):
        raise UsageError(f"weights={weights!r}", f"one of {', '.join(get_args(Weights))}")
    if weights == "beside" and path.resolve().parent != folder.resolve():
        raise UsageError(
            f"{path}: not in {folder}", "a file in the folder whose weights it reads", ""
        )
    about = About.parse(read_config(folder), str(folder))
    file = folder / WEIGHTS_FILE
    network = load(folder)
    source: dict[str, Any] = {"crc32": file_crc32(file)}
    noise, real = _samples(about, windows)
    rounding = _round(network, real) if weights == "float16" else 0.0
    if not rounding <= ROUNDING_TOLERANCE:
        raise CheckpointError(
            f"{folder}: its weights in float16 move joints by {rounding * 1000:.3f} mm",
            f"at most {ROUNDING_TOLERANCE * 1000:g} mm",
            "export with float32 weights",
        )
    samples = np.concatenate([noise, real])
    proto = _trace(network, about)
    nodes = Counter(node.op_type for node in proto.graph.node)
    if weights == "beside":
        _read_from(proto, file, network)
        source["file"] = WEIGHTS_FILE
    elif weights == "float16":
        _halve(proto, network)
    metadata = {CONFIG_KEY: about.content, WEIGHTS_KEY: source}
    helper.set_model_props(proto, {key: json.dumps(value) for key, value in metadata.items()})
    proto.ir_version = IR_VERSION
    proto.producer_name, proto.producer_version = "poselift", ""

    batch_sizes = (1, 7)
    with atomic_path(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        onnx.checker.check_model(str(temporary), full_check=True)
        exported = OnnxRuntime(temporary, threads=1)
        difference = max(_difference(network, exported, samples, size) for size in batch_sizes)
        if not difference <= tolerance:
            raise CheckpointError(
                f"{path}: differs from torch by {difference * 1000:.4f} mm",
                f"at most {tolerance * 1000:.4f} mm",
                "nothing was written",
            )
    size = path.stat().st_size
    return ExportReport(path, size, nodes, difference, rounding, len(samples), batch_sizes)


def _samples(
    about: About, windows: npt.NDArray[np.float32] | None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Normalised windows (B, F, 17, 2): noise; a person seen by four cameras and the caller's."""
    shape = (about.window, 17, 2)
    noise = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    walk = procedural.generate("walk", about.window / about.fps, about.fps)
    person = project_views(walk)[:, : about.window].astype(np.float32)
    real = normalise(person, IMAGE_SIZE, about.normalisation)
    if windows is None:
        return noise, real
    given = np.asarray(windows, dtype=np.float32)
    if given.shape[1:] != shape or not np.isfinite(given).all():
        raise DataError(f"windows of shape {given.shape}", f"(B, {shape}), finite numbers")
    return noise, np.concatenate([real, given])


def _round(network: nn.Module, samples: npt.NDArray[np.float32]) -> float:
    """Round the weights to float16 in place; returns how far that moves a joint, metres."""
    x = torch.from_numpy(samples)
    with torch.inference_mode():
        before = network(x)
    with torch.no_grad():
        for key, weight in network.state_dict().items():
            weight.copy_(weight.half())
            if not weight.isfinite().all():
                raise CheckpointError(
                    f"weight {key!r} is too large for float16", "numbers below 65504"
                )
    with torch.inference_mode():
        return float((network(x) - before).norm(dim=-1).max())


def _difference(
    network: nn.Module, exported: OnnxRuntime, samples: npt.NDArray[np.float32], batch: int
) -> float:
    """Largest absolute difference in metres, in batches of this size."""
    largest = 0.0
    with torch.inference_mode():
        for i in range(0, len(samples), batch):
            x = samples[i : i + batch]
            gap = np.abs(network(torch.from_numpy(x)).numpy() - exported(x)).max()
            largest = max(largest, float(gap)) if np.isfinite(gap) else np.inf
    return largest


def _trace(network: nn.Module, about: About) -> onnx.ModelProto:
    """The graph with float32 weights inside: ``x`` (batch, F, 17, 2) -> ``joints``."""
    # Two, since torch takes a batch of one for a constant.
    example = torch.zeros(2, about.window, 17, 2)
    with _quiet():
        program = torch.onnx.export(
            network.eval(),
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=["x"],
            output_names=["joints"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
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
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings about its own insides and packages we do not use."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


_SMALL = 256
"""Numbers up to which a constant stays as it is: nothing to gain, and shapes among them."""


def _halve(proto: onnx.ModelProto, network: nn.Module) -> None:
    """Store weights, rounded already, in float16, and widen them in the graph."""
    state = _by_value(network)
    widened = []
    for tensor in proto.graph.initializer:
        value = numpy_helper.to_array(tensor)
        # Weights alone: they are of float16 by now, which a cosine matrix is not.
        if value.size > _SMALL and value.tobytes() in state:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16), f"{name}.0"))
            widened.append(helper.make_node("Cast", [f"{name}.0"], [name], to=TensorProto.FLOAT))
    _prepend(proto, widened)


def _read_from(proto: onnx.ModelProto, file: Path, network: nn.Module) -> None:
    """Replace every weight in the graph by a reference into a safetensors file.

    The exporter may have transposed a matrix or changed its name: tensors are matched by value.
    """
    entries, data_start = _safetensors_header(file)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    state = _by_value(network)
    tensors, nodes = [], []
    for tensor in proto.graph.initializer:
        value = numpy_helper.to_array(tensor)
        # Two weights may be equal, all zeros for one: either has the right values.
        key, transposed = state.get(value.tobytes(), ("", False))
        if not key or value.size <= _SMALL:
            tensors.append(tensor)
            continue
        steps: list[tuple[str, dict[str, Any]]] = []
        if entries[key]["dtype"] != "F32":
            steps.append(("Cast", {"to": TensorProto.FLOAT}))
        if transposed:
            steps.append(("Transpose", {"perm": [1, 0]}))
        names = [f"{tensor.name}.{i}" for i in range(len(steps))] + [tensor.name]
        for (operator, attributes), source, result in zip(steps, names, names[1:], strict=False):
            nodes.append(helper.make_node(operator, [source], [result], **attributes))
        # Reshaped but for a transposition: the bytes are the same, and so the tensor is.
        shape = shapes[key] if transposed else value.shape
        tensors.append(_external(names[0], shape, entries[key], file.name, data_start))
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(tensors)
    _prepend(proto, nodes)


def _by_value(network: nn.Module) -> dict[bytes, tuple[str, bool]]:
    """Bytes of each weight -> its key; those of each transposed matrix -> its key and True."""
    found: dict[bytes, tuple[str, bool]] = {}
    for key, value in network.state_dict().items():
        found[value.numpy().tobytes()] = (key, False)
        if value.ndim == 2:
            found.setdefault(value.T.contiguous().numpy().tobytes(), (key, True))
    return found


_TYPES = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}


def _external(
    name: str, shape: tuple[int, ...], entry: Mapping[str, Any], file: str, data_start: int
) -> TensorProto:
    """A tensor whose bytes lie in a safetensors file."""
    if entry["dtype"] not in _TYPES:
        raise CheckpointError(f"{file}: weights of type {entry['dtype']}", "F16 or F32")
    begin, end = entry["data_offsets"]
    tensor = TensorProto(name=name, data_type=_TYPES[entry["dtype"]], dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", data_start + begin), ("length", end - begin)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _safetensors_header(file: Path) -> tuple[dict[str, Any], int]:
    """Type, shape and offsets of each tensor, and where the offsets count from."""
    with file.open("rb") as opened:
        (size,) = struct.unpack("<Q", opened.read(8))
        return json.loads(opened.read(size)), 8 + size


def _prepend(proto: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    """Put nodes before all others: a graph lists its nodes in an order they can run in."""
    rest = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes, *rest])
