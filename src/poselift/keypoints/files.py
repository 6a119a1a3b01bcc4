"""Reading of files for the keypoint readers: every failure is one DataError.

Nothing here unpickles. Archives are read member by member, and an object array goes through
``safe_pickle``, which builds numbers, text, containers and arrays and nothing else.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import re
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.files import read_bytes
from poselift.keypoints import safe_pickle
from poselift.poses import FloatArray

MAX_BYTES = 8 << 30
"""Largest size of an unpacked archive: Human3.6M's largest 2D file is under 1 GB."""
MAX_COORDINATE = 1e7
"""Pixels beyond this are no image."""

# What zipfile and numpy's header reader raise on damaged input.
_DAMAGE = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,  # encrypted members, and RecursionError
    OverflowError,
    MemoryError,
    SyntaxError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
)


def existing(path: str | os.PathLike[str]) -> Path:
    """``path`` if it names a file or a folder."""
    try:
        out = Path(path)
        found = out.exists()
    except (OSError, ValueError, TypeError) as error:  # too long, NUL bytes, not a path
        raise DataError(f"{path!r}: not a path ({error})", "a file or folder") from None
    if not found:
        raise DataError(f"{out}: no such file or folder", "", "check the path")
    return out


def parse_json(data: bytes, where: str) -> Any:
    """What the JSON text in ``data`` says. NaN and Infinity are let through, as Python writes them.

    Raises:
        DataError: empty, not UTF-8, not JSON, cut off, or nested too deep.
    """
    if not data.strip():
        raise DataError(f"{where}: the file is empty", "JSON")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise DataError(f"{where}: not UTF-8 text", "JSON") from None
    except RecursionError:
        raise DataError(f"{where}: JSON nested too deep", "a file of keypoints") from None
    except ValueError as error:
        raise DataError(
            f"{where}: broken JSON ({error})", "a complete JSON file", "was it cut off?"
        ) from None


def load_json(path: Path) -> Any:
    """What a JSON file says; errors as for ``parse_json``."""
    return parse_json(read_bytes(path), str(path))


def load_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an npz archive by name.

    Object arrays are read by ``safe_pickle``: an archive cannot run anything.

    Raises:
        DataError: not an archive of arrays, damaged, too large, or holding objects of other kinds.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MAX_BYTES:
                raise DataError(f"{path}: unpacks to more than {MAX_BYTES >> 30} GiB", "keypoints")
            for member in members:
                if member.filename.endswith(".npy"):
                    name = member.filename.removesuffix(".npy")
                    arrays[name] = _array(archive.read(member), f"{path}: {name}")
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise DataError(
            f"{path}: damaged archive ({reason})", "a whole .npz file of numpy arrays"
        ) from None
    if not arrays:
        raise DataError(f"{path}: no arrays in the archive", "a .npz file of numpy arrays")
    return arrays


def _array(data: bytes, where: str) -> npt.NDArray[Any]:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise DataError(f"{where}: array format {version}", "version 1.0 or 2.0")
    rest = data[stream.tell() :]
    if dtype.hasobject:
        out = safe_pickle.loads(rest, where)
        if not isinstance(out, np.ndarray):
            raise DataError(f"{where}: {type(out).__name__}", "an array")
        return out
    count = int(np.prod(shape, dtype=object)) if shape else 1  # object: no overflow
    # Before anything of the size that the header claims is allocated.
    if count < 0 or count * dtype.itemsize > len(rest):
        raise DataError(f"{where}: cut off, {len(rest)} bytes for shape {shape}", "a whole file")
    flat = np.frombuffer(rest, dtype=dtype, count=count)
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def numbers(
    value: Any,
    where: str,
    what: str,
    shape: tuple[int | None, ...],
    limit: float = MAX_COORDINATE,
) -> FloatArray:
    """``value`` as float64 numbers of the given shape, None standing for any length.

    NaN passes (it means absent); numbers beyond ``limit`` do not.
    """
    try:
        out = np.asarray(value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        out = np.asarray(None)  # ragged
    empty = [0 if n is None else n for n in shape]
    if out.size == 0 and out.dtype == np.float64 and out.ndim <= 1 and 0 in empty:
        out = out.reshape(empty)  # [] for no persons, joints, ...
    wanted = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
    if out.dtype.kind not in "iuf":
        raise DataError(f"{where}: {what} that are not plain numbers", f"numbers of shape {wanted}")
    if out.ndim != len(shape) or any(
        n is not None and n != m for n, m in zip(shape, out.shape, strict=True)
    ):
        raise DataError(f"{where}: {what} of shape {out.shape}", wanted)
    out = out.astype(np.float64)
    if (np.abs(out) > limit).any():
        raise DataError(f"{where}: {what} with infinite or huge numbers", f"at most {limit:g}")
    return out


def number(value: Any, where: str, what: str) -> float:
    """``value`` as one finite number: a scalar, or an array that holds just one."""
    try:
        out = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        out = np.asarray(None)
    if out.size != 1 or out.dtype.kind not in "iuf" or not np.isfinite(out.reshape(-1)[0]):
        raise DataError(f"{where}: {what} is no number", "one finite number")
    return float(out.reshape(-1)[0])


def as_dict(value: Any, where: str, what: str) -> dict[str, Any]:
    """``value`` if it is a JSON object."""
    if not isinstance(value, dict):
        raise DataError(f"{where}: {what} is {_kind(value)}", "an object {...}")
    return value


def as_list(value: Any, where: str, what: str) -> list[Any]:
    """``value`` if it is a JSON list."""
    if not isinstance(value, list):
        raise DataError(f"{where}: {what} is {_kind(value)}", "a list [...]")
    return value


def _kind(value: Any) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"


_LAST_DIGITS = re.compile(r"^(.*?)(\d+)(\D*)$")


def trailing_number(name: str) -> tuple[str, int] | None:
    """(what stands before, number) for the last number in a file's stem, ``None`` without one.

    >>> trailing_number("video_000000000012_keypoints")
    ('video_', 12)
    """
    match = _LAST_DIGITS.match(name)
    # More than 15 digits count no frames (and cannot all be told apart as floats).
    return (match[1], int(match[2])) if match and len(match[2]) <= 15 else None


def frame_files(folder: Path) -> dict[int, Path]:
    """The JSON files of a folder by frame number, the last number in the file name.

    Raises:
        DataError: no JSON files, files without a number, or files of several videos.
    """
    try:
        paths = sorted(
            p for p in folder.iterdir() if p.suffix.lower() == ".json" and p.name[0] != "."
        )
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read ({error.strerror or error})", "a readable folder"
        ) from None
    if not paths:
        raise DataError(
            f"{folder}: no .json files in this folder", "one file of keypoints for each frame"
        )
    if len(paths) == 1:
        found = trailing_number(paths[0].stem)
        return {found[1] if found else 0: paths[0]}
    frames: dict[int, Path] = {}
    prefixes = {}
    for path in paths:
        found = trailing_number(path.stem)
        if found is None:
            raise DataError(f"{path}: no frame number in the file name", "NAME_000012.json")
        prefix, frame = found
        prefixes[prefix] = path.name
        if frame in frames or len(prefixes) > 1:
            other = frames.get(frame) or next(iter(frames.values()))
            raise DataError(
                f"{folder}: files of several videos ({other.name}, {path.name})",
                "one video in a folder",
                "give each its own folder",
            )
        frames[frame] = path
    return frames
