"""Writing files so that a half-written one is never seen, and reading arrays safely."""

from __future__ import annotations

import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside ``path``; what was written there becomes ``path``.

    The parent folders are made. When the body ends well, the temporary file replaces
    ``path`` in one step; when it raises, the temporary file is removed and ``path`` is
    as it was before. The temporary name keeps the extension, since some writers look at it.
    A link is followed: the file it points to is replaced, not the link.

    Args:
        path: the file to write.

    Yields:
        the temporary path, which does not exist yet.

    Raises:
        DataError: the folder cannot be made or written, ``path`` is a folder or a device or
            is protected, the disk is full (any ``OSError`` of the body).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "new" / "a.txt") as temporary:
    ...         _ = temporary.write_text("hello")
    ...     (Path(folder) / "new" / "a.txt").read_text()
    'hello'
    """
    target = _writable(path)
    # A short name of its own: one made from a long target name could be too long.
    temporary = target.with_name(f".poselift-{uuid4().hex[:12]}{target.suffix[:16]}")
    try:
        try:
            yield temporary
            temporary.replace(target)
        except OSError as error:
            raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all; errors as `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8, line ends as they are, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Content of a file; ``DataError`` when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise DataError(
            f"{_shown(path)}: cannot be read ({_reason(error)})", "a file", "check the path"
        ) from error


def read_arrays(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an npz file, without pickles.

    Raises:
        DataError: no such file, not an npz file, damaged, or with pickled objects.
    """
    name = _shown(path)
    try:
        # Opened here, since numpy leaves a damaged file open.
        with Path(path).open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise DataError(f"{name}: a single array", "an npz file", "check the path")
            with loaded:
                return {key: loaded[key] for key in loaded.files}
    except (
        OSError,
        ValueError,  # pickled objects, broken headers
        KeyError,
        TypeError,
        EOFError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,  # encrypted; NotImplementedError (unknown compression) is one too
        MemoryError,  # a header that claims more than there can be
        OverflowError,
    ) as error:
        raise DataError(
            f"{name}: cannot be read ({_reason(error)})",
            "an npz file without pickled objects",
            "check that the path is right and the file complete",
        ) from error


def _writable(path: str | os.PathLike[str]) -> Path:
    """Follow links, make the parents, and refuse what must not or cannot be replaced."""
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise DataError(f"{_shown(path)}: is a folder", "the name of a file to write")
        if target.exists():
            if not target.is_file():  # replacing /dev/null would be a bad surprise
                raise DataError(f"{_shown(path)}: is a device", "the name of a file to write")
            if not os.access(target, os.W_OK):
                raise DataError(
                    f"{_shown(path)}: is write-protected", "", "remove it or choose another name"
                )
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise DataError(
                f"{_shown(path)}: its folder cannot be written", "", "choose another folder"
            )
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    return target


def _unwritable(path: str | os.PathLike[str], error: Exception) -> DataError:
    return DataError(
        f"{_shown(path)}: cannot be written ({_reason(error)})",
        "",
        "check the folder, its permissions and the space on the disk",
    )


def _reason(error: Exception) -> str:
    """What the system said, without the temporary name that says nothing to a user."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _shown(path: str | os.PathLike[str]) -> str:
    """A path as text that can be printed on any terminal."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


_STDERR = threading.RLock()
"""The process has one stderr: who silenced it second would put back silence."""


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep what C code writes to stderr from the user; one thread at a time.

    LiteRT greets with a line about its delegate that no setting turns off; its errors come as
    exceptions.
    """
    with _STDERR:
        try:
            kept = os.dup(2)
        except OSError:  # no stderr, nothing to silence
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
