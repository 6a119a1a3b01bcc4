"""Lifted people against triangulated ones, on two calibrated views of real video.

    python benchmarks/calibrated_pair.py --media DIR --blazepose DIR --model nanohtnet

``DIR`` of ``--media`` holds ``pose2sim_single_calibration.qca.txt``, that of ``--blazepose`` what
MediaPipe finds in the two videos (``pose2sim_single_cam01.npz``, ``pose2sim_single_cam02.npz``).
``--model`` takes shipped names and checkpoint folders and can be given several times.

Reference: BlazePose's 2D joints of both views, converted to the 17 joints, triangulated. The
cameras are turned against each other by up to a degree since they were calibrated, so that the
second camera is refined on the joints (rotation, and direction of the baseline, whose length
stays). Frames in which the detector swaps left and right in the second view, listed by hand, are
left out, and so are those whose joints do not meet. The reference shares the 2D errors of the
views: what is measured is the step from 2D to 3D.

Every view is lifted on its own, with its swapped frames. Rows, for each network:

- ``as detected``: conversion ``detected``, no repair
- ``sides``: `poselift.keypoints.sides` puts left and right back
- ``joints``: conversion ``anatomical``, which moves BlazePose's hips, knees and ankles to where
  motion capture has them; nothing of the move comes from these videos
- ``sides, joints``: both, the default of `Lifter.lift`
- ``sides, joints, flip``: and averaged with the mirrored view

Errors, root aligned, mean over 17 joints and frames, mm: ``rotation``: after one rotation for the
whole sequence; ``rotation and scale``: and one scale; ``procrustes``: after rotation, shift and
scale of each frame. Each of them against the reference of the same joints (``same_joints``: what
was lifted is what was triangulated) and against that of the joints as detected
(``detected_joints``, in which moved joints count as errors). MediaPipe's own 3D landmarks
(``world``), converted in the same two ways, are measured alike.

``swapped_frames`` are the same errors over the frames left out, where their joints meet once the
listed ones are put back: what a user sees where the detector fails. Writes JSON.
"""

from __future__ import annotations

import argparse
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from poselift import Lifter, __version__
from poselift.conversion import to_h36m
from poselift.geometry.align import procrustes
from poselift.geometry.camera import Camera
from poselift.geometry.world import place
from poselift.keypoints import read
from poselift.layouts import MEDIAPIPE_33
from poselift.metrics.functional import mpjpe, p_mpjpe
from poselift.poses import Pose2D, Pose3D
from poselift.skeleton import H36M_17

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("cam01", "cam02")
PRIOR = 0.3
"""Degrees, see `refine`."""
SWAPPED = [*range(41, 62), 63, 65, *range(67, 75), 81]
"""Frames of the second view in which the detector takes left for right."""
VARIANTS = ("detected", "anatomical")
CORRECTIONS = {
    "as detected": ("detected", False),
    "sides": ("detected", True),
    "joints": ("anatomical", False),
    "sides, joints": ("anatomical", True),
}
FLIPPED = {"sides, joints, flip": ("anatomical", True)}


