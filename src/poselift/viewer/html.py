"""One self-contained page that shows motion in any browser, without a network."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.files import write_text
from poselift.motion.content import describe, finite_or_absent
from poselift.poses import Pose3D
from poselift.viewer.scene import PALETTE, make_scene, sides

_LABELS = {
    "model": "Model",
    "weights_licence": "Licence of the weights",
    "source": "Source",
    "version": "poselift version",
    "skeleton": "Skeleton",
    "frame": "Coordinate frame",
    "axes": "Axes",
    "joints_relative_to": "Joints relative to",
    "units": "Units",
}


def write_html(pose3d: Pose3D, path: str | os.PathLike[str], title: str | None = None) -> Path:
    """Write a page that plays ``pose3d`` in 3D, beside the 2D joints.

    The page is one file, draws on a plain canvas, and loads nothing. Persons stand where the
    root joint says, or side by side when it is not known; the floor lies at the lowest
    ankle.

    Args:
        pose3d: what to show; absent persons and joints are left out of the picture.
        path: the page to write; its folder is made if needed. Never left half written.
        title: heading; ``None``: the name of the source, or of the file.

    Returns:
        ``path``.

    Raises:
        DataError: infinite numbers, or the file cannot be written.
        UsageError: ``pose3d.meta`` holds what JSON cannot.
    """
    finite_or_absent(pose3d)
    meta = describe(pose3d)
    heading = title or Path(str(meta["source"] or path)).stem or "Motion"
    facts = _facts(pose3d, meta)
    fields = {
        "title": html.escape(heading),
        "summary": html.escape(_summary(pose3d, meta)),
        "facts": "\n".join(
            f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts
        ),
        "data": _script_json(_data(pose3d, meta)),
    }
    template = resources.files("poselift.viewer").joinpath("page.html").read_text("utf-8")
    # In one pass, so that a title with "{{data}}" in it stays a title.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], template)
    # A title may come from a file name that is no valid text.
    write_text(path, page.encode("utf-8", "replace").decode())
    return Path(path)


def _data(pose: Pose3D, meta: dict[str, Any]) -> dict[str, Any]:
    """What the page draws; arrays as base64 of little-endian float32."""
    scene = make_scene(pose)
    skeleton = pose.skeleton
    size = meta.get("image_size")
    if not (isinstance(size, list) and len(size) == 2 and all(_positive(n) for n in size)):
        size = None
    return {
        "persons": pose.track_ids.tolist(),
        "frames": pose.num_frames,
        "joints": _base64(scene.joints),
        "keypoints": _base64(pose.keypoints) if np.isfinite(pose.keypoints).any() else None,
        "imageSize": size,
        "times": (pose.times - pose.times[0]).tolist(),
        "firstTime": float(pose.times[0]),
        "fps": pose.fps,
        "names": list(skeleton.joints),
        "bones": [list(bone) for bone in skeleton.bones],
        "sides": list(sides(skeleton)),
        "floor": _base64(scene.floor),
        "placed": scene.placed,
        "palette": PALETTE,
    }


def _summary(pose: Pose3D, meta: dict[str, Any]) -> str:
    parts = [
        str(meta["model"] or "model not stated"),
        f"{pose.fps:g} fps",
        str(meta["units"]),
        f"weights: {meta['weights_licence'] or 'licence not stated'}",
    ]
    return " · ".join(parts)


def _facts(pose: Pose3D, meta: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and text of everything known about the motion."""
    persons = "person" if pose.num_persons == 1 else "persons"
    seconds = float(pose.times[-1] - pose.times[0]) + 1 / pose.fps
    facts = [(label, _text(meta[key])) for key, label in _LABELS.items()]
    length = f"{pose.num_frames} frames at {pose.fps:g} fps, {seconds:.2f} s"
    facts.append(("Length", f"{length}, {pose.num_persons} {persons}"))
    rest = [key for key in meta if key not in _LABELS and key != "format"]
    return facts + [(key.replace("_", " "), _text(meta[key])) for key in rest]


def _text(value: Any) -> str:
    if value is None or value == "":
        return "not stated"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _script_json(value: Any) -> str:
    """JSON that can stand inside a script element: no ``<`` can end it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _base64(values: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")


def _positive(number: Any) -> bool:
    return isinstance(number, int | float) and number > 0
