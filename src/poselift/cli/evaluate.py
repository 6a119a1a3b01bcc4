"""Measure a network by a named protocol.

Protocol `mocap`: motion capture seen by four virtual cameras; exact 2D joints (gt) or joints
with the errors of a detector. Prints all errors in millimetres; --json keeps them.
"""

from __future__ import annotations

import argparse
import json

from poselift import __version__
from poselift.cli.outputs import ProgressLine, check_place
from poselift.cli.parser import Parser, add_model_options, new_path


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift evaluate``."""
    add_model_options(parser)
    parser.add_argument("--data", metavar="FILE.npz", required=True, help="motion capture")
    parser.add_argument("--protocol", choices=["mocap"], default="mocap")
    parser.add_argument(
        "--noise",
        choices=["gt", "detector"],
        default="gt",
        help="2D joints: exact, or as from a detector (default: %(default)s)",
    )
    parser.add_argument("--flip", action="store_true", help="average with the mirrored input")
    parser.add_argument("--json", metavar="OUT.json", type=new_path, help="the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.example(
        "poselift evaluate --model nanohtnet --data motions_test.npz --noise detector --json a.json"
    )


def run(args: argparse.Namespace) -> None:
    """Read the data, lift every sequence, print the report."""
    if args.json is not None:
        check_place(args.json, [args.data])

    from poselift.data.mocap import read_motions
    from poselift.evaluation.mocap import evaluate
    from poselift.files import write_text
    from poselift.runtime import Lifter

    motions = read_motions(args.data)
    lifter = Lifter(args.model, args.backend, args.threads)
    with ProgressLine("evaluating", args.quiet) as progress:
        report = evaluate(lifter.lift, motions, args.noise, args.flip, progress)
    if args.json is not None:
        about = {"model": args.model, "data": args.data, "poselift": __version__}
        text = json.dumps({**about, **report.to_dict()}, indent=1, allow_nan=False)
        write_text(args.json, text + "\n")
    print(report.table(), end="")
