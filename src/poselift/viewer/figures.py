"""Skeletons on an image: flat, over a picture, and in space, above a floor.

Sizes and the camera are those of the page (`page.js`), so that both look alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.skeleton import Skeleton
from poselift.viewer.raster import Colour, Image, disc, number, rgb, stroke
from poselift.viewer.scene import PALETTE, floor_cell, known_points, sides

FloatArray = npt.NDArray[np.floating[Any]]

_BONE, _JOINT, _HEAD = 0.018, 0.026, 0.075  # radii, metres
_NEAR = 0.1  # metres in front of the camera where the view begins
_FAR_OFF = 1e5  # pixels: what is further from the image cannot be seen


@dataclass(frozen=True, eq=False)
class View:
    """A camera that looks at a point, for one image.

    Args:
        centre: (3,) what it looks at, metres, x right, y down, z forward.
        radius: metres around ``centre`` that are in sight.
        size: (width, height) of the image, pixels.
        turn: radians about the vertical, 0 looks along z.
        lift: radians above the horizon.
    """

    centre: FloatArray
    radius: float
    size: tuple[int, int]
    turn: float = 0.5
    lift: float = 0.24

    def project(self, points: FloatArray) -> FloatArray:
        """Points (..., 3) as (..., 4): x and y in pixels, depth in metres, pixels per metre.

        NaN where a point is absent or not in front of the camera.
        """
        out = self._seen(np.asarray(points, dtype=np.float64) - self.centre)
        depth = np.where(out[..., 2] > _NEAR, out[..., 2], np.nan)
        return self._pixels(out[..., 0], out[..., 1], depth)

    def edge(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Ends (2, 4) of a line as `project` gives them, cut where it comes too near; or NaN."""
        x, y, depth = np.moveaxis(self._seen(np.stack([a, b]) - self.centre), -1, 0)
        (behind,) = np.nonzero(depth <= _NEAR)
        if len(behind) == 1:
            i, other = int(behind[0]), 1 - int(behind[0])
            share = (1.01 * _NEAR - depth[i]) / (depth[other] - depth[i])
            x[i] += share * (x[other] - x[i])
            y[i] += share * (y[other] - y[i])
            depth[i] = 1.01 * _NEAR
        return self._pixels(x, y, np.where(depth > _NEAR, depth, np.nan))

    def _seen(self, off: FloatArray) -> FloatArray:
        """(..., 3) right, down and ahead of the camera, for points off the centre."""
        ct, st = math.cos(self.turn), math.sin(self.turn)
        cl, sl = math.cos(self.lift), math.sin(self.lift)
        axes = np.array([[ct, 0, -st], [-st * sl, cl, -ct * sl], [st * cl, sl, ct * cl]])
        return np.asarray(off @ axes.T + [0, 0, self._far])

    @property
    def _far(self) -> float:
        return self.radius * 1.08 / math.sin(math.atan(0.5 / 1.5))

    def _pixels(self, x: FloatArray, y: FloatArray, depth: FloatArray) -> FloatArray:
        width, height = self.size
        scale = 1.5 * min(width, height) / depth
        return np.stack([width / 2 + scale * x, height / 2 + scale * y, depth, scale], axis=-1)


