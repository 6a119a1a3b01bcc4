"""Lift a clip that comes with the package, and look at the result.

Writes 2D keypoints, the motion lifted from them, a page to look at in any browser, and a strip
of pictures.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from poselift.cli.outputs import check_folder, check_place, describe_motion, write_motion
from poselift.cli.parser import Parser, new_path

if TYPE_CHECKING:
    from poselift.poses import Pose2D


_SOURCE = "sports2d_demo.mp4 (Sports2D demo, BSD 3-Clause licence), joints found with BlazePose"


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift demo``."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=new_path,
        default=Path("poselift-demo"),
        help="(default: %(default)s)",
    )
    parser.add_argument("--model", default="nanohtnet", help="(default: %(default)s)")
    parser.example("poselift demo -o poselift-demo")


def run(args: argparse.Namespace) -> None:
    """Read the clip, lift it, write everything, and say where it is."""
    folder = args.output
    places = {
        folder / "demo_keypoints.npz": "2D keypoints; try: poselift lift",
        folder / "demo.npz": "the 3D motion",
        folder / "demo.html": "a page: open it in a browser",
        folder / "demo.svg": "a strip of pictures",
    }
    check_folder(folder)
    for place in places:
        check_place(place)

    from poselift import keypoints
    from poselift.runtime import Lifter

    pose = clip()
    lifted = Lifter(args.model, "auto").lift(pose)
    keypoints_file, *outputs = places
    keypoints.write_npz(keypoints_file, pose)
    for place in outputs:
        write_motion(lifted, place)
    print(f"{pose.source}: {describe_motion(pose)}, lifted with {args.model}")
    width = max(len(str(place)) for place in places)
    for place, what in places.items():
        print(f"  {place!s:<{width}}  {what}")


def clip() -> Pose2D:
    """Two real persons: one walks by, the other jumps down from a roof."""
    from poselift import keypoints

    with resources.as_file(resources.files("poselift.cli").joinpath("demo.npz")) as path:
        return replace(keypoints.read(path), source=_SOURCE)
