"""Lift a video, or the 2D keypoints of any tool, to 3D motion.

INPUT is a video or a folder of pictures (once `poselift setup` was run), a keypoint file, or a
folder with one file for each frame: OpenPose, Pose2Sim, AlphaPose, COCO, MMPose, MediaPipe,
Ultralytics, VideoPose3D, or poselift's own .npz. Every input becomes DIR/NAME.FORMAT. Nothing is
written unless every input can be read.

People are put onto a floor where one can be found; the camera is taken to rest. Of a long video
that is interrupted DIR/NAME.partial is left, from which the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from poselift.cli import persons, room
from poselift.cli.outputs import (
    DRAWN,
    FORMATS,
    ONE_PERSON,
    check_folder,
    check_formats,
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
)
from poselift.cli.progress import ProgressLine
from poselift.cli.stages import Stages
from poselift.errors import UsageError

if TYPE_CHECKING:
    from poselift.cli.video import VideoInput
    from poselift.poses import Pose2D, Pose3D
    from poselift.runtime import Lifter


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift lift``."""
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="video, keypoint file or folder")
    parser.add_argument("-o", "--output", metavar="DIR", type=new_path, required=True)
    add_model_options(parser)
    parser.add_argument(
        "--format",
        metavar="F,F",
        type=formats,
        default=("npz",),
        help=f"one or more of {', '.join(FORMATS)} (default: npz)",
    )
    persons.add_argument(parser)
    parser.add_argument(
        "--stride",
        metavar="N",
        type=count,
        help="frames from one window to the next: more is faster, one is smoothest (default: 1; "
        "a third of the window for networks that predict all of it)",
    )
    parser.add_argument(
        "--keep-sides",
        action="store_true",
        help="leave left and right as the detector has them, even where it seems to swap them",
    )
    parser.add_argument(
        "--flip", action="store_true", help="average with the mirrored input: twice the work"
    )
    parser.add_argument("--quiet", action="store_true", help="print errors and warnings only")
    parser.add_argument(
        "--json", action="store_true", help="print a summary for programs instead of one to read"
    )
    room.add_arguments(parser)
    add_source_options(parser)
    parser.example(
        "poselift lift walk.mp4 -o lifted --format npz,bvh,html --height 1.75",
        "poselift lift openpose_json/ -o lifted --fps 25 --size 1920x1080",
        "poselift lift walk.json -o lifted --layout halpe-26 --format npz,csv,html",
    )


def run(args: argparse.Namespace) -> None:
    """Open all, check all, then lift and write one after the other."""
    outputs = _outputs(args.inputs, args.output)
    check_formats(args.format)
    check_folder(args.output)
    for stem in outputs:
        for extension in args.format:
            check_place(args.output / f"{stem}.{extension}", args.inputs)

    from poselift.runtime import Lifter

    lifter = Lifter(args.model, args.backend, args.threads, stride=args.stride, flip=args.flip)
    lifter.about.require_metres()
    works = [_Work(Path(path), stem, frozenset(outputs)) for stem, path in outputs.items()]
    for work in works:
        work.open(args, causal=lifter.about.target == "newest")
    try:
        for work in works:
            work.run(lifter, args)
            if not (args.quiet or args.json):
                print(work.text, flush=True)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_where_to_go_on(works)) from None
    for work in works:
        if work.video is not None:
            work.video.forget()
    if args.json:
        print(json.dumps({"results": [work.summary for work in works]}, indent=1))


