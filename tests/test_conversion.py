"""Conversions to Human3.6M: by name, by the published formulas, and by their laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from poselift.conversion import to_h36m, variants
from poselift.errors import UsageError
from poselift.geometry.mirror import mirror_keypoints
from poselift.layouts import LAYOUTS, MPI_INF_3DHP_17, get_layout
from poselift.poses import Pose2D
from poselift.skeleton import H36M_17, Skeleton

ALL = [(layout, variant) for layout in LAYOUTS for variant in variants(layout)]
MOVED = ("mediapipe-33", "anatomical")


def example(layout: str, seed: int = 0) -> Pose2D:
    """Two persons, three frames, random joints and scores."""
    rng = np.random.default_rng(seed)
    shape = (2, 3, len(LAYOUTS[layout]))
    return Pose2D(
        rng.uniform(100, 900, size=(*shape, 2)),
        rng.uniform(0.2, 1, size=shape),
        LAYOUTS[layout],
        fps=25,
        image_size=(1000, 1000),
        track_ids=np.array([4, 7]),
    )


def place(pose: Pose2D, joint: str) -> np.ndarray:
    return pose.keypoints[:, :, pose.skeleton.index(joint)]


def score(pose: Pose2D, joint: str) -> np.ndarray:
    return pose.scores[:, :, pose.skeleton.index(joint)]


def without(pose: Pose2D, *joints: str) -> Pose2D:
    keypoints = pose.keypoints.copy()
    keypoints[:, :, list(pose.skeleton.indices(joints))] = np.nan
    return replace(pose, keypoints=keypoints)


def test_every_layout_has_a_conversion() -> None:
    assert all(variants(layout) for layout in LAYOUTS)
    assert variants("no-such-layout") == ()


@pytest.mark.parametrize(("layout", "variant"), ALL)
def test_limbs_are_taken_by_name_and_all_else_is_kept(layout: str, variant: str) -> None:
    pose = example(layout)
    out = to_h36m(pose, variant)
    assert out.skeleton == H36M_17
    for joint in H36M_17.joints:
        if joint.startswith(("left_", "right_")):
            if (layout, variant) != MOVED or joint.endswith(("shoulder", "elbow", "wrist")):
                np.testing.assert_array_equal(place(out, joint), place(pose, joint))
            np.testing.assert_array_equal(score(out, joint), score(pose, joint))
    assert np.isfinite(out.keypoints).all()
    assert (out.fps, out.image_size) == (pose.fps, pose.image_size)
    np.testing.assert_array_equal(out.track_ids, pose.track_ids)


@pytest.mark.parametrize(("layout", "variant"), ALL)
@settings(max_examples=10, deadline=None)
@given(
    values=hnp.arrays(
        np.float32, (2, 136, 2), elements=st.floats(0, 1000, width=32, allow_subnormal=False)
    ),
    gone=hnp.arrays(np.bool_, (2, 136)),
)
def test_conversion_commutes_with_mirroring(
    layout: str, variant: str, values: np.ndarray, gone: np.ndarray
) -> None:
    skeleton = LAYOUTS[layout]
    values = np.where(gone[..., None], np.float32(np.nan), values)[:, : len(skeleton)]
    pose = Pose2D(values, skeleton=skeleton)
    turned = Pose2D(mirror_keypoints(pose.keypoints, 1000, skeleton), skeleton=skeleton)
    one = to_h36m(turned, variant)
    other = mirror_keypoints(to_h36m(pose, variant).keypoints, 1000)
    np.testing.assert_allclose(one.keypoints, other, atol=2e-3)
    order = list(H36M_17.mirror_indices)
    np.testing.assert_array_equal(one.scores, to_h36m(pose, variant).scores[:, :, order])


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=10, deadline=None)
@given(
    values=hnp.arrays(np.float32, (2, 136, 2), elements=st.integers(0, 1000)),
    gone=hnp.arrays(np.bool_, (2, 136)),
)
def test_mirroring_twice_changes_nothing(layout: str, values: np.ndarray, gone: np.ndarray) -> None:
    skeleton = LAYOUTS[layout]
    values = np.where(gone[..., None], np.float32(np.nan), values)[:, : len(skeleton)]
    once = mirror_keypoints(values, 1000, skeleton)
    np.testing.assert_array_equal(mirror_keypoints(once, 1000, skeleton), values)


@pytest.mark.parametrize(("layout", "variant"), ALL)
def test_conversion_commutes_with_moving_and_scaling(layout: str, variant: str) -> None:
    pose = example(layout)
    moved = replace(pose, keypoints=pose.keypoints * 2 + np.float32([30, -50]))
    np.testing.assert_allclose(
        to_h36m(moved, variant).keypoints,
        to_h36m(pose, variant).keypoints * 2 + np.float32([30, -50]),
        atol=5e-3,
    )


def test_mmpose_formulas() -> None:
    pose = example("coco-17")
    out = to_h36m(pose, "mmpose")
    hips = (place(pose, "left_hip") + place(pose, "right_hip")) / 2
    shoulders = (place(pose, "left_shoulder") + place(pose, "right_shoulder")) / 2
    np.testing.assert_allclose(place(out, "pelvis"), hips, rtol=1e-6)
    np.testing.assert_allclose(place(out, "thorax"), shoulders, rtol=1e-6)
    np.testing.assert_allclose(place(out, "spine"), (hips + shoulders) / 2, rtol=1e-6)
    np.testing.assert_array_equal(place(out, "neck"), place(pose, "nose"))
    eyes = (place(pose, "left_eye") + place(pose, "right_eye")) / 2
    np.testing.assert_allclose(place(out, "head"), eyes, rtol=1e-6)
    worst = np.minimum.reduce(
        [score(pose, f"{s}_{j}") for s in ("left", "right") for j in ("hip", "shoulder")]
    )
    np.testing.assert_array_equal(score(out, "spine"), worst)


def test_mhformer_formulas() -> None:
    """Worked by hand on one pose: shoulders at (100, 200), hips at (120, 400)."""
    at = {
        "nose": (130, 110),
        "left_eye": (128, 98),
        "right_eye": (120, 102),
        "left_ear": (118, 104),
        "right_ear": (110, 106),
        "left_shoulder": (140, 205),
        "right_shoulder": (60, 195),
        "left_hip": (140, 400),
        "right_hip": (100, 400),
    }
    skeleton = get_layout("coco-17")
    keypoints = np.array([at.get(joint, (0, 0)) for joint in skeleton.joints], dtype=float)
    out = to_h36m(Pose2D(keypoints[None], skeleton=skeleton), "mhformer")
    # thorax: (100, 200) + ((130, 110) - (100, 200)) / 3 = (110, 170), then y + 2/3 * (110 - 100)
    np.testing.assert_allclose(place(out, "thorax")[0, 0], (110, 170 + 20 / 3), rtol=1e-5)
    # spine: (110, 300), then x + 2 * (110 - (120 + 110) / 2) = 100
    np.testing.assert_allclose(place(out, "spine")[0, 0], (100, 300), rtol=1e-5)
    np.testing.assert_allclose(place(out, "neck")[0, 0], (122.5, 132.5), rtol=1e-5)
    np.testing.assert_allclose(place(out, "head")[0, 0], (119, 90), rtol=1e-5)


def test_motionbert_takes_halpe_joints_as_they_are() -> None:
    pose = example("halpe-26")
    out = to_h36m(pose, "motionbert")
    for h36m, halpe in ((0, 19), (8, 18), (9, 0), (10, 17)):
        np.testing.assert_array_equal(out.keypoints[:, :, h36m], pose.keypoints[:, :, halpe])
    middle = (pose.keypoints[:, :, 19] + pose.keypoints[:, :, 18]) / 2
    np.testing.assert_allclose(out.keypoints[:, :, 7], middle, rtol=1e-6)


def test_h36m_32_and_3dhp_by_their_published_index_lists() -> None:
    full = example("h36m-32")
    kept = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    np.testing.assert_array_equal(to_h36m(full).keypoints, full.keypoints[:, :, kept])
    order = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
    seventeen = example("mpi-inf-3dhp-17")
    np.testing.assert_array_equal(to_h36m(seventeen).keypoints, seventeen.keypoints[:, :, order])
    many = example("mpi-inf-3dhp-28")
    fewer = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
    via = replace(
        many,
        keypoints=many.keypoints[:, :, fewer],
        scores=many.scores[:, :, fewer],
        skeleton=MPI_INF_3DHP_17,
    )
    np.testing.assert_array_equal(to_h36m(many).keypoints, to_h36m(via).keypoints)


# A person upright, metres from the middle of the shoulders: forward and down. The face is what
# BlazePose sees of people, the targets are medians of the motion capture (subject skeletons).
FACE = {"nose": (0.17, -0.12), "eye": (0.155, -0.158), "ear": (0.05, -0.152)}
TARGET = {
    "spine": (-0.015, 0.283),
    "thorax": (-0.011, -0.043),
    "neck": (-0.011, -0.14),
    "head": (0.02, -0.234),
}


def upright(layout: str) -> Pose2D:
    """That person seen from the side, 1000 pixels for a metre."""
    at = FACE | {"hip": (0, 0.505)}
    skeleton = get_layout(layout)
    metres = [at.get(joint.split("_")[-1], (0.0, 0.0)) for joint in skeleton.joints]
    return Pose2D(1000 * np.array(metres)[None] + 2000, skeleton=skeleton)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "mmpose" in variants(name)])
def test_default_lies_on_the_joints_of_the_training_data(layout: str) -> None:
    out = to_h36m(upright(layout))
    for joint, target in TARGET.items():
        off = np.linalg.norm(place(out, joint)[0, 0] - 2000 - 1000 * np.array(target))
        assert off < 30, f"{joint} is {off:.0f} mm off"
    habit = to_h36m(upright(layout), "mmpose")
    for joint in ("neck", "head"):
        assert (
            np.linalg.norm(place(habit, joint)[0, 0] - 2000 - 1000 * np.array(TARGET[joint])) > 150
        )


def test_blazepose_gets_the_proportions_of_the_training_data() -> None:
    """Somebody upright as BlazePose sees people: thigh 0.71 and shank 0.72 of the trunk."""
    heights = {"shoulder": 2430, "hip": 1430, "knee": 720, "ankle": 0, "heel": -95}
    skeleton = get_layout("mediapipe-33")
    keypoints = np.full((1, len(skeleton), 2), [0.0, 2700.0])
    for n, joint in enumerate(skeleton.joints):
        keypoints[0, n, 1] = heights.get(joint.split("_")[-1], 2700)
    pose = Pose2D(keypoints, skeleton=skeleton)

    def proportions(variant: str) -> list[float]:
        out = to_h36m(pose, variant)
        at = [place(out, f"left_{name}")[0, 0, 1] for name in ("shoulder", "hip", "knee", "ankle")]
        trunk, thigh, shank = -np.diff(at)
        return [thigh / trunk, shank / trunk]

    np.testing.assert_allclose(proportions("detected"), [0.71, 0.72], rtol=1e-5)
    np.testing.assert_allclose(proportions("anatomical"), [0.766, 0.897], atol=0.012)


def test_blazepose_hips_keep_their_place_where_nothing_moves_them() -> None:
    pose = example("mediapipe-33")
    shoulders = (place(pose, "left_shoulder") + place(pose, "right_shoulder")) / 2
    hips = (place(pose, "left_hip") + place(pose, "right_hip")) / 2
    moved = to_h36m(pose)
    for side in ("left", "right"):
        np.testing.assert_allclose(
            place(moved, f"{side}_hip") - place(pose, f"{side}_hip"),
            0.06 * (shoulders - hips),
            atol=1e-3,
        )
    still = to_h36m(without(pose, "left_shoulder", "right_heel", "left_hip"))
    for joint in ("right_hip", "right_ankle", "left_knee"):
        np.testing.assert_array_equal(place(still, joint), place(pose, joint))
    np.testing.assert_array_equal(place(still, "left_ankle"), place(moved, "left_ankle"))
    assert np.isnan(place(still, "left_hip")).all()
    np.testing.assert_array_equal(
        place(to_h36m(pose, "detected"), "right_hip"), place(pose, "right_hip")
    )


def test_mpi_head_lies_below_the_crown() -> None:
    pose = example("mpi-15")
    neck, crown = place(pose, "neck"), place(pose, "head_top")
    np.testing.assert_allclose(
        place(to_h36m(pose), "head"), neck + 0.54 * (crown - neck), rtol=1e-5
    )
    np.testing.assert_array_equal(place(to_h36m(pose), "neck"), neck)


def test_absent_sources_make_absent_joints() -> None:
    out = to_h36m(without(example("coco-17"), "left_hip"))
    for joint in ("pelvis", "spine", "thorax", "left_hip"):
        assert np.isnan(place(out, joint)).all()
        assert (score(out, joint) == 0).all()
    for joint in ("neck", "head", "right_hip"):
        assert np.isfinite(place(out, joint)).all()


def test_one_ear_or_no_nose_will_do() -> None:
    pose = upright("coco-17")
    whole = to_h36m(pose)
    one = to_h36m(without(pose, "left_ear"))
    np.testing.assert_allclose(one.keypoints, whole.keypoints, atol=1e-3)  # ears coincide here
    behind = to_h36m(without(pose, "nose"))
    assert np.isfinite(place(behind, "head")).all()
    assert np.isnan(place(to_h36m(without(pose, "left_ear", "right_ear")), "head")).all()


def test_derived_scores_are_the_least_of_their_sources() -> None:
    pose = example("coco-17")
    hips = np.minimum(score(pose, "left_hip"), score(pose, "right_hip"))
    np.testing.assert_array_equal(score(to_h36m(pose), "pelvis"), hips)


def test_h36m_stays_as_it_is() -> None:
    pose = example("h36m-17")
    assert to_h36m(pose) is pose


def test_unknown_variant_and_own_skeletons_are_named() -> None:
    with pytest.raises(
        UsageError, match=r"'motionbert' from coco-17.*anatomical, mmpose, mhformer"
    ):
        to_h36m(example("coco-17"), "motionbert")
    own = Skeleton("mine", ("a", "b"), {})
    with pytest.raises(UsageError, match="no conversion from layout mine"):
        to_h36m(Pose2D(np.zeros((1, 2, 2)), skeleton=own))
