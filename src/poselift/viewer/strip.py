"""A strip of pictures of a motion, as SVG: for a README, a paper, or a first look."""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import UsageError
from poselift.files import write_text
from poselift.motion.content import finite_or_absent
from poselift.poses import Pose3D
from poselift.skeleton import Skeleton
from poselift.viewer.scene import PALETTE, known_points, make_scene, sides

_CELL = (130.0, 170.0)  # width and height of one picture
_RIM = 12.0  # free space around the figure in its picture
_LABEL = 96.0  # width of the column with the names of the rows
_HEAD = 24.0  # height of the row with the times


@dataclass(frozen=True)
class _Row:
    """One row of pictures.

    Args:
        label: lines of text in front of it.
        points: (P, F, J, 2) what is drawn, x right and y down, in one unit for the row.
        floor: (F,) y of the floor in that unit, ``None``: no floor is drawn.
    """

    label: tuple[str, ...]
    points: npt.NDArray[Any]
    floor: npt.NDArray[Any] | None = None


def write_strip(
    pose3d: Pose3D, path: str | os.PathLike[str], frames: int = 8, title: str = ""
) -> Path:
    """Write evenly spaced frames of ``pose3d`` side by side as an SVG picture.

    The first row has the 2D joints (left out if there are none), the others the 3D joints as
    the camera sees them and from the person's side of the picture, without perspective.
    Frames without anybody are passed over.

    Args:
        pose3d: what to show.
        path: the picture, ending in ``.svg``.
        frames: how many pictures, at least 1; fewer if there are fewer frames.
        title: its name for screen readers; empty: made from the length.

    Returns:
        ``path``.

    Raises:
        UsageError: ``frames`` below 1, or another extension.
        DataError: infinite numbers, or the file cannot be written.
    """
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer) or frames < 1:
        raise UsageError(f"{frames!r} frames in the strip", "a whole number of at least 1")
    if Path(path).suffix.lower() != ".svg":
        raise UsageError(f"{path}: a strip is an SVG picture", "a name that ends in .svg")
    finite_or_absent(pose3d)
    chosen = _choose(pose3d, int(frames))
    name = title or f"{pose3d.num_frames} frames of motion, {len(chosen)} of them shown"
    times = [float(time) for time in pose3d.times[chosen]]
    svg = _svg(_rows(pose3d, chosen), times, pose3d.skeleton, name)
    write_text(path, svg.encode("utf-8", "replace").decode())
    return Path(path)


def _choose(pose: Pose3D, count: int) -> npt.NDArray[np.intp]:
    """Evenly spaced frames among those with somebody in them; all alike if there is nobody."""
    seen = known_points(pose.joints) | known_points(pose.keypoints)  # (P, T, J)
    with_somebody = np.flatnonzero(seen.any(axis=(0, 2)))
    if len(with_somebody) == 0:
        with_somebody = np.arange(pose.num_frames)
    spread = np.linspace(0, len(with_somebody) - 1, min(count, len(with_somebody)))
    return with_somebody[np.round(spread).astype(np.intp)]


def _rows(pose: Pose3D, chosen: npt.NDArray[np.intp]) -> list[_Row]:
    scene = make_scene(pose)
    x, y, z = np.moveaxis(scene.joints[:, chosen], -1, 0)
    floor = scene.floor[chosen]
    rows = [
        _Row(("3D from", "the camera"), np.stack([x, y], axis=-1), floor),
        # Seen from the camera's right, what is near the camera lies to the left.
        _Row(("3D from", "the side"), np.stack([z, y], axis=-1), floor),
    ]
    flat = pose.keypoints[:, chosen]
    if np.isfinite(flat).any():
        rows.insert(0, _Row(("2D joints",), flat))
    return rows


def _svg(rows: list[_Row], times: list[float], skeleton: Skeleton, title: str) -> str:
    width = _LABEL + len(times) * _CELL[0]
    height = _HEAD + len(rows) * _CELL[1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">',
        f"<title>{escape(_xml(title))}</title>",
        f"<style>{_style()}</style>",
        f'<rect class="g" width="{width:g}" height="{height:g}"/>',
    ]
    for column, time in enumerate(times):
        middle = _LABEL + (column + 0.5) * _CELL[0]
        parts.append(f'<text x="{middle:g}" y="17" text-anchor="middle">{time:.2f} s</text>')
    for number, row in enumerate(rows):
        top = _HEAD + number * _CELL[1]
        parts.append(f'<line class="r" x1="0" x2="{width:g}" y1="{top:g}" y2="{top:g}"/>')
        for line, words in enumerate(row.label):
            y = top + _CELL[1] / 2 + 16 * (line - (len(row.label) - 1) / 2) + 5
            parts.append(f'<text x="12" y="{y:g}">{words}</text>')
        parts += _pictures(row, top, skeleton)
    return "\n".join([*parts, "</svg>", ""])