class Painter:
    """Draws the persons of one motion.

    Args:
        skeleton: names and bones of their J joints.
        track_ids: (P,) numbers written above them, where there are several.
        scheme: of `PALETTE`.
    """

    def __init__(self, skeleton: Skeleton, track_ids: npt.NDArray[Any], scheme: str = "dark"):
        palette = PALETTE[scheme]
        self.ground = rgb(palette["ground"])
        self.line = rgb(palette["line"])
        self.text = rgb(palette["text"])
        self._shadow: Colour = tuple(int(0.45 * c) for c in self.ground)  # type: ignore[assignment]  # three of them
        self._ids = [str(n) for n in track_ids.tolist()]
        self._bones = skeleton.bones
        self._left = [side == "left" for side in sides(skeleton)]
        self._head = skeleton.joints.index("head") if "head" in skeleton.joints else None
        own = [rgb(colour) for colour in palette["persons"]]
        self._labels = [own[p % len(own)] for p in range(len(self._ids))]
        self._inks = [
            [label if side == "middle" else rgb(palette[side]) for side in sides(skeleton)]
            for label in self._labels
        ]

    def flat(self, image: Image, points: FloatArray) -> None:
        """Draw 2D joints (P, J, 2) in pixels of ``image``; NaN where absent."""
        for p, joints in enumerate(_in_sight(points)):
            seen = known_points(joints)
            if not seen.any():
                continue
            top, bottom = joints[seen, 1].min(), joints[seen, 1].max()
            radius = float(np.clip((bottom - top) / 120, 0.8, 6.0))
            rim = max(0.8, 0.4 * radius)
            for a, b in self._bones:
                if seen[a] and seen[b]:
                    inks = (rim, self.ground), (0.0, self._inks[p][b])
                    stroke(image, joints[a], joints[b], radius, *inks)
            for j in np.flatnonzero(seen).tolist():
                self._joint(image, joints[j], 1.8 * radius, p, j)
            self._label(image, p, joints[seen][joints[seen, 1].argmin()], 4 * radius)

    def floor(self, image: Image, floor: float, view: View) -> None:
        """Draw the squares of the floor at y = ``floor``, metres."""
        cell = floor_cell(view.radius)
        cells = math.ceil(view.radius * 1.5 / cell) + 1
        x, _, z = np.round(np.asarray(view.centre, dtype=np.float64) / cell) * cell
        reach = cells * cell
        for i in range(-cells, cells + 1):
            for a, b in (
                ((x + i * cell, floor, z - reach), (x + i * cell, floor, z + reach)),
                ((x - reach, floor, z + i * cell), (x + reach, floor, z + i * cell)),
            ):
                ends = view.edge(np.array(a), np.array(b))
                if np.isfinite(ends).all():
                    stroke(image, ends[0, :2], ends[1, :2], 0.5, (0.0, self.line))

    def space(self, image: Image, joints: FloatArray, floor: float, view: View) -> None:
        """Draw 3D joints (P, J, 3), metres, and their shadows on the floor; NaN where absent."""
        places = view.project(joints)  # (P, J, 4)
        places[..., :2] = _in_sight(places[..., :2])
        on_floor = joints.astype(np.float64)
        on_floor[..., 1] = floor
        shadows = view.project(on_floor)
        shadows[..., :2] = _in_sight(shadows[..., :2])
        seen = known_points(places)
        # A shadow straight below tells how far away and how high a person is.
        for p, person in enumerate(shadows):
            for a, b in self._bones:
                if seen[p, [a, b]].all() and known_points(person[[a, b]]).all():
                    radius = max(0.5, 2 * _BONE * float(person[b, 3]))
                    stroke(image, person[a, :2], person[b, :2], radius, (0.0, self._shadow))
        # From the back to the front; a joint covers the ends of its bones.
        parts: list[tuple[float, int, int, int]] = []  # depth, person, joint, parent or -1
        for p, person in enumerate(places):
            front = person[:, 2].copy()
            for a, b in self._bones:
                if seen[p, a] and seen[p, b]:
                    depth = float(person[a, 2] + person[b, 2]) / 2
                    parts.append((depth, p, b, a))
                    front[[a, b]] = np.minimum(front[[a, b]], depth)
            for j in np.flatnonzero(seen[p]).tolist():
                parts.append((float(front[j]) - 0.001, p, j, -1))
        for _, p, j, parent in sorted(parts, reverse=True):
            x, y, _, scale = places[p, j].tolist()
            if parent >= 0:
                other = places[p, parent]
                radius = max(1.0, _BONE * (scale + float(other[3])) / 2)
                inks = (1.2, self.ground), (0.0, self._inks[p][j])
                stroke(image, other[:2], (x, y), radius, *inks)
            else:
                size = max(1.5, (_HEAD if j == self._head else _JOINT) * scale)
                self._joint(image, (x, y), size, p, j)
        for p, person in enumerate(places):
            if seen[p].any():
                top = person[seen[p]][person[seen[p], 1].argmin()]
                above = (float(top[0]), float(top[1] - 0.1 * top[3]))
                self._label(image, p, above, 0.1 * float(top[3]))

    def _joint(self, image: Image, at: Any, radius: float, person: int, joint: int) -> None:
        # Left joints are rings and right joints are discs: the sides differ by form too.
        ink = self._inks[person][joint]
        if self._left[joint] and radius > 2:
            disc(image, at, radius, (0.0, ink), (-max(1.0, 0.45 * radius), self.ground))
        else:
            disc(image, at, radius, (0.0, ink))

    def _label(self, image: Image, person: int, top: Any, size: float) -> None:
        if len(self._ids) > 1:
            size = float(np.clip(size, 9.0, 28.0))
            at = (float(top[0]), float(top[1]) - 2 * size)
            number(image, self._ids[person], at, size, self._labels[person], self.ground, 0.5)


def _in_sight(points: FloatArray) -> FloatArray:
    """Points (..., 2) in pixels, NaN where they are absent or very far outside."""
    near = np.all(np.abs(points) < _FAR_OFF, axis=-1, keepdims=True)
    return np.where(near, points, np.nan)
