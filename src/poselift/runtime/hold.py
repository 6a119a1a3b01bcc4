"""Filling of absent joints without looking ahead, for networks that predict the newest frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.keypoints.gaps import place_unseen
from poselift.skeleton import H36M_17

FloatArray = npt.NDArray[np.floating[Any]]


class HoldLast:
    """An absent joint stays where it was last seen.

    One that was never seen goes where its mirror joint or its neighbours suggest. Of persons of
    whom nothing was seen yet, nothing is known.

    Args:
        persons: P.
    """

    def __init__(self, persons: int) -> None:
        self._last = np.full((persons, len(H36M_17), 2), np.nan, dtype=np.float32)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(P,) persons of whom a joint was seen."""
        return np.asarray(np.isfinite(self._last[..., 0]).any(axis=1))

    def forget(self, person: int) -> None:
        """As if this person had never been seen."""
        self._last[person] = np.nan

    def push(self, keypoints: FloatArray) -> npt.NDArray[np.float32]:
        """The next frame (P, 17, 2), pixels, NaN where absent -> filled; zeros if not known."""
        seen = np.isfinite(keypoints[..., 0])
        np.copyto(self._last, keypoints, where=seen[..., None], casting="same_kind")
        filled = self._last.copy()
        unknown = np.isnan(filled[..., 0])  # (P, 17)
        for p in np.flatnonzero(unknown.any(axis=1)):
            if unknown[p].all():
                filled[p] = 0
            else:
                filled[p] = place_unseen(filled[p][None], unknown[p], H36M_17)[0]
        return filled


def hold_last(keypoints: FloatArray) -> npt.NDArray[np.float32]:
    """A whole clip (P, T, 17, 2) filled frame by frame; what comes before a person is their first.

    Same numbers as `HoldLast` gives one frame after the other.
    """
    hold = HoldLast(len(keypoints))
    filled = np.empty(keypoints.shape, dtype=np.float32)
    first = np.full(len(keypoints), keypoints.shape[1])
    for t in range(keypoints.shape[1]):
        filled[:, t] = hold.push(keypoints[:, t])
        first[hold.known & (first > t)] = t
    for p, t in enumerate(first):
        if t < keypoints.shape[1]:
            filled[p, :t] = filled[p, t]
    return filled
