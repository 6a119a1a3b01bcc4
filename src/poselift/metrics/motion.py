"""How natural a motion moves, with and without the truth at hand: jitter and sliding feet.

Metres and frames in, metres per frame out (``_mm`` only in reports), as in `functional`. The
error of accelerations against the truth is `poselift.metrics.functional.acceleration_error`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.skeleton import H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
Array = FloatArray

FEET = ("left_ankle", "right_ankle")


def acceleration(joints: FloatArray) -> Array:
    """Mean acceleration of the joints (..., max(T - 2, 0)), metres per frame squared.

    Jitter where there is no truth: the joints of people have 1 to 5 mm per frame squared at 50
    frames per second, and noise adds to that.

    Args:
        joints: (..., T, J, 3) metres.

    Raises:
        DataError: not a sequence.
    """
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim < 3 or joints.shape[-1] != 3:
        raise DataError(f"joints of shape {joints.shape}", "a sequence (..., T, J, 3)")
    size: Array = np.linalg.norm(np.diff(joints, 2, axis=-3), axis=-1).mean(axis=-1)
    return size


def foot_skate(
    joints: FloatArray, contacts: npt.NDArray[np.bool_], skeleton: Skeleton = H36M_17
) -> Array:
    """Way of the standing feet over the floor (P, T - 1, 2), left and right, metres per frame.

    NaN where a foot does not stand in both of two frames. Take ``contacts`` from the true motion
    where there is one, so that a method cannot shorten its way by calling feet free.

    Args:
        joints: (P, T, J, 3) metres, world frame with z up.
        contacts: (P, T, 2) standing feet, see `poselift.geometry.contact.foot_contacts`.
        skeleton: of the joints.

    Raises:
        DataError: shapes that do not fit.
    """
    joints = np.asarray(joints, dtype=np.float64)
    contacts = np.asarray(contacts, dtype=np.bool_)
    if joints.ndim != 4 or contacts.shape != (*joints.shape[:2], 2):
        raise DataError(
            f"joints of shape {joints.shape}, contacts {contacts.shape}", "(P, T, J, 3), (P, T, 2)"
        )
    feet = joints[:, :, list(skeleton.indices(FEET)), :2]
    way = np.linalg.norm(np.diff(feet, axis=1), axis=-1)
    stands = contacts[:, 1:] & contacts[:, :-1]
    out: Array = np.where(stands, way, np.nan)
    return out
