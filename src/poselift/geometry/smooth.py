"""Smoothing in time: of a whole clip without delay, and frame by frame.

`whittaker` is for clips: penalised least squares (E. T. Whittaker, 1923; P. H. C. Eilers, "A
perfect smoother", Analytical Chemistry 2003). With a penalty on differences of order d its gain
at f is 1 / (1 + (f / cutoff)^(2 d)), that of a Butterworth filter of order d run forwards and
backwards, and so it has no phase either; but it knows gaps, weights, uneven times and ends.

`OneEuro` is for streams: G. Casiez, N. Roussel, D. Vogel, "1 euro filter: a simple speed-based
low-pass filter for noisy input in interactive systems", CHI 2012.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError, UsageError

FloatArray = npt.NDArray[np.floating[Any]]
Array = FloatArray

ORDER = 2
"""Order of the differences that are penalised: accelerations."""

LONGEST_GAP = 1.0
"""Seconds: beyond a longer gap, what comes after it says nothing of what was before."""

# So little weight that it moves nothing, and enough to keep a system without data regular.
_NOTHING = 1e-9


def whittaker(
    values: FloatArray,
    times: FloatArray,
    cutoff: float,
    weights: FloatArray | None = None,
) -> Array:
    """Smooth a clip without delay; what is absent stays absent.

    Args:
        values: (T, ...) numbers over time; NaN where absent.
        times: (T,) seconds, increasing.
        cutoff: Hz at which half of the amplitude is left, for weight 1.
        weights: (T, ...) of the values, not negative; 1 if not given.

    Returns:
        (T, ...) smooth values, NaN where ``values`` are, or where a number has no weight in any
        frame. Clips of fewer than three frames come back as they are.

    Raises:
        UsageError: a cutoff that is not positive.
        DataError: times or weights that do not fit.

    >>> import numpy as np
    >>> line = np.arange(6.0)
    >>> whittaker(line, line / 30, cutoff=1.0).round(6).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    if not (math.isfinite(cutoff) and cutoff > 0):
        raise UsageError(f"cutoff={cutoff!r}", "a positive number of Hz")
    values = np.asarray(values, dtype=np.float64)
    times = checked_times(times, len(values))
    shape = values.shape
    flat = values.reshape(len(values), -1)  # (T, N)
    here = np.isfinite(flat)
    w = np.ones(shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != shape or not (w >= 0).all():
        raise DataError(f"weights of shape {w.shape}", f"{shape}, not negative")
    w = np.where(here, w.reshape(flat.shape), 0.0)
    if len(flat) <= ORDER:
        return values.copy()
    out = np.full_like(flat, np.nan)
    used = np.flatnonzero((w > 0).any(axis=0))
    # Columns that are present in the same frames with the same weights share one factorisation.
    for columns in _alike(w[:, used].T):
        chosen = used[columns]
        weight = w[:, chosen[0]]
        seconds = float(np.median(np.diff(times)))  # sums over frames stand for integrals
        strength = (2 * math.pi * cutoff) ** (-2 * ORDER) / seconds
        data = np.where(here[:, chosen], flat[:, chosen], 0.0)
        for span in spans(weight > 0, times):
            part = weight[span, None]
            out[span.start : span.stop, chosen] = smooth_normal(
                part[..., None], (part * data[span])[:, None], times[span], strength
            )[:, 0]
    out[~here] = np.nan
    return out.reshape(shape)


def smooth_normal(
    information: FloatArray, right: FloatArray, times: FloatArray, strength: float
) -> Array:
    """The curve x that minimises data terms in each frame and its own accelerations.

    Minimises ``sum_t (x_t' A_t x_t - 2 x_t' b_t) + strength * integral |x''|^2 dt`` in O(T).

    Args:
        information: (T, k, k) A, symmetric, positive semidefinite; zero in frames without data.
        right: (T, k, N) b, for N curves that share A.
        times: (T,) seconds, increasing.
        strength: of the penalty on accelerations.

    Returns:
        (T, k, N). Frames before, after and between data are continued and bridged smoothly.
    """
    information, right = np.asarray(information, np.float64), np.asarray(right, np.float64)
    frames, k, curves = right.shape
    # Pairs of frames as one block make the penalty's five diagonals three of blocks.
    pairs = (frames + 1) // 2
    penalty = strength * _acceleration_penalty(np.asarray(times, np.float64))  # (3, T)
    most = float(np.trace(information, axis1=1, axis2=2).max())
    ridge = _NOTHING * max(most, 1e-300) / k
    main = np.zeros((2 * pairs, k, k))
    main[:frames] = information
    main[:, range(k), range(k)] += ridge
    main[frames:] += np.eye(k)  # the frame that makes an odd number even: alone, and zero
    off = np.zeros((2, 2 * pairs))
    off[:, :frames] = penalty[1:]
    main[:frames] += penalty[0][:, None, None] * np.eye(k)
    eye = np.eye(k)
    diagonal = np.zeros((pairs, 2 * k, 2 * k))
    diagonal[:, :k, :k], diagonal[:, k:, k:] = main[0::2], main[1::2]
    diagonal[:, :k, k:] = diagonal[:, k:, :k] = off[0, 0::2, None, None] * eye
    upper = np.zeros((pairs - 1, 2 * k, 2 * k))
    upper[:, :k, :k] = off[1, 0 : 2 * pairs - 2 : 2, None, None] * eye
    upper[:, k:, :k] = off[0, 1 : 2 * pairs - 2 : 2, None, None] * eye
    upper[:, k:, k:] = off[1, 1 : 2 * pairs - 2 : 2, None, None] * eye
    rhs = np.zeros((2 * pairs, k, curves))
    rhs[:frames] = right
    solved = solve_block_tridiagonal(diagonal, upper, rhs.reshape(pairs, 2 * k, curves))
    return solved.reshape(2 * pairs, k, curves)[:frames]


def solve_block_tridiagonal(diagonal: Array, upper: Array, right: Array) -> Array:
    """Solve a symmetric positive definite block tridiagonal system by cyclic reduction.

    Every second block row is eliminated at once, until one is left: O(n) work in log2(n) steps
    without a loop over rows.

    Args:
        diagonal: (n, k, k) blocks on the diagonal.
        upper: (n - 1, k, k) blocks right of it; those below it are their transposes.
        right: (n, k, m) right sides.

    Returns:
        (n, k, m).
    """
    n = len(diagonal)
    if n == 1:
        return np.linalg.solve(diagonal, right)
    odd = diagonal[1::2]
    count = len(odd)
    k = diagonal.shape[1]
    # Row 2i+1: lower[i] x[2i] + odd[i] x[2i+1] + upper[2i+1] x[2i+2] = right[2i+1]
    lower = upper[0::2].swapaxes(1, 2)  # (count, k, k)
    after = upper[1::2]  # (count or count - 1, k, k)
    padded = np.zeros((count, k, k))
    padded[: len(after)] = after
    solved = np.linalg.solve(odd, np.concatenate([lower, padded, right[1::2]], axis=2))
    by_left, by_right, alone = solved[:, :, :k], solved[:, :, k : 2 * k], solved[:, :, 2 * k :]
    even, even_right = diagonal[0::2].copy(), right[0::2].copy()
    even[:count] -= upper[0::2] @ by_left
    even_right[:count] -= upper[0::2] @ alone
    m = len(after)
    below = after.swapaxes(1, 2)
    even[1 : m + 1] -= below @ by_right[:m]
    even_right[1 : m + 1] -= below @ alone[:m]
    between = -upper[0::2][:m] @ by_right[:m]
    out = np.empty_like(right)
    out[0::2] = solve_block_tridiagonal(even, between, even_right)
    out[1::2] = alone - by_left @ out[0::2][:count]
    out[1::2][:m] -= by_right[:m] @ out[2::2]
    return out


def spans(known: npt.NDArray[np.bool_], times: Array) -> list[slice]:
    """Stretches from a known frame (T,) to another without a gap of over `LONGEST_GAP` seconds.

    >>> spans(np.array([False, True, False, True]), np.array([0.0, 1.0, 1.5, 2.0]))
    [slice(1, 4, None)]
    """
    frames = np.flatnonzero(known)
    if not len(frames):
        return []
    cuts = np.flatnonzero(np.diff(times[frames]) > LONGEST_GAP)
    first = frames[np.concatenate([[0], cuts + 1])]
    last = frames[np.concatenate([cuts, [len(frames) - 1]])]
    return [slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True)]


