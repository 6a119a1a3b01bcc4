"""What an hourglass costs in accuracy and saves in work: a host, and variants of it, compared.

    python benchmarks/hourglass_accuracy.py --data DIR runs/mixste-small runs/mixste-small-hot ...

Each RUN is a checkpoint folder of `poselift train`, the first that of the host by itself. Error:
protocol `mocap` on the validation and on the test subjects, with exact and with detected 2D joints;
windows stand end to end, so that each frame is predicted once. Cost: multiply-accumulates of a
window, every product counted, and the time of one window in torch on one core, all networks in
turns in the same minutes (`poselift.bench.clock`), median; the processor must have nothing else to
do. Writes JSON and a picture, prints Markdown. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from accuracy import GROUPS, ROOT, errors

from poselift import Lifter, models
from poselift.bench.clock import WARM_UP, Spread, in_turns
from poselift.bench.machine import one_core
from poselift.bench.operations import count_operations
from poselift.bench.plot import Point, draw
from poselift.data.mocap import read_motions
from poselift.evaluation.mocap import NOISES
from poselift.runtime.backends import Torch

PARTS = ("val", "test")
CALLS = 5  # in a turn
CLAIM = 0.2
"""Percent of error that HoT's authors give away for 40 % of the operations (MixSTE, Human3.6M)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="checkpoint folders")
    parser.add_argument("--data", type=Path, required=True, help="folder of motions_*.npz")
    parser.add_argument("--jobs", type=int, default=1, help="networks measured at the same time")
    parser.add_argument("--rounds", type=int, default=10, help="of timing")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "benchmarks/results/hourglass_accuracy.json"
    )
    parser.add_argument("--plot", type=Path, default=ROOT / "docs/images/hourglass_accuracy.svg")
    options = parser.parse_args()
    runs = {run.resolve().name: run for run in options.runs}
    if len(runs) < len(options.runs):
        parser.error("two folders of one name")

    times = time(runs, options.rounds)
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        found = pool.map(partial(measure, options.data), runs.values())
        for (name, run), measured in zip(runs.items(), found, strict=True):
            rows.append({**network(name, run), **times[name], "errors": measured})
            compare(rows[-1], rows[0])
            print(json.dumps(rows[-1]), flush=True)
            report = {
                "what": "error and cost of an hourglass; losses and savings against the first",
                "command": "python benchmarks/hourglass_accuracy.py --data DIR RUN ...",
                "errors": "protocol mocap, millimetres, windows end to end, no flip averaging",
                "machine": machine.describe("torch", "poselift"),
                "timing": {"rounds": options.rounds, "calls": CALLS, "warm_up_calls": WARM_UP},
                "results": rows,
            }
            # After each network: all of them take long.
            options.json.write_text(json.dumps(report, indent=1) + "\n")
    options.plot.write_text(picture(rows))
    for group in GROUPS:
        print(f"\n### sequences: {group}\n\n{table(rows, group)}")


def time(runs: Mapping[str, Path], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one window on one core."""
    contenders = {}
    threads = torch.get_num_threads()
    with one_core():
        for name, run in runs.items():
            lift = Torch(run, threads=1)
            x = np.random.default_rng(0).normal(size=(1, lift.about.window, 17, 2))
            contenders[name] = partial(lift, x.astype(np.float32))
        spreads = {n: Spread.of(t) for n, t in in_turns(contenders, rounds, CALLS).items()}
    torch.set_num_threads(threads)
    return {
        name: {"median_ms": round(1e3 * s.p50, 3), "min_ms": round(1e3 * s.lowest, 3)}
        for name, s in spreads.items()
    }


def network(name: str, run: Path) -> dict[str, Any]:
    """What it is, and its operations."""
    loaded: Any = models.load(run)
    config, found = loaded.config, count_operations(loaded)
    return {
        "name": name,
        "frames": config.num_frames,
        "prune": getattr(config, "prune", None),
        "recover": getattr(config, "recover", None),
        "keep": getattr(config, "keep", ()),
        "before": getattr(config, "before", ()),
        "parameters": found.parameters,
        "multiply_accumulates": found.multiply_accumulates,
    }


def measure(data: Path, run: Path) -> dict[str, Any]:
    """Errors by part, noise and group of sequences, found on one core."""
    window = Torch(run, threads=1).about.num_out
    lift = Lifter(run, backend="torch", stride=window).lift
    motions = {part: read_motions(data / f"motions_{part}.npz") for part in PARTS}
    return {part: {n: errors(lift, motions[part], n) for n in NOISES} for part in PARTS}


def compare(row: dict[str, Any], host: Mapping[str, Any]) -> None:
    """Put percents against the host beside the figures."""
    for cost in ("multiply_accumulates", "median_ms"):
        row[f"{cost}_saved_percent"] = 0.0 - percent(row[cost], host[cost])
    row["loss_percent"] = {
        part: {
            noise: {
                group: percent(numbers["P1"], host["errors"][part][noise][group]["P1"])
                for group, numbers in groups.items()
            }
            for noise, groups in noises.items()
        }
        for part, noises in row["errors"].items()
    }


def percent(value: float, of: float) -> float:
    """By how much it is larger."""
    return round(100 * (value - of) / of, 2)


def label(row: Mapping[str, Any]) -> str:
    """Pruning, recovery, and frames kept from which level on."""
    if not row["keep"]:
        return f"host, all {row['frames']} frames"
    steps = ", ".join(f"{k} from {b}" for k, b in zip(row["keep"], row["before"], strict=True))
    return f"{row['prune']} + {row['recover']}, {steps}"


def table(rows: Sequence[Mapping[str, Any]], group: str) -> str:
    """Markdown. P1 with its loss, MPJVE of the test subjects."""
    columns = [(part, noise) for part in PARTS for noise in NOISES]
    head = ["network", "10⁹ products", "saved", "ms", "saved"]
    head += [f"P1 {part} {noise}" for part, noise in columns]
    head += [f"MPJVE test {noise}" for noise in NOISES]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in rows:
        cells = [
            label(row),
            f"{row['multiply_accumulates'] / 1e9:.2f}",
            f"{row['multiply_accumulates_saved_percent']:.0f} %",
            f"{row['median_ms']:.1f}",
            f"{row['median_ms_saved_percent']:.0f} %",
        ]
        for part, noise in columns:
            loss = row["loss_percent"][part][noise][group]
            cells.append(f"{row['errors'][part][noise][group]['P1']:.2f} ({loss:+.2f} %)")
        cells += [f"{row['errors']['test'][noise][group]['MPJVE']:.2f}" for noise in NOISES]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(rows: Sequence[Mapping[str, Any]]) -> str:
    """SVG: error of the test subjects on detected joints against operations."""
    points = [
        Point(
            row["multiply_accumulates"] / 1e9,
            row["errors"]["test"]["detector"]["subject"]["P1"],
            label(row),
            f"{row['prune']} + {row['recover']}",
        )
        for row in rows
    ]
    level = points[0].error * (1 + CLAIM / 100), f"host + {CLAIM:g} %"
    cost = "10⁹ multiply-accumulates of a window"
    return draw(points, cost, "P1 test, detected 2D, mm", level)


if __name__ == "__main__":
    main()
