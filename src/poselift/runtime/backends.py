"""What runs a network: ONNX Runtime, torch, or the program that an exported file is for."""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from poselift.checkpoints import GRAPH_FILE, WEIGHTS_FILE, About, read_config
from poselift.cores import available_cores
from poselift.errors import CheckpointError, MissingExtraError, UsageError
from poselift.files import read_bytes, silent_stderr
from poselift.runtime.store import Stored

Float32Array = npt.NDArray[np.float32]

BACKENDS = ("onnxruntime", "torch", "auto")

CONFIG_KEY = "poselift"
"""Metadata of an exported graph that holds the content of ``config.json``."""
WEIGHTS_KEY = "poselift_weights"
"""Metadata: ``crc32`` of the ``weights.safetensors`` that the graph was exported from, and
``file``, its name, where the graph reads its weights from there."""


RAW_KEY = "poselift_raw"
"""Metadata of a raw graph: the names of its inputs."""
PRECISION_KEY = "poselift_precision"
"""Metadata of a file for OpenVINO: what it computes in, ``f32`` or ``bf16``."""

PIECE = 16
"""Windows at once: what a layer leaves of more of them does not fit into a core's cache."""


class Backend(Protocol):
    """A network that can be called."""

    about: About

    def __call__(self, x: Float32Array) -> Float32Array:
        """(B, F, 17, 2 or 3) normalised 2D joints -> (B, n, 17, 3) metres."""


class OnnxRuntime:
    """A graph of `poselift.export`, on the CPU in float32.

    Args:
        path: the ``.onnx`` file; everything needed to use the network is in its metadata.
        threads: that one call may use; ``None`` for all cores.

    Raises:
        CheckpointError: not a graph that poselift exported, or the weights beside it are others.
        UsageError: a number of threads below 1.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._session = open_session(path, threads)
        self.about = _about(path, self._session.get_modelmeta().custom_metadata_map)
        windows = self._session.get_inputs()[0]
        self._input = windows.name
        self._batch = windows.shape[0] if isinstance(windows.shape[0], int) else None

    def __call__(self, x: Float32Array) -> Float32Array:
        """(B, F, 17, 2 or 3) normalised 2D joints -> (B, n, 17, 3) metres."""
        return in_pieces(self._run, x, self._batch)

    def _run(self, x: Float32Array) -> Float32Array:
        joints: Float32Array = self._session.run(None, {self._input: x})[0]
        return joints


def open_session(path: Path, threads: int | None = None) -> Any:
    """An ``onnxruntime.InferenceSession`` on the CPU; errors as `OnnxRuntime`."""
    import onnxruntime

    options = session_options(threads)
    try:
        return onnxruntime.InferenceSession(
            str(path.resolve()), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions have no root of their own
        raise CheckpointError(
            f"{path}: ONNX Runtime cannot load it ({str(error)[:300]})",
            "a graph that `poselift export` wrote",
        ) from error


def session_options(threads: int | None = None) -> Any:
    """The ``onnxruntime.SessionOptions`` of every network; errors as `OnnxRuntime`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = checked_threads(threads) or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors come as exceptions
    # On x86-64 without integer dot products (VNNI) sums of 8-bit products would overflow.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


class OpenVino:
    """A file of ``poselift export --format openvino``, on the CPU.

    Args:
        path: the ``.xml`` file; its weights are in the ``.bin`` file beside it.
        threads: that one call may use; ``None`` for all cores.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        CheckpointError: not a file that poselift exported.
        UsageError: a number of threads below 1.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        checked_threads(threads)
        with _needs("openvino", "openvino"):
            import openvino
        try:
            model = openvino.Core().read_model(path)
            metadata = {
                key: model.get_rt_info([key]).astype(str)
                for key in (CONFIG_KEY, WEIGHTS_KEY, RAW_KEY, PRECISION_KEY)
                if model.has_rt_info([key])
            }
            settings: dict[str, Any] = {
                "PERFORMANCE_HINT": "LATENCY",
                # Its own choice would be bf16 wherever the processor can.
                "INFERENCE_PRECISION_HINT": metadata.get(PRECISION_KEY, "f32"),
            }
            if threads is not None:
                settings["INFERENCE_NUM_THREADS"] = threads
            self._request = (
                openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
            )
        except RuntimeError as error:
            raise CheckpointError(
                f"{path}: OpenVINO cannot load it ({str(error)[:300]})",
                "a file that `poselift export --format openvino` wrote",
            ) from error
        self.about = _about(path, metadata)
        count = model.input(0).partial_shape[0]
        self._batch = count.get_length() if count.is_static else None

    def __call__(self, x: Float32Array) -> Float32Array:
        """(B, F, 17, 2 or 3) normalised 2D joints -> (B, n, 17, 3) metres."""
        return self._run(x) if self._batch is None else in_pieces(self._run, x, self._batch)

    def _run(self, x: Float32Array) -> Float32Array:
        return np.array(self._request.infer([x])[0])


class LiteRt:
    """A file of ``poselift export --format litert``, on the CPU.

    Args:
        path: the ``.tflite`` file.
        threads: that one call may use; ``None`` for all cores.

    Raises:
        MissingExtraError: ai-edge-litert is not installed.
        CheckpointError: not a file that poselift exported.
        DataError: the file cannot be read.
        UsageError: a number of threads below 1.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.about = _about(path, _litert_metadata(path))
        self._run = open_litert(path, threads)

    def __call__(self, x: Float32Array) -> Float32Array:
        """(B, F, 17, 2 or 3) normalised 2D joints -> (B, n, 17, 3) metres."""
        return in_pieces(self._run, x)


