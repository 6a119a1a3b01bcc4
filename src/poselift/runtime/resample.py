"""Linear interpolation in time, between a source's frames and a network's frame rate."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
Times = npt.NDArray[np.floating[Any]]

# Of a frame: times written in milliseconds are up to 2.5 % of a frame off at 50 fps.
_SAME = 0.03


def grid(times: Times, fps: float) -> Times:
    """(S,) regular times at ``fps`` from the first of ``times`` (T,) to the last or just after it.

    Sources whose frames lie on this grid but for rounding get their own times back.

    >>> import numpy as np
    >>> grid(np.array([1.0, 1.04, 1.08]), fps=50).round(3).tolist()
    [1.0, 1.02, 1.04, 1.06, 1.08]
    """
    steps = (times[-1] - times[0]) * fps
    count = int(np.ceil(steps - _SAME)) + 1
    regular: Times = times[0] + np.arange(count) / fps
    if count == len(times) and np.abs(regular - times).max() * fps <= _SAME:
        return times
    return regular


def stretches(times: Times, longest: float) -> list[slice]:
    """Runs of ``times`` (T,) without a gap of more than ``longest`` seconds.

    >>> import numpy as np
    >>> stretches(np.array([0.0, 0.5, 9.0]), longest=2)
    [slice(0, 2, None), slice(2, 3, None)]
    """
    starts = [0, *(np.flatnonzero(np.diff(times) > longest) + 1).tolist()]
    return [slice(a, b) for a, b in pairwise([*starts, len(times)])]


def interpolate(values: FloatArray, times: Times, at: Times) -> FloatArray:
    """Values between frames, on straight lines; the first and last one beyond the ends.

    Args:
        values: (P, T, ...) of P persons in T frames, finite.
        times: (T,) seconds, strictly increasing.
        at: (S,) seconds.

    Returns:
        (P, S, ...), of the values' type. At the time of a frame it is exactly the frame's value.
    """
    if len(times) == 1:
        return np.repeat(values, len(at), axis=1)
    after = np.clip(np.searchsorted(times, at, side="right"), 1, len(times) - 1)  # (S,)
    before = after - 1
    position = np.clip((at - times[before]) / (times[after] - times[before]), 0, 1)
    share = position.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 2))
    # Both terms, and not a + share * (b - a): exact at either end.
    return (1 - share) * values[:, before] + share * values[:, after]