def _acceleration_penalty(times: Array) -> Array:
    """Diagonals 0, 1, 2 (3, T) of the matrix of ``integral |x''|^2 dt`` for samples at times."""
    frames = len(times)
    out = np.zeros((3, frames))
    if frames < 3:
        return out
    before, after = np.diff(times)[:-1], np.diff(times)[1:]
    span = (before + after) / 2
    row = np.stack([1 / (before * span), -1 / (before * span) - 1 / (after * span)])
    row = np.concatenate([row, (1 / (after * span))[None]])  # (3, T - 2) second differences
    for i in range(3):
        for j in range(i, 3):
            out[j - i, i : frames - 2 + i] += span * row[i] * row[j]
    return out


def _alike(rows: Array) -> list[npt.NDArray[np.intp]]:
    """Indices of equal rows (N, T), grouped."""
    groups: dict[bytes, list[int]] = {}
    for n, row in enumerate(rows):
        groups.setdefault(row.tobytes(), []).append(n)
    return [np.array(group) for group in groups.values()]


def checked_times(times: npt.ArrayLike, frames: int) -> Array:
    """Seconds (T,) of a clip; ``DataError`` if they do not fit or do not increase."""
    out = np.asarray(times, dtype=np.float64)
    if out.shape != (frames,) or not np.isfinite(out).all() or (np.diff(out) <= 0).any():
        raise DataError(f"times of shape {out.shape}", f"({frames},) increasing seconds")
    return out


