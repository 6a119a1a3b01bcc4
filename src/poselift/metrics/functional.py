"""Errors of 3D poses: pure functions, one number per pose.

Every function takes the predicted and the true joints (..., J, 3) in one frame and one unit
(metres here) and gives float64 errors in that unit. Nothing is centred: subtract the root first
for root-relative errors. A pose with a joint that is not finite has the error NaN, and so has one
whose alignment is undefined: a failure is never a good score.

Sources: MPJPE, C. Ionescu et al., "Human3.6M", TPAMI 2014; P-MPJPE (also PA-MPJPE, protocol 2),
J. Martinez et al., ICCV 2017; N-MPJPE, H. Rhodin et al., CVPR 2018; MPJVE, D. Pavllo et al.,
"VideoPose3D", CVPR 2019; acceleration error, A. Kanazawa et al., CVPR 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.geometry.align import align, checked_pair

FloatArray = npt.NDArray[np.floating[Any]]


def per_joint_error(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """Distance of each joint (..., J).

    Args:
        predicted: (..., J, 3).
        target: (..., J, 3).

    Raises:
        DataError: shapes that differ or do not end in (J, 3); so for all functions here.
    """
    predicted, target = checked_pair(predicted, target)
    distance: FloatArray = np.linalg.norm(predicted - target, axis=-1)
    return distance


def mpjpe(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """Mean distance of the joints of each pose (...): MPJPE, "P1".

    >>> import numpy as np
    >>> target = np.zeros((1, 2, 3))
    >>> mpjpe(target + [[0.03, 0.04, 0.0]], target).tolist()
    [0.05]
    """
    mean: FloatArray = per_joint_error(predicted, target).mean(axis=-1)
    return mean


def p_mpjpe(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """MPJPE of each pose (...) after the best rotation, shift and scale: P-MPJPE, "P2".

    The rotation is proper, so that a mirrored pose keeps its error. NaN where the alignment is
    undefined (see `poselift.geometry.align.procrustes`).
    """
    return mpjpe(align(predicted, target), target)


def n_mpjpe(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """MPJPE of each pose (...) after the best scale about the origin: N-MPJPE.

    The origin is the root when the poses are root-relative. NaN if all predicted joints are there.
    """
    predicted, target = checked_pair(predicted, target)
    size = (predicted**2).sum(axis=(-2, -1))
    scale = (predicted * target).sum(axis=(-2, -1)) / np.where(size > 0, size, np.nan)
    return mpjpe(scale[..., None, None] * predicted, target)


def velocity_error(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """Mean error of the joints' velocities (..., T - 1), metres per frame: MPJVE.

    Args:
        predicted: (..., T, J, 3) consecutive frames of one sequence.
        target: (..., T, J, 3).
    """
    return _difference_error(predicted, target, 1)


def acceleration_error(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """Mean error of the joints' accelerations (..., max(T - 2, 0)), metres per frame squared.

    Args:
        predicted: (..., T, J, 3) consecutive frames of one sequence.
        target: (..., T, J, 3).
    """
    return _difference_error(predicted, target, 2)


def _difference_error(predicted: FloatArray, target: FloatArray, order: int) -> FloatArray:
    predicted, target = checked_pair(predicted, target)
    if predicted.ndim < 3:
        raise DataError(f"poses of shape {predicted.shape}", "a sequence (..., T, J, 3)")
    return mpjpe(np.diff(predicted, order, axis=-3), np.diff(target, order, axis=-3))
