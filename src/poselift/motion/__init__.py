"""Writers and readers of 3D motion, one file for each format.

A new format is one module with ``write(pose3d, path)``, and ``read(path)`` if it can be read
back, and one line in `FORMATS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from poselift.errors import UsageError
from poselift.motion import csv, json, npz
from poselift.poses import Pose3D

__all__ = ["FORMATS", "Format", "read", "write"]

Writer = Callable[[Pose3D, str | os.PathLike[str]], None]
Reader = Callable[[str | os.PathLike[str]], Pose3D]


@dataclass(frozen=True)
class Format:
    """A file format of 3D motion.

    Args:
        write: writes a pose to a path, whole or not at all.
        summary: what it is, in a few words, for help texts.
        read: reads it back; ``None`` for a format that does not hold everything.
    """

    write: Writer
    summary: str
    read: Reader | None = None


FORMATS: dict[str, Format] = {
    "npz": Format(npz.write, "numpy arrays with all there is", npz.read),
    "json": Format(json.write, "the same as text", json.read),
    "csv": Format(csv.write, "a table, one row for each person and frame"),
}
"""Known formats by name; the name is also the extension of the file."""


def write(
    pose3d: Pose3D,
    path: str | os.PathLike[str],
    format: str | None = None,
) -> Path:
    """Write 3D motion to a file.

    Args:
        pose3d: what to write.
        path: the file; its folder is made if needed. Never left half written.
        format: a name in `FORMATS`; ``None``: the extension of ``path``.

    Returns:
        ``path``.

    Raises:
        UsageError: unknown format, or metadata that JSON cannot hold.
        DataError: infinite numbers, or the file cannot be written.

    >>> write(pose3d, "walk.bvx")  # doctest: +SKIP
    Traceback (most recent call last):
    poselift.errors.UsageError: walk.bvx: format 'bvx' is not known; expected npz, json or csv
    """
    _format(path, format).write(pose3d, path)
    return Path(path)


def read(path: str | os.PathLike[str], format: str | None = None) -> Pose3D:
    """Read 3D motion from a file that `write` wrote.

    Args:
        path: the file.
        format: a name in `FORMATS`; ``None``: the extension of ``path``.

    Raises:
        UsageError: unknown format, or one that is only written.
        DataError: the file cannot be read, or holds something else.
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
