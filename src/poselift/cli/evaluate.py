"""Measure a network by a named protocol.

mocap            motion capture seen by four virtual cameras; 2D joints exact (--noise gt) or as
                 from a detector (--noise detector). --data: the file motions_test.npz
h36m             Human3.6M, S9 and S11, by the rules of VideoPose3D; the mean of 15 actions.
                 --data: the folder of data_3d_h36m.npz and data_2d_h36m_DET.npz, --keypoints: DET
h36m-motionbert  the same by the rules of MotionBERT: without three sequences, 2.5D factor.
                 --data: h36m_sh_conf_cam_source_final.pkl
3dhp             MPI-INF-3DHP, TS1 to TS6: PCK, AUC, MPJPE. --data: data_test_3dhp.npz

Prints all errors in millimetres; --json keeps them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from poselift import __version__
from poselift.cli.outputs import check_place
from poselift.cli.parser import Parser, add_model_options, new_path
from poselift.cli.progress import ProgressLine
from poselift.errors import UsageError

if TYPE_CHECKING:
    from poselift.checkpoints import About
    from poselift.data.windows import WindowUse
    from poselift.evaluation.lifting import Lift


class _Report(Protocol):
    def to_dict(self) -> dict[str, Any]: ...
    def table(self) -> str: ...


_Progress = Callable[[int, int], None]
_Measure = Callable[["Lift", "About", _Progress], _Report]


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift evaluate``."""
    add_model_options(parser)
    parser.add_argument(
        "--data", metavar="PATH", required=True, help="file or folder of the protocol, see above"
    )
    parser.add_argument(
        "--protocol", choices=list(_PROTOCOLS), default="mocap", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--noise",
        choices=["gt", "detector"],
        help="mocap: 2D joints, exact or as from a detector (default: gt)",
    )
    parser.add_argument(
        "--keypoints", metavar="DET", help="h36m: detections, such as cpn_ft_h36m_dbb (default: gt)"
    )
    parser.add_argument("--flip", action="store_true", help="average with the mirrored input")
    parser.add_argument(
        "--windows",
        choices=["blended", "centre", "tiled", "published"],
        help="overlapping ones blended; each frame in the middle of its own; side by side; or what "
        "of these two is published (default: blended for mocap, as lift does; else published)",
    )
    parser.add_argument(
        "--repair",
        choices=["yes", "no"],
        help="put left and right back where the detector exchanged them (default: yes for mocap, "
        "as lift does; else no)",
    )
    parser.add_argument("--json", metavar="OUT.json", type=new_path, help="the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.example(
        "poselift evaluate --model nanohtnet --data motions_test.npz --noise detector --json a.json"
    )


def run(args: argparse.Namespace) -> None:
    """Read the data, lift every sequence, print the report."""
    for option, protocol in (("noise", "mocap"), ("keypoints", "h36m")):
        if getattr(args, option) is not None and args.protocol != protocol:
            raise UsageError(f"--{option} with --protocol {args.protocol}", f"it with {protocol}")
    if args.json is not None:
        data, model = Path(args.data), Path(args.model)
        read = [data, *data.glob("*.npz"), *data.glob("*.pkl"), model, *model.glob("*")]
        check_place(args.json, read)

    from poselift.files import write_text
    from poselift.runtime import Lifter

    measure = _PROTOCOLS[args.protocol](args)
    ours = args.protocol == "mocap"
    windows: WindowUse = args.windows or ("blended" if ours else "published")
    lifter = Lifter(args.model, args.backend, args.threads, windows=windows)
    lift = partial(lifter.lift, repair=ours if args.repair is None else args.repair == "yes")
    if args.protocol != "h36m-motionbert":
        lifter.about.require_metres()
    with ProgressLine("evaluating", args.quiet) as progress:
        report = measure(lift, lifter.about, progress)
    if args.json is not None:
        about = {"model": args.model, "data": args.data, "poselift": __version__}
        text = json.dumps({**about, **report.to_dict()}, indent=1, allow_nan=False)
        write_text(args.json, text + "\n")
    print(report.table(), end="")


def _mocap(args: argparse.Namespace) -> _Measure:
    from poselift.data.mocap import read_motions
    from poselift.evaluation.mocap import evaluate

    motions, noise = read_motions(args.data), args.noise or "gt"
    return lambda lift, _, progress: evaluate(lift, motions, noise, args.flip, progress)


def _h36m(args: argparse.Namespace) -> _Measure:
    from poselift.data import h36m
    from poselift.evaluation.by_action import evaluate_h36m

    keypoints = args.keypoints or "gt"
    clips = h36m.read(args.data, keypoints)
    return lambda lift, _, progress: evaluate_h36m(lift, clips, keypoints, args.flip, progress)


def _motionbert(args: argparse.Namespace) -> _Measure:
    from poselift.data import motionbert
    from poselift.evaluation.by_action import evaluate_motionbert

    clips = motionbert.read(_file(args.data, motionbert.FILE))
    return lambda lift, about, progress: evaluate_motionbert(
        lift, clips, about.unit, args.flip, progress
    )


def _3dhp(args: argparse.Namespace) -> _Measure:
    from poselift.data import mpi_inf_3dhp
    from poselift.evaluation.mpi_inf_3dhp import evaluate_3dhp

    clips = mpi_inf_3dhp.read_test(_file(args.data, mpi_inf_3dhp.TEST_FILE))
    # The field reads its windows frame by frame: at the network's own rate nothing is resampled.
    return lambda lift, about, progress: evaluate_3dhp(lift, clips, args.flip, about.fps, progress)


_PROTOCOLS: dict[str, Callable[[argparse.Namespace], _Measure]] = {
    "mocap": _mocap,
    "h36m": _h36m,
    "h36m-motionbert": _motionbert,
    "3dhp": _3dhp,
}


def _file(path: str, name: str) -> Path:
    """``path``, or the file of that name in it if it is a folder."""
    return Path(path) / name if Path(path).is_dir() else Path(path)
