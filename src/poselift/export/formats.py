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


def export(
    folder: str | Path,
    path: str | Path,
    format: str = "onnx",
    precision: str = "fp32",
    *,
    raw: bool = False,
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
    weights = PRECISIONS[precision]
    if raw and format not in ("onnx", "litert", "tensorrt"):
        raise UsageError(f"a raw graph for {format}", "onnx, litert or tensorrt")
    if format == "onnx":
        return (
            export_onnx(
                folder, path, weights=weights, raw=raw, tolerance=tolerance, motions=motions
            ),
            (),
        )
    if format == "tensorrt":
        from poselift.export.tensorrt import export_tensorrt

        return export_tensorrt(folder, path, weights, raw=raw, tolerance=tolerance, motions=motions)
    if format == "litert":
        from poselift.export.litert import export_litert

        return (
            export_litert(folder, path, weights, raw=raw, tolerance=tolerance, motions=motions),
            (),
        )
    if format == "openvino":
        from poselift.export.openvino import export_openvino as write
    else:
        from poselift.export.torchscript import export_torchscript as write
    report = write(folder, path, weights, tolerance=tolerance, motions=motions)
    return report, (path.with_suffix(".bin"),) if format == "openvino" else ()
