"""Persons kept apart."""

from __future__ import annotations

import numpy as np
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


def test_incomplete_ids_are_not_used() -> None:
    assert list(link({0: [at(100, 5)], 1: [at(100)]})) == [0]


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
