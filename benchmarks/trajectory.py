"""Paths of people in metres, jitter and sliding feet, on motion capture.

    python benchmarks/trajectory.py --data DIR/motions_test.npz nanohtnet

Every sequence is seen by the four cameras of protocol ``mocap`` and lifted; focal length and
image size are known, nothing else unless a row says so. Errors in mm, means over all frames of
all sequences and cameras.

Root: distance of the root from the true one in the camera's frame. ``absolute``; ``scaled``:
after the one factor for each clip that fits best, which takes out the size of the person, that a
camera cannot see; ``moved``: after subtracting the means over the clip.

- ``frame by frame``: linear least squares, as `Lifter.lift` gives it
- ``trajectory``: `poselift.geometry.trajectory.solve_trajectory`
- ``height``: the same, told the person's height (bones of the true skeleton)
- ``true joints``: the same, with the true joints in place of lifted ones
- ``place``: `poselift.geometry.world.place`, path and floor together

World: how far up is off (degrees), the height of the camera above the floor, and standing ankles
above their true height. Motion in the world: acceleration of the joints and its error (mm per
frame squared), and the way of standing feet over the floor (mm per frame in which the true foot
stands), before and after the foot lock (``lift --foot-lock``), and after smoothing (``zero phase``:
``lift --smooth``; ``one euro``: the filter for streams). ``--every`` takes a part of the sequences
and says so in the result. Writes JSON.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from poselift import Lifter, __version__
from poselift.data.mocap import Motion, read_motions
from poselift.evaluation.mocap import (
    FOCAL,
    IMAGE_SIZE,
    NOISES,
    camera_joints,
    cameras,
    detector_noise,
    project_views,
)
from poselift.geometry.contact import LEGS, SPEED_MEASURED, foot_contacts
from poselift.geometry.smooth import OneEuro
from poselift.geometry.steady import plant_feet, smooth_pose
from poselift.geometry.trajectory import solve_trajectory, stature
from poselift.geometry.world import place, to_world
from poselift.metrics.accumulate import Mean
from poselift.metrics.functional import acceleration_error, mpjpe
from poselift.metrics.motion import acceleration, foot_skate
from poselift.poses import Pose2D
from poselift.skeleton import H36M_17

ROOT = Path(__file__).resolve().parents[1]
CENTRE = np.array(IMAGE_SIZE) / 2
Means = dict[str, dict[str, Mean]]


def root_errors(found: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    """Distances (T,), metres, of roots (T, 3)."""
    known = np.isfinite(found).all(-1)
    found, true = found[known], true[known]
    scale = (found * true).sum() / (found**2).sum()
    pairs = {
        "absolute": (found, true),
        "scaled": (scale * found, true),
        "moved": (found - found.mean(0), true - true.mean(0)),
    }
    return {name: np.linalg.norm(a - b, axis=-1) for name, (a, b) in pairs.items()}


def measure(lifter: Lifter, motion: Motion, noise: str, means: Means, degrees: Means) -> None:
    """Add the errors of one sequence, metres and degrees."""

    def add(row: str, **values: Any) -> None:
        for name, value in values.items():
            means[row][name].add(value)

    views, truth = project_views(motion), camera_joints(motion)
    if noise == "detector":
        views = np.stack([detector_noise(motion.name, k, u) for k, u in enumerate(views)])
    pose = Pose2D(views, fps=motion.fps, image_size=IMAGE_SIZE, source=motion.name)
    lifted = lifter.lift(pose, focal=FOCAL)
    true_root = truth[:, :, :1]
    tall = float(stature(truth[:1])[0])
    options: dict[str, Any] = {"times": pose.times, "scores": lifted.scores}

    def path(joints: np.ndarray, **more: Any) -> np.ndarray:
        found = solve_trajectory(joints, lifted.keypoints, FOCAL, CENTRE, **options, **more)
        return found.root

    roots = {
        "frame by frame": lifted.root.astype(np.float64),
        "trajectory": path(lifted.joints),
        "height": path(lifted.joints, height=tall),
        "true joints": path(truth - true_root),
    }
    for row, root in roots.items():
        for view in range(len(truth)):
            add(f"root, {row}", **root_errors(root[view], truth[view, :, 0]))

    real = motion.joints[None].astype(np.float64)
    stands = foot_contacts(real, pose.times, speed=SPEED_MEASURED)
    ankles = list(H36M_17.indices([leg[-1] for leg in LEGS]))
    add("motion, true", acceleration=acceleration(real), skate=foot_skate(real, stands))
    for view, camera in enumerate(cameras(motion)):
        one = slice(view, view + 1)
        person = replace(
            lifted,
            joints=lifted.joints[one],
            root=lifted.root[one],
            keypoints=lifted.keypoints[one],
            scores=lifted.scores[one],
            track_ids=lifted.track_ids[one],
        )
        placed, world = place(person)
        add("root, place", **root_errors(placed.root[0].astype(np.float64), truth[view, :, 0]))
        off = np.arccos(np.clip(world.up @ camera.rotation[:, 2], -1, 1))
        weight = np.full(motion.num_frames, 1.0)
        degrees["world"]["up"].add(np.degrees(off) * weight)
        add("world", camera_height=abs(world.height - camera.position[2]) * weight)
        told, height_world = place(person, height=tall)
        degrees["world, height"]["up"].add(
            np.degrees(np.arccos(np.clip(height_world.up @ camera.rotation[:, 2], -1, 1))) * weight
        )
        add("world, height", camera_height=abs(height_world.height - camera.position[2]) * weight)
        standing_true = np.where(stands, real[:, :, ankles, 2], np.nan)
        for row, (p, w) in {
            "world": (placed, world),
            "world, height": (told, height_world),
        }.items():
            add(row, standing_ankles=np.abs(to_world(p, w)[:, :, ankles, 2] - standing_true))

        found = world.points(truth[one])  # the truth in the frame that was found: same scale
        joints = to_world(placed, world)
        relative = np.moveaxis(placed.joints.astype(np.float64), 1, 0)
        euro = np.moveaxis(OneEuro().clip(relative, pose.times), 0, 1)
        smooth = smooth_pose(placed)
        moving = {
            "frame by frame": world.points(person.absolute.astype(np.float64)),
            "place": joints,
            "place, zero phase": to_world(smooth, world),
            "place, one euro": world.points(euro + placed.root[:, :, None]),
            "place, foot lock": to_world(plant_feet(placed, world), world),
            "place, zero phase, foot lock": to_world(plant_feet(smooth, world), world),
        }
        for row, moved in moving.items():
            pelvis = moved[:, :, :1]
            add(
                f"motion, {row}",
                acceleration=acceleration(moved),
                acceleration_error=acceleration_error(moved, found),
                skate=foot_skate(moved, stands),
                p1=mpjpe(moved - pelvis, found - found[:, :, :1]),
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a shipped name or a checkpoint folder")
    parser.add_argument("--data", type=Path, required=True, help="motions_*.npz")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--only", choices=("subject",), help="sequences with people's own bones")
    parser.add_argument("--every", metavar="N", type=int, default=1, help="only each Nth sequence")
    parser.add_argument("--noise", choices=NOISES, nargs="+", default=list(NOISES))
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/trajectory.json")
    arguments = parser.parse_args()
    motions = [
        motion
        for motion in read_motions(arguments.data)
        if arguments.only in (None, motion.skeleton)
    ][:: arguments.every]
    lifter = Lifter(arguments.model, backend=arguments.backend, stride=arguments.stride)
    report: dict[str, Any] = {
        "poselift": __version__,
        "model": Path(arguments.model).name,
        "data": arguments.data.name,
        "sequences": [motion.name for motion in motions],
        "frames": sum(motion.num_frames for motion in motions),
        "only": arguments.only,
        "every": arguments.every,
        "stride": arguments.stride,
    }
    for noise in arguments.noise:
        means: Means = defaultdict(lambda: defaultdict(Mean))
        degrees: Means = defaultdict(lambda: defaultdict(Mean))
        for motion in motions:
            measure(lifter, motion, noise, means, degrees)
        report[noise] = {
            row: {
                **{f"{name}_mm": round(mean.value * 1000, 2) for name, mean in columns.items()},
                **{f"{name}_degrees": round(m.value, 2) for name, m in degrees[row].items()},
            }
            for row, columns in means.items()
        }
        print(f"\n### 2D: {noise}\n\n| | |\n|---|---|")
        for row, columns in report[noise].items():
            print(f"| {row} | " + ", ".join(f"{k} {v}" for k, v in columns.items()) + " |")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
