"""Export for OpenVINO: ``NAME.xml`` and its weights in ``NAME.bin``.

The graph is the ONNX one, converted. OpenVINO computes in bf16 wherever a processor can unless it
is told what to compute in, so the file says that. Needs the package ``openvino``.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

from poselift.data.mocap import Motion
from poselift.export.onnx import ExportReport, Loaded, Weights, build, counted
from poselift.export.trace import fix_batch
from poselift.files import atomic_path
from poselift.runtime.backends import PRECISION_KEY, OpenVino


def export_openvino(
    folder: Path,
    path: Path,
    weights: Weights,
    *,
    batch: int | None = None,
    tolerance: float | None = None,
    motions: Sequence[Motion] = (),
) -> ExportReport:
    """Export a checkpoint folder, compared with torch before it is kept.

    Args:
        folder: checkpoint folder.
        path: the ``.xml`` file to write.
        weights: ``"float32"``; ``"float16"``, in which they are stored; ``"bfloat16"``, stored in
            float16 and computed in bf16; ``"int8"``.
        batch: see `poselift.export.onnx.export_onnx`; so are the errors.
        tolerance: see there.
        motions: see there.
    """
    import openvino

    loaded = Loaded.read(folder, motions, batch)
    proto, kept = build(loaded, "float32" if weights == "bfloat16" else weights)
    if batch is not None:
        fix_batch(proto, batch)
    precision = "bf16" if weights == "bfloat16" else "f32"
    bin_path = path.with_suffix(".bin")
    # In a folder of its own first: the two files know each other by their names.
    with tempfile.TemporaryDirectory(dir=_nearest(path.parent), prefix=".poselift-") as place:
        graph, draft = Path(place) / "graph.onnx", Path(place) / path.name
        graph.write_bytes(proto.SerializeToString())
        model = openvino.convert_model(graph)
        for key, value in loaded.metadata.items():
            model.set_rt_info(json.dumps(value), [key])
        model.set_rt_info(precision, [PRECISION_KEY])
        openvino.save_model(model, draft, compress_to_fp16=weights != "float32")
        del model
        found = loaded.check(path, OpenVino(draft, threads=1), weights, tolerance)
        for source, target in ((draft.with_suffix(".bin"), bin_path), (draft, path)):
            with atomic_path(target) as temporary:
                source.replace(temporary)
    size = path.stat().st_size + bin_path.stat().st_size
    same = found.largest if weights == "float32" else math.nan
    return ExportReport(path, size, counted(proto), same, found, kept)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists: on the same disk."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())
