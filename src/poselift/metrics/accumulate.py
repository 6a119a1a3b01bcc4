"""Errors gathered over many poses: sums and counts, so that the size of a batch does not matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.geometry.align import checked_pair
from poselift.metrics import functional
from poselift.skeleton import END_JOINTS, H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]


_BITS = 40
"""A total counts in 2^-40 of the unit: as a whole number it has no rounding of its own."""
_HALF = 31


@dataclass
class Mean:
    """A mean that grows; values that are no finite number are counted apart and do not enter it.

    The total is exact, to 1e-12 of the unit for each value: in which batches and in what order the
    values come changes no digit of the mean.

    >>> import numpy as np
    >>> mean = Mean()
    >>> mean.add(np.array([1.0, 3.0, np.nan]))
    >>> mean.value, mean.count, mean.undefined
    (2.0, 2, 1)
    """

    total: int = 0
    count: int = 0
    undefined: int = 0

    def add(self, values: FloatArray) -> None:
        """Add every number of an array of any shape."""
        values = np.asarray(values, dtype=np.float64)
        defined = values[np.isfinite(values)]
        self.total += _exact_sum(defined)
        self.count += defined.size
        self.undefined += values.size - defined.size

    def merge(self, other: Mean) -> None:
        """Add all that another mean has seen."""
        self.total += other.total
        self.count += other.count
        self.undefined += other.undefined

    @property
    def value(self) -> float:
        """The mean; NaN if there is nothing to average."""
        return self.total / (self.count << _BITS) if self.count else float("nan")


def _exact_sum(values: FloatArray) -> int:
    """The sum of finite numbers, each rounded to 2^-40, in 2^-40."""
    scaled = np.ldexp(values, _BITS)
    usual = np.abs(scaled) < 2.0**62
    whole = np.rint(scaled[usual]).astype(np.int64)
    # In two halves, so that no sum of up to 2^31 values overflows.
    total = (int((whole >> _HALF).sum()) << _HALF) + int((whole & (2**_HALF - 1)).sum())
    return total + sum(int(value) for value in np.rint(scaled[~usual]).tolist())


@dataclass
class PoseErrors:
    """All errors of the field over many sequences, root-relative.

    The root is subtracted from both poses, and counts as a joint with error zero. Every pose has
    the same weight, whatever sequence it is in. Poses with an undefined error are counted in
    ``undefined`` of the mean in question; a pose with a missing joint is undefined in all of them.

    Args:
        skeleton: of the poses; it says which joint is the root.
    """

    skeleton: Skeleton = H36M_17
    frames: int = 0
    p1: Mean = field(default_factory=Mean)
    p2: Mean = field(default_factory=Mean)
    n_mpjpe: Mean = field(default_factory=Mean)
    mpjve: Mean = field(default_factory=Mean)
    acceleration: Mean = field(default_factory=Mean)
    per_joint: list[Mean] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.skeleton.root is None:
            raise DataError(f"skeleton {self.skeleton.name} has no root", "one that has")
        if not self.per_joint:
            self.per_joint = [Mean() for _ in self.skeleton.joints]

    def add(self, predicted: FloatArray, target: FloatArray) -> None:
        """Add consecutive frames of one sequence, or of several of equal length.

        Args:
            predicted: (..., T, J, 3) metres.
            target: (..., T, J, 3) metres, same frame.

        Raises:
            DataError: shapes that differ or are no sequence of this skeleton.
        """
        predicted, target = checked_pair(predicted, target)
        if predicted.ndim < 3 or predicted.shape[-2] != len(self.skeleton):
            raise DataError(
                f"poses of shape {predicted.shape}", f"(..., T, {len(self.skeleton)}, 3)"
            )
        root = self.skeleton.index(self.skeleton.root or "")
        predicted = predicted - predicted[..., root : root + 1, :]
        target = target - target[..., root : root + 1, :]
        joints = functional.per_joint_error(predicted, target)  # (..., T, J)
        p1 = joints.mean(axis=-1)
        # A joint of an incomplete pose does not count, so that the table averages to P1.
        joints = np.where(np.isnan(p1)[..., None], np.nan, joints)
        self.frames += p1.size
        self.p1.add(p1)
        self.p2.add(functional.p_mpjpe(predicted, target))
        self.n_mpjpe.add(functional.n_mpjpe(predicted, target))
        self.mpjve.add(functional.velocity_error(predicted, target))
        self.acceleration.add(functional.acceleration_error(predicted, target))
        for joint, mean in enumerate(self.per_joint):
            mean.add(joints[..., joint])

    def merge(self, other: PoseErrors) -> None:
        """Add all that another gathering of the same skeleton has seen."""
        if other.skeleton.joints != self.skeleton.joints:
            raise DataError(f"skeleton {other.skeleton.name}", self.skeleton.name)
        self.frames += other.frames
        for mine, theirs in zip(self._means(), other._means(), strict=True):
            mine.merge(theirs)

    def _means(self) -> list[Mean]:
        return [self.p1, self.p2, self.n_mpjpe, self.mpjve, self.acceleration, *self.per_joint]

    @property
    def end_joints(self) -> float:
        """Mean error of wrists and ankles, metres; NaN if there is nothing to average."""
        ends = Mean()
        for joint in self.skeleton.indices(END_JOINTS):
            ends.merge(self.per_joint[joint])
        return ends.value