def _pictures(row: _Row, top: float, skeleton: Skeleton) -> list[str]:
    """The pictures of one row, all at one scale, each centred on who is in it."""
    low, high = _bounds(row.points)  # (F, 2) each
    room = np.array(_CELL) - 2 * _RIM
    if row.floor is not None:
        # The floor lies at the same height in all pictures of the row, so that a jump is a jump.
        high[:, 1] = row.floor
        low[:, 1] = row.floor - np.nanmax(row.floor - low[:, 1], initial=1e-6)
    extent = np.nanmax(high - low, axis=0, initial=1e-6)
    scale = float((room / extent).min())
    middle = (low + high) / 2
    parts = []
    for f in range(row.points.shape[1]):
        left = _LABEL + f * _CELL[0]
        centre = np.array([left + _CELL[0] / 2, top + _CELL[1] / 2])
        if not np.isfinite(middle[f]).all():
            parts.append(
                f'<text x="{centre[0]:g}" y="{centre[1]:g}" text-anchor="middle">nobody</text>'
            )
            continue
        if row.floor is not None:
            y = centre[1] + scale * (row.floor[f] - middle[f, 1])
            ends = f'x1="{left + 8:g}" x2="{left + _CELL[0] - 8:g}"'
            parts.append(f'<line class="f" {ends} y1="{y:.1f}" y2="{y:.1f}"/>')
        for p, points in enumerate(row.points[:, f]):
            parts += _figure(centre + scale * (points - middle[f]), skeleton, p)
    return parts


def _bounds(points: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Lowest and highest (F, 2) coordinates of each frame; NaN where nobody is."""
    present = known_points(points)[..., None]
    low = np.where(present, points, np.inf).min(axis=(0, 2)).astype(np.float64)
    high = np.where(present, points, -np.inf).max(axis=(0, 2)).astype(np.float64)
    empty = ~np.isfinite(low)
    low[empty] = high[empty] = np.nan
    return low, high


def _figure(points: npt.NDArray[Any], skeleton: Skeleton, person: int) -> list[str]:
    """Bones and joints of one person at (J, 2) places in the picture."""
    names = sides(skeleton)
    seen = known_points(points)

    def colour(joint: int) -> str:
        own = f"p{person % len(PALETTE['light']['persons'])}"
        return {"left": "l", "right": "d"}.get(names[joint], own)

    parts = []
    for a, b in skeleton.bones:
        if seen[a] and seen[b]:
            (x1, y1), (x2, y2) = points[a], points[b]
            parts.append(
                f'<line class="b {colour(b)}" x1="{x1:.1f}" y1="{y1:.1f}" '
                f'x2="{x2:.1f}" y2="{y2:.1f}"/>'
            )
    for joint in np.flatnonzero(seen).tolist():
        x, y = points[joint]
        size = 5.5 if skeleton.joints[joint] == "head" else 2.2
        # Rings on the left and discs on the right, as in the page.
        ring = " o" if names[joint] == "left" else ""
        parts.append(
            f'<circle class="{colour(joint)}{ring}" cx="{x:.1f}" cy="{y:.1f}" r="{size}"/>'
        )
    return parts


def _style() -> str:
    """Style sheet for a light ground, and for a dark one where the reader prefers it."""

    def scheme(name: str) -> str:
        colours = PALETTE[name]
        lines = [
            f".g{{fill:{colours['ground']}}}",
            f"text{{fill:{colours['text']}}}",
            f".r,.f{{stroke:{colours['line']}}}",
        ]
        inks = {"l": colours["left"], "d": colours["right"]}
        inks |= {f"p{number}": ink for number, ink in enumerate(colours["persons"])}
        lines += [f".{key}{{stroke:{ink};fill:{ink}}}" for key, ink in inks.items()]
        lines.append(f".o{{fill:{colours['ground']}}}")
        return "".join(lines)

    return (
        "text{font:13px system-ui,'DejaVu Sans',sans-serif}"
        ".b{stroke-width:3;stroke-linecap:round}.f{stroke-width:2}circle{stroke-width:1.5}"
        + scheme("light")
        + "@media(prefers-color-scheme:dark){"
        + scheme("dark")
        + "}"
    )


def _xml(text: str) -> str:
    """``text`` without the control characters that XML forbids."""
    return "".join(c if c >= " " or c in "\t\n" else " " for c in text)
