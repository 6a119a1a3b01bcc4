"""Write a network for a device: one file that runs without poselift.

The file carries the skeleton, window, frame rate, normalisation and licence. It is compared with
torch on windows of moving persons before it is kept. docs/export.md says what each format and
precision means.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from poselift.cli.outputs import check_place
from poselift.cli.parser import Parser, count, new_path, positive
from poselift.errors import UsageError

FORMATS = ("onnx", "openvino", "litert", "torchscript", "tensorrt")
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
"""As in ``poselift.export.formats``, which takes long to import."""


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift export``."""
    parser.add_argument("model", metavar="MODEL", help="a shipped model or a checkpoint folder")
    parser.add_argument("-o", "--output", metavar="FILE", type=new_path, required=True)
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="(default: onnx)")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="fp32",
        help="of the weights; int8 also computes in integers (default: fp32)",
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="the graph takes pixels and the size of the image instead of normalised joints",
    )
    parser.add_argument(
        "--batch",
        metavar="N",
        type=count,
        help="windows in a call, fixed in the file as some accelerators ask for (default: any)",
    )
    parser.add_argument(
        "--tolerance",
        metavar="MM",
        type=positive,
        help="refuse if a joint of a moving person lies farther from torch's than this "
        "(default: 0.1 for fp32, 1 for fp16, 30 for bf16, 50 for int8)",
    )
    parser.add_argument(
        "--data",
        metavar="FILE.npz",
        type=Path,
        help="motion capture to compare and calibrate on (default: people made from formulas)",
    )
    parser.example(
        "poselift export runs/nanohtnet-243 -o nanohtnet.onnx",
        "poselift export nanohtnet-causal -o small.onnx --precision int8",
        "poselift export htnet -o htnet.xml --format openvino --precision bf16",
    )


def run(args: argparse.Namespace) -> None:
    """Export, and say how well it agrees."""
    check_place(args.output)

    from poselift.runtime.store import find

    folder = find(args.model).folder
    if folder is None:
        raise UsageError(f"{args.model}: already an exported file", "a checkpoint folder")

    from poselift.data.mocap import read_motions
    from poselift.export.formats import export

    motions = read_motions(args.data) if args.data else ()
    report, files = export(
        folder,
        args.output,
        args.format,
        args.precision,
        raw=args.raw,
        batch=args.batch,
        tolerance=None if args.tolerance is None else args.tolerance / 1000,
        motions=motions,
    )
    found = report.agreement
    print(f"{report.path}: {report.size / 1e6:.2f} MB")
    for file in files:
        print(f"{file}: beside it")
    print(
        f"at most {found.largest * 1000:.5f} mm from torch over {found.windows} windows, "
        f"{' and '.join(map(str, found.batch_sizes))} at once; "
        f"P1 {found.p1 * 1000:.2f} mm, {found.p1_change * 1000:+.4f} mm by the export"
    )
    if report.kept_float:
        print(f"{len(report.kept_float)} products stayed in floating point")
