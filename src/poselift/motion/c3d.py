"""C3D: points over time, for biomechanics (Mokka, Visual3D, OpenSim, Vicon).

One person for each file: several persons go to ``NAME_ID.c3d``. Millimetres, points only, Y up as
``POINT:X_SCREEN`` and ``Y_SCREEN`` say; a joint that is absent has a residual of -1. The format
counts at most 65535 frames. Writing needs ezc3d.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

import poselift
from poselift.errors import DataError, MissingExtraError, PoseliftError
from poselift.files import atomic_path, read_bytes
from poselift.motion.content import finite_or_absent, in_file
from poselift.motion.placement import even_times, place
from poselift.motion.points import to_pose
from poselift.motion.trc import METRES
from poselift.motion.written import Written, person_paths
from poselift.poses import Pose3D

_MM = 1000.0
_MOST_FRAMES = 65535
_BLOCK = 512
_INTEL = 84
_KINDS = {1: "<i1", 2: "<i2", 4: "<f4"}

_Parameters = dict[tuple[str, str], npt.NDArray[Any] | list[str]]


def write(pose3d: Pose3D, path: str | os.PathLike[str]) -> Written:
    """Write ``pose3d`` to ``path``, or one file for each of several persons.

    Raises:
        DataError: nobody is seen, infinite numbers, too many frames, or the file cannot be
            written.
        MissingExtraError: ezc3d is not installed.
    """
    ezc3d = _ezc3d()
    finite_or_absent(pose3d)
    paths = person_paths(pose3d, path)
    placed = place(pose3d)
    joints = even_times(pose3d, placed.joints)
    frames, count = joints.shape[1:3]
    if frames > _MOST_FRAMES:
        raise DataError(
            f"{os.fspath(path)}: {frames} frames",
            f"at most {_MOST_FRAMES} in a C3D file",
            "write trc instead",
        )
    for person, file in paths.items():
        points = np.ones((4, count, frames))
        points[:3] = np.moveaxis(joints[person], (0, 1, 2), (2, 1, 0)) * _MM
        absent = np.isnan(points).any(axis=0)
        points[:3, absent] = 0.0
        content = ezc3d.c3d()
        group = content["parameters"]["POINT"]
        group["RATE"]["value"] = [pose3d.fps]
        group["LABELS"]["value"] = list(pose3d.skeleton.joints)
        group["DESCRIPTIONS"]["value"] = list(pose3d.skeleton.joints)
        group["UNITS"]["value"] = ["mm"]
        content.add_parameter("POINT", "X_SCREEN", ["+X"])
        content.add_parameter("POINT", "Y_SCREEN", ["+Y"])
        content.add_parameter("MANUFACTURER", "SOFTWARE", ["poselift"])
        content.add_parameter("MANUFACTURER", "VERSION_LABEL", [poselift.__version__])
        content["data"]["points"] = points
        content["data"]["meta_points"]["residuals"] = np.where(absent, -1.0, 0.0)[None]
        content["data"]["meta_points"]["camera_masks"] = np.zeros((7, count, frames), dtype=bool)
        with atomic_path(file) as temporary:
            try:
                content.write(str(temporary))
            except Exception as error:  # C++ exceptions of any kind
                raise OSError(0, str(error)) from error
            if not temporary.is_file():  # it may fail without a word
                raise OSError(0, "ezc3d wrote nothing")
    return Written(tuple(paths.values()), placed.notes)


def read(path: str | os.PathLike[str]) -> Pose3D:
    """Read the points of a C3D file, of poselift or of another program.

    Which axis is up is taken from ``POINT:Y_SCREEN`` (Z where it does not say, as the format has
    it). Analog data are left out. It needs no ezc3d, which crashes on damaged files.

    Returns:
        One person; joints of ``h36m-17`` if all of them are among the points, else the points.

    Raises:
        DataError: no such file, not a C3D file, damaged, of a processor other than Intel, or
            without points.
    """
    raw = read_bytes(path)
    try:
        parameters = _parameters(raw)
        points = _points(raw, parameters)  # (T, N, 3)
        labels = _labels(parameters, points.shape[1])
        unit = _text(parameters, "UNITS", "mm").lower()
        if unit not in METRES:
            raise DataError(f"units {unit!r}", f"one of {', '.join(METRES)}")
        right, up = _text(parameters, "X_SCREEN", "+X"), _text(parameters, "Y_SCREEN", "+Z")
        across, above = _axis(right), _axis(up)
        screen = np.stack([across, above, np.cross(across, above)])  # rows: right, up, to us
        if not screen[2].any():
            raise DataError(f"screen axes {right} and {up}", "two different axes")
        upright = points @ screen.T * METRES[unit]
        (rate,) = struct.unpack_from("<f", raw, 20)
        return to_pose(upright[None], labels, None, path, fps=float(f"{rate:.7g}"))
    except (PoseliftError, ValueError, OverflowError, struct.error) as error:
        raise in_file(Path(path), error) from error


def _ezc3d() -> ModuleType:
    try:
        import ezc3d
    except ImportError as error:
        raise MissingExtraError(
            "C3D needs ezc3d, which is not installed", "", 'pip install "poselift[formats]"'
        ) from error
    module: ModuleType = ezc3d
    return module


def _parameters(raw: bytes) -> _Parameters:
    """Parameters by (group, name), in upper case; texts as a list, numbers as an array."""
    if len(raw) < 2 * _BLOCK or raw[1] != 0x50:
        raise DataError("does not have the mark of C3D", "a C3D file")
    at = _BLOCK * (raw[0] - 1)
    if at < 0 or at + 4 > len(raw):
        raise DataError("no parameters", "a complete C3D file")
    if raw[at + 3] != _INTEL:
        raise DataError(f"processor {raw[at + 3]}", f"{_INTEL} (Intel)", "convert it with ezc3d")
    groups: dict[int, str] = {}
    found: list[tuple[int, str, npt.NDArray[Any] | list[str]]] = []
    at += 4
    while True:
        length, group = struct.unpack_from("<bb", raw, at)
        length = abs(length)  # negative: locked
        if length == 0 or group == 0:
            break
        name = raw[at + 2 : at + 2 + length].decode("latin-1").upper()
        at += 2 + length
        (step,) = struct.unpack_from("<H", raw, at)
        if group < 0:
            groups[-group] = name
        else:
            found.append((group, name, _value(raw, at + 2)))
        if step == 0:  # the last one
            break
        at += step
    return {(groups.get(group, ""), name): value for group, name, value in found}


def _value(raw: bytes, at: int) -> npt.NDArray[Any] | list[str]:
    """What one parameter holds."""
    kind, dimensions = struct.unpack_from("<bB", raw, at)
    shape = struct.unpack_from(f"<{dimensions}B", raw, at + 2)
    at += 2 + dimensions
    count = math.prod(shape)
    if kind == -1:
        data = raw[at : at + count]
        width = shape[0] if shape else 1
        return [
            data[i : i + width].decode("utf-8", "replace").strip(" \0")
            for i in range(0, len(data), max(1, width))
        ]
    if kind not in _KINDS:
        raise DataError(f"a parameter of type {kind}", "a C3D file")
    return np.frombuffer(raw, _KINDS[kind], count, at)


def _points(raw: bytes, parameters: _Parameters) -> npt.NDArray[np.float64]:
    """(T, N, 3) in the unit and the axes of the file; NaN where absent."""
    count, analog, first, last, _, scale, start, _ = struct.unpack_from("<HHHHHfHH", raw, 2)
    frames = last - first + 1
    if last == _MOST_FRAMES:  # longer than the header can say
        for key in (("TRIAL", "ACTUAL_START_FIELD"), ("TRIAL", "ACTUAL_END_FIELD")):
            if len(parameters.get(key, [])) < 2:
                break
        else:
            ends = [
                int(low) % 65536 + 65536 * int(high)
                for low, high in (
                    np.asarray(parameters["TRIAL", f"ACTUAL_{end}_FIELD"])[:2]
                    for end in ("START", "END")
                )
            ]
            frames = ends[1] - ends[0] + 1
    kind = np.dtype("<f4") if scale < 0 else np.dtype("<i2")
    width = 4 * count + analog
    if count == 0 or frames < 1:
        raise DataError("no points or no frames", "at least one of each")
    size = frames * width * kind.itemsize
    offset = _BLOCK * (start - 1)
    if offset < _BLOCK or offset + size > len(raw):
        raise DataError(
            f"{len(raw)} bytes", f"{offset + size} for {frames} frames", "is it complete?"
        )
    rows = np.frombuffer(raw, kind, frames * width, offset).reshape(frames, width)
    points = rows[:, : 4 * count].reshape(frames, count, 4).astype(np.float64)
    gone = (points[..., 3] < 0) | ~np.isfinite(points[..., :3]).all(axis=-1)
    values = points[..., :3] if scale < 0 else points[..., :3] * scale
    return np.where(gone[..., None], np.nan, values)


def _labels(parameters: _Parameters, count: int) -> list[str]:
    """Names of the points; a parameter holds 255 of them, more are in LABELS2 and so on."""
    names: list[str] = []
    for number in range(1, 2 + count // 255):
        key = ("POINT", "LABELS" if number == 1 else f"LABELS{number}")
        names += [str(name) for name in parameters.get(key, [])]
    names = [name or f"point {i}" for i, name in enumerate(names[:count])]
    return names + [f"point {i}" for i in range(len(names), count)]


def _text(parameters: _Parameters, key: str, otherwise: str) -> str:
    value = parameters.get(("POINT", key), [])
    return str(value[0]) if len(value) and str(value[0]) else otherwise


def _axis(name: str) -> npt.NDArray[np.float64]:
    """Unit vector of ``+X``, ``-Z``, ``Y``."""
    letter = name[-1:].upper()
    if letter not in ("X", "Y", "Z"):
        raise DataError(f"screen axis {name!r}", "+X, -X, ... or -Z")
    out: npt.NDArray[np.float64] = np.eye(3)["XYZ".index(letter)]
    return -out if name.startswith("-") else out
