"""Smooth lines, discs and numbers on an image, with NumPy alone.

Everything is a stroke: the points within a radius of a segment. A line is a thin one, a disc one
of no length, and digits are strokes on a grid, as on a clock with seven segments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Point = Sequence[float] | npt.NDArray[np.floating[Any]]
Colour = tuple[int, int, int]

# Ends of the segments a to g in a box of 1 x 2: x right, y down.
_SEGMENTS = {
    "a": ((0, 0), (1, 0)),
    "b": ((1, 0), (1, 1)),
    "c": ((1, 1), (1, 2)),
    "d": ((0, 2), (1, 2)),
    "e": ((0, 1), (0, 2)),
    "f": ((0, 0), (0, 1)),
    "g": ((0, 1), (1, 1)),
}
_SIGNS = {
    sign: tuple(_SEGMENTS[name] for name in names)
    for sign, names in {
        "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd",
        "6": "afgedc", "7": "abc", "8": "abcdefg", "9": "abcdfg", "-": "g", " ": "",
    }.items()
} | {
    ".": (((0.5, 2), (0.5, 2)),),
    ":": (((0.5, 0.5), (0.5, 0.5)), ((0.5, 1.5), (0.5, 1.5))),
    "/": (((0, 2), (1, 0)),),
}  # fmt: skip
_STEP = 1.8  # from sign to sign, in widths of a sign


def rgb(colour: str) -> Colour:
    """``#0072b2`` as numbers.

    >>> rgb("#0072b2")
    (0, 114, 178)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def stroke(image: Image, a: Point, b: Point, radius: float, *inks: tuple[float, Colour]) -> None:
    """Colour what is within ``radius`` of the segment from ``a`` to ``b``, with smooth edges.

    Args:
        image: (H, W, 3) RGB, changed in place; what lies outside is cut off.
        a: (x, y) pixels; the middle of the first pixel is (0, 0).
        b: (x, y), may be ``a``.
        radius: pixels.
        inks: (margin, colour) one over the other, each ``margin`` pixels wider than ``radius``.
    """
    height, width = image.shape[:2]
    widest = radius + max(margin for margin, _ in inks) + 1
    # Only a band around the segment is looked at: pixels along its longer axis u, and for each
    # of them as many across, v, as the stroke is wide there.
    flip = abs(b[1] - a[1]) > abs(b[0] - a[0])
    (u0, v0), (u1, v1) = ((p[1], p[0]) if flip else (p[0], p[1]) for p in (a, b))
    if u0 > u1:
        u0, v0, u1, v1 = u1, v1, u0, v0
    long, cross = (height, width) if flip else (width, height)
    du, dv = u1 - u0, v1 - v0
    length = math.hypot(du, dv)
    slope = dv / du if du > 0 else 0.0
    # Limited before they become whole numbers: a point near the camera may be anywhere.
    first, end = max(0.0, u0 - widest), min(long - 1.0, u1 + widest)
    if not first <= end:
        return
    u = np.arange(math.ceil(first), math.floor(end) + 1, dtype=np.float32)
    half = math.ceil(widest * math.hypot(1, slope))
    middle = np.clip(v0 + (u - u0) * slope, -half - 1, cross + half)
    v = np.floor(middle)[:, None] + np.arange(-half, half + 2, dtype=np.float32)  # (U, V)
    inside = (v >= 0) & (v < cross)
    if not inside.any():
        return
    pu, pv = (u - u0)[:, None], v - v0
    if length > 1e-6:
        along = np.clip((pu * du + pv * dv) / length**2, 0, 1)
        pu, pv = pu - along * du, pv - along * dv
    off = radius + 0.5 - np.sqrt(pu * pu + pv * pv)  # coverage, if cut to 0...1
    near = inside & (off > 1 - widest)
    rows, columns = np.nonzero(near)
    if len(rows) == 0:
        return
    off = off[rows, columns][:, None]
    at = (u[rows].astype(np.intp), v[rows, columns].astype(np.intp))
    place = at if flip else at[::-1]
    pixels = image[place].astype(np.float32)  # (N, 3)
    for margin, colour in inks:
        pixels += np.clip(off + margin, 0, 1) * (np.array(colour, np.float32) - pixels)
    image[place] = (pixels + 0.5).astype(np.uint8)


def disc(image: Image, at: Point, radius: float, *inks: tuple[float, Colour]) -> None:
    """A `stroke` of no length."""
    stroke(image, at, at, radius, *inks)


def number(
    image: Image, text: str, at: Point, size: float, ink: Colour, ground: Colour, anchor: float = 0
) -> None:
    """Write digits and ``-./: `` in seven segments, with a rim of the ground's colour.

    Args:
        image: (H, W, 3) RGB, changed in place.
        text: what to write.
        at: (x, y) pixels of the upper edge.
        size: height of a digit, pixels.
        ink: its colour.
        ground: of the rim, so that it can be read on anything.
        anchor: where ``at`` lies in the text: 0 its left end, 0.5 its middle, 1 its right end.
    """
    tall = max(4, round(size))
    left = at[0] - anchor * text_width(text, tall)
    rim = max(1.0, tall / 8)
    # All rims before all digits, else they would cut their neighbours.
    for margin, colour in ((rim, ground), (0.0, ink)):
        for n, sign in enumerate(text):
            x = round(left + n * _STEP * tall / 2) - tall // 4
            _stamp(image, _cover(sign, tall, margin), x, round(at[1]) - tall // 4, colour)


@lru_cache(maxsize=256)
def _cover(sign: str, size: int, margin: float) -> npt.NDArray[np.float32]:
    """(H, W, 1) share of each pixel that a sign covers, with ``size`` / 4 of space around it."""
    space, unit = size // 4, size / 2
    box = np.zeros((size + 2 * space + 1, size // 2 + 2 * space + 2, 3), dtype=np.uint8)
    for a, b in _SIGNS[sign]:
        ends = [(space + x * unit, space + y * unit) for x, y in (a, b)]
        stroke(box, ends[0], ends[1], max(0.5, size / 12), (margin, (255, 255, 255)))
    return (box[..., :1] / 255).astype(np.float32)


def _stamp(
    image: Image, cover: npt.NDArray[np.float32], left: int, top: int, colour: Colour
) -> None:
    """Blend a colour into the part of the image that begins at (left, top)."""
    height, width = cover.shape[:2]
    part = image[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    inside = cover[max(0, -top) :, max(0, -left) :][: part.shape[0], : part.shape[1]]
    part[:] = part + (np.array(colour, np.float32) - part) * inside + 0.5


def text_width(text: str, size: float) -> float:
    """Pixels across of a `number` of this size."""
    return ((len(text) - 1) * _STEP + 1) * size / 2
