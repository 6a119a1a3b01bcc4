"""A clip of a data set that pairs detected 2D joints with measured 3D ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.skeleton import H36M_17

FloatArray = npt.NDArray[np.floating[Any]]

Unit = Literal["metres", "half_widths"]
"""Of 3D joints, and of what a network trained on them predicts. ``half_widths``: image coordinates
and a depth of the same scale, in halves of the image's width (MotionBERT's "2.5D")."""


@dataclass(frozen=True, eq=False)
class PairedClip:
    """One person seen by one camera: 2D joints and the 3D joints that belong to them.

    Args:
        name: unique name in the data set, such as ``S9/Walking 1/54138969``.
        subject: who moves.
        action: what the person does; errors are averaged by it. Empty where the data set does
            not say.
        keypoints: (T, 17, 2) pixels, joints of ``h36m-17``.
        joints: (T, 17, 3) camera frame, in ``unit``, the pelvis at its own place.
        image_size: (width, height) in pixels.
        fps: frames per second.
        scores: (T, 17) confidence in 0..1; ``None`` means 1.
        valid: (T,) frames that are measured on; ``None`` means all.
        unit: of ``joints``.

    Raises:
        DataError: shapes that do not fit, no frame, or numbers that are not finite.
    """

    name: str
    subject: str
    action: str
    keypoints: npt.NDArray[np.float32]
    joints: npt.NDArray[np.float32]
    image_size: tuple[int, int]
    fps: float
    scores: npt.NDArray[np.float32] | None = None
    valid: npt.NDArray[np.bool_] | None = None
    unit: Unit = "metres"

    def __post_init__(self) -> None:
        frames = len(self.keypoints)
        if frames == 0:
            raise DataError(f"{self.name}: no frame", "at least one")
        if self.unit not in get_args(Unit):
            raise DataError(f"{self.name}: unit {self.unit!r}", f"one of {get_args(Unit)}")
        J = len(H36M_17)
        shapes = {"keypoints": (frames, J, 2), "joints": (frames, J, 3), "scores": (frames, J)}
        for key, shape in shapes.items():
            value = getattr(self, key)
            if value is None:
                continue
            value = np.asarray(value, dtype=np.float32)
            if value.shape != shape:
                raise DataError(f"{self.name}: {key} of shape {value.shape}", f"{shape}")
            if not np.isfinite(value).all():
                raise DataError(f"{self.name}: {key} that are not finite", "numbers")
            object.__setattr__(self, key, value)
        if self.valid is not None and self.valid.shape != (frames,):
            raise DataError(f"{self.name}: valid of shape {self.valid.shape}", f"({frames},)")

    @property
    def num_frames(self) -> int:
        """T."""
        return len(self.keypoints)
