"""Measure networks on this machine: time, throughput, memory, size and error.

Every network is exported to every backend and precision, and all are measured in turns in one
run. docs/bench.md says how, and what the columns mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from poselift.cli.outputs import check_place
from poselift.cli.parser import Parser, count, new_path
from poselift.errors import UsageError


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift bench``."""
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="shipped models or checkpoint folders (default: all that are shipped)",
    )
    parser.add_argument(
        "--backends",
        metavar="B,B",
        type=_names,
        help="some of onnxruntime, openvino, litert, torch (default: those that are installed)",
    )
    parser.add_argument(
        "--precisions",
        metavar="P,P",
        type=_names,
        default=("fp32", "bf16", "int8"),
        help="some of fp32, bf16, int8, where a backend has them (default: all)",
    )
    parser.add_argument(
        "--threads",
        metavar="N,N",
        type=_threads,
        default=(1,),
        help="numbers of threads, each a run of its own; all for all cores (default: 1)",
    )
    parser.add_argument("--rounds", metavar="N", type=count, default=10, help="(default: 10)")
    parser.add_argument(
        "--calls", metavar="N", type=count, default=10, help="in a round (default: 10)"
    )
    parser.add_argument(
        "--data",
        metavar="FILE.npz",
        type=Path,
        help="motion capture for the error (default: people made from formulas)",
    )
    parser.add_argument("--json", metavar="FILE", type=new_path, help="write all figures")
    parser.add_argument(
        "--plot", metavar="FILE.svg", type=new_path, help="draw error against latency"
    )
    parser.example("poselift bench htnet --backends onnxruntime --json bench.json")


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _threads(text: str) -> tuple[int, ...]:
    return tuple(0 if name == "all" else count(name) for name in _names(text))


def run(args: argparse.Namespace) -> None:
    """Export, measure, print a table."""
    for path in filter(None, (args.json, args.plot)):
        check_place(path)

    import tempfile
    from importlib.util import find_spec

    from poselift.bench.measure import MODULES, measure, prepare
    from poselift.bench.plot import plot
    from poselift.data.mocap import read_motions
    from poselift.files import write_text
    from poselift.runtime.store import find, shipped

    folders: dict[str, Path] = {}
    for model in args.models or shipped():
        folder = find(model).folder
        if folder is None:
            raise UsageError(f"{model}: an exported file", "a shipped model or a checkpoint folder")
        name = model if model in shipped() else folder.resolve().name
        if folders.get(name, folder) != folder:
            raise UsageError(
                f"two networks by the name of {name}: {folders[name]} and {folder}",
                "folders of different names",
            )
        folders[name] = folder
    backends = args.backends or tuple(name for name, module in MODULES.items() if find_spec(module))
    motions = read_motions(args.data) if args.data else ()

    def say(text: str) -> None:
        print(f"poselift: {text}", file=sys.stderr)

    with tempfile.TemporaryDirectory() as place:
        cases = prepare(
            folders, backends, args.precisions, Path(place), say, skip=args.backends is None
        )
        report = measure(
            cases,
            threads=args.threads,
            rounds=args.rounds,
            calls=args.calls,
            motions=motions,
            progress=lambda t: say(f"measuring {t}"),
        )
    if args.json:
        write_text(args.json, json.dumps(report.to_dict(), indent=1) + "\n")
    if args.plot:
        write_text(args.plot, plot(report.rows))
    machine = report.machine
    print(report.table())
    load = machine.get("load_average")
    print(
        f"{machine['processor']}, {machine['cores']} cores"
        + ("" if load is None else f", load {load}")
    )
