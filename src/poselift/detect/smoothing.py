"""The causal filters of BlazePose's graph: one-euro for positions, low pass for visibility.

The one-euro filter is that of Casiez, Roussel and Vogel (CHI 2012): a low pass whose cutoff grows
with speed, so that a resting point does not shake and a moving one does not lag. The graph takes
the speed from the raw values and in sizes of the person, which `geometry.smooth.OneEuro` does not.
"""

from __future__ import annotations

from math import pi

import numpy as np

from poselift.poses import FloatArray


class OneEuro:
    """Smooth arrays of one shape over time, every number on its own.

    Args:
        min_cutoff: cutoff at rest, Hz.
        beta: growth of the cutoff with speed (in units of ``scale`` a second).
        speed_cutoff: cutoff of the filter on the speed, Hz.
    """

    def __init__(self, min_cutoff: float, beta: float, speed_cutoff: float = 1.0) -> None:
        self._min_cutoff, self._beta, self._speed_cutoff = min_cutoff, beta, speed_cutoff
        self._time: float | None = None
        self._raw: FloatArray = np.empty(0)
        self._smooth: FloatArray = np.empty(0)
        self._speed: FloatArray = np.empty(0)

    def __call__(self, values: FloatArray, time: float, scale: float = 1.0) -> FloatArray:
        """The smoothed values.

        Args:
            values: any shape, the same at each call.
            time: seconds; a time that is not after the last one changes nothing.
            scale: size of the object in units of ``values``, so that speed is relative to it.
        """
        if self._time is None:
            self._time, self._raw, self._smooth = time, values, values
            self._speed = np.zeros_like(values)
            return values
        step = time - self._time
        if step <= 0:
            return self._smooth
        speed = (values - self._raw) / (scale * step)
        self._speed = self._speed + _alpha(self._speed_cutoff, step) * (speed - self._speed)
        cutoff = self._min_cutoff + self._beta * np.abs(self._speed)
        self._smooth = self._smooth + _alpha(cutoff, step) * (values - self._smooth)
        self._time, self._raw = time, values
        return self._smooth


class LowPass:
    """Exponential smoothing with a fixed weight for the newest values."""

    def __init__(self, alpha: float) -> None:
        self._alpha = alpha
        self._smooth: FloatArray | None = None

    def __call__(self, values: FloatArray) -> FloatArray:
        """The smoothed values; any shape, the same at each call."""
        if self._smooth is None:
            self._smooth = values
        self._smooth = self._smooth + self._alpha * (values - self._smooth)
        return self._smooth


def _alpha(cutoff: FloatArray | float, step: float) -> FloatArray:
    """Weight of the newest value in a low pass of ``cutoff`` Hz after ``step`` seconds."""
    return np.asarray(1 / (1 + 1 / (2 * pi * np.asarray(cutoff) * step)))
