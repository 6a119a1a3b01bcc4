"""What runs a network: ONNX Runtime, or torch."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from poselift.checkpoints import GRAPH_FILE, WEIGHTS_FILE, About, read_config
from poselift.errors import CheckpointError, MissingExtraError, UsageError
from poselift.runtime.store import Stored

Float32Array = npt.NDArray[np.float32]

BACKENDS = ("onnxruntime", "torch", "auto")

CONFIG_KEY = "poselift"
"""Metadata of an exported graph that holds the content of ``config.json``."""
WEIGHTS_KEY = "poselift_weights"
"""Metadata: ``crc32`` of the ``weights.safetensors`` that the graph was exported from, and
``file``, its name, where the graph reads its weights from there."""


class Backend(Protocol):
    """A network that can be called."""

    about: About

    def __call__(self, x: Float32Array) -> Float32Array:
        """(B, F, 17, 2) normalised 2D joints -> (B, n, 17, 3) metres."""


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
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = checked_threads(threads) or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors come as exceptions
        try:
            self._session = onnxruntime.InferenceSession(
                str(path.resolve()), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no root of their own
            raise CheckpointError(
                f"{path}: ONNX Runtime cannot load it ({str(error)[:300]})",
                "a graph that `poselift export` wrote",
            ) from error
        about = self._session.get_modelmeta().custom_metadata_map
        try:
            content = json.loads(about[CONFIG_KEY])
            weights = dict(json.loads(about.get(WEIGHTS_KEY, "{}")))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path}: no metadata of poselift in it", "a graph that `poselift export` wrote"
            ) from error
        self.about = About.parse(content, str(path))
        _check_weights(path, weights)
        self._input = self._session.get_inputs()[0].name

    def __call__(self, x: Float32Array) -> Float32Array:
        """(B, F, 17, 2) normalised 2D joints -> (B, n, 17, 3) metres."""
        joints: Float32Array = self._session.run(None, {self._input: x})[0]
        return joints


class Torch:
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
        try:
            import torch

            from poselift import models
        except ImportError as error:
            raise MissingExtraError(
                f"the torch backend needs {error.name or 'torch'}",
                "torch and safetensors installed",
                "pip install 'poselift[train]'",
            ) from error
        if checked_threads(threads) is not None:
            torch.set_num_threads(int(threads or 1))
        self.about = About.parse(read_config(folder), str(folder))
        self._torch: Any = torch
        self._network = models.load(folder)

    def __call__(self, x: Float32Array) -> Float32Array:
        """(B, F, 17, 2) normalised 2D joints -> (B, n, 17, 3) metres."""
        with self._torch.inference_mode():
            joints: Float32Array = self._network(self._torch.from_numpy(x)).numpy()
        return joints


def open_backend(stored: Stored, backend: str, threads: int | None = None) -> Backend:
    """Load a network.

    Args:
        stored: what `poselift.runtime.store.find` found.
        backend: ``"onnxruntime"``, ``"torch"``, or ``"auto"``: ONNX Runtime where the folder has
            an exported graph, torch where it has not.
        threads: see the backends.

    Raises:
        UsageError: unknown backend, or a number of threads below 1.
        CheckpointError: the folder does not hold what this backend needs.
        MissingExtraError: torch is needed and not installed.
    """
    if backend not in BACKENDS:
        raise UsageError(f"unknown backend {backend!r}", f"one of {', '.join(BACKENDS)}")
    if backend == "auto":
        backend = "onnxruntime" if stored.graph else "torch"
    if backend == "onnxruntime":
        if stored.graph is None:
            raise CheckpointError(
                f"{stored.name}: no exported graph in it",
                "model.onnx for the backend onnxruntime",
                "export it with `poselift export`, or use the backend torch",
            )
        return OnnxRuntime(stored.graph, threads)
    if stored.folder is None:
        raise CheckpointError(
            f"{stored.name}: an exported file", "a checkpoint folder for the backend torch"
        )
    return Torch(stored.folder, threads)


def checked_threads(threads: int | None) -> int | None:
    """``threads``, or ``UsageError`` where it is neither ``None`` nor a positive whole number."""
    whole = isinstance(threads, int) and not isinstance(threads, bool)
    if threads is not None and not (whole and threads >= 1):
        raise UsageError(f"threads={threads!r}", "a whole number from 1, or None for all cores")
    return threads


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
