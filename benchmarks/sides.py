"""How many exchanges of left and right are found, and how many frames are exchanged wrongly.

    python benchmarks/sides.py --data DIR/motions_val.npz

Every sequence is seen by the four cameras of protocol ``mocap``; of sequences that cover more than
1.5 m also by one at right angles to the way, so that the legs pass each other in the image. Rates
are those of the data (50 Hz) and what is left of it when only every second and fourth frame is
kept. For exact joints and for those with the protocol's detector noise:

``kept``: frames as they are, of which none should be exchanged; ``wrong`` counts those that were.
``exchanged``: both, arms, or legs exchanged for 1 to 60 frames, with 30 to 150 frames between.
``recall`` is the share of these that were put back, ``wrong`` that of all others that were
exchanged. Counted are arms and legs apart, where left and right lie further from each other than
5 % of the person's height: nearer, the names matter little and tell as little. Writes JSON.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from poselift import __version__
from poselift.data.mocap import Motion, read_motions
from poselift.evaluation.mocap import (
    CAMERA_HEIGHT,
    FOCAL,
    IMAGE_SIZE,
    detector_noise,
    project_views,
)
from poselift.geometry.camera import Camera
from poselift.keypoints.sides import repair_sides
from poselift.poses import Pose2D
from poselift.skeleton import H36M_17

ROOT = Path(__file__).resolve().parents[1]
STEPS = (1, 2, 4)
APART = 0.05
SIDES = ("left", "right")
GROUPS = np.array(  # (2, 3, 2): arms and legs, joints, left and right
    [
        [[H36M_17.index(f"{side}_{name}") for side in SIDES] for name in group]
        for group in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    ]
)


class View(NamedTuple):
    """A sequence in one camera: exact and noisy pixels (T, 17, 2)."""

    kind: str
    seed: str
    pixels: dict[str, np.ndarray]


def views(motions: list[Motion]) -> Iterator[View]:
    for motion in motions:
        seen = [("protocol", pixels) for pixels in project_views(motion)]
        walk = side_view(motion)
        if walk is not None:
            seen.append(("walking sideways", walk))
        for k, (kind, exact) in enumerate(seen):
            noisy = detector_noise(motion.name, k, exact)
            yield View(kind, f"{motion.name}/{k}", {"exact": exact, "noisy": noisy})


def side_view(motion: Motion) -> np.ndarray | None:
    """The sequence from the side of the way, from where all of it is in view."""
    joints = motion.joints.astype(np.float64)
    root = joints[:, H36M_17.index("pelvis")]
    way = (root[-1] - root[0])[:2]
    length = float(np.linalg.norm(way))
    if length < 1.5:
        return None
    target = root.mean(axis=0)
    position = target + 1.5 * (length + 3) * np.append([-way[1], way[0]], 0) / length
    position[2] = CAMERA_HEIGHT
    width, height = IMAGE_SIZE
    camera = Camera.look_at(position, target, focal=FOCAL, width=width, height=height)
    return camera.project(camera.world_to_camera(joints))


def exchanges(frames: int, seed: str) -> np.ndarray:
    """(T, 2) which frames have arms, which legs exchanged."""
    rng = np.random.default_rng(zlib.crc32(f"{seed}/sides".encode()))
    out = np.zeros((frames, 2), dtype=bool)
    at = int(rng.integers(5, 60))
    while at < frames - 5:
        length = int(rng.integers(1, 61))
        # Mostly all of the body: that is what detectors do.
        which = [[0, 1], [0, 1], [0], [1]][rng.integers(4)]
        out[at : at + length, which] = True
        at += length + int(rng.integers(30, 150))
    return out


def exchange(pixels: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Pixels (T, 17, 2) with left and right exchanged where (T, 2) says so."""
    out = pixels.copy()
    for group, rows in zip(GROUPS, which.T, strict=True):
        for left, right in group:
            out[np.ix_(rows, [left, right])] = pixels[np.ix_(rows, [right, left])]
    return out


def found(pixels: np.ndarray, fps: float) -> np.ndarray:
    """(T, 2) what `repair_sides` exchanges."""
    _, report = repair_sides(Pose2D(pixels, fps=fps))
    return np.stack([report.arms[0], report.legs[0]], axis=-1)


def apart(pixels: np.ndarray) -> np.ndarray:
    """(T, 2) whether left and right lie apart in the image."""
    pairs = pixels[:, GROUPS]  # (T, 2, 3, 2, 2)
    width = np.linalg.norm(pairs[..., 0, :] - pairs[..., 1, :], axis=-1).mean(axis=-1)
    return width > APART * np.ptp(pixels[..., 1], axis=1)[:, None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a file of data/cmu-mocap")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/sides.json")
    arguments = parser.parse_args()
    motions = read_motions(arguments.data)
    counts: dict[tuple[str, float, str], np.ndarray] = {}
    for view in views(motions):
        for step in STEPS:
            fps = motions[0].fps / step
            clear = apart(view.pixels["exact"][::step])
            truth = exchanges(len(clear), view.seed)
            for kind, pixels in view.pixels.items():
                kept = found(pixels[::step], fps)
                put = found(exchange(pixels[::step], truth), fps)
                row = [
                    len(kept),
                    kept.any(axis=1).sum(),
                    *((truth & clear).sum(), (put & truth & clear).sum()),
                    *((~truth & clear).sum(), (put & ~truth & clear).sum()),
                ]
                key = (view.kind, fps, kind)
                counts[key] = counts.get(key, np.zeros(6, dtype=int)) + row
    report = {
        "poselift": __version__,
        "data": arguments.data.name,
        "rows": [
            {
                "view": view,
                "fps": fps,
                "joints": kind,
                "kept": {"frames": int(frames), "wrong": int(touched)},
                "exchanged": {
                    "recall": round(float(right / exchanged), 4),
                    "wrong": round(float(wrong / others), 4),
                },
            }
            for (view, fps, kind), (
                frames,
                touched,
                exchanged,
                right,
                others,
                wrong,
            ) in counts.items()
        ],
    }
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
