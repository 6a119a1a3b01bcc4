"""Lift 2D keypoints of any tool to 3D motion.

INPUT is a keypoint file, or a folder with one file for each frame: OpenPose, Pose2Sim,
AlphaPose, COCO, MMPose, MediaPipe, Ultralytics, VideoPose3D, or poselift's own .npz. Every
input becomes DIR/NAME.FORMAT. Nothing is written unless every input can be read.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from poselift.cli.outputs import (
    FORMATS,
    ProgressLine,
    check_folder,
    check_place,
    describe_motion,
    formats,
    write_motion,
)
from poselift.cli.parser import (
    Parser,
    add_model_options,
    add_source_options,
    count,
    new_path,
    positive,
)
from poselift.errors import UsageError

if TYPE_CHECKING:
    from poselift.poses import Pose2D, Pose3D


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift lift``."""
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="keypoint file or folder")
    parser.add_argument("-o", "--output", metavar="DIR", type=new_path, required=True)
    add_model_options(parser)
    parser.add_argument(
        "--format",
        metavar="F,F",
        type=formats,
        default=("npz",),
        help=f"one or more of {', '.join(FORMATS)} (default: npz)",
    )
    parser.add_argument(
        "--stride",
        metavar="N",
        type=count,
        default=1,
        help="frames from one window to the next: more is faster, one is smoothest (default: 1)",
    )
    parser.add_argument(
        "--flip", action="store_true", help="average with the mirrored input: twice the work"
    )
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    add_source_options(parser)
    parser.add_argument(
        "--focal",
        metavar="PIXELS",
        type=positive,
        help="focal length, for the distance from the camera (default: that of a usual camera)",
    )
    parser.example(
        "poselift lift openpose_json/ -o lifted --fps 25 --size 1920x1080",
        "poselift lift walk.json -o lifted --layout halpe-26 --format npz,csv,html",
    )


def run(args: argparse.Namespace) -> None:
    """Read all, check all, then lift and write one after the other."""
    outputs = _outputs(args.inputs, args.output)
    check_folder(args.output)
    for stem in outputs:
        for extension in args.format:
            check_place(args.output / f"{stem}.{extension}", args.inputs)

    from poselift import keypoints
    from poselift.conversion import to_h36m
    from poselift.runtime import Lifter

    lifter = Lifter(args.model, args.backend, args.threads, stride=args.stride, flip=args.flip)
    poses = {}
    for stem, path in outputs.items():
        poses[stem] = keypoints.read(
            path, args.layout, fps=args.fps, image_size=args.size, source=args.source
        )
        to_h36m(poses[stem], args.conversion)  # says now what `lift` would refuse later
    summary = []
    with ProgressLine("lifting", args.quiet) as progress:
        for done, (stem, pose) in enumerate(poses.items()):
            progress(done, len(poses))
            lifted = lifter.lift(pose, variant=args.conversion, focal=args.focal)
            written = [
                write_motion(lifted, args.output / f"{stem}.{extension}")
                for extension in args.format
            ]
            files = " ".join(str(path) for one in written for path in one.paths)
            summary.append(f"{files}: {_describe(pose, lifted)}")
            summary += [f"  {note}" for one in written for note in one.notes]
    if not args.quiet:
        print("\n".join(summary))


def _describe(pose: Pose2D, lifted: Pose3D) -> str:
    """What came in, what was filled and what was assumed, in one line."""
    parts = [describe_motion(pose), lifted.meta["gaps"]["summary"]]
    if "fps assumed" in pose.source:
        parts.append("assumed 30 fps, see --fps")
    if pose.image_size is None:
        width, height = lifted.meta["image_size"]
        parts.append(f"assumed images of {width} x {height}, see --size")
    return "; ".join(parts)


def _outputs(inputs: list[str], folder: Path) -> dict[str, str]:
    """Name of each output without its extension -> input.

    Raises:
        UsageError: two inputs would be written to the same name.
    """
    outputs: dict[str, str] = {}
    for path in inputs:
        place = Path(path).absolute()
        stem = place.resolve().name if place.is_dir() else place.stem
        if stem in outputs:
            raise UsageError(
                f"{outputs[stem]} and {path} would both become {folder / stem}",
                "inputs of different names",
                "lift them into different folders",
            )
        outputs[stem] = path
    return outputs
