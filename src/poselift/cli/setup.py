"""Get the two weight files of the detector, once, so that `poselift lift` takes videos.

They are part of MediaPipe's wheel (Apache-2.0), which pip downloads; MediaPipe is not installed.
"""

from __future__ import annotations

import argparse

from poselift.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift setup``."""
    parser.add_argument(
        "--wheel", metavar="FILE.whl", help="a wheel of MediaPipe 0.10.21 that is already there"
    )
    parser.add_argument("--force", action="store_true", help="get them again")
    parser.example("poselift setup")


def run(args: argparse.Namespace) -> None:
    """Put them into the cache, and say where."""
    from poselift import detect

    detect.setup(print, wheel=args.wheel, force=args.force)
