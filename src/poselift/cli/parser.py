"""Parsing that all verbs share: errors in one line, and checked types of values."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from poselift.errors import UsageError

EPILOG = "poselift VERB --help explains a verb and shows an example."


BACKENDS = ("auto", "onnxruntime", "torch")
"""As in ``poselift.runtime``, which takes long to import."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError`, keeps the line breaks of its texts, and takes no
    abbreviated options: a script must not change its meaning when an option is added.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print with the usage."""
        raise UsageError(message, "", f"see {self.prog} --help")

    def example(self, *commands: str) -> None:
        """Show these commands at the end of the help text."""
        lines = "\n".join(f"  {command}" for command in commands)
        self.epilog = f"example{'s' if len(commands) > 1 else ''}:\n{lines}"


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def within(low: float, high: float, unit: str) -> Callable[[str], float]:
    """The type of a number between two bounds, which both belong to it."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not from {low:g} to {high:g} {unit}")
        return value

    return number


def count(text: str) -> int:
    """A whole number of at least 1."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def size(text: str) -> tuple[int, int]:
    """``1920x1080``: width and height in pixels."""
    width, cross, height = text.lower().partition("x")
    if not cross:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, such as 1920x1080")
    return count(width), count(height)


def new_path(text: str) -> Path:
    """The name of a file or folder to write."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a file or folder")
    return Path(text)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which network and what runs it: ``model, backend, threads``."""
    parser.add_argument(
        "--model",
        default="nanohtnet",
        help="a shipped model, a checkpoint folder, or an exported file (default: %(default)s)",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="what runs the network (default: ONNX Runtime where it was exported)",
    )
    parser.add_argument(
        "--threads", metavar="N", type=count, help="of the backend (default: all cores)"
    )


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what a keypoint file does not: ``layout, source, fps, size``."""
    group = parser.add_argument_group("what the keypoint file does not say")
    group.add_argument("--layout", metavar="L", help="names of its joints, such as coco-17")
    group.add_argument("--source", metavar="S", help="the tool that wrote it, such as openpose")
    group.add_argument("--fps", metavar="F", type=positive, help="its frames per second")
    group.add_argument(
        "--size", metavar="WxH", type=size, help="width and height of its images in pixels"
    )
    group.add_argument(
        "--conversion",
        metavar="C",
        help="how joints of the middle line are derived, such as mmpose (default: that of the "
        "training data)",
    )
