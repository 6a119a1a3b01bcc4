"""Export as TorchScript, for programs in C++ that have libtorch: ``NAME.pt``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from poselift.data.mocap import Motion
from poselift.errors import UsageError
from poselift.export.folded import fold, freeze
from poselift.export.onnx import ExportReport, Loaded, Weights
from poselift.export.trace import quiet
from poselift.files import atomic_path
from poselift.runtime.backends import TorchScript


class _InBfloat16(nn.Module):
    """A network that computes in bf16 and takes and gives float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        joints: Tensor = self.network(x.bfloat16())
        return joints.float()


def export_torchscript(
    folder: Path,
    path: Path,
    weights: Weights,
    *,
    tolerance: float | None = None,
    motions: Sequence[Motion] = (),
) -> ExportReport:
    """Export a checkpoint folder, compared with torch before it is kept.

    Args:
        folder: checkpoint folder.
        path: file to write.
        weights: ``"float32"``, or ``"bfloat16"``, in which it then computes.
        tolerance: see `poselift.export.onnx.export_onnx`; so are the errors.
        motions: see there.

    Raises:
        UsageError: other ``weights``.
    """
    if weights not in ("float32", "bfloat16"):
        raise UsageError(f"weights={weights!r}", "float32 or bfloat16 for TorchScript")
    loaded = Loaded.read(folder, motions)
    network = freeze(fold(loaded.network))
    if weights == "bfloat16":
        network = _InBfloat16(network)
    with quiet(), torch.inference_mode():
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]  # torch has none here
            network.eval(), torch.zeros(2, loaded.about.window, 17, loaded.about.channels)
        )
        script = torch.jit.freeze(traced)  # the constants alone, not what they come from
    metadata = {key: json.dumps(value) for key, value in loaded.metadata.items()}
    with atomic_path(path) as temporary:
        with quiet():
            torch.jit.save(script, temporary, _extra_files=metadata)
        found = loaded.check(path, TorchScript(temporary), weights, tolerance)
    same = found.largest if weights == "float32" else math.nan
    return ExportReport(path, path.stat().st_size, {}, same, found)