@dataclass
class _Work:
    """One input and what becomes of it.

    Args:
        path: of the input.
        stem: name of its outputs, without an extension.
        stems: those of all inputs.
    """

    path: Path
    stem: str
    stems: frozenset[str]
    stages: Stages = field(default_factory=Stages)
    video: VideoInput | None = None
    text: str = ""
    summary: dict[str, Any] = field(default_factory=dict)
    _pose: Pose2D | None = None
    _size_assumed: bool = False

    def open(self, args: argparse.Namespace, causal: bool) -> None:
        """Read keypoints, or the first frame of a video, and refuse what cannot be lifted.

        Args:
            args: the options.
            causal: whether the network takes frames as they come.
        """
        if _is_video(self.path):
            given = [f"--{name}" for name in ("layout", "source", "size") if getattr(args, name)]
            if given:
                raise UsageError(f"{self.path} is a video and takes no {', '.join(given)}")
            from poselift.cli.video import VideoInput, check_conversion
            from poselift.detect import find

            check_conversion(args.conversion)
            folder = args.output / f"{self.stem}.partial"
            self.video = VideoInput(self.path, args.fps, find(), args.threads, folder, self.stages)
            return

        from poselift import keypoints
        from poselift.conversion import to_h36m
        from poselift.runtime.assumptions import guess_clip_size

        pose = keypoints.read(
            self.path, args.layout, fps=args.fps, image_size=args.size, source=args.source
        )
        room.focal_length(args, pose)
        if pose.image_size is None:  # by everybody, whoever is chosen
            self._size_assumed = True
            pose = replace(pose, image_size=guess_clip_size(pose.keypoints, causal))
        self._pose = persons.choose(pose, args.person)
        to_h36m(self._pose, args.conversion)
        self._check_names(args)

    def _check_names(self, args: argparse.Namespace) -> None:
        """Raise ``UsageError`` if a file of one of several persons would be another input's."""
        pose = self._pose
        if pose is None or pose.num_persons == 1 or not ONE_PERSON.intersection(args.format):
            return
        taken = self.stems.intersection(f"{self.stem}_{track}" for track in pose.track_ids)
        if taken:
            raise UsageError(
                f"a person of {self.path} and another input would both become {min(taken)}",
                "inputs of different names",
                "lift them into different folders",
            )

    def run(self, lifter: Lifter, args: argparse.Namespace) -> None:
        """Detect, lift and write."""
        start = perf_counter()
        warnings = []
        if self.video is not None:
            self._pose = persons.choose(self.video.detect(args.quiet), args.person)
            warnings = [warning.text for warning in self.video.warnings]
            for warning in warnings:
                print(f"poselift: {self.path}: {warning}", file=sys.stderr)
            self._check_names(args)
        pose = self._pose
        assert pose is not None, "opened before"
        with ProgressLine(f"lifting {self.path.name}", args.quiet) as progress:
            progress(0, None)
            with self.stages("lift"):
                focal = room.focal_length(args, pose)
                lifted = lifter.lift(
                    pose, variant=args.conversion, focal=focal, repair=not args.keep_sides
                )
                if self._size_assumed:
                    lifted = replace(lifted, meta={**lifted.meta, "image_size_assumed": True})
                lifted, room_notes = room.settle(lifted, args)
            notes = [*_assumed(pose, lifted), *room_notes]
            files = []
            for number, extension in enumerate(args.format):
                progress(number, len(args.format))
                with self.stages("draw" if extension in DRAWN else "write"):
                    source = self.path if self.video is not None else None
                    place = args.output / f"{self.stem}.{extension}"
                    written = write_motion(lifted, place, source, args.fps)
                files += [str(path) for path in written.paths]
                notes += [note for note in written.notes if note not in notes]
        if self.video is not None:
            notes = self.video.notes + notes
        self._pose = None  # of many long videos only the summaries stay
        gaps = lifted.meta["gaps"]["summary"]
        about = f"{' '.join(files)}: {describe_motion(lifted)}; {gaps}"
        self.text = "\n  ".join([about, *notes])
        self.summary = {
            "input": str(self.path),
            "outputs": files,
            "frames": lifted.num_frames,
            "fps": lifted.fps,
            "persons": lifted.track_ids.tolist(),
            "model": lifted.meta["model"],
            "elapsed": round(perf_counter() - start, 3),
            "seconds": {name: round(value, 3) for name, value in self.stages.seconds.items()},
            "share": {name: round(value, 4) for name, value in self.stages.shares.items()},
            "gaps": gaps,
            "notes": notes,
            "warnings": warnings,
        }


def _where_to_go_on(works: list[_Work]) -> str:
    """What is said when the command is interrupted."""
    kept = [work.video for work in works if work.video is not None and work.video.kept]
    places = ", ".join(f"frame {video.kept} of {video.path.name}" for video in kept)
    return f"interrupted; the same command goes on from {places}" if kept else "interrupted"


def _is_video(path: Path) -> bool:
    """Whether it is a video, a picture or a folder of pictures, by its names."""
    from poselift.detect import IMAGE_SUFFIXES
    from poselift.keypoints import VIDEO_SUFFIXES

    if not path.is_dir():
        return path.suffix.lower() in {*IMAGE_SUFFIXES, *VIDEO_SUFFIXES}
    suffixes = {file.suffix.lower() for file in path.iterdir()}
    return ".json" not in suffixes and bool(suffixes & IMAGE_SUFFIXES)


def _assumed(pose: Pose2D, lifted: Pose3D) -> list[str]:
    """What had to be assumed of the input."""
    notes = []
    if "fps assumed" in pose.source:
        notes.append("assumed 30 fps, see --fps")
    if lifted.meta["image_size_assumed"]:
        width, height = lifted.meta["image_size"]
        notes.append(f"assumed images of {width} x {height}, see --size")
    return notes


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
