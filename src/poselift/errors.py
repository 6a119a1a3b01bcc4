"""Everything that poselift raises on purpose.

One root, so that a caller can write ``except PoseliftError``. Each message is one
line that says what was found, what was expected, and what to do about it.
"""

from __future__ import annotations


class PoseliftError(Exception):
    """Root of all errors that poselift raises on purpose.

    Args:
        found: what was met, with its place (file, key, argument).
        expected: what would have been right.
        fix: what the user can do.

    >>> str(PoseliftError("a.json: no people in it", "OpenPose frames", "check the folder"))
    'a.json: no people in it; expected OpenPose frames; check the folder'
    """

    def __init__(self, found: str, expected: str = "", fix: str = "") -> None:
        parts = [found, f"expected {expected}" if expected else "", fix]
        # One line: command lines print this as it is.
        super().__init__(" ".join("; ".join(p for p in parts if p).split()))


class DataError(PoseliftError):
    """A file or an array does not hold what it should."""


class UsageError(PoseliftError, ValueError):
    """An argument or an option has a value that cannot be used."""


class CheckpointError(PoseliftError):
    """Weights or their configuration do not fit the network."""


class MissingExtraError(PoseliftError, ImportError):
    """A part of poselift was used whose optional dependencies are not installed."""
