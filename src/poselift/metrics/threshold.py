"""Share of joints nearer than a threshold: 3D PCK and the area under its curve.

Source: D. Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN
supervision", 3DV 2017, and the evaluation that comes with its data set (MPI-INF-3DHP): 14 joints,
without pelvis, spine and the base of the skull; a joint counts as right where its error is
*smaller* than the threshold, 150 mm for PCK; AUC is the mean over 31 thresholds from 0 to 150 mm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.geometry.align import checked_pair
from poselift.layouts import MPI_INF_3DHP_17
from poselift.metrics.functional import per_joint_error

FloatArray = npt.NDArray[np.floating[Any]]

PCK_JOINTS = MPI_INF_3DHP_17.joints[:14]
THRESHOLDS_MM = tuple(range(0, 151, 5))
GROUPS = {
    "head": ("head_top",),
    "neck": ("thorax",),
    "shoulders": ("right_shoulder", "left_shoulder"),
    "elbows": ("right_elbow", "left_elbow"),
    "wrists": ("right_wrist", "left_wrist"),
    "hips": ("right_hip", "left_hip"),
    "knees": ("right_knee", "left_knee"),
    "ankles": ("right_ankle", "left_ankle"),
}
"""The groups of the data set's own table."""


@dataclass
class CorrectJoints:
    """Counts of joints of ``mpi-inf-3dhp-17`` within each threshold.

    Counts are whole numbers: batches and their order change nothing. A joint without a finite
    error is wrong at every threshold.

    >>> import numpy as np
    >>> truth = np.zeros((1, 17, 3))
    >>> predicted = truth.copy()
    >>> predicted[0, 4, 2] = 0.150  # a wrist as far off as the largest threshold
    >>> counts = CorrectJoints()
    >>> counts.add(predicted, truth)
    >>> counts.pck() == 13 / 14
    True
    """

    frames: int = 0
    within: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((len(THRESHOLDS_MM), len(MPI_INF_3DHP_17)), dtype=np.int64)
    )

    def add(self, predicted: FloatArray, target: FloatArray) -> None:
        """Add poses; their roots are subtracted.

        Args:
            predicted: (..., 17, 3) metres, joints of ``mpi-inf-3dhp-17``.
            target: (..., 17, 3) metres, same frame.

        Raises:
            DataError: shapes that differ or are of another skeleton.
        """
        predicted, target = checked_pair(predicted, target)
        J = len(MPI_INF_3DHP_17)
        if predicted.shape[-2:] != (J, 3):
            raise DataError(f"poses of shape {predicted.shape}", f"(..., {J}, 3)")
        root = MPI_INF_3DHP_17.index("pelvis")
        predicted = predicted - predicted[..., root : root + 1, :]
        target = target - target[..., root : root + 1, :]
        error = per_joint_error(predicted, target).reshape(-1, J) * 1000  # mm
        limits = np.array(THRESHOLDS_MM)[:, None, None]
        self.frames += len(error)
        self.within += (error < limits).sum(axis=1)

    def merge(self, other: CorrectJoints) -> None:
        """Add all that another has seen."""
        self.frames += other.frames
        self.within = self.within + other.within

    def pck(self, joints: tuple[str, ...] = PCK_JOINTS) -> float:
        """Share of joints with an error below 150 mm; NaN without a pose."""
        return float(self._shares(joints)[-1])

    def auc(self, joints: tuple[str, ...] = PCK_JOINTS) -> float:
        """Mean of the shares at the 31 thresholds; NaN without a pose."""
        return float(self._shares(joints).mean())

    def _shares(self, joints: tuple[str, ...]) -> FloatArray:
        """(31,) share of joints within each threshold."""
        if not self.frames:
            return np.full(len(THRESHOLDS_MM), np.nan)
        counts = self.within[:, list(MPI_INF_3DHP_17.indices(joints))].sum(axis=1)
        shares: FloatArray = counts / (self.frames * len(joints))
        return shares
