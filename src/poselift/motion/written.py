"""What a writer has to say when it is done."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from poselift.errors import DataError
from poselift.geometry.kinematics import present
from poselift.poses import Pose3D


@dataclass(frozen=True)
class Written:
    """The files that were written, and what is other in them than in the pose.

    Args:
        paths: one, or one for each person in formats that hold one person only.
        notes: sentences for the user, such as how many frames were filled; often none.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def person_paths(pose: Pose3D, path: str | os.PathLike[str]) -> dict[int, Path]:
    """Where each person goes in a format that holds one person for each file.

    Returns:
        index of the person -> ``path`` if the pose has one person, else ``NAME_ID.ext`` with the
        track id. Persons without any joint in any frame have none.

    Raises:
        DataError: nobody is ever seen.
    """
    path = Path(path)
    present = seen_persons(pose, path)
    if pose.num_persons == 1:
        return {0: path}
    return {p: path.with_name(f"{path.stem}_{pose.track_ids[p]}{path.suffix}") for p in present}


def seen_persons(pose: Pose3D, path: str | os.PathLike[str]) -> list[int]:
    """Persons with a joint in some frame; ``DataError`` if there is none."""
    seen = [p for p in range(pose.num_persons) if present(pose.joints[p]).any()]
    if not seen:
        raise DataError(f"{os.fspath(path)}: no joint in any frame", "somebody to write")
    return seen
