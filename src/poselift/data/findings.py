"""What a check of a data set's file has found, and the measures that several checks share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.keypoints.files import numbers
from poselift.skeleton import H36M_17

FloatArray = npt.NDArray[np.floating[Any]]

_THIGH = list(H36M_17.indices(("right_hip", "right_knee")))
_THIGH_METRES = (0.25, 0.65)
_HEAD = H36M_17.index("head")
_ANKLES = list(H36M_17.indices(("right_ankle", "left_ankle")))
_STILL = 1e-6
"""Metres: a recorded pelvis moves more, the rounding of float32 less."""
_FLOOR = (-0.3, 1.0)
"""Metres: between them is the lowest joint of who stands, sits, lies or climbs a little."""
WORLD = "expected joints in the world frame"
_MOST = 8


@dataclass
class Findings:
    """Facts about a file, and what is wrong with it.

    Args:
        kind: what the file is.
        facts: what is in it.
        problems: what makes its numbers wrong or unusable.
        notes: what is unusual, and may be meant.
    """

    kind: str
    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def array(
        self, value: Any, where: str, what: str, shape: tuple[int | None, ...]
    ) -> FloatArray | None:
        """``value`` as finite numbers of a shape, or ``None`` and a problem."""
        try:
            out = numbers(value, where, what, shape)
        except DataError as error:
            self.problems.append(str(error))
            return None
        if len(out) == 0:
            self.problems.append(f"{where}: {what} without a frame")
            return None
        if np.isnan(out).any():
            bad = np.isnan(out).reshape(len(out), -1).any(axis=1)
            self.problems.append(
                f"{where}: {what} that are no number in {bad.sum()} frames, first {bad.argmax()}"
            )
            return None
        return out

    def check_unit(self, joints: FloatArray, where: str, unit: Literal["m", "mm"]) -> bool:
        """Whether (T, 17, 3) joints of ``h36m-17`` have thighs of a person's length."""
        thigh = float(
            np.median(np.linalg.norm(np.subtract(*joints[:, _THIGH].swapaxes(0, 1)), axis=-1))
        )
        metres = {"m": 1.0, "mm": 0.001}
        low, high = _THIGH_METRES
        if low < thigh * metres[unit] < high:
            return True
        other = "mm" if unit == "m" else "m"
        hint = f" (these are {other})" if low < thigh * metres[other] < high else ""
        self.problems.append(
            f"{where}: thighs of {thigh:.4g}; expected {low} to {high} m, in {unit}{hint}"
        )
        return False

    def check_lying(self, lying: Mapping[str, Mapping[str, bool]]) -> None:
        """People lie now and then; if most sequences do, of a subject or all, z is not up.

        Args:
            lying: {subject: {sequence: whether it is not `upright`}}.
        """
        everyone = {where: lies for group in lying.values() for where, lies in group.items()}
        for group in [everyone] if _most(everyone) else lying.values():
            down = [where for where, lies in group.items() if lies]
            if _most(group):
                self.problems.append(
                    f"{some(down)}: the head is not above the feet in {len(down)} of {len(group)} "
                    f"sequences; {WORLD}, with z up"
                )
            else:
                for where in down:
                    self.note_lying(where)

    def note_lying(self, where: str) -> None:
        """A note that the joints there are not `upright`."""
        self.notes.append(
            f"{where}: the head is not above the feet; lying, or not a world frame with z up?"
        )

    def check_pixels(self, keypoints: FloatArray, where: str, size: tuple[int, int]) -> bool:
        """Whether (T, J, 2) keypoints are pixels of an image of about that size."""
        if np.abs(keypoints).max() <= 3:
            self.problems.append(
                f"{where}: coordinates within ±{np.abs(keypoints).max():.3g}; expected pixels, "
                "these are normalised"
            )
            return False
        middle = np.median(keypoints, axis=(0, 1))
        inside = ((keypoints >= 0) & (keypoints <= size)).all(axis=-1).mean()
        if not ((middle >= 0) & (middle <= size)).all():
            self.problems.append(
                f"{where}: the person is at {middle.round().tolist()}, outside the image of "
                f"{size[0]} x {size[1]}"
            )
            return False
        if inside < 0.9:
            self.notes.append(f"{where}: {1 - inside:.0%} of the joints lie outside the image")
        return True


def misplaced(joints: FloatArray) -> str | None:
    """Why (T, 17, 3) joints in metres are in no world frame with z up, ``None`` if they may be.

    In one a person moves, near the floor.
    """
    # A hand stands on it, too.
    pelvis, floor = joints[:, 0], float(np.median(joints[..., 2].min(axis=1)))
    if np.abs(pelvis).max() < _STILL:
        return f"the pelvis lies at the origin; {WORLD}, not relative to the pelvis"
    if len(pelvis) > 1 and np.ptp(pelvis, axis=0).max() < _STILL:
        return f"the pelvis stands still in all frames; {WORLD}, not relative to the pelvis"
    if floor < _FLOOR[0]:
        return (
            f"the person is {-floor:.1f} m under the floor; {WORLD}, with the floor at z = 0, "
            "not relative to the pelvis"
        )
    if floor > _FLOOR[1]:  # the z axis of a camera points ahead
        return (
            f"the person is {floor:.1f} m above the floor; {WORLD}, with the floor at z = 0, "
            "not in a camera's"
        )
    return None


def upright(joints: FloatArray) -> bool:
    """Whether (T, 17, 3) world joints of ``h36m-17`` mostly have the head above the ankles."""
    up = joints[:, _HEAD] - joints[:, _ANKLES].mean(axis=1)
    return bool(np.median(up[:, 2]) > 0.3 * np.median(np.linalg.norm(up, axis=-1)))


def _most(lying: Mapping[str, bool]) -> bool:
    """Whether more than half of the sequences lie; a single one may."""
    return sum(lying.values()) > max(1, len(lying) / 2)


def some(names: Iterable[str]) -> str:
    """The first names of a list.

    >>> some("abc")
    'a, b, c'
    """
    names = list(names)
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if names[_MOST:] else "")
