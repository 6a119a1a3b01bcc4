"""Every format that a checkpoint can be exported to, in every precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from poselift.data.mocap import Motion
from poselift.errors import UsageError
from poselift.export.onnx import ExportReport, Weights, export_onnx

SUFFIXES: Mapping[str, str] = {
    "onnx": ".onnx",
    "openvino": ".xml",
    "litert": ".tflite",
    "torchscript": ".pt",
    "tensorrt": ".onnx",
}
"""Extension of each format's file."""

PRECISIONS: Mapping[str, Weights] = {
    "fp32": "float32",
    "fp16": "float16",
    "bf16": "bfloat16",
    "int8": "int8",
}

_PRECISIONS_OF: Mapping[str, tuple[str, ...]] = {
    "litert": ("fp32", "fp16", "int8"),
    "torchscript": ("fp32", "bf16"),
}
"""Of the formats that do not have all."""


def export(
    folder: str | Path,
    path: str | Path,
    format: str = "onnx",
    precision: str = "fp32",
    *,
    raw: bool = False,
    batch: int | None = None,
    tolerance: float | None = None,
    motions: Sequence[Motion] = (),
) -> tuple[ExportReport, tuple[Path, ...]]:
    """Export a checkpoint folder, compared with torch before it is kept.

    Args:
        folder: checkpoint folder.
        path: file to write, with the extension of its format.
        format: one of ``SUFFIXES``.
        precision: one of ``PRECISIONS``; what that means for a format is in its module.
        raw: pixels and image size in, see `poselift.export.raw`.
        batch: the only number of windows that the network takes at once; any if not given.
        tolerance: see `poselift.export.onnx.export_onnx`; so are the errors.
        motions: see there.

    Returns:
        What was exported, and further files written beside it.

    Raises:
        UsageError: unknown format or precision, or one that the format does not have.
    """
    folder, path = Path(folder), Path(path)
    for value, known in ((format, SUFFIXES), (precision, PRECISIONS)):
        if value not in known:
            raise UsageError(f"{value!r}", f"one of {', '.join(known)}")
    if path.suffix.lower() != SUFFIXES[format]:
        raise UsageError(
            f"{path}: no {format} file by its name", f"a name that ends in {SUFFIXES[format]}"
        )
    offered = _PRECISIONS_OF.get(format, tuple(PRECISIONS))
    if precision not in offered:
        raise UsageError(
            f"{format} in {precision}", f"one of {', '.join(offered)}", "choose onnx or openvino"
        )
    weights = PRECISIONS[precision]
    if batch is not None and (batch < 1 or format == "torchscript"):
        raise UsageError(
            f"{format} for exactly {batch} windows", "1 or more, in any format but torchscript"
        )
    if raw and format not in ("onnx", "litert", "tensorrt"):
        raise UsageError(f"a raw graph for {format}", "onnx, litert or tensorrt")
    if format == "onnx":
        report = export_onnx(
            folder,
            path,
            weights=weights,
            raw=raw,
            batch=batch,
            tolerance=tolerance,
            motions=motions,
        )
        return report, ()
    if format == "tensorrt":
        from poselift.export.tensorrt import export_tensorrt

        return export_tensorrt(
            folder, path, weights, raw=raw, batch=batch, tolerance=tolerance, motions=motions
        )
    if format == "litert":
        from poselift.export.litert import export_litert

        report = export_litert(
            folder, path, weights, raw=raw, batch=batch, tolerance=tolerance, motions=motions
        )
        return report, ()
    if format == "openvino":
        from poselift.export.openvino import export_openvino

        report = export_openvino(
            folder, path, weights, batch=batch, tolerance=tolerance, motions=motions
        )
        return report, (path.with_suffix(".bin"),)
    from poselift.export.torchscript import export_torchscript

    return export_torchscript(folder, path, weights, tolerance=tolerance, motions=motions), ()
