"""Layouts against the published orders, and the laws every layout obeys."""

from __future__ import annotations

import pytest

from poselift.errors import UsageError
from poselift.layouts import (
    BODY_25,
    COCO_17,
    COCO_WHOLEBODY_133,
    H36M_17,
    H36M_32,
    HALPE_26,
    HALPE_136,
    LAYOUTS,
    MEDIAPIPE_33,
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    get_layout,
)


@pytest.mark.parametrize("name", LAYOUTS)
def test_mirror_is_its_own_inverse_and_pairs_left_with_right(name: str) -> None:
    skeleton = LAYOUTS[name]
    mirror = skeleton.mirror_indices
    assert [mirror[mirror[j]] for j in range(len(skeleton))] == list(range(len(skeleton)))
    for j, joint in enumerate(skeleton.joints):
        sided = joint.startswith(("left_", "right_"))
        assert (mirror[j] != j) == sided, joint


@pytest.mark.parametrize("name", LAYOUTS)
def test_bones_are_symmetric_and_have_no_rings(name: str) -> None:
    skeleton = LAYOUTS[name]
    parents = skeleton.parent_indices
    for j in range(len(skeleton)):
        seen = set()
        while parents[j] >= 0:
            assert j not in seen
            seen.add(j)
            j = parents[j]
    if skeleton.root is not None:
        assert parents[skeleton.index(skeleton.root)] == -1


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("h36m-17", 17),
        ("coco-17", 17),
        ("halpe-26", 26),
        ("body-25", 25),
        ("coco-18", 18),
        ("mpi-15", 15),
        ("coco-wholebody-133", 133),
        ("mediapipe-33", 33),
        ("h36m-32", 32),
        ("mpi-inf-3dhp-17", 17),
        ("mpi-inf-3dhp-28", 28),
        ("halpe-68", 68),
        ("halpe-136", 136),
    ],
)
def test_number_of_joints(name: str, count: int) -> None:
    assert len(get_layout(name)) == count == int(name.rpartition("-")[2])


def test_known_places() -> None:
    assert COCO_17.indices(("nose", "left_eye", "right_ear", "left_hip")) == (0, 1, 4, 11)
    assert HALPE_26.indices(("head_top", "thorax", "pelvis", "left_big_toe")) == (17, 18, 19, 20)
    assert HALPE_26.indices(("right_big_toe", "left_heel", "right_heel")) == (21, 24, 25)
    assert BODY_25.indices(("thorax", "right_wrist", "pelvis", "left_ankle")) == (1, 4, 8, 14)
    assert BODY_25.indices(("right_eye", "left_ear", "left_heel", "right_heel")) == (15, 18, 21, 24)
    assert MEDIAPIPE_33.indices(("left_ear", "left_shoulder", "right_hip")) == (7, 11, 24)
    assert MEDIAPIPE_33.indices(("left_eye", "right_eye", "right_foot_index")) == (2, 5, 32)
    assert COCO_WHOLEBODY_133.indices(("right_heel", "left_hand_root")) == (22, 91)
    assert COCO_WHOLEBODY_133.index("right_pinky_finger4") == 132
    assert HALPE_136.indices(("left_hand_root", "right_hand_root")) == (94, 115)


def test_whole_body_face_pairs_are_those_of_the_68_points() -> None:
    mirror = COCO_WHOLEBODY_133.mirror_indices
    # 23 + iBUG number: ear to ear, brows, eye corners, mouth corners; chin and nose stay.
    for right, left in ((0, 16), (17, 26), (36, 45), (39, 42), (48, 54), (60, 64)):
        assert mirror[23 + right] == 23 + left
    assert [mirror[23 + n] for n in (8, 30, 33, 51, 57)] == [23 + n for n in (8, 30, 33, 51, 57)]


def test_h36m_32_holds_the_17_at_the_published_places() -> None:
    kept = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
    assert H36M_32.indices(H36M_17.joints) == kept
    published = [-1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14]
    assert list(H36M_32.parent_indices[:16]) == published


def test_3dhp_28_holds_the_17_at_the_published_places() -> None:
    kept = (7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6)
    assert MPI_INF_3DHP_28.indices(MPI_INF_3DHP_17.joints) == kept


def test_unknown_layout_names_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"unknown layout 'cocoo-17'.*h36m-17.*did you mean coco-17"
    ):
        get_layout("cocoo-17")
    assert get_layout("COCO_17") is COCO_17
    with pytest.raises(UsageError, match="unknown layout"):
        get_layout(17)  # type: ignore[arg-type]
