"""Wall time of video networks with and without an hourglass: one window on one core.

    python benchmarks/hourglass_time.py

Method: the process is bound to one core where the system can, torch has one thread. In each round
every contender computes one window, in turn, so that a busy machine is busy for all of them. Wall
time and the processor time of this process, which other work disturbs less, are medians over the
rounds; the saving is that of either. Networks of the published sizes have random weights (values
do not change the time); `--model FOLDER`, twice or more, compares checkpoint folders instead, the
first of which is the one to beat. "bfloat16" is torch's autocast; how far it moves a joint is the
mean over a random window, and says something only for trained weights. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import machine
import numpy as np
import numpy.typing as npt
import torch

from poselift import models
from poselift.bench.operations import count_operations

RESULTS = Path(__file__).parent / "results" / "hourglass_time.json"
GROUPS = (("mixste", "mixste+hot", "mixste+h2ot"), ("motionbert", "motionbert+hot"))
MATRIX = 1024

Times = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", metavar="FOLDER", action="append", default=[])
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    core = machine.bind_to_one_core()
    torch.set_num_threads(1)
    groups = (tuple(options.model),) if options.model else GROUPS
    make = models.load if options.model else models.create
    networks: dict[str, Any] = {}
    for name in (name for group in groups for name in group):
        torch.manual_seed(0)
        networks[name] = make(name).eval()

    contenders: dict[str, Callable[[], Any]] = {"matrix product": matrix_product()}
    moved: dict[str, float] = {}
    for name, network in networks.items():
        x = torch.randn(1, network.config.num_frames, 17, 2)
        plain, half = partial(run, network, x), partial(run, network, x, torch.bfloat16)
        moved[name] = 1e3 * float((plain() - half()).norm(dim=-1).mean())
        contenders[f"{name} float32"], contenders[f"{name} bfloat16"] = plain, half
    times = measure(contenders, options.rounds)

    rows = []
    for group in groups:
        for name in group:
            for kind in ("float32", "bfloat16"):
                row = {
                    "model": name,
                    "type": kind,
                    "frames": networks[name].config.num_frames,
                    "multiply_accumulates": count_operations(networks[name]).multiply_accumulates,
                    **summary(times[f"{name} {kind}"]),
                    **savings(times[f"{name} {kind}"], times[f"{group[0]} {kind}"]),
                }
                if kind == "bfloat16":
                    row["moves_joints_mm"] = round(moved[name], 3)
                rows.append(row)
                print("  ".join(f"{key} {value}" for key, value in row.items()))
    peak = 2 * MATRIX**3 / fastest(times["matrix product"]) / 1e9
    report = {
        "what": "seconds for one window, batch 1, one core; savings against the first of a group",
        "command": "python benchmarks/hourglass_time.py",
        "machine": machine.describe("torch", "poselift"),
        "bound_to_core": core,
        "rounds": options.rounds,
        "weights": "trained" if options.model else "random",
        "matrix_product_gflops": round(peak, 1),
        "results": rows,
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"matrix product {peak:.0f} GFLOP/s; written to {options.json}")


def run(
    network: torch.nn.Module, x: torch.Tensor, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """One window, in float32 or with autocast to ``dtype``."""
    with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype is not None):
        return network(x).float()


def matrix_product() -> Callable[[], Any]:
    """The most that the core can do."""
    a, b = torch.randn(2, MATRIX, MATRIX)
    return partial(torch.mm, a, b)


def measure(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Times]:
    """Seconds of each call, (rounds, 2): of the wall and of the processor. One round warms up."""
    times: dict[str, list[tuple[float, float]]] = {label: [] for label in contenders}
    for i in range(rounds + 1):
        for label, call in contenders.items():
            wall, processor = time.perf_counter(), time.process_time()
            call()
            if i:
                passed = time.perf_counter() - wall, time.process_time() - processor
                times[label].append(passed)
    return {label: np.array(passed) for label, passed in times.items()}


def fastest(times: Times) -> float:
    """The shortest call, seconds of the wall."""
    return float(times[:, 0].min())


def summary(times: Times) -> dict[str, float]:
    """Medians and minimum."""
    wall, processor = np.median(times, axis=0)
    return {
        "median_s": round(wall, 4),
        "min_s": round(fastest(times), 4),
        "median_processor_s": round(processor, 4),
    }


def savings(times: Times, host: Times) -> dict[str, float]:
    """Percent saved against the host, by medians."""
    wall, processor = 100 - 100 * np.median(times, axis=0) / np.median(host, axis=0)
    return {"saved_percent": round(wall, 1), "saved_processor_percent": round(processor, 1)}


if __name__ == "__main__":
    main()
