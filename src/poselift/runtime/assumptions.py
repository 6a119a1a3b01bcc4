"""What to assume of a camera that a keypoint file does not tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import UsageError
from poselift.geometry.root import default_focal

FloatArray = npt.NDArray[np.floating[Any]]
Size = tuple[int, int]

VIDEO_SIZES: tuple[Size, ...] = (
    (640, 480),
    (480, 640),
    (1280, 720),
    (720, 1280),
    (1920, 1080),
    (1080, 1920),
    (3840, 2160),
    (2160, 3840),
)
"""Usual (width, height), small before large and lying before upright."""


def guess_image_size(keypoints: FloatArray) -> Size:
    """The smallest usual video that holds all keypoints (..., 2), pixels, NaN where absent.

    >>> import numpy as np
    >>> guess_image_size(np.array([[100.0, 50.0], [1100.0, 650.0]]))
    (1280, 720)
    """
    seen = keypoints[np.isfinite(keypoints).all(axis=-1)]  # (N, 2)
    far = seen.max(axis=0) if len(seen) else np.zeros(2)
    for size in VIDEO_SIZES:
        if (far <= size).all():
            return size
    side = int(np.ceil(far.max()))
    return side, side


def guess_clip_size(keypoints: FloatArray, causal: bool) -> Size:
    """The same for a clip (P, T, J, 2); ``causal``: from its first frame that has any joint."""
    if causal:
        seen = np.isfinite(keypoints[..., 0]).any(axis=(0, 2))  # (T,)
        keypoints = keypoints[:, int(seen.argmax())]
    return guess_image_size(keypoints)


def chosen_focal(focal: float | None, image_size: Size) -> float:
    """``focal`` in pixels, or the default for this image; ``UsageError`` if it is not positive."""
    if focal is None:
        return default_focal(image_size)
    try:
        value = float(focal)
    except (TypeError, ValueError):
        value = np.nan
    if not (np.isfinite(value) and value > 0):
        raise UsageError(f"focal={focal!r}", "a positive number of pixels")
    return value