@dataclass
class OneEuro:
    """Causal low-pass filter: strong at rest, weak in fast movement, so that it hardly lags.

    Args:
        min_cutoff: Hz at rest; less is smoother.
        beta: Hz for each unit per second of speed; more lags less in fast movement. The defaults
            are for joints in metres, chosen on the validation motions.
        derivative_cutoff: Hz, for the speed.

    Raises:
        UsageError: numbers that are not positive (``beta`` may be zero).

    >>> import numpy as np
    >>> one_euro = OneEuro()
    >>> [float(one_euro.push(np.array(1.0), t / 30)) for t in range(3)]
    [1.0, 1.0, 1.0]
    """

    min_cutoff: float = 3.0
    beta: float = 8.0
    derivative_cutoff: float = 1.0
    _time: float | None = field(default=None, init=False, repr=False)
    _value: Array | None = field(default=None, init=False, repr=False)
    _speed: Array | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("min_cutoff", "derivative_cutoff"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name}={value!r}", "a positive number of Hz")
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise UsageError(f"beta={self.beta!r}", "zero or more")

    def reset(self) -> None:
        """Forget what came before."""
        self._time = self._value = self._speed = None

    def push(self, values: FloatArray, time: float) -> Array:
        """The next frame, filtered.

        Args:
            values: (...) numbers; NaN where absent, which stays NaN and starts anew afterwards.
            time: seconds, later than that of the frame before.

        Raises:
            DataError: another shape than before, or a time that does not increase.
        """
        values = np.asarray(values, dtype=np.float64)
        if self._time is None or self._value is None or self._speed is None:
            self._time, self._value, self._speed = time, values.copy(), np.zeros(values.shape)
            return values.copy()
        if values.shape != self._value.shape or not time > self._time:
            raise DataError(
                f"values of shape {values.shape} at {time} s",
                f"shape {self._value.shape} after {self._time} s",
            )
        seconds = time - self._time
        new = np.isnan(self._value)
        before = np.where(new, values, self._value)
        part = _part(self.derivative_cutoff, seconds)
        speed = np.where(np.isnan(self._speed) | new, 0.0, self._speed)
        speed = speed + part * ((values - before) / seconds - speed)
        out = before + _part(self.min_cutoff + self.beta * np.abs(speed), seconds) * (
            values - before
        )
        self._time, self._value, self._speed = time, out, speed
        return np.asarray(out).copy()

    def clip(self, values: FloatArray, times: FloatArray) -> Array:
        """A whole clip (T, ...) as a stream would come out, from a fresh start."""
        values = np.asarray(values, dtype=np.float64)
        times = checked_times(times, len(values))
        self.reset()
        frames = [self.push(v, float(t)) for v, t in zip(values, times, strict=True)]
        self.reset()
        return np.asarray(np.array(frames).reshape(values.shape))


def _part(cutoff: Any, seconds: float) -> Any:
    """How much of a new value a filter of this cutoff (Hz) takes after this time."""
    turn = 2 * math.pi * cutoff * seconds
    return turn / (turn + 1)
