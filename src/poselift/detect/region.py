"""Square, turned regions of an image, and cutting them out."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, ceil, cos, floor, hypot, pi, sin

import numpy as np
import numpy.typing as npt

from poselift.poses import FloatArray

Image = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""

_STEPS = 32
"""Sample positions are rounded to 1/32 pixel, as OpenCV does, which the networks were run with."""

_ROWS = 32


@dataclass(frozen=True)
class Region:
    """A square of an image that holds a person upright.

    Args:
        x: centre, pixels.
        y: centre, pixels.
        size: length of a side, pixels.
        angle: turn clockwise as seen in the image, radians; 0 for a person standing upright.
    """

    x: float
    y: float
    size: float
    angle: float = 0.0

    def to_image(self, points: FloatArray) -> FloatArray:
        """(N, 2) positions within the region, 0..1 -> (N, 2) pixels of the image."""
        return np.asarray((points - 0.5) @ _turn(self.angle).T * self.size + [self.x, self.y])

    def crop(self, image: Image, pixels: int, *, outside: str = "edge") -> npt.NDArray[np.float32]:
        """Cut the region out, bilinearly.

        Args:
            image: (H, W, 3) RGB.
            pixels: N, side of the result.
            outside: what lies beyond the image: its ``"edge"`` drawn on, or ``"black"``.

        Returns:
            (N, N, 3) with values 0..255, rounded to whole numbers.
        """
        steps = np.arange(pixels) / pixels - 0.5
        along_x, along_y = self.size * cos(self.angle), self.size * sin(self.angle)
        out = np.empty((pixels, pixels, 3), np.float32)
        border = int(outside == "black")
        if border:
            image = np.pad(image, ((1, 1), (1, 1), (0, 0)))
        image = np.ascontiguousarray(image)
        # A few rows at a time: small arrays stay in the cache, and cost no calls to the system.
        for first in range(0, pixels, _ROWS):
            down = steps[first : first + _ROWS, None]
            columns = self.x + along_x * steps - along_y * down
            rows = self.y + along_y * steps + along_x * down
            _sample(image, columns, rows, border, out[first : first + _ROWS])
        return out


def region_around(centre: FloatArray, edge: FloatArray, scale: float = 1.25) -> Region:
    """The region of a person from the two points that BlazePose gives for it.

    Args:
        centre: (2,) middle of the hips, pixels.
        edge: (2,) point on the circle around the whole body, above the head of a person who
            stands, pixels.
        scale: margin around the circle.
    """
    dx, dy = float(edge[0] - centre[0]), float(edge[1] - centre[1])
    turn = pi / 2 - atan2(-dy, dx)
    turn -= 2 * pi * floor((turn + pi) / (2 * pi))
    return Region(float(centre[0]), float(centre[1]), 2 * hypot(dx, dy) * scale, turn)


def whole_image(width: int, height: int) -> Region:
    """The square around an image: what letterboxing shows."""
    return Region(width / 2, height / 2, float(max(width, height)))


def is_usable(region: Region, width: int, height: int) -> bool:
    """Whether a region holds anything to look at: a few pixels, and not beside the image."""
    numbers = (region.x, region.y, region.size, region.angle)
    if not np.isfinite(numbers).all():
        return False
    reach = region.size / 2
    inside = -reach < region.x < width + reach and -reach < region.y < height + reach
    return inside and 4 <= region.size <= 16 * ceil(max(width, height))


def _turn(angle: float) -> FloatArray:
    return np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])


def _sample(
    image: Image, columns: FloatArray, rows: FloatArray, border: int, out: npt.NDArray[np.float32]
) -> None:
    """Write the bilinear values at positions (R, N) into ``out`` (R, N, 3).

    Beyond the edge the edge is taken. ``image`` has ``border`` pixels more than positions count.
    """
    height, width = image.shape[:2]
    left, part_x = _split(columns, width, border)
    top, part_y = _split(rows, height, border)
    first = top * np.int64(width) + left
    flat = image.reshape(-1, 3)
    # take() of rows of three bytes is several times faster than indexing with two arrays. At the
    # last column and row the neighbour counts nothing, whichever pixel it is.
    a, b, c, d = (
        flat.take(first + further, axis=0, mode="clip").astype(np.float32)
        for further in (0, 1, width, width + 1)
    )
    b -= a
    b *= part_x
    a += b  # upper row
    d -= c
    d *= part_x
    c += d  # lower row
    c -= a
    c *= part_y
    a += c
    a += np.float32(0.5)
    np.floor(a, out=out)


def _split(
    positions: FloatArray, length: int, border: int
) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Whole pixel and the part beyond it, (R, N) and (R, N, 3): the same for each colour."""
    near = np.clip(positions, -border, length - 1 - border)
    fine = np.rint(near * _STEPS).astype(np.int32) + border * _STEPS
    part = (fine & (_STEPS - 1)).astype(np.float32) / np.float32(_STEPS)
    # Repeated, since numpy is slow where the last axis is broadcast.
    return fine >> 5, np.repeat(part, 3).reshape(*part.shape, 3)
