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
from poselift.viewer.scene import PALETTE, floor_cell, frame_scene, image_size, make_scene, sides

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

    The page is one file of about 0.6 MB and the motion, draws with three.js (WebGL), which it
    contains, and loads nothing. Persons stand where the root joint says, or side by side when it
    is not known; the floor is that of the room where ``meta`` knows it, else at the lowest ankle.

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
    write_text(path, make_page(pose3d, title or Path(str(pose3d.meta.get("source") or path)).stem))
    return Path(path)


def make_page(pose3d: Pose3D, title: str) -> str:
    """The page that `write_html` writes, as text that is valid UTF-8; errors as there."""
    finite_or_absent(pose3d)
    meta = describe(pose3d)
    facts = _facts(pose3d, meta)
    fields = {
        "title": html.escape(title or "Motion"),
        "summary": html.escape(_summary(pose3d, meta)),
        "facts": "\n".join(
            f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts
        ),
        "data": _script_json(_data(pose3d, meta)),
        "three": _part("vendor/three.min.js"),
        "script": _part("page.js"),
    }
    # In one pass, so that a title with "{{data}}" in it stays a title.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], _part("page.html"))
    # A title may come from a file name that is no valid text.
    return page.encode("utf-8", "replace").decode()


def _part(name: str) -> str:
    """Text of a file beside this one."""
    return resources.files("poselift.viewer").joinpath(name).read_text("utf-8")


def _data(pose: Pose3D, meta: dict[str, Any]) -> dict[str, Any]:
    """What the page draws; arrays as base64 of little-endian float32."""
    scene = make_scene(pose)
    framing = frame_scene(scene, pose.fps)
    skeleton = pose.skeleton
    return {
        "persons": pose.track_ids.tolist(),
        "frames": pose.num_frames,
        "joints": _base64(scene.joints),
        "keypoints": _base64(pose.keypoints) if np.isfinite(pose.keypoints).any() else None,
        "imageSize": image_size(meta),
        "times": (pose.times - pose.times[0]).tolist(),
        "firstTime": float(pose.times[0]),
        "fps": pose.fps,
        "names": list(skeleton.joints),
        "bones": [list(bone) for bone in skeleton.bones],
        "sides": list(sides(skeleton)),
        "floor": _base64(scene.floor),
        "placed": scene.placed,
        "level": scene.level,
        "whole": {
            "middle": framing.middle.tolist(),
            "radius": framing.radius,
            "cell": floor_cell(framing.radius),
        },
        "followed": {
            "middle": _base64(framing.followed),
            "radius": framing.followed_radius,
            "cell": floor_cell(framing.followed_radius),
            "start": framing.follow,
        },
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
