"""For TensorRT, as on a Jetson: a checked ONNX graph and the commands that make an engine of it.

The engine depends on the device, so that it has to be built there: by ``trtexec``, which comes
with TensorRT. Neither the commands nor the calibration cache have been run on a device.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from poselift.checkpoints import About
from poselift.data.mocap import Motion
from poselift.evaluation.mocap import IMAGE_SIZE
from poselift.export.onnx import ExportReport, Loaded, Weights, build, export_onnx
from poselift.export.quantise import Layer, Range, calibrate
from poselift.export.raw import INPUTS
from poselift.files import write_text

MOST_WINDOWS = 64
"""Windows at once that the engine is made for."""

_FLAGS: Mapping[Weights, str] = {
    "float32": "",
    "float16": " --fp16",
    "bfloat16": " --bf16",
    "int8": " --int8 --fp16",
}
_HEADER = "TRT-8602-MinMaxCalibration"


def export_tensorrt(
    folder: Path,
    path: Path,
    weights: Weights,
    *,
    raw: bool = False,
    batch: int | None = None,
    tolerance: float | None = None,
    motions: Sequence[Motion] = (),
) -> tuple[ExportReport, tuple[Path, ...]]:
    """Write ``NAME.onnx`` in float32, ``NAME.trtexec.txt`` and, for int8, ``NAME.calibration``.

    The arguments and errors are those of `poselift.export.onnx.export_onnx`; ``weights`` is what
    the engine shall compute in.

    Returns:
        What the graph is like, and the files written beside it.
    """
    report = export_onnx(
        folder, path, raw=raw, weights="float32", batch=batch, tolerance=tolerance, motions=motions
    )
    loaded = Loaded.read(folder, motions)
    flags, files = _FLAGS[weights], []
    if weights == "int8":
        cache = path.with_suffix(".calibration")
        write_text(cache, _calibration(loaded, raw))
        files.append(cache)
        flags += f" --calib={cache.name}"
    recipe = path.with_suffix(".trtexec.txt")
    shapes = "" if batch else _shapes(INPUTS[0] if raw else "x", loaded.about)
    write_text(recipe, _recipe(path, shapes + flags))
    return report, (recipe, *files)


def _shapes(name: str, about: About) -> str:
    """How many windows a free batch may have."""
    return "".join(
        f" --{which}Shapes={name}:{count}x{about.window}x17x{about.channels}"
        for which, count in (("min", 1), ("opt", 1), ("max", MOST_WINDOWS))
    )


def _recipe(path: Path, flags: str) -> str:
    return (
        "# On the device, in the folder of this file. Not tested on a device by us.\n"
        f"trtexec --onnx={path.name} --saveEngine={path.stem}.engine{flags}\n"
    )


def _calibration(loaded: Loaded, raw: bool) -> str:
    """The cache of scales, a line for each value of the graph: name, float32 in hexadecimal."""
    proto, _ = build(loaded, "float32", raw=raw)
    windows = loaded.calibration.pixels if raw else loaded.calibration.windows
    fixed = {INPUTS[1]: np.array(IMAGE_SIZE, np.float32)} if raw else {}
    names = [proto.graph.input[0].name]
    names += [name for node in proto.graph.node for name in node.output]
    values = [Layer("", name, "", "") for name in names]
    ranges = calibrate(proto, values, windows, fixed)
    return "\n".join([_HEADER, *_lines(ranges.items())]) + "\n"


def _lines(ranges: Iterable[tuple[str, Range]]) -> list[str]:
    return [
        f"{name}: {struct.pack('>f', max(-met.low, met.high, 1e-12) / 127).hex()}"
        for name, met in ranges
    ]
