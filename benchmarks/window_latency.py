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
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import machine
import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch.utils.flop_counter import FlopCounterMode

from poselift import models
from poselift.export.onnx import export_onnx
from poselift.export.trace import IR_VERSION, OPSET
from poselift.models.checkpoint import save_checkpoint
from poselift.runtime.backends import OnnxRuntime
from poselift.runtime.network import PixelNetwork

RESULTS = Path(__file__).parent / "results" / "window_latency.json"
MODELS = ("nanohtnet", "htnet")
MATRIX = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20, help="calls of a contender in a round")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    core = machine.bind_to_one_core()
    torch.set_num_threads(1)

    contenders: dict[str, Callable[[], Any]] = {}
    operations: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for name in MODELS:
            network, graph = prepare(name, Path(folder) / name)
            x = torch.randn(1, graph.about.window, 17, 2)
            with FlopCounterMode(display=False) as counter:
                network(x)
            operations[name] = counter.get_total_flops()
            contenders[f"{name} onnxruntime"] = partial(graph, x.numpy())
            contenders[f"{name} pixels to metres"] = pixels_to_metres(graph)
            contenders[f"{name} torch"] = partial(network, x)
        contenders["matrix product"] = matrix_product()
        times = measure(contenders, options.rounds, options.calls)

    peak = 2 * MATRIX**3 / min(times["matrix product"])
    rows = []
    for label, seconds in times.items():
        row = {"what": label, **summary(seconds)}
        flops = operations.get(label.split()[0])
        if flops:
            row["multiply_accumulates"] = flops // 2
            row["floor_ms"] = round(flops / peak * 1e3, 4)
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    report = {
        "what": "milliseconds for one window, batch 1, one core, float32",
        "command": "python benchmarks/window_latency.py",
        "machine": machine.describe("onnxruntime", "torch", "poselift"),
        "bound_to_core": core,
        "rounds": options.rounds,
        "calls_per_round": options.calls,
        "matrix_product_gflops": round(peak / 1e9, 1),
        "results": rows,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"matrix product {peak / 1e9:.0f} GFLOP/s; written to {options.json}")


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


def matrix_product() -> Callable[[], Any]:
    """A large float32 product in ONNX Runtime, one thread: the most that the core can do."""
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [MATRIX, MATRIX]) for n in "abc"]
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    model = helper.make_model(
        helper.make_graph([node], "product", info[:2], info[2:]),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    a = np.random.default_rng(0).normal(size=(MATRIX, MATRIX)).astype(np.float32)
    return partial(session.run, None, {"a": a, "b": a})


def measure(
    contenders: dict[str, Callable[[], Any]], rounds: int, calls: int
) -> dict[str, list[float]]:
    """Seconds of each call, contenders taking turns; the first calls of a turn only warm up."""
    times: dict[str, list[float]] = {label: [] for label in contenders}
    for _ in range(rounds):
        for label, call in contenders.items():
            for _ in range(3):
                call()
            for _ in range(calls):
                start = time.perf_counter()
                call()
                times[label].append(time.perf_counter() - start)
    return times


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
