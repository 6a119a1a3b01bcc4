"""From pixels to what a network reads. NumPy arrays and torch tensors go through the same code."""

from __future__ import annotations

from typing import Any, Literal, get_args

from poselift.errors import UsageError
from poselift.skeleton import H36M_17

Normalisation = Literal["screen", "person"]

_ROOT = H36M_17.index("pelvis")


def normalise(pixels: Any, image_size: tuple[float, float], kind: Normalisation) -> Any:
    """Normalise windows of 2D joints.

    ``"screen"``: divided by half the image's width and centred, as the published networks
    (VideoPose3D's convention: x in [-1, 1], y in [-h/w, h/w]).

    ``"person"``: joints relative to the pelvis of their frame, divided by the root mean square
    of these offsets over the window, so that the size of the person in the image does not
    matter; the pelvis keeps its place in the image, from the middle and in halves of the longer
    side, which tells the viewing direction whether the video is upright or not.

    Args:
        pixels: (B, T, 17, 2) windows in pixels, an array or a tensor, no NaN. A third number of
            each joint, its confidence, stays as it is.
        image_size: (width, height) in pixels.
        kind: which normalisation.

    Returns:
        (B, T, 17, 2 or 3), of the type that came in.

    Raises:
        UsageError: unknown ``kind``.

    >>> import numpy as np
    >>> float(normalise(np.full((1, 1, 17, 2), 500.0), (1000, 1000), "screen").max())
    0.0
    """
    if kind not in get_args(Normalisation):
        raise UsageError(f"normalisation {kind!r}", f"one of {get_args(Normalisation)}")
    if pixels.shape[-1] == 3:
        out = pixels + 0.0  # a copy
        out[..., :2] = normalise(pixels[..., :2], image_size, kind)
        return out
    width, height = image_size
    unit = width if kind == "screen" else max(width, height)
    screen = pixels * (2.0 / unit)
    screen[..., 0] -= width / unit
    screen[..., 1] -= height / unit
    if kind == "screen":
        return screen
    root = screen[:, :, _ROOT : _ROOT + 1] + 0.0  # (B, T, 1, 2), a copy
    relative = screen - root
    size = (relative**2).mean(axis=(1, 2, 3)) ** 0.5  # (B,)
    relative /= size[:, None, None, None] + 1e-6
    relative[:, :, _ROOT : _ROOT + 1] = root
    return relative
