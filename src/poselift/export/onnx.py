"""Export to ONNX: dynamic batch, everything needed to use the network in the file's metadata.

The graph is that of `poselift.export.folded`. Weights in 16 bits are kept as they were trained,
and widened and folded by nodes that a runtime computes once, when it loads the graph. A graph
that lies in a checkpoint folder can also read them straight from ``weights.safetensors`` beside
it: ONNX's external data is a file, an offset and a length, and that is what a safetensors file is
made of. The arithmetic is float32, or integers where the weights are int8.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from poselift.checkpoints import GRAPH_FILE, WEIGHTS_FILE, About, read_config
from poselift.data.mocap import Motion
from poselift.errors import CheckpointError, DataError, UsageError
from poselift.evaluation.mocap import IMAGE_SIZE
from poselift.export.folded import fold, freeze
from poselift.export.quantise import quantise
from poselift.export.raw import INPUTS, RawNetwork
from poselift.export.sample import (
    BATCH_SIZES,
    Agreement,
    Network,
    Sample,
    agreement,
    sample,
)
from poselift.export.trace import describe, fix_batch, trace
from poselift.files import atomic_path
from poselift.models import load
from poselift.runtime.backends import (
    CONFIG_KEY,
    RAW_KEY,
    WEIGHTS_KEY,
    file_crc32,
    in_pieces,
    open_session,
)

Weights = Literal["float16", "float32", "bfloat16", "int8", "beside"]

TOLERANCES: Mapping[Weights, float] = {
    "float32": 1e-4,
    "beside": 1e-4,
    "float16": 1e-3,
    "bfloat16": 3e-2,
    "int8": 5e-2,
}
"""Metres that a joint of a moving person may differ from torch with the weights as trained."""
P1_TOLERANCES: Mapping[Weights, float] = {
    "float32": 1e-5,
    "beside": 1e-5,
    "float16": 3e-4,
    "bfloat16": 1e-3,
    "int8": 3e-4,
}
"""Metres that the mean joint error may grow."""
SAME = 1e-4
"""Metres that a graph may differ from torch with the very same weights, whatever comes in."""

_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
_COMPARED, _CALIBRATED = 32, 64  # windows

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ExportReport:
    """What was exported, and how well it agrees with torch.

    Args:
        path: the file written.
        size: its size in bytes, without a weights file beside it.
        nodes: number of nodes of the graph by operator, as exported.
        largest_difference: from torch with the same weights, metres: the largest over all
            windows, frames, joints and axes. NaN where that was not measured: for int8, for a raw
            graph, and for weights in 16 bits in other formats than ONNX.
        agreement: with torch and the weights as trained, on moving persons.
        kept_float: products that stayed in float beside int8 ones, by their names in the ONNX
            graph; LiteRT has none for operators.
    """

    path: Path
    size: int
    nodes: Mapping[str, int]
    largest_difference: float
    agreement: Agreement
    kept_float: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Loaded:
    """A checkpoint folder about to be exported.

    Args:
        about: what it says of itself.
        network: in torch.
        expected: what torch gives with the weights as trained.
        sample: windows to compare on.
        source: ``WEIGHTS_KEY`` of the metadata.
        motions: where the sample is from.
        batch: the only number of windows that the export takes; ``None`` for any.
    """

    about: About
    network: nn.Module
    sample: Sample
    expected: npt.NDArray[np.float32]
    source: dict[str, Any]
    motions: Sequence[Motion]
    batch: int | None = None

    @classmethod
    def read(cls, folder: Path, motions: Sequence[Motion] = (), batch: int | None = None) -> Loaded:
        """Load a folder; ``CheckpointError`` where there is none."""
        about = About.parse(read_config(folder), str(folder))
        network = load(folder)
        compared = sample(about, _COMPARED, motions, first=10_000)
        return cls(
            about,
            network,
            compared,
            in_torch(network)(compared.windows),
            {"crc32": file_crc32(folder / WEIGHTS_FILE)},
            motions,
            batch,
        )

    @cached_property
    def calibration(self) -> Sample:
        """Other windows, to calibrate on."""
        return sample(self.about, _CALIBRATED, self.motions)

    @property
    def metadata(self) -> dict[str, Any]:
        """What every export carries."""
        return {CONFIG_KEY: self.about.content, WEIGHTS_KEY: self.source}

    def loses(self, run: Network, *, raw: bool = False) -> bool:
        """Whether int8 has lost more of P1 than it may here: other windows lose a little more.

        A loss on few windows is half luck, so the sample and the calibration have to agree.
        """
        most = P1_TOLERANCES["int8"] / 2
        return any(
            part.p1(run(part.pixels if raw else part.windows)) - p1 > most
            for part, p1 in self._measured
        )

    @cached_property
    def _measured(self) -> tuple[tuple[Sample, float], ...]:
        """Two samples, and torch's P1 on each."""
        parts = (self.sample, self.calibration)
        return tuple((part, part.p1(in_torch(self.network)(part.windows))) for part in parts)

    def check(
        self,
        path: Path,
        exported: Network,
        weights: Weights,
        tolerance: float | None = None,
        *,
        raw: bool = False,
    ) -> Agreement:
        """Compare; ``CheckpointError`` where it differs by more than allowed.

        Args:
            path: named in the error.
            exported: takes normalised windows, or pixels if it is a raw one.
            weights: how they are stored.
            tolerance: largest distance of a joint, metres; ``TOLERANCES`` if not given.
            raw: whether it is one.
        """
        most = TOLERANCES[weights] if tolerance is None else tolerance
        sizes = (self.batch,) if self.batch else BATCH_SIZES
        found = agreement(self.expected, exported, self.sample, raw=raw, batch_sizes=sizes)
        for what, value, limit in (
            ("differs from torch", found.largest, most),
            (
                "has a larger mean joint error than torch,",
                found.p1_change,
                P1_TOLERANCES[weights],
            ),
        ):
            if not value <= limit:
                raise CheckpointError(
                    f"{path}: {what} by {value * 1000:.4f} mm",
                    f"at most {limit * 1000:g} mm",
                    "nothing was written; allow more, or choose another precision",
                )
        return found


