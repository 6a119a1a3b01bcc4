"""Lift a video, or the 2D keypoints of any tool, to 3D motion.

INPUT is a video or a folder of pictures (once `poselift setup` was run), a keypoint file, or a
folder with one file for each frame: OpenPose, Pose2Sim, AlphaPose, COCO, MMPose, MediaPipe,
Ultralytics, VideoPose3D, or poselift's own .npz. Every input becomes DIR/NAME.FORMAT. Nothing is
written unless every input can be read.
"""

from __future__ import annotations

import argparse
import sys
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
        if _is_video(Path(path)):
            poses[stem] = _detect(Path(path), args)
        else:
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


def _is_video(path: Path) -> bool:
    """Whether it is a video, a picture or a folder of pictures, by its names."""
    from poselift.detect import IMAGE_SUFFIXES
    from poselift.keypoints import VIDEO_SUFFIXES

    if not path.is_dir():
        return path.suffix.lower() in {*IMAGE_SUFFIXES, *VIDEO_SUFFIXES}
    suffixes = {file.suffix.lower() for file in path.iterdir()}
    return ".json" not in suffixes and bool(suffixes & IMAGE_SUFFIXES)


def _detect(path: Path, args: argparse.Namespace) -> Pose2D:
    """Everybody in a video; what is wrong with it goes to stderr."""
    from poselift import detect

    given = [f"--{name}" for name in ("layout", "source", "size") if getattr(args, name)]
    if given:
        raise UsageError(f"{path} is a video and takes no {', '.join(given)}")
    frames = detect.Frames(path, fps=args.fps)
    with ProgressLine(f"detecting in {path.name}", args.quiet) as progress:
        pose = detect.detect_video(
            frames, progress=lambda done, expected: progress(done, expected or done)
        )
    for warning in frames.warnings:
        print(f"poselift: {path}: {warning}", file=sys.stderr)
    return pose


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
