"""Writers and readers of 3D motion, one file for each format.

A new format is one module with ``write(pose3d, path)``, and ``read(path)`` if it can be read
back, and one line in `FORMATS`.

npz and json hold everything; csv, trc and c3d the joints; bvh and glb a skeleton of constant
bones that follows them. What other programs wrote can be read too where the format is theirs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from poselift.errors import UsageError
from poselift.motion import bvh, c3d, csv, glb, json, npz, trc
from poselift.motion.written import Written
from poselift.poses import Pose3D

__all__ = ["FORMATS", "Format", "Written", "read", "write"]

Writer = Callable[[Pose3D, str | os.PathLike[str]], Written]
Reader = Callable[[str | os.PathLike[str]], Pose3D]


@dataclass(frozen=True)
class Format:
    """A file format of 3D motion.

    Args:
        write: writes a pose to a path, whole or not at all, and says what it did.
        read: reads it back; ``None`` for a format that is only written.
        exact: whether what is read is all that was written: joints, 2D joints and metadata.
    """

    write: Writer
    read: Reader | None = None
    exact: bool = False


FORMATS: dict[str, Format] = {
    "npz": Format(npz.write, npz.read, exact=True),
    "json": Format(json.write, json.read, exact=True),
    "csv": Format(csv.write),
    "bvh": Format(bvh.write, bvh.read),
    "trc": Format(trc.write, trc.read),
    "c3d": Format(c3d.write, c3d.read),
    "glb": Format(glb.write, glb.read),
}
"""Known formats by name; the name is also the extension of the file."""


def write(
    pose3d: Pose3D,
    path: str | os.PathLike[str],
    format: str | None = None,
) -> Written:
    """Write 3D motion to a file.

    Args:
        pose3d: what to write.
        path: the file; its folder is made if needed. Never left half written. Formats that hold
            one person (bvh, trc, c3d) make of several persons ``NAME_ID.ext`` for each.
        format: a name in `FORMATS`; ``None``: the extension of ``path``.

    Returns:
        The files written, and notes for the user: what was assumed, interpolated or changed.

    Raises:
        UsageError: unknown format, metadata that JSON cannot hold, or (bvh, glb) joints other
            than those of ``h36m-17``.
        DataError: infinite numbers, nobody to write, or the file cannot be written.
        MissingExtraError: a library for this format is not installed.

    >>> write(pose3d, "walk.bvx")  # doctest: +SKIP
    Traceback (most recent call last):
    poselift.errors.UsageError: walk.bvx: format 'bvx' is not known; expected npz, json, ...
    """
    return _format(path, format).write(pose3d, path)


def read(path: str | os.PathLike[str], format: str | None = None) -> Pose3D:
    """Read 3D motion from a file that `write` or another program wrote.

    Args:
        path: the file.
        format: a name in `FORMATS`; ``None``: the extension of ``path``.

    Returns:
        From npz and json what was written. From the other formats joints alone, where the file
        has them: their frame is the file's, its axes turned to those of a camera.

    Raises:
        UsageError: unknown format, or one that is only written.
        DataError: the file cannot be read, or holds something else.
        MissingExtraError: a library for this format is not installed.
    """
    chosen = _format(path, format)
    if chosen.read is None:
        readable = [name for name, each in FORMATS.items() if each.read]
        raise UsageError(f"{path}: this format is only written", _listed(readable))
    return chosen.read(path)


def _format(path: str | os.PathLike[str], name: str | None) -> Format:
    wanted = (Path(path).suffix if name is None else name).lower().removeprefix(".")
    if wanted not in FORMATS:
        found = f"format {wanted!r} is not known" if wanted else "no extension that says the format"
        raise UsageError(f"{path}: {found}", _listed(list(FORMATS)))
    return FORMATS[wanted]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
