"""Read motion capture in the format of the open benchmark (``motions_*.npz``).

One file holds many sequences, one after the other: ``pos`` (N, 17, 3) millimetres in a world
frame with z up, ``start`` and ``length`` (S,) of each sequence, ``name``, ``subject``,
``skeleton`` and ``description`` (S,) texts, ``fps``, ``joint_names`` and ``parents`` (17,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.skeleton import H36M_17

JOINT_NAMES = tuple(
    "Pelvis RHip RKnee RAnkle LHip LKnee LAnkle Spine Thorax Neck Head "
    "LShoulder LElbow LWrist RShoulder RElbow RWrist".split()
)
"""What the file calls the joints of ``h36m-17``, in the same order."""

_KEYS = ("pos", "start", "length", "name", "subject", "skeleton", "description", "fps")
_FORMAT = "an .npz in the format of data/cmu-mocap"


@dataclass(frozen=True, eq=False)
class Motion:
    """One sequence of 3D joints of one person in a world frame.

    Args:
        name: unique name of the sequence; the benchmark seeds its noise with it.
        subject: who moved.
        skeleton: whose bone lengths these are; ``"subject"`` for the person's own.
        description: what the person does.
        joints: (T, 17, 3) metres, world frame with z up, joints of ``h36m-17``.
        fps: frames per second.

    Raises:
        DataError: wrong shape, no frame, a value that is not finite, fps not positive.
    """

    name: str
    subject: str
    skeleton: str
    description: str
    joints: npt.NDArray[np.float32]
    fps: float

    def __post_init__(self) -> None:
        joints = np.asarray(self.joints, dtype=np.float32)
        if joints.ndim != 3 or joints.shape[1:] != (len(H36M_17), 3) or len(joints) == 0:
            raise DataError(
                f"motion {self.name}: joints of shape {joints.shape}",
                f"(T, {len(H36M_17)}, 3) with at least one frame",
            )
        if not np.isfinite(joints).all():
            raise DataError(f"motion {self.name}: joints that are not finite", "metres")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise DataError(f"motion {self.name}: fps of {self.fps}", "a positive number")
        object.__setattr__(self, "joints", joints)
        object.__setattr__(self, "fps", float(self.fps))

    @property
    def num_frames(self) -> int:
        """T."""
        return len(self.joints)


def read_motions(path: str | PathLike[str]) -> list[Motion]:
    """Read every sequence of a motion capture file, in file order.

    Args:
        path: ``motions_*.npz``; it is never unpickled.

    Returns:
        Motions, joints in metres (the file has millimetres).

    Raises:
        DataError: no such file, not such a file, damaged, or values that do not fit together.
    """
    arrays = _load(Path(path))
    where = Path(path).name
    pos = arrays["pos"]
    if pos.ndim != 3 or pos.shape[1:] != (len(H36M_17), 3) or pos.dtype.kind not in "iuf":
        raise DataError(
            f"{where}: `pos` of shape {pos.shape}, {pos.dtype}", "(N, 17, 3) millimetres"
        )
    _check_joints(arrays, where)
    fps = arrays["fps"]
    if fps.size != 1 or fps.dtype.kind not in "iuf":
        raise DataError(f"{where}: `fps` of shape {fps.shape}, {fps.dtype}", "one number")
    start, length = arrays["start"], arrays["length"]
    for key in ("start", "length"):
        if arrays[key].ndim != 1 or arrays[key].dtype.kind not in "iu":
            raise DataError(f"{where}: `{key}` is not a row of integers", _FORMAT)
    count = len(start)
    if count == 0:
        raise DataError(f"{where}: no sequence in it", "at least one")
    for key in ("length", "name", "subject", "skeleton", "description"):
        if arrays[key].shape != (count,):
            raise DataError(
                f"{where}: `{key}` of shape {arrays[key].shape}",
                f"({count},), one for each sequence in `start`",
            )
    motions = []
    for i in range(count):
        first, frames = int(start[i]), int(length[i])
        if first < 0 or frames < 1 or first + frames > len(pos):
            raise DataError(
                f"{where}: sequence {i} takes frames {first} to {first + frames} of {len(pos)}",
                "frames that are in `pos`",
            )
        motions.append(
            Motion(
                name=str(arrays["name"][i]),
                subject=str(arrays["subject"][i]),
                skeleton=str(arrays["skeleton"][i]),
                description=str(arrays["description"][i]),
                joints=pos[first : first + frames].astype(np.float32) / np.float32(1000),
                fps=float(fps.reshape(())),
            )
        )
    return motions


def _load(path: Path) -> dict[str, npt.NDArray[Any]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file", _FORMAT)
    keys = (*_KEYS, "joint_names", "parents")
    try:
        # Opened here, because numpy leaves a damaged file open.
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, Mapping):  # an array of .npy
                raise DataError(f"{path}: one array", _FORMAT)
            missing = [key for key in keys if key not in file]
            if missing:
                raise DataError(f"{path}: no `{'`, `'.join(missing)}` in it", _FORMAT)
            return {key: file[key] for key in keys}
    except DataError:
        raise
    except Exception as error:  # a damaged zip raises a dozen unrelated types
        raise DataError(f"{path}: cannot be read ({error})", _FORMAT) from error


def _check_joints(arrays: dict[str, npt.NDArray[Any]], where: str) -> None:
    names = tuple(str(name) for name in arrays["joint_names"].ravel())
    if names not in (JOINT_NAMES, H36M_17.joints):
        raise DataError(
            f"{where}: joints {', '.join(names)}", f"in this order: {', '.join(JOINT_NAMES)}"
        )
    if arrays["parents"].tolist() != list(H36M_17.parent_indices):
        raise DataError(
            f"{where}: parents {arrays['parents'].tolist()}", str(list(H36M_17.parent_indices))
        )