def open_litert(source: Path | bytes, threads: int | None = None) -> Callable[..., Float32Array]:
    """Call of a LiteRT graph: its inputs -> its output; errors as `LiteRt`.

    Threads may share it: they wait for each other.

    Args:
        source: a file, or its content.
        threads: see `LiteRt`.
    """
    with _needs("ai-edge-litert", "ai-edge-litert"):
        from ai_edge_litert.interpreter import Interpreter
    given = {"model_content" if isinstance(source, bytes) else "model_path": source}
    count = checked_threads(threads) or available_cores()
    try:
        with silent_stderr():  # it greets
            graph = Interpreter(**given, num_threads=count)
            graph.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise _unreadable(source, error) from error
    inputs, outputs = graph.get_input_details(), graph.get_output_details()
    windows, *others = (detail["index"] for detail in inputs)
    output = outputs[0]["index"]
    batch = int(inputs[0]["shape"][0])  # windows that memory is laid out for
    free = inputs[0]["shape_signature"][0] < 0
    lock = Lock()  # inputs and outputs lie in the one interpreter

    def run(x: Float32Array, *rest: Float32Array) -> Float32Array:
        nonlocal batch
        if not free and len(x) != batch:
            return in_pieces(lambda piece: run(piece, *rest), x, batch)
        with lock:
            if len(x) != batch:
                graph.resize_tensor_input(windows, x.shape)
                graph.allocate_tensors()
                batch = len(x)
            for index, value in zip((windows, *others), (x, *rest), strict=True):
                graph.set_tensor(index, value)
            graph.invoke()
            joints: Float32Array = graph.get_tensor(output)
            return joints

    return run


def _litert_metadata(path: Path) -> dict[str, str]:
    """Texts of poselift beside a LiteRT graph, by name; those of others may be no texts."""
    with _needs("ai-edge-litert", "ai-edge-litert"):
        from ai_edge_litert.schema_py_generated import Model
    content = read_bytes(path)
    try:
        if not Model.ModelBufferHasIdentifier(content, 0):
            raise ValueError("no LiteRT file")
        model = Model.GetRootAs(content, 0)
        entries = [model.Metadata(i) for i in range(model.MetadataLength())]
        buffers = {entry.Name(): model.Buffers(entry.Buffer()) for entry in entries}
        return {
            key: buffers[key.encode()].DataAsNumpy().tobytes().decode()
            for key in (CONFIG_KEY, WEIGHTS_KEY, RAW_KEY)
            if key.encode() in buffers
        }
    except Exception as error:  # offsets out of nowhere: the reader has no errors of its own
        raise _unreadable(path, error) from error


def _unreadable(source: Path | bytes, error: Exception) -> CheckpointError:
    name = "a graph" if isinstance(source, bytes) else source
    return CheckpointError(
        f"{name}: LiteRT cannot load it ({str(error)[:300]})",
        "a file that `poselift export --format litert` wrote",
    )


class _InTorch:
    """A network that torch runs."""

    _torch: Any
    _network: Any

    def __call__(self, x: Float32Array) -> Float32Array:
        """(B, F, 17, 2 or 3) normalised 2D joints -> (B, n, 17, 3) metres."""
        with self._torch.inference_mode():
            joints: Float32Array = self._network(self._torch.from_numpy(x)).numpy()
        return joints


class TorchScript(_InTorch):
    """A file of ``poselift export --format torchscript``.

    Args:
        path: the ``.pt`` file. It is loaded by torch's own reader of scripts, which runs no
            pickled Python.
        threads: for torch, in the whole process; ``None`` leaves its setting.

    Raises:
        MissingExtraError: torch is not installed.
        CheckpointError: not a file that poselift exported.
        UsageError: a number of threads below 1.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._torch = _torch(threads)
        metadata: dict[str, Any] = dict.fromkeys((CONFIG_KEY, WEIGHTS_KEY, RAW_KEY), "")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it will be gone from torch some day
                self._network = self._torch.jit.load(path, "cpu", metadata)
        except (RuntimeError, ValueError, OSError) as error:
            raise CheckpointError(
                f"{path}: torch cannot load it ({str(error)[:300]})",
                "a file that `poselift export --format torchscript` wrote",
            ) from error
        texts = {k: v.decode() if isinstance(v, bytes) else v for k, v in metadata.items() if v}
        self.about = _about(path, texts)


class Torch(_InTorch):
    """The network of a checkpoint folder in torch, for comparison and research.

    Args:
        folder: checkpoint folder.
        threads: for torch, in the whole process; ``None`` leaves its setting.

    Raises:
        MissingExtraError: torch is not installed.
        CheckpointError: keys or shapes do not fit.
        UsageError: a number of threads below 1.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self._torch = _torch(threads)
        from poselift import models

        self.about = About.parse(read_config(folder), str(folder))
        self._network = models.load(folder)


