"""Time of one window at batch 1 on one core: ONNX Runtime against torch, and all of a lift.

    python benchmarks/window_latency.py

Method: the process is bound to one core where the system can. Networks of random weights (values
do not change the time) are exported as shipped ones are. Rounds of each contender take turns, so
that a busy machine is busy for all of them; reported are the median over all calls, the quartiles
and the minimum. The floor is the network's multiply-accumulates at the best rate of a 1024 x 1024
float32 product by ONNX Runtime in the same rounds. "pixels to metres" is what `Lifter` runs for a
window: ONNX Runtime with the normalisation before it and the pelvis taken off after it. Needs the
extra `export`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch

from poselift import models
from poselift.bench.clock import in_turns
from poselift.bench.measure import MATRIX, matrix_product
from poselift.bench.operations import count_operations
from poselift.export.onnx import export_onnx
from poselift.models.checkpoint import save_checkpoint
from poselift.runtime.backends import OnnxRuntime
from poselift.runtime.network import PixelNetwork

RESULTS = Path(__file__).parent / "results" / "window_latency.json"
MODELS = ("nanohtnet", "htnet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20, help="calls of a contender in a round")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    core = machine.bind_to_one_core()
    torch.set_num_threads(1)

    contenders: dict[str, Callable[[], Any]] = {}
    products: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for name in MODELS:
            network, graph = prepare(name, Path(folder) / name)
            x = torch.randn(1, graph.about.window, 17, 2)
            products[name] = count_operations(network).multiply_accumulates
            contenders[f"{name} onnxruntime"] = partial(graph, x.numpy())
            contenders[f"{name} pixels to metres"] = pixels_to_metres(graph)
            contenders[f"{name} torch"] = partial(network, x)
        contenders["matrix product"] = matrix_product(threads=1)
        times = in_turns(contenders, options.rounds, options.calls)

    peak = MATRIX**3 / min(times["matrix product"])  # multiply-accumulates per second
    rows = []
    for label, seconds in times.items():
        row = {"what": label, **summary(seconds)}
        count = products.get(label.split()[0])
        if count:
            row["multiply_accumulates"] = count
            row["floor_ms"] = round(count / peak * 1e3, 4)
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    report = {
        "what": "milliseconds for one window, batch 1, one core, float32",
        "command": "python benchmarks/window_latency.py",
        "machine": machine.describe("onnxruntime", "torch", "poselift"),
        "bound_to_core": core,
        "rounds": options.rounds,
        "calls_per_round": options.calls,
        "matrix_product_gflops": round(2 * peak / 1e9, 1),
        "results": rows,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"matrix product {2 * peak / 1e9:.0f} GFLOP/s; written to {options.json}")


def prepare(name: str, folder: Path) -> tuple[torch.nn.Module, OnnxRuntime]:
    """A network with random weights in torch, and exported."""
    torch.manual_seed(0)
    about = {
        "skeleton": "h36m-17",
        "fps": 50.0,
        "normalisation": "person",
        "target": "centre",
    }
    with torch.inference_mode(False):
        save_checkpoint(folder, name, models.create(name), about, torch.float16)
        export_onnx(folder, weights="beside")
        return models.load(folder), OnnxRuntime(folder / "model.onnx", threads=1)


def pixels_to_metres(graph: OnnxRuntime) -> Callable[[], Any]:
    """A call of the network as `Lifter` makes it."""
    pixels = np.random.default_rng(0).uniform(300, 700, size=(1, graph.about.window, 17, 2))
    return partial(PixelNetwork(graph), pixels.astype(np.float32), (1000, 1000))


def summary(seconds: list[float]) -> dict[str, Any]:
    """Median, quartiles and minimum in milliseconds."""
    low, median, high = np.percentile(seconds, [25, 50, 75]) * 1e3
    return {
        "median_ms": round(float(median), 4),
        "quartiles_ms": [round(float(low), 4), round(float(high), 4)],
        "min_ms": round(min(seconds) * 1e3, 4),
    }


if __name__ == "__main__":
    main()
