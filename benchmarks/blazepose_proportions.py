"""Where BlazePose's hips, knees and ankles lie, seen from the joints of motion capture.

    python benchmarks/blazepose_proportions.py --data DIR/motions_train.npz --blazepose DIR

``DIR`` of ``--blazepose`` holds what MediaPipe finds in ``sports2d_demo.npz``: a man who stands and
jumps, facing the camera, and a woman who walks across the view, both with the whole body seen. Of
each, thigh and shank are compared with the trunk (middle of hips to middle of shoulders) in the
frames in which a leg is straight: medians over frames, means over the two. The target are the
medians of the subjects' own skeletons in the motion capture.

Printed are the smallest shifts (sum of squares, in trunks) that turn the former into the latter:
hips up along the trunk, knees up along the thigh, ankles down; `poselift.conversion` has them
rounded. Two people measured in an image are few: tables of stature and MediaPipe's own 3D landmarks
say the same of the leg as a whole (1.70 and 1.55 trunks; here 1.43, motion capture 1.66).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from poselift.data.mocap import read_motions
from poselift.keypoints import read
from poselift.layouts import MEDIAPIPE_33
from poselift.skeleton import H36M_17, Skeleton

PEOPLE = {"man": [*range(20, 60), *range(74, 92)], "woman": list(range(170, 201))}
"""Frames of the video."""
STRAIGHT = 10.0  # degrees between thigh and shank


def lengths(joints: np.ndarray, skeleton: Skeleton, straight: float = 180.0) -> np.ndarray:
    """Medians of thigh and shank in trunks, (T, J, C) -> (2,)."""

    def at(name: str) -> np.ndarray:
        return joints[:, skeleton.index(name)]

    trunk = at("left_shoulder") + at("right_shoulder") - at("left_hip") - at("right_hip")
    found = []
    for side in ("left", "right"):
        thigh = at(f"{side}_knee") - at(f"{side}_hip")
        shank = at(f"{side}_ankle") - at(f"{side}_knee")
        long = [np.linalg.norm(bone, axis=-1) for bone in (thigh, shank, trunk / 2)]
        good = (thigh * shank).sum(-1) > np.cos(np.radians(straight)) * long[0] * long[1]
        found.append(np.stack([long[0] / long[2], long[1] / long[2]], -1)[good])
    return np.median(np.concatenate(found), axis=0)


def shifts(seen: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Hips up, knees up, ankles down, in trunks: least squares among those that fit.

    A hip that is raised by a leaves 1 - a of the trunk:
    thigh + a - b = target (1 - a), shank + b + c = target (1 - a).
    """
    sums = np.array([[1 + target[0], -1, 0], [target[1], 1, 1]])
    return np.linalg.pinv(sums) @ (target - seen)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="motions_train.npz")
    parser.add_argument("--blazepose", type=Path, required=True)
    arguments = parser.parse_args()
    motions = [m for m in read_motions(arguments.data) if m.skeleton == "subject"]
    target = np.median([lengths(m.joints, H36M_17) for m in motions], axis=0)
    points = read(arguments.blazepose / "sports2d_demo.npz").keypoints.astype(np.float64)
    each = {}
    for name, frames in PEOPLE.items():
        # MediaPipe goes over from one person to the other, the reader parts them again.
        rows = points[:, frames]
        row = rows[np.isfinite(rows[..., 0, 0]).sum(axis=1).argmax()]
        whole = row[np.isfinite(row).all(axis=(1, 2))]
        each[name] = lengths(whole, MEDIAPIPE_33, STRAIGHT)
        print(f"{name}: thigh {each[name][0]:.3f}, shank {each[name][1]:.3f} of the trunk")
    seen = np.mean(list(each.values()), axis=0)
    print(f"mean: {seen[0]:.3f}, {seen[1]:.3f}; motion capture: {target[0]:.3f}, {target[1]:.3f}")
    hip, knee, ankle = shifts(seen, target)
    print(f"hips up {hip:.3f} of the trunk")
    print(f"knees up {knee:.3f} of the trunk, {knee / seen[0]:.3f} of the thigh")
    print(f"ankles down {ankle:.3f} of the trunk, {ankle / seen[1]:.3f} of the shank")


if __name__ == "__main__":
    main()
