"""The option ``--person``: whom of several people."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from poselift.cli.parser import Parser
from poselift.errors import DataError

if TYPE_CHECKING:
    from poselift.poses import Pose2D


def add_argument(parser: Parser) -> None:
    """``person``: ``largest``, ``all``, or the number of a track."""
    parser.add_argument(
        "--person",
        metavar="WHO",
        type=_who,
        default="all",
        help="all, largest (in the image, over the whole clip), or the number of one person, as "
        "the output has it (default: all)",
    )


def choose(pose: Pose2D, who: str | int) -> Pose2D:
    """The persons of ``pose`` that the option means.

    Raises:
        DataError: nobody has this number.
    """
    from poselift.detect import largest, select

    if who == "all":
        return pose
    if who == "largest":
        return largest(pose)
    numbers = pose.track_ids.tolist()
    if who not in numbers:
        known = ", ".join(map(str, numbers))
        raise DataError(f"{pose.source}: nobody has the number {who}", f"one of {known}")
    return select(pose, [numbers.index(who)])


def _who(text: str) -> str | int:
    if text in ("all", "largest"):
        return text
    try:
        return int(text)
    except ValueError:
        message = f"{text!r} is not all, largest, or the number of a person"
        raise argparse.ArgumentTypeError(message) from None
