"""Turn keypoint and motion files into other forms.

A keypoint file or folder of any tool becomes poselift's own .npz, with all its joints or, with
--to h36m-17, with the 17 joints that networks take. A motion file (.npz or .json, as `lift`
writes them) becomes another motion format, a page (.html) or a picture (.svg). The extension
of OUTPUT says which.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path

from poselift.cli.outputs import FORMATS, check_place, describe_motion, write_motion
from poselift.cli.parser import Parser, add_source_options, new_path
from poselift.errors import UsageError


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift convert``."""
    parser.add_argument("input", metavar="INPUT", help="keypoint file or folder, or motion file")
    parser.add_argument("-o", "--output", metavar="OUTPUT", type=new_path, required=True)
    parser.add_argument(
        "--to", choices=["h36m-17"], help="joints that a keypoint file gets (default: as it has)"
    )
    add_source_options(parser)
    parser.example(
        "poselift convert openpose_json/ -o walk.npz --fps 25",
        "poselift convert lifted/walk.npz -o walk.csv",
    )


def run(args: argparse.Namespace) -> None:
    """Find out which of the two it is, read it, write it."""
    source, output = args.input, args.output
    extension = output.suffix.lower().removeprefix(".")
    if extension not in FORMATS:
        raise UsageError(f"{output}: no format of that extension", f"one of .{', .'.join(FORMATS)}")
    check_place(output, [source])
    if _is_motion(Path(source)):
        from poselift import motion

        unused = ("to", "conversion", "layout", "source", "fps", "size")
        given = [f"--{name}" for name in unused if getattr(args, name) is not None]
        if given:
            raise UsageError(f"{source} is a motion file and takes no {', '.join(given)}")
        pose3d = motion.read(source)
        written = write_motion(pose3d, output)
        print(f"{' '.join(map(str, written.paths))}: {describe_motion(pose3d)}")
        for note in written.notes:
            print(f"  {note}")
        return

    from poselift import keypoints
    from poselift.conversion import to_h36m

    if extension != "npz":
        raise UsageError(
            f"{output}: keypoints are only written as .npz",
            "",
            "lift them for 3D motion: poselift lift",
        )
    if args.conversion is not None and args.to is None:
        raise UsageError("--conversion without --to", "--to h36m-17 beside it")
    pose = keypoints.read(
        source, args.layout, fps=args.fps, image_size=args.size, source=args.source
    )
    if args.to is not None:
        pose = to_h36m(pose, args.conversion)
    keypoints.write_npz(output, pose)
    print(f"{output}: {pose.skeleton.name}, {describe_motion(pose)}")


def _is_motion(path: Path) -> bool:
    """Whether a file says that it is a motion file; damaged ones are left to the readers."""
    if path.suffix.lower() in (".bvh", ".trc", ".c3d", ".glb"):
        return True
    try:
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                with zipfile.ZipFile(path) as archive:
                    return {"joints.npy", "meta.npy"} <= set(archive.namelist())
        if path.suffix.lower() == ".json":
            content = json.loads(path.read_bytes())
            return isinstance(content, dict) and "meta" in content and "persons" in content
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile):
        pass
    return False
