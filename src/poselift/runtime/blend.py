"""Overlapping windows to one motion."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


def blend_weights(num_out: int) -> npt.NDArray[np.float64]:
    """(n,) weights of a window's predictions: nearly nothing at its ends, most in the middle.

    Windows fade in and out, so that no step shows where one begins or ends. A sine: of the shapes
    tried (box, sine, its square and fourth power) it gave the smoothest motion.
    """
    weights: npt.NDArray[np.float64] = np.sin(np.pi * (np.arange(num_out) + 0.5) / num_out)
    return weights


class Blender:
    """Weighted mean of all predictions of each frame.

    Args:
        persons: P.
        frames: T.
        num_out: n, frames that a window predicts.
        num_joints: J.
    """

    def __init__(self, persons: int, frames: int, num_out: int, num_joints: int) -> None:
        self._weights = blend_weights(num_out)
        self._sum = np.zeros((persons, frames, num_joints, 3), dtype=np.float32)
        self._weight = np.zeros((persons, frames))

    def add(
        self,
        persons: npt.NDArray[np.int64],
        frames: npt.NDArray[np.int64],
        joints: npt.NDArray[np.float32],
    ) -> None:
        """Add predictions.

        Args:
            persons: (W,) whose window it is.
            frames: (W, n) frames predicted; those outside the clip are dropped. Windows of one
                person start at different frames.
            joints: (W, n, J, 3) metres.
        """
        total = self._sum.shape[1]
        # One output at a time: then no frame of a person occurs twice, and += adds them all.
        for k, weight in enumerate(self._weights):
            inside = (frames[:, k] >= 0) & (frames[:, k] < total)
            where = persons[inside], frames[inside, k]
            self._sum[where] += np.float32(weight) * joints[inside, k]
            self._weight[where] += weight

    def result(self) -> npt.NDArray[np.float32]:
        """(P, T, J, 3) metres; NaN for frames that no window predicted."""
        weight = np.where(self._weight > 0, self._weight, np.nan).astype(np.float32)
        return np.divide(self._sum, weight[..., None, None])
