"""The accuracy tables: protocol mocap for every network, exact and detected 2D.

    python benchmarks/accuracy.py --data DIR/motions_test.npz nanohtnet nanohtnet-causal htnet \
        runs/mgcn runs/martinez

Each row is what ``poselift evaluate --model MODEL --data FILE --protocol mocap --noise NOISE``
measures. Writes JSON and prints Markdown.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from poselift import Lifter, __version__
from poselift.data.mocap import Motion, read_motions
from poselift.evaluation.lifting import Lift
from poselift.evaluation.mocap import NOISES, evaluate

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = {
    "P1": "p1_mm",
    "P2": "p2_mm",
    "end joints": "end_joints_mm",
    "N-MPJPE": "n_mpjpe_mm",
    "MPJVE": "mpjve_mm_per_frame",
}

GROUPS = ("subject", "all")
"""Sequences with the person's own bones, and all."""


def errors(lift: Lift, motions: Sequence[Motion], noise: str) -> dict[str, dict[str, float]]:
    """The columns for each of ``GROUPS``, millimetres."""
    report = evaluate(lift, motions, noise).to_dict()
    return {group: {name: report[group][key] for name, key in COLUMNS.items()} for group in GROUPS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="shipped names or checkpoint folders")
    parser.add_argument("--data", type=Path, required=True, help="motions_*.npz")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/accuracy.json")
    arguments = parser.parse_args()
    motions = read_motions(arguments.data)
    rows: list[dict[str, Any]] = []
    for model in arguments.models:
        shipped = not Path(model).is_dir()
        lifter = Lifter(model, backend="onnxruntime" if shipped else "torch")
        for noise in NOISES:
            row: dict[str, Any] = {"model": Path(model).name, "noise": noise}
            for group, numbers in errors(lifter.lift, motions, noise).items():
                row[group] = {name: round(value, 2) for name, value in numbers.items()}
            rows.append(row)
            print(row, flush=True)
    out = {"poselift": __version__, "data": arguments.data.name, "rows": rows}
    arguments.json.write_text(json.dumps(out, indent=2) + "\n")
    for group in GROUPS:
        print(f"\n### sequences: {group}\n")
        print("| model | 2D | " + " | ".join(COLUMNS) + " |")
        print("|---|---|" + "---:|" * len(COLUMNS))
        for row in rows:
            cells = " | ".join(f"{row[group][name]:.1f}" for name in COLUMNS)
            print(f"| {row['model']} | {row['noise']} | {cells} |")


if __name__ == "__main__":
    main()