EXPORTED: Mapping[str, Callable[[Path, int | None], Backend]] = {
    ".onnx": OnnxRuntime,
    ".xml": OpenVino,
    ".tflite": LiteRt,
    ".pt": TorchScript,
}
"""What runs an exported file, by its extension."""


def open_backend(stored: Stored, backend: str, threads: int | None = None) -> Backend:
    """Load a network.

    Args:
        stored: what `poselift.runtime.store.find` found.
        backend: ``"onnxruntime"``, ``"torch"``, or ``"auto"``: ONNX Runtime where the folder has
            an exported graph, torch where it has not. An exported file is run by what it is for.
        threads: see the backends.

    Raises:
        UsageError: unknown backend, or a number of threads below 1.
        CheckpointError: the folder does not hold what this backend needs.
        MissingExtraError: torch is needed and not installed.
    """
    if backend not in BACKENDS:
        raise UsageError(f"unknown backend {backend!r}", f"one of {', '.join(BACKENDS)}")
    if stored.folder is None:
        assert stored.graph is not None  # one of the two was found
        if backend == "torch":
            raise CheckpointError(
                f"{stored.name}: an exported file", "a checkpoint folder for the backend torch"
            )
        return EXPORTED[stored.graph.suffix.lower()](stored.graph, threads)
    if stored.graph is not None and backend != "torch":
        return OnnxRuntime(stored.graph, threads)
    if backend == "onnxruntime":
        raise CheckpointError(
            f"{stored.name}: no exported graph in it",
            "model.onnx for the backend onnxruntime",
            "export it with `poselift export`, or use the backend torch",
        )
    return Torch(stored.folder, threads)


def in_pieces(
    run: Callable[[Float32Array], Float32Array], x: Float32Array, batch: int | None = None
) -> Float32Array:
    """All windows, ``PIECE`` at once.

    Args:
        run: the network.
        x: (B, F, 17, 2 or 3).
        batch: the only number of windows that it takes, if there is one: the last is repeated.
    """
    size = batch or PIECE
    if batch is None and len(x) <= size:
        return run(x)
    pieces = []
    for i in range(0, len(x), size):
        piece = x[i : i + size]
        missing = 0 if batch is None else batch - len(piece)
        filled = np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)])
        pieces.append(run(filled)[: len(piece)])
    return np.concatenate(pieces)


def checked_threads(threads: int | None) -> int | None:
    """``threads``, or ``UsageError`` where it is neither ``None`` nor a positive whole number."""
    whole = isinstance(threads, int) and not isinstance(threads, bool)
    if threads is not None and not (whole and threads >= 1):
        raise UsageError(f"threads={threads!r}", "a whole number from 1, or None for all cores")
    return threads


@contextmanager
def _needs(package: str, install: str) -> Iterator[None]:
    """Say how to install what cannot be imported."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"this needs {error.name or package}",
            f"{package} installed",
            f"pip install '{install}'",
        ) from error


def _torch(threads: int | None) -> Any:
    """The module ``torch``, with its threads set for the whole process if a number is given."""
    with _needs("torch and safetensors", "poselift[train]"):
        import safetensors  # noqa: F401  # asked for together: one message
        import torch
    if checked_threads(threads) is not None:
        torch.set_num_threads(int(threads or 1))
    return torch


def _about(path: Path, metadata: Mapping[str, str]) -> About:
    """What an exported file says about itself, checked."""
    try:
        content = json.loads(metadata[CONFIG_KEY])
        weights = dict(json.loads(metadata.get(WEIGHTS_KEY, "{}")))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: no metadata of poselift in it", "a graph that `poselift export` wrote"
        ) from error
    if RAW_KEY in metadata:
        raise CheckpointError(
            f"{path}: a raw graph, which reads pixels",
            "one that reads normalised windows",
            "raw graphs are for other programs; export it without --raw",
        )
    about = About.parse(content, str(path))
    _check_weights(path, weights)
    return about


def file_crc32(path: Path) -> int:
    """Checksum of a file."""
    return zlib.crc32(path.read_bytes())


def _check_weights(graph: Path, metadata: Mapping[str, Any]) -> None:
    """The graph of a checkpoint folder must be that of its weights.

    One that reads them from there knows them by their offsets and keeps small ones itself, and
    one that has its own would go on giving old results after a new training.
    """
    weights = graph.parent / WEIGHTS_FILE
    belongs = graph.name == GRAPH_FILE or "file" in metadata
    if belongs and weights.is_file() and file_crc32(weights) != metadata.get("crc32"):
        raise CheckpointError(
            f"{weights}: changed since {graph.name} beside it was exported",
            "the weights that the graph was made for",
            "export the graph again",
        )