@dataclass(frozen=True)
class Lens:
    """Camera of the calibration and its distortion (k1, k2, p1, p2)."""

    camera: Camera
    distortion: np.ndarray

    def undistort(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) as a camera without distortion would have them."""
        k1, k2, p1, p2 = self.distortion
        seen = (pixels - self.camera.centre) / self.camera.focal
        x = seen.copy()
        for _ in range(10):
            a, b = x[..., :1], x[..., 1:]
            r2 = a**2 + b**2
            shift = np.concatenate(
                [2 * p1 * a * b + p2 * (r2 + 2 * a**2), p1 * (r2 + 2 * b**2) + 2 * p2 * a * b], -1
            )
            x = (seen - shift) / (1 + k1 * r2 + k2 * r2**2)
        return x * self.camera.focal + self.camera.centre


def read_calibration(path: Path) -> dict[str, Lens]:
    """Cameras of a Qualisys calibration by their serial; millimetres and 1/64 pixel in the file."""
    lenses = {}
    for node in ElementTree.parse(path).getroot().iter("camera"):
        transform, intrinsic = node.find("transform"), node.find("intrinsic")
        video = node.find("fov_video")
        if transform is None or intrinsic is None or video is None:
            raise SystemExit(f"{path}: a camera without transform, intrinsic or fov_video")
        turn = np.array([[float(transform.get(f"r{i}{j}")) for j in "123"] for i in "123"])

        def numbers(*keys: str, of: Any = intrinsic) -> np.ndarray:
            return np.array([float(of.get(key)) for key in keys])

        # Qualisys' camera looks along -z with y up. The file's digits leave it not quite a turn.
        u, _, vt = np.linalg.svd(np.diag([1.0, -1.0, -1.0]) @ turn)
        right, bottom = numbers("right", "bottom", of=video)
        camera = Camera(
            u @ vt,
            numbers("x", "y", "z", of=transform) / 1000,
            numbers("focalLengthU", "focalLengthV") / 64,
            numbers("centerPointU", "centerPointV") / 64,
            int(right) + 1,
            int(bottom) + 1,
        )
        distortion = numbers(
            "radialDistortion1",
            "radialDistortion2",
            "tangentalDistortion1",
            "tangentalDistortion2",
        )
        lenses[node.get("serial", "")] = Lens(camera, distortion)
    return lenses


def triangulate(cameras: list[Camera], pixels: np.ndarray) -> np.ndarray:
    """World points (..., 3) from pixels (2, ..., 2): two rounds of linear least squares."""
    rows, right = [], []
    for camera, uv in zip(cameras, pixels, strict=True):
        xy = (uv - camera.centre) / camera.focal
        r, t = camera.rotation, -camera.rotation @ camera.position
        for axis in range(2):
            rows.append(r[axis] - xy[..., axis, None] * r[2])
            right.append(xy[..., axis] * t[2] - t[axis])
    a, b = np.stack(rows, -2), np.stack(right, -1)
    weight = np.ones(b.shape)
    for _ in range(3):  # divided by depth, the errors become those in the image
        aw, bw = a * weight[..., None], b * weight
        x = np.linalg.solve(aw.swapaxes(-1, -2) @ aw, (aw.swapaxes(-1, -2) @ bw[..., None]))[..., 0]
        depth = np.stack([c.world_to_camera(x)[..., 2] for c in cameras], -1)
        weight = np.repeat(1 / depth, 2, axis=-1)
    return x


def residuals(cameras: list[Camera], pixels: np.ndarray) -> np.ndarray:
    """Errors (2, ..., 2) in pixels of the triangulated points."""
    points = triangulate(cameras, pixels)
    return np.stack([c.project(c.world_to_camera(points)) for c in cameras]) - pixels


def reprojection(cameras: list[Camera], pixels: np.ndarray) -> np.ndarray:
    """Distances (2, ...) in pixels between joints and the triangulated points."""
    return np.linalg.norm(residuals(cameras, pixels), axis=-1)


def refine(cameras: list[Camera], pixels: np.ndarray) -> tuple[list[Camera], np.ndarray]:
    """Turn the second camera and swing it about the first until the rays of joints meet.

    Gauss-Newton with numerical derivatives and Huber weights on the reprojection. The published
    place is a prior: turning about the vertical while swinging along changes the person's size
    and next to nothing in the images (4 degrees bring 0.1 pixel), so joints cannot decide that.
    """
    first, second = cameras
    baseline = second.position - first.position
    across = np.linalg.svd(baseline[None])[2][1:]  # two directions across the baseline

    def moved(x: np.ndarray) -> list[Camera]:
        swung = baseline + np.linalg.norm(baseline) * (x[3:] @ across)
        swung *= np.linalg.norm(baseline) / np.linalg.norm(swung)
        turned = rotation_vector(x[:3]) @ second.rotation
        return [first, replace(second, rotation=turned, position=first.position + swung)]

    x, step = np.zeros(5), 1e-6
    for _ in range(30):
        base = residuals(moved(x), pixels)
        slope = np.stack(
            [(residuals(moved(x + step * e), pixels) - base) / step for e in np.eye(5)], -1
        )
        size = np.linalg.norm(base, axis=-1)
        # Errors last over frames: ten of them tell as much as one.
        sigma = np.median(size) / 1.177
        weight = np.minimum(1, 2 * sigma / np.maximum(size, 1e-9)) / sigma**2 / 10
        normal = np.einsum("vtjci,vtj,vtjck->ik", slope, weight, slope)
        right = np.einsum("vtjci,vtj,vtjc->i", slope, weight, base)
        prior = np.radians(PRIOR) ** -2.0
        change = -np.linalg.solve(normal + prior * np.eye(5), right + prior * x)
        x = x + change
        if np.abs(change).max() < 1e-8:
            break
    return moved(x), x


def rotation_vector(vector: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) by a vector of radians."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / max(angle, 1e-12)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def one_rotation(source: np.ndarray, target: np.ndarray, scaled: bool = False) -> np.ndarray:
    """Root-relative (T, J, 3) ``source`` after the one rotation (and scale) that fits best."""
    # Each joint beside its negative: the middle of all stays at the root.
    both = [np.concatenate([a.reshape(-1, 3), -a.reshape(-1, 3)]) for a in (source, target)]
    found = procrustes(*both)
    return (found.scale if scaled else 1.0) * source @ found.rotation.T


def errors(predicted: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """All figures of one view, mm; (T, 17, 3) metres, any frame and root."""
    root = H36M_17.index("pelvis")
    p, r = (a - a[:, root : root + 1] for a in (predicted, reference))
    turned = one_rotation(p, r)
    return {
        "rotation_mm": mm(mpjpe(turned, r)),
        "rotation_and_scale_mm": mm(mpjpe(one_rotation(p, r, scaled=True), r)),
        "procrustes_mm": mm(p_mpjpe(p, r)),
    }


def mm(metres: np.ndarray) -> float:
    return round(float(np.mean(metres)) * 1000, 2)


def world_landmarks(path: Path, variant: str) -> np.ndarray:
    """MediaPipe's own 3D (T, 33, 3), converted to the 17 joints as the 2D joints are.

    The conversion is linear in each coordinate, so that x, y and then z go through it.
    """
    with np.load(path) as archive:
        world, score = archive["tracking_world"], archive["tracking_visibility"]

    def convert(columns: np.ndarray) -> np.ndarray:
        return to_h36m(Pose2D(columns, score, MEDIAPIPE_33), variant).keypoints[0]

    xy, zz = convert(world[..., :2]), convert(world[..., [2, 2]])
    return np.concatenate([xy, zz[..., :1]], -1).astype(np.float64)


def unswapped(view: Pose2D) -> Pose2D:
    """The second view with left and right as they are."""
    keypoints, scores = view.keypoints.copy(), view.scores.copy()
    mirror = list(view.skeleton.mirror_indices)
    keypoints[:, SWAPPED] = keypoints[:, SWAPPED][:, :, mirror]
    scores[:, SWAPPED] = scores[:, SWAPPED][:, :, mirror]
    return replace(view, keypoints=keypoints, scores=scores)


@dataclass(frozen=True)
class Reference:
    """The triangulated person.

    Args:
        cameras: refined.
        joints: conversion -> (T, 17, 3) metres, world; only ``frames`` and ``swapped`` are good.
        frames: compared in all views.
        swapped: frames that the detector swaps and whose joints meet.
        about: for the report.
    """

    cameras: list[Camera]
    joints: dict[str, np.ndarray]
    frames: np.ndarray
    swapped: np.ndarray
    about: dict[str, Any]

    @classmethod
    def of(cls, lenses: list[Lens], views: list[Pose2D]) -> Reference:
        """From both views, of which the second has left and right put back by hand."""
        pixels = {
            variant: np.stack(
                [
                    lens.undistort(to_h36m(view, variant).keypoints[0].astype(np.float64))
                    for lens, view in zip(lenses, views, strict=True)
                ]
            )  # (2, T, 17, 2)
            for variant in VARIANTS
        }
        seen = pixels["detected"]
        published = [lens.camera for lens in lenses]
        frames = np.setdiff1d(np.arange(seen.shape[1]), SWAPPED)
        cameras, _ = refine(published, seen[:, frames])
        off = reprojection(cameras, seen).mean(axis=(0, 2))
        most = 3 * np.median(off[frames])
        frames = frames[off[frames] < most]
        cameras, moved = refine(published, seen[:, frames])
        swapped = np.array([frame for frame in SWAPPED if off[frame] < most])

        def mean(which: list[Camera]) -> float:
            return round(float(reprojection(which, seen[:, frames]).mean()), 2)

        about = {
            "frames": len(frames),
            "left_out": np.setdiff1d(np.arange(seen.shape[1]), frames).tolist(),
            "swapped_frames": len(swapped),
            "reprojection_px": {"published": mean(published), "refined": mean(cameras)},
            "refined_by_degrees": {
                "rotation": round(float(np.degrees(np.linalg.norm(moved[:3]))), 2),
                "baseline": round(float(np.degrees(np.linalg.norm(moved[3:]))), 2),
            },
        }
        joints = {variant: triangulate(cameras, pixels[variant]) for variant in VARIANTS}
        return cls(cameras, joints, frames, swapped, about)

    def compare(self, joints: np.ndarray, variant: str) -> dict[str, Any]:
        """All errors of (T, 17, 3) joints of a conversion."""
        joints = joints.astype(np.float64)

        def over(frames: np.ndarray, of: str) -> dict[str, float]:
            return errors(joints[frames], self.joints[of][frames])

        return {
            "same_joints": over(self.frames, variant),
            "detected_joints": over(self.frames, "detected"),
            "swapped_frames": over(self.swapped, variant),
        }


def trajectory(lifted: Pose3D, reference: Reference, camera: Camera) -> dict[str, Any]:
    """How far the root and the floor are off."""
    frames = reference.frames
    placed, world = place(lifted)
    root = placed.root[0, frames].astype(np.float64)
    true = camera.world_to_camera(reference.joints["anatomical"][frames, H36M_17.index("pelvis")])
    scale = float((root * true).sum() / (root**2).sum())
    angle = np.arccos(np.clip(world.up @ camera.rotation[:, 2], -1, 1))
    return {
        "root_mm": mm(np.linalg.norm(root - true, axis=-1)),
        "root_after_one_scale_mm": mm(np.linalg.norm(scale * root - true, axis=-1)),
        "up_degrees": round(float(np.degrees(angle)), 2),
        "world": world.describe(),
        "true_camera_height_m": round(float(camera.position[2]), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", action="append", metavar="NAME|FOLDER", help="as often as needed"
    )
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--blazepose", type=Path, required=True)
    parser.add_argument("--backend", default="auto")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "benchmarks/results/calibrated_pair.json"
    )
    arguments = parser.parse_args()

    calibration = read_calibration(arguments.media / "pose2sim_single_calibration.qca.txt")
    files = [arguments.blazepose / f"pose2sim_single_{name}.npz" for name in NAMES]
    views = [read(path) for path in files]
    reference = Reference.of([calibration[name] for name in NAMES], [views[0], unswapped(views[1])])
    rows: list[dict[str, Any]] = []
    for name, path in zip(NAMES, files, strict=True):
        for variant in VARIANTS:
            own = reference.compare(world_landmarks(path, variant), variant)
            rows.append({"method": "MediaPipe world", "view": name, "joints": variant, **own})
    for model in arguments.model or ["nanohtnet"]:
        for flip in (False, True):
            lifter = Lifter(model, backend=arguments.backend, flip=flip)
            for name, view, camera in zip(NAMES, views, reference.cameras, strict=True):
                for what, (variant, repair) in (FLIPPED if flip else CORRECTIONS).items():
                    lifted = lifter.lift(
                        view, variant=variant, focal=float(camera.focal.mean()), repair=repair
                    )
                    row = {"method": Path(model).name, "view": name, "corrections": what}
                    row |= reference.compare(lifted.joints[0], variant)
                    if what == "sides, joints":
                        row |= trajectory(lifted, reference, camera)
                    rows.append(row)
    report = {"poselift": __version__, **reference.about, "rows": rows}
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    print(table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: one rotation / Procrustes in mm, against the same joints."""
    lines = ["| | cam01 | cam02 | cam02, swapped frames |", "|---|---:|---:|---:|"]
    both: dict[str, dict[str, Any]] = {}
    for row in rows:
        what = row.get("corrections", f"joints {row.get('joints')}")
        both.setdefault(f"{row['method']}: {what}", {})[row["view"]] = row

    def cell(values: dict[str, float]) -> str:
        return f"{values['rotation_mm']:.1f} / {values['procrustes_mm']:.1f}"

    for name, views in both.items():
        first, second = (views[view] for view in NAMES)
        cells = (first["same_joints"], second["same_joints"], second["swapped_frames"])
        lines.append(f"| {name} | {' | '.join(map(cell, cells))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
