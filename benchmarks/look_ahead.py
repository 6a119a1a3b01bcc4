"""Delay against error: `StreamingLifter` with more and more look-ahead, protocol ``mocap``.

    python benchmarks/look_ahead.py --data cmu-mocap/motions_val.npz

Every frame of the first ``--sequences`` sequences in their first camera, with a detector's noise,
goes through the streaming lifter of a network for the newest frames and of one for the centre.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import machine
import numpy as np

from poselift import StreamingLifter
from poselift.data.mocap import Motion, read_motions
from poselift.evaluation.mocap import IMAGE_SIZE, camera_joints, detector_noise, project_views
from poselift.metrics.functional import mpjpe, velocity_error

RESULTS = Path(__file__).parent / "results" / "look_ahead.json"
CASES = {"nanohtnet-causal": (0, 1, 2, 4, 8), "nanohtnet": (0, 4, 12, 25, 50, 100, 121)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--frames", type=int, default=400, help="most of each sequence")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    motions = [m for m in read_motions(options.data) if m.num_frames >= 250][: options.sequences]
    rows = []
    for model, look_aheads in CASES.items():
        for look_ahead in look_aheads:
            errors = [measure(model, look_ahead, motion, options.frames) for motion in motions]
            p1, velocity = (
                float(np.concatenate(e).mean()) * 1e3 for e in zip(*errors, strict=True)
            )
            rows.append(
                {
                    "model": model,
                    "look_ahead": look_ahead,
                    "delay_ms": 1000 * look_ahead / 50,
                    "p1_mm": round(p1, 2),
                    "mpjve_mm_per_frame": round(velocity, 2),
                }
            )
            print(rows[-1], flush=True)
    report = {
        "what": "error of the streaming lifter against its delay, detector noise, 50 fps",
        "data": options.data.name,
        "sequences": [motion.name for motion in motions],
        "frames": options.frames,
        "machine": machine.describe("onnxruntime", "poselift"),
        "results": rows,
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")


def measure(
    model: str, look_ahead: int, motion: Motion, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """P1 (T,) and velocity error (T - 1,) of a sequence, metres."""
    seen = detector_noise(motion.name, 0, project_views(motion)[0])[:most]
    truth = camera_joints(motion)[0][:most]
    truth = truth - truth[:, :1]
    lifter = StreamingLifter(model, look_ahead, fps=motion.fps, image_size=IMAGE_SIZE)
    poses = [lifter.push(frame) for frame in seen]
    lifted = np.stack([pose.joints[0, 0] for pose in poses if pose is not None])
    # The same frames for every look-ahead.
    frames = slice(0, len(truth) - max(map(max, CASES.values())))
    lifted, truth = lifted[frames], truth[frames]
    return mpjpe(lifted, truth), velocity_error(lifted, truth)


if __name__ == "__main__":
    main()
