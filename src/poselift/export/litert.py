"""Export for LiteRT (TensorFlow Lite), as on phones and small boards: ``NAME.tflite``.

The folded ONNX graph is translated operator by operator (`poselift.export.tflite`); an operator
that has no rule there is refused by its name.

In int8 a product rounds its weights with a step for each output, and what comes in row by row as
it comes ("dynamic range"). Needs the package ``ai-edge-litert``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from poselift.data.mocap import Motion
from poselift.errors import UsageError
from poselift.evaluation.mocap import IMAGE_SIZE
from poselift.export.onnx import ExportReport, Loaded, Weights, build
from poselift.export.quantise import Layer, fewest_in_float, find_layers
from poselift.export.raw import INPUTS
from poselift.export.tflite.graph import Array, Graph
from poselift.export.tflite.translate import Values, translate
from poselift.files import atomic_path
from poselift.runtime.backends import RAW_KEY, open_litert

_PROBED = 16  # windows


def export_litert(
    folder: Path,
    path: Path,
    weights: Weights,
    *,
    raw: bool = False,
    batch: int | None = None,
    tolerance: float | None = None,
    motions: Sequence[Motion] = (),
) -> ExportReport:
    """Export a checkpoint folder, compared with torch before it is kept.

    Args:
        folder: checkpoint folder.
        path: the ``.tflite`` file to write.
        weights: ``"float32"``; ``"float16"``, in which they are stored; ``"int8"``, in which the
            products with weights are also computed. What is not is then stored in float16.
        raw: see `poselift.export.onnx.export_onnx`; so are the errors.
        batch: see there.
        tolerance: see there.
        motions: see there.

    Raises:
        UsageError: other ``weights``, or a network with an operator that has no rule.
        MissingExtraError: ai-edge-litert is not installed.
    """
    if weights not in ("float32", "float16", "int8"):
        raise UsageError(f"weights={weights!r}", "float32, float16 or int8 for LiteRT")
    loaded = Loaded.read(folder, motions, batch)
    proto, _ = build(loaded, "float32", raw=raw)
    image = {INPUTS[1]: np.array(IMAGE_SIZE, np.float32)} if raw else {}
    shown = loaded.sample.pixels if raw else loaded.sample.windows
    values = Values(proto, shown[:3], image)
    if weights == "int8":
        graph, kept = _quantise(values, loaded, raw)
    else:
        graph, kept = translate(values, half=weights == "float16"), ()
    metadata = {**loaded.metadata, **({RAW_KEY: list(INPUTS)} if raw else {})}
    if batch is not None:
        graph.fix_batch(batch)
    content = graph.pack(metadata)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        run = open_litert(temporary, threads=1)
        found = loaded.check(path, lambda x: run(x, *image.values()), weights, tolerance, raw=raw)
    same = found.largest if weights == "float32" else np.nan
    return ExportReport(path, len(content), graph.counted(), same, found, kept)


def _quantise(values: Values, loaded: Loaded, raw: bool) -> tuple[Graph, tuple[str, ...]]:
    """As many products in 8 bits as the loss of accuracy allows.

    Returns:
        The graph, and the names of the products that stay in floating point, those that move
        joints most for their size.
    """
    probe = (loaded.sample.pixels if raw else loaded.sample.windows)[:_PROBED]

    def run(layers: Sequence[Layer], x: Array) -> Array:
        graph = translate(values, half=True, eight={layer.node for layer in layers})
        call = open_litert(graph.pack({}), threads=1)
        pieces = (x[i : i + _PROBED] for i in range(0, len(x), _PROBED))
        return np.concatenate([call(piece, *values.fixed.values()) for piece in pieces])

    reference = run([], probe)

    def moved(layer: Layer) -> float:
        """Mean square by which this layer alone moves a joint, for each of its weights."""
        change = np.square(run([layer], probe) - reference).mean()
        return float(change) / values.constant(layer.weight).size

    kept, eight = fewest_in_float(
        find_layers(values.proto),
        moved,
        lambda layers: loaded.loses(lambda x: run(layers, x), raw=raw),
    )
    graph = translate(values, half=True, eight={layer.node for layer in eight})
    return graph, tuple(layer.node for layer in kept)