def in_torch(network: nn.Module) -> Network:
    """A call of a network in eval mode with arrays."""

    def run(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            joints: npt.NDArray[np.float32] = network(torch.from_numpy(x)).numpy()
        return joints

    return run


def export_onnx(
    folder: str | Path,
    path: str | Path | None = None,
    *,
    weights: Weights = "float16",
    raw: bool = False,
    batch: int | None = None,
    tolerance: float | None = None,
    windows: npt.NDArray[np.float32] | None = None,
    motions: Sequence[Motion] = (),
) -> ExportReport:
    """Export a checkpoint folder, and compare the graph with torch before it is kept.

    Args:
        folder: checkpoint folder.
        path: file to write; ``model.onnx`` in the folder if not given.
        weights: ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"int8"`` in the graph, or
            ``"beside"``: read from the ``weights.safetensors`` of the folder, in which the graph
            must then lie.
        raw: pixels and image size in, see `poselift.export.raw`.
        batch: the only number of windows that the graph takes; any number if not given.
        tolerance: largest distance of a joint from torch with the weights as trained, metres;
            ``TOLERANCES`` if not given.
        windows: (B, F, 17, 2 or 3) normalised windows on which the graph is compared with torch,
            beside random ones and those of moving persons.
        motions: motion capture to compare and calibrate on; people made from formulas if not given.

    Raises:
        CheckpointError: no checkpoint, a graph that differs from torch by more than allowed, or
            one whose mean joint error is larger by more than ``P1_TOLERANCES``; nothing is written.
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
    loaded = Loaded.read(folder, motions, batch)
    any_windows = _windows(loaded, windows)
    proto, kept = build(loaded, weights, raw=raw)
    if batch is not None:
        fix_batch(proto, batch)
    nodes = counted(proto)
    metadata = loaded.metadata
    if weights == "beside":
        _read_from(proto, folder / WEIGHTS_FILE, loaded.network)
        metadata[WEIGHTS_KEY] = {**loaded.source, "file": WEIGHTS_FILE}
    if raw:
        metadata[RAW_KEY] = list(INPUTS)
    describe(proto, metadata)

    with atomic_path(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        onnx.checker.check_model(str(temporary), full_check=True)
        exported = in_onnxruntime(temporary)
        found = loaded.check(path, exported, weights, tolerance, raw=raw)
        difference = np.nan
        if weights != "int8" and not raw:
            # With the weights as rounded by now: arithmetic only, whatever comes in.
            difference = _difference(loaded.network, exported, any_windows)
            if not difference <= SAME:
                raise CheckpointError(
                    f"{path}: differs from torch by {difference * 1000:.4f} mm",
                    f"at most {SAME * 1000:g} mm",
                    "nothing was written",
                )
    return ExportReport(path, path.stat().st_size, nodes, difference, found, kept)


def build(
    loaded: Loaded, weights: Weights, *, raw: bool = False
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The graph, without metadata, and the names of products that stayed in float beside int8.

    Weights in 16 bits are rounded in ``loaded.network``. ``"beside"`` gives them in float32.

    Args:
        loaded: the checkpoint.
        weights: how they are stored.
        raw: see :func:`export_onnx`.
    """
    if weights in _DTYPES:
        _round(loaded.network, _DTYPES[weights])
    network = fold(loaded.network)
    if weights in ("float32", "int8"):
        freeze(network)
    # Two, since torch takes a batch of one for a constant.
    inputs = {"x": torch.zeros(2, loaded.about.window, 17, loaded.about.channels)}
    fixed: dict[str, npt.NDArray[np.float32]] = {}
    if raw:
        network = RawNetwork(network, loaded.about.normalisation)
        fixed = {INPUTS[1]: np.array(IMAGE_SIZE, np.float32)}
        examples = torch.from_numpy(loaded.sample.pixels[:2]), torch.tensor(fixed[INPUTS[1]])
        inputs = dict(zip(INPUTS, examples, strict=True))
    proto = trace(network, inputs)
    if weights == "int8":
        calibration = loaded.calibration
        proto, layers = quantise(
            proto,
            calibration.pixels if raw else calibration.windows,
            partial(loaded.loses, raw=raw),
            fixed=fixed,
        )
        return proto, tuple(layer.node for layer in layers)
    if weights in _DTYPES:
        state = _by_value(loaded.network)
        # Weights alone: they are of 16 bits by now, which a cosine matrix is not.
        rounded = {
            tensor.name
            for tensor in proto.graph.initializer
            if numpy_helper.to_array(tensor).tobytes() in state
        }
        _halve(proto, rounded, _DTYPES[weights])
    return proto, ()


def counted(proto: onnx.ModelProto) -> Mapping[str, int]:
    """Number of nodes by operator."""
    return Counter(node.op_type for node in proto.graph.node)


def in_onnxruntime(path: Path) -> Network:
    """A call of a graph in ONNX Runtime; a raw one for images of the sample's size."""
    opened = open_session(path, threads=1)
    windows, *others = (source.name for source in opened.get_inputs())
    fixed = {name: np.array(IMAGE_SIZE, np.float32) for name in others}
    batch = opened.get_inputs()[0].shape[0]

    def run(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        joints: npt.NDArray[np.float32] = opened.run(None, {windows: x, **fixed})[0]
        return joints

    return partial(in_pieces, run, batch=batch) if isinstance(batch, int) else run


def _windows(loaded: Loaded, windows: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float32]:
    """Normalised windows (B, F, 17, 2 or 3): noise, the sample's, and the caller's."""
    shape = (loaded.about.window, 17, loaded.about.channels)
    noise = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    parts = [noise, loaded.sample.windows[:4]]
    if windows is not None:
        given = np.asarray(windows, dtype=np.float32)
        if given.shape[1:] != shape or not np.isfinite(given).all():
            raise DataError(f"windows of shape {given.shape}", f"(B, {shape}), finite numbers")
        parts.append(given)
    return np.concatenate(parts)


def _round(network: nn.Module, dtype: torch.dtype) -> None:
    """Round the weights to 16 bits in place."""
    with torch.no_grad():
        for key, weight in network.state_dict().items():
            weight.copy_(weight.to(dtype))
            if not weight.isfinite().all():
                raise CheckpointError(
                    f"weight {key!r} is too large for {dtype}".replace("torch.", ""),
                    "numbers below 65504",
                )


def _difference(network: nn.Module, exported: Network, windows: npt.NDArray[np.float32]) -> float:
    """Largest absolute difference in metres, in batches of several sizes."""
    largest = 0.0
    for size in BATCH_SIZES:
        for i in range(0, len(windows), size):
            x = windows[i : i + size]
            gap = np.abs(in_torch(network)(x) - exported(x)).max()
            largest = max(largest, float(gap)) if np.isfinite(gap) else np.inf
    return largest


_SMALL = 256
"""Numbers up to which a constant stays as it is: nothing to gain, and shapes among them."""


def _halve(proto: onnx.ModelProto, names: set[str], dtype: torch.dtype) -> None:
    """Store these constants in 16 bits where they are float32, and widen them in the graph."""
    widened = []
    for tensor in proto.graph.initializer:
        name, large = tensor.name, np.prod(tensor.dims) > _SMALL
        if name not in names or not large or tensor.data_type != TensorProto.FLOAT:
            continue
        value = torch.from_numpy(numpy_helper.to_array(tensor).copy()).to(dtype)
        kind = TensorProto.FLOAT16 if dtype == torch.float16 else TensorProto.BFLOAT16
        content = value.view(torch.uint16).numpy().tobytes()
        half = helper.make_tensor(f"{name}.0", kind, tensor.dims, content, raw=True)
        tensor.CopyFrom(half)
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
