"""What a device has to do: a long clip offline, four persons streamed, and start.

    python benchmarks/edge.py

Counted is the processor's time of this process with one thread, not the clock's, so that other
work on the machine disturbs less. "offline" is `Lifter(stride=9)` on ten minutes of one person
at 50 fps, all of it: filling, windows, network, blending, root. "streaming" is
`StreamingLifter.push` of four persons; the share of a core is that of 30 such frames a second.
The floor is the network's multiply-accumulates at the rate of a 1024 x 1024 float32 product in
the same process. "start" is examples/edge/lift.py with a raw graph of `nanohtnet-causal`: seconds
of the clock from the start of Python to the first pose, the median of ten runs after one, and the
largest resident memory by then (Linux). Needs the extra `export`.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
import numpy.typing as npt

from poselift import Lifter, Pose2D, StreamingLifter, models
from poselift.bench.measure import MATRIX, matrix_product
from poselift.bench.operations import count_operations
from poselift.data.procedural import generate
from poselift.evaluation.mocap import IMAGE_SIZE, project_views
from poselift.export.formats import export
from poselift.runtime.store import find
from poselift.skeleton import H36M_17

RESULTS = Path(__file__).parent / "results" / "edge.json"
EXAMPLE = Path(__file__).parents[1] / "examples" / "edge" / "lift.py"
FPS = 50.0
STARTS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    core = machine.bind_to_one_core()
    views = project_views(generate("walk", 6.0, FPS, seed=1)).astype(np.float32)  # (4, T, 17, 2)
    frames = round(options.minutes * 60 * FPS)
    there_and_back = np.concatenate([views[0], views[0][::-1]])
    clip = np.resize(there_and_back, (1, frames, 17, 2))
    pose = Pose2D(clip, skeleton=H36M_17, fps=FPS, image_size=IMAGE_SIZE)
    offline = Lifter("nanohtnet", threads=1, stride=9)
    streaming = StreamingLifter(fps=30.0, image_size=IMAGE_SIZE)
    product = matrix_product(1)

    taken: dict[str, list[float]] = {"offline": [], "streaming": [], "product": []}
    for _ in range(options.rounds):
        taken["product"] += [timed(product) for _ in range(10)]
        taken["offline"].append(timed(lambda: offline.lift(pose)) / frames)
        for t in range(views.shape[1]):
            taken["streaming"].append(timed(lambda t=t: streaming.push(views[:, t])))
    rate = MATRIX**3 / min(taken["product"])
    products = count_operations(models.create("nanohtnet")).multiply_accumulates
    windows = {"offline": 1 / 9, "streaming": 4.0}
    rows: list[dict[str, Any]] = []
    for what, count in windows.items():
        seconds = float(np.median(taken[what]))
        rows.append(
            {
                "what": what,
                "median_ms_per_frame": round(seconds * 1e3, 4),
                "lowest_ms_per_frame": round(min(taken[what]) * 1e3, 4),
                "floor_ms_per_frame": round(count * products / rate * 1e3, 4),
                "frames_per_second_and_core": round(1 / seconds),
                "share_of_a_core_at_30_fps": round(30 * seconds, 4),
            }
        )
        print(rows[-1])
    start = starting(project_views(generate("walk", 1.0, FPS, seed=3))[0])
    print(start)
    report = {
        "what": "processor time of one thread for each frame of the source",
        "command": "python benchmarks/edge.py",
        "machine": machine.describe("onnxruntime", "poselift"),
        "bound_to_core": core,
        "rounds": options.rounds,
        "frames_of_the_clip": frames,
        "matrix_product_gflops": round(2 * rate / 1e9, 1),
        "results": rows,
        "start": start,
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")


def starting(pixels: npt.NDArray[Any]) -> dict[str, float]:
    """Time to the first pose, and memory, of the example on a clip (T, 17, 2)."""
    seconds, memory = [], []
    with tempfile.TemporaryDirectory() as folder:
        network = f"{folder}/network.onnx"
        export(find("nanohtnet-causal").folder, network, raw=True)
        width, height = IMAGE_SIZE
        clip = f"{folder}/clip.npz"
        np.savez(clip, keypoints=pixels.astype(np.float32), width=width, height=height)
        command = [sys.executable, "-I", str(EXAMPLE), network, clip, f"{folder}/out.npz"]
        for _ in range(STARTS + 1):
            before = time.perf_counter()
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()
                seconds.append(time.perf_counter() - before)
                # Not from wait4(), which counts this large process before it became the other.
                status = Path(f"/proc/{process.pid}/status").read_text()
                process.stdout.read()
                (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
                memory.append(int(peak) / 2**10)
    return {
        "median_s": round(float(np.median(seconds[1:])), 3),
        "highest_s": round(max(seconds[1:]), 3),
        "highest_mib": round(max(memory), 1),
    }


def timed(call: Any) -> float:
    """Seconds of processor time."""
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    main()
