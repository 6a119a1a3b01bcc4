"""Write a checkpoint as one ONNX file that runs anywhere.

The file carries the skeleton, window, frame rate, normalisation and licence. It is compared
with torch before it is kept.
"""

from __future__ import annotations

import argparse

from poselift.cli.outputs import check_place
from poselift.cli.parser import Parser, new_path
from poselift.errors import UsageError


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift export``."""
    parser.add_argument("model", metavar="MODEL", help="a shipped model or a checkpoint folder")
    parser.add_argument("-o", "--output", metavar="FILE.onnx", type=new_path, required=True)
    parser.add_argument(
        "--weights",
        choices=["float32", "float16"],
        default="float32",
        help="how they are stored; float16 is half the size and less exact unless they were "
        "trained or shipped so; the arithmetic is float32 (default: %(default)s)",
    )
    parser.example("poselift export runs/nanohtnet-243 -o nanohtnet.onnx")


def run(args: argparse.Namespace) -> None:
    """Export, and say how well it agrees."""
    if args.output.suffix.lower() != ".onnx":
        raise UsageError(f"{args.output}: no ONNX file by its name", "a name that ends in .onnx")
    check_place(args.output)

    from poselift.runtime.store import find

    folder = find(args.model).folder
    if folder is None:
        raise UsageError(f"{args.model}: already an ONNX file", "a checkpoint folder")

    from poselift.export.onnx import export_onnx

    report = export_onnx(folder, args.output, weights=args.weights)
    print(
        f"{report.path}: {report.size / 1e6:.2f} MB, at most "
        f"{report.largest_difference * 1000:.5f} mm from torch over {report.windows} windows"
    )
