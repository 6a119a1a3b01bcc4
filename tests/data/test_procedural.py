from __future__ import annotations

import numpy as np
import pytest

from poselift.data.procedural import generate
from poselift.errors import UsageError
from poselift.skeleton import H36M_17

KINDS = ("walk", "turn", "squat", "wave")
AT = {joint: i for i, joint in enumerate(H36M_17.joints)}


def _bones(joints: np.ndarray) -> np.ndarray:
    return np.stack(
        [np.linalg.norm(joints[:, p] - joints[:, c], axis=-1) for p, c in H36M_17.bones]
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_person(kind: str, seed: int):
    motion = generate(kind, seconds=4, seed=seed)
    joints = motion.joints.astype(np.float64)
    assert motion.num_frames == 200
    assert motion.fps == 50
    bones = _bones(joints)
    assert bones.std(axis=1).max() < 1e-6  # constant, up to float32
    assert bones.min() > 0.08
    assert bones.max() < 0.55
    assert 1.4 < joints[:, AT["head"], 2].max() < 1.85
    assert joints[..., 2].min() > 0.079  # never through the floor
    lower = joints[:, [AT["left_ankle"], AT["right_ankle"]], 2].min(axis=1)
    assert lower.max() < 0.12  # and never in the air
    assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 50 < 8
    assert np.abs(np.diff(joints, 2, axis=0)).max() * 50**2 < 80


@pytest.mark.parametrize("kind", KINDS)
def test_knees_and_elbows_bend_the_right_way(kind: str):
    joints = generate(kind, seconds=4, seed=5).joints
    right = joints[:, AT["right_hip"]] - joints[:, AT["left_hip"]]
    forward = np.stack([-right[:, 1], right[:, 0], 0 * right[:, 0]], axis=-1)
    for side in ("left", "right"):
        hip, knee, ankle = (joints[:, AT[f"{side}_{j}"]] for j in ("hip", "knee", "ankle"))
        bulge = ((knee - (hip + ankle) / 2) * forward).sum(axis=-1)
        assert (bulge > 0).all()
    if kind == "walk":
        path = joints[-1, 0] - joints[0, 0]
        step = np.diff(joints[:, 0], axis=0)
        assert np.linalg.norm(path[:2]) > 2
        assert ((step * forward[:-1]).sum(axis=-1) > 0).mean() > 0.95  # walks forward
        shoulder, wrist = AT["right_shoulder"], AT["right_wrist"]
        arm = ((joints[:, wrist] - joints[:, shoulder]) * forward).sum(axis=-1)
        leg = ((joints[:, AT["right_ankle"]] - joints[:, 0]) * forward).sum(axis=-1)
        assert np.corrcoef(arm, leg)[0, 1] < -0.5  # arm against leg


def test_standing_feet_do_not_slide():
    joints = generate("walk", seconds=5, seed=1).joints
    for ankle in (AT["left_ankle"], AT["right_ankle"]):
        foot = joints[:, ankle]
        down = foot[:, 2] < 0.0801
        still = down[1:] & down[:-1]
        assert still.sum() > 60
        assert np.linalg.norm(np.diff(foot, axis=0), axis=-1)[still].max() < 1e-3


def test_each_kind_does_what_it_says():
    squat = generate("squat", seconds=4).joints
    assert np.ptp(squat[:, 0, 2]) > 0.25
    wave = generate("wave", seconds=4).joints
    wrists = wave[:, [AT["left_wrist"], AT["right_wrist"]], 2].max(axis=0)
    assert (wrists > wave[0, AT["head"], 2]).sum() == 1  # one arm up
    turn = generate("turn", seconds=5).joints
    hips = turn[:, AT["right_hip"]] - turn[:, AT["left_hip"]]
    assert np.ptp(np.unwrap(np.arctan2(hips[:, 1], hips[:, 0]))) > 2.5
    assert np.ptp(turn[:, 0, :2], axis=0).max() < 0.3


def test_seeds_and_frame_rates():
    walk = generate("walk", seconds=2, fps=50, seed=4)
    np.testing.assert_array_equal(walk.joints, generate("walk", seconds=2, fps=50, seed=4).joints)
    assert np.abs(_bones(walk.joints) - _bones(generate("walk", seconds=2).joints)).max() > 0.005
    half = generate("walk", seconds=2, fps=25, seed=4)
    np.testing.assert_allclose(half.joints, walk.joints[::2], atol=1e-5)
    assert generate("wave", seconds=0.001).num_frames == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "swim"},
        {"seconds": 0},
        {"seconds": np.nan},
        {"fps": -1},
        {"fps": np.inf},
        {"seed": -1},
    ],
)
def test_what_cannot_be_made_is_refused(arguments):
    with pytest.raises(UsageError):
        generate(**arguments)
