"""Wall time of every video network, one window on one core, beside the authors' code.

    python benchmarks/hosts_time.py

Method: as `hourglass_time.py`: bound to one core where the system can, every network computes one
window in each round, in turn, with random weights (values do not change the time). The authors'
times were measured on a core that multiplies 1024 x 1024 float32 matrices at 100 GFLOP/s; "scaled"
is the fastest call here times the rate of this core in the same rounds over 100. The floor is the
network's multiply-accumulates at that rate. `tcn, long` is `tcn` over a clip of 2642 frames, of
which it predicts 2400. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import machine
import torch
from hourglass_time import MATRIX, fastest, matrix_product, measure, run, summary

from poselift import models
from poselift.bench.operations import count_operations

RESULTS = Path(__file__).parent / "results" / "hosts_time.json"
AUTHORS_S = {"mixste": 3.6, "motionbert": 2.0, "motionagformer": 2.2, "mhformer": 0.22}
AUTHORS_GFLOPS = 100
OURS = ("motionagformer+hot", "motionagformer-s", "motionagformer-xs", "mhformer+tpc", "tcn")
LONG = {"num_frames": 2642, "num_out_frames": 2400}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    core = machine.bind_to_one_core()
    torch.set_num_threads(1)
    networks: dict[str, Any] = {name: models.create(name).eval() for name in (*AUTHORS_S, *OURS)}
    networks["tcn, long"] = models.create("tcn", **LONG).eval()

    contenders = {"matrix product": matrix_product()}
    for name, network in networks.items():
        contenders[name] = partial(run, network, torch.randn(1, network.config.num_frames, 17, 2))
    times = measure(contenders, options.rounds)

    peak = 2 * MATRIX**3 / fastest(times["matrix product"])
    rows = []
    for name, network in networks.items():
        products = count_operations(network).multiply_accumulates
        row = {
            "model": name,
            "frames": network.config.num_frames,
            "predicted": network.config.num_out_frames,
            "multiply_accumulates": products,
            **summary(times[name]),
            "floor_s": round(2 * products / peak, 4),
            "scaled_s": round(fastest(times[name]) * peak / 1e9 / AUTHORS_GFLOPS, 4),
            "authors_s": AUTHORS_S.get(name),
        }
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    report = {
        "what": "seconds for one window, batch 1, one core, float32, torch",
        "command": "python benchmarks/hosts_time.py",
        "machine": machine.describe("torch", "poselift"),
        "bound_to_core": core,
        "rounds": options.rounds,
        "matrix_product_gflops": round(peak / 1e9, 1),
        "results": rows,
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"matrix product {peak / 1e9:.0f} GFLOP/s; written to {options.json}")


if __name__ == "__main__":
    main()
