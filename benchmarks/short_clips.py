"""What a clip's ends cost: short clips lifted by themselves, and the same frames in longer ones.

    python benchmarks/short_clips.py nanohtnet --data DIR/motions_val.npz

The middle 500 frames of every sequence that has as many are lifted, seen by the four cameras of
protocol `mocap` with a detector's errors, and so are shorter clips from the middle of those.
"changed" is the mean distance between the two predictions of a joint, P1 the mean joint error of
either. Writes JSON, prints Markdown.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import machine
import numpy as np
from accuracy import ROOT

from poselift import Lifter
from poselift.data.mocap import Motion, read_motions
from poselift.evaluation.lifting import FloatArray, Lift, predict
from poselift.evaluation.mocap import IMAGE_SIZE, camera_joints, detector_noise, project_views
from poselift.metrics.functional import mpjpe

LENGTHS = (1, 9, 25, 50, 100, 150, 243)
LONG = 500
KEYS = ("changed", "p1_alone", "p1_within")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="shipped names or checkpoint folders")
    parser.add_argument("--data", type=Path, required=True, help="motions_*.npz")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/short_clips.json")
    options = parser.parse_args()
    motions = [motion for motion in read_motions(options.data) if motion.num_frames >= LONG]
    print("| network | frames | changed | P1 by itself | P1 within |\n|---|---:|---:|---:|---:|")
    rows = []
    for model in options.models:
        for row in measure(Lifter(model, backend="auto").lift, motions):
            rows.append({"model": Path(model).name, **row})
            numbers = " | ".join(f"{row[key]:.1f}" for key in KEYS)
            print(f"| {Path(model).name} | {row['frames']} | {numbers} |", flush=True)
    report = {
        "what": "clips from the middle of long sequences, by themselves and within; millimetres",
        "command": f"python benchmarks/short_clips.py MODEL ... --data {options.data.name}",
        "machine": machine.describe("poselift", "onnxruntime", "torch"),
        "clips": 4 * len(motions),
        "results": rows,
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")


def centred(whole: int, count: int) -> slice:
    """So many frames in the middle."""
    first = (whole - count) // 2
    return slice(first, first + count)


def measure(lift: Lift, motions: list[Motion]) -> list[dict[str, Any]]:
    """For each of ``LENGTHS`` means over all joints, frames, cameras and sequences."""
    errors: dict[int, list[FloatArray]] = {length: [] for length in LENGTHS}
    for motion in motions:
        middle = centred(motion.num_frames, LONG)
        exact = project_views(motion)  # (4, T, 17, 2)
        seen = np.stack([detector_noise(motion.name, k, u) for k, u in enumerate(exact)])[:, middle]
        truth = camera_joints(motion)[:, middle]
        truth = truth - truth[:, :, :1]  # (4, LONG, 17, 3)
        known = {"fps": motion.fps, "image_size": IMAGE_SIZE, "source": motion.name}
        whole = predict(lift, seen, **known)
        for length in LENGTHS:
            part = centred(LONG, length)
            alone = predict(lift, seen[:, part], **known)
            pairs = (
                (alone, whole[:, part]),
                (alone, truth[:, part]),
                (whole[:, part], truth[:, part]),
            )
            errors[length].append(np.array([mpjpe(a, b).mean() for a, b in pairs]))
    return [
        {"frames": length, **dict(zip(KEYS, (1e3 * np.mean(e, axis=0)).round(2), strict=True))}
        for length, e in errors.items()
    ]


if __name__ == "__main__":
    main()
