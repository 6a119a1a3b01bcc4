"""Persons kept apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keypoint_examples import person

from poselift.keypoints.tracks import Detection, link, steps


def at(x: float, track: int | None = None, gone: tuple[int, ...] = ()) -> Detection:
    joints = person(17, x)
    joints[list(gone)] = np.nan
    return Detection(joints[:, :2], joints[:, 2], track)


def spans(tracks: dict) -> list[list[int]]:
    return [sorted(track) for track in tracks.values()]


@settings(max_examples=50, deadline=None)
@given(
    speeds=st.lists(st.floats(-8, 8), min_size=1, max_size=4),
    orders=st.lists(st.randoms(use_true_random=False), min_size=12, max_size=12),
    dropped=st.sets(st.tuples(st.integers(1, 11), st.integers(0, 3)), max_size=10),
)
def test_persons_apart_never_swap(speeds: list[float], orders: list, dropped: set) -> None:
    """Persons 400 px apart and 100 px large, in any order, with sightings left out."""
    frames = {}
    for n, order in enumerate(orders):
        here = [
            (p, at(400 * p + 200 + v * n)) for p, v in enumerate(speeds) if (n, p) not in dropped
        ]
        order.shuffle(here)
        frames[n] = here
    tracks = link({n: [d for _, d in here] for n, here in frames.items()})
    assert len(tracks) == len(speeds)
    owner = {id(d): p for here in frames.values() for p, d in here}
    for track in tracks.values():
        assert len({owner[id(d)] for d in track.values()}) == 1


def test_gap_and_new_person() -> None:
    assert spans(link({0: [at(100)], 10: [at(105)]})) == [[0, 10]]
    assert spans(link({0: [at(100)], 10: [at(105)]}, max_gap=9)) == [[0], [10]]
    assert spans(link({0: [at(100)], 1: [at(600)]})) == [[0], [1]]


def test_ids_win_over_places() -> None:
    tracks = link({0: [at(100, 5), at(600, 6)], 1: [at(600, 5), at(100, 6)]})
    assert list(tracks) == [5, 6]
    assert tracks[5][1].keypoints[0, 0] > 500


def places(tracks: dict) -> dict[int, list[int]]:
    """Track -> where its person was, in hundreds of pixels."""
    return {
        track: [int(persons[n].keypoints[0, 0] // 100) for n in sorted(persons)]
        for track, persons in tracks.items()
    }


# Persons 5 and 6 change places at once in frame 2, which their ids know and overlap does not.
CROSSING = {n: [at(100 + 500 * (n > 1), 5), at(600 - 500 * (n > 1), 6)] for n in range(5)}
TRUE = {5: [1, 1, 6, 6, 6], 6: [6, 6, 1, 1, 1]}


def test_one_detection_without_an_id_leaves_the_other_ids_alone() -> None:
    assert places(link(CROSSING)) == TRUE
    assert places(link(CROSSING | {4: [at(605), at(100, 6)]})) == TRUE
    assert places(link(CROSSING | {3: [at(605), at(100, 6)]})) == TRUE
    stranger = link(CROSSING | {3: [*CROSSING[3], at(1200), at(605)]})
    assert places(stranger) == TRUE | {7: [12], 8: [6]}  # 5 was seen in that frame


@pytest.mark.parametrize("order", [1, -1])
def test_one_id_twice_in_a_frame_leaves_the_other_ids_alone(order: int) -> None:
    twice = [at(608, 5), at(1200, 5)][::order]
    assert places(link(CROSSING | {3: [*twice, at(100, 6)]})) == TRUE | {7: [12]}
    # 6 is lost, and what was taken for 5 a second time is where 6 was.
    twice = [at(608, 5), at(104, 5)][::order]
    assert places(link(CROSSING | {3: twice})) == TRUE


@pytest.mark.parametrize("order", [1, -1])
def test_the_surest_of_two_new_persons_with_one_id_has_it(order: int) -> None:
    unsure = at(600, 5)
    unsure.scores[:] = 0.2
    assert places(link({0: [at(100, 5), unsure][::order], 1: [at(300, 9)]}))[5] == [1]


def test_an_id_given_late_names_the_person_followed_so_far() -> None:
    late = {0: [at(100), at(600)], 1: [at(102), at(600, 4)], 2: [at(104, 3), at(600, 4)]}
    assert spans(link(late)) == [[0, 1, 2], [0, 1, 2]]
    assert sorted(link(late)) == [3, 4]
    # Never one that had another id.
    assert spans(link({0: [at(100, 3)], 1: [at(100, 4)]})) == [[0], [1]]


def test_one_id_for_everybody_is_none() -> None:
    """AlphaPose without a tracker; the nearer person is out of sight in frame 1."""
    frames = {0: [at(100, 0), at(600, 0)], 1: [at(600, 0)], 2: [at(100, 0), at(600, 0)]}
    assert places(link(frames)) == {0: [1, 1], 1: [6, 6, 6]}


def test_out_of_sight_and_back() -> None:
    """Near and of the same size: the same person. Elsewhere and larger: another."""
    frames = {n: [at(100)] for n in range(5)}
    assert spans(link(frames | {9: [at(110)]})) == [[0, 1, 2, 3, 4, 9]]
    joints = person(17, 500, size=220)
    other = Detection(joints[:, :2], joints[:, 2])
    assert spans(link(frames | {6: [other]})) == [[0, 1, 2, 3, 4], [6]]


def test_persons_without_a_joint_in_common() -> None:
    upper, lower = tuple(range(8)), tuple(range(8, 17))
    assert spans(link({0: [at(100, gone=upper)], 1: [at(102, gone=lower)]})) == [[0, 1]]


def test_one_stray_joint_does_not_part_a_person() -> None:
    stray = at(101)
    stray.keypoints[9] = 5000
    cost = steps(at(100).keypoints[None], stray.keypoints[None])
    assert cost.shape == (1, 1)
    assert cost[0, 0] < 0.1


def test_nearest_pair_is_taken_first() -> None:
    tracks = link({0: [at(100), at(140)], 1: [at(138), at(102)]})
    assert tracks[0][1].keypoints[0, 0] < tracks[1][1].keypoints[0, 0]
