"""Following persons, with a network that sees a drawn-up scene instead of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from poselift.detect import Detection, Landmarks, PoseTracker
from poselift.detect.region import region_around
from poselift.errors import DataError, UsageError

IMAGE = np.zeros((600, 1000, 3), np.uint8)
BODY = np.random.default_rng(5).uniform([-30, -90], [30, 90], (33, 2))


class Scene:
    """Persons at given middles of the hips; ``None`` for somebody out of sight."""

    def __init__(self):
        self.persons = []
        self.looks = []

    @property
    def detected(self):
        return sum(search for _, search in self.looks)

    def _landmarks(self, person, presence=1.0):
        centre = np.array(person, float)
        return Landmarks(
            points=BODY + centre,
            visibility=np.ones(33),
            world=np.zeros((33, 3)),
            centre=centre,
            edge=centre - [0, 100],
            presence=presence,
        )

    def look(self, image, regions, search=False):
        self.looks.append((len(regions), search))
        return [self._in(region) for region in regions], self._everybody() if search else []

    def _everybody(self):
        return [
            Detection(region_around(np.array(p, float), np.array(p) - [0.0, 100.0]), 0.9 - n / 10)
            for n, p in enumerate(self.persons)
            if p is not None
        ]

    def _in(self, region):
        there = [p for p in self.persons if p is not None]
        if not there:
            return self._landmarks((0, 0), 0.1)
        nearest = min(there, key=lambda p: np.hypot(p[0] - region.x, p[1] - region.y))
        distance = np.hypot(nearest[0] - region.x, nearest[1] - region.y)
        return self._landmarks(nearest, 1.0 if distance < region.size / 2 else 0.1)


def follow(frames, mode="tracking", most=None, fps=30.0):
    """Middles of the hips by person for each frame, and how often the detector ran."""
    scene = Scene()
    tracker = PoseTracker(scene, mode, most)
    out = []
    for n, persons in enumerate(frames):
        scene.persons = persons
        seen = tracker.push(IMAGE, n / fps)
        out.append({s.person: tuple(np.round(s.landmarks.centre)) for s in seen})
    return out, scene.detected


@pytest.mark.parametrize("mode", ["tracking", "static"])
def test_two_who_pass_each_other_at_a_distance_keep_their_numbers(mode):
    frames = [[(200 + 5 * n, 150), (800 - 5 * n, 420)] for n in range(120)]
    found, detected = follow(frames, mode)
    assert all(set(seen) == {0, 1} for seen in found)
    assert all(abs(seen[0][1] - 150) < 3 and abs(seen[1][1] - 420) < 3 for seen in found)
    assert (detected == 120) if mode == "static" else (detected < 30)


@pytest.mark.parametrize("mode", ["tracking", "static"])
def test_somebody_who_comes_back_nearby_keeps_the_number(mode):
    frames = [[(200 + n, 300), None if 20 <= n < 50 else (700, 300)] for n in range(80)]
    found, _ = follow(frames, mode)
    assert all((1 in seen) == (not 20 <= n < 50) for n, seen in enumerate(found))
    assert all(abs(seen[0][0] - (200 + n)) < 5 for n, seen in enumerate(found))
    assert set().union(*found) == {0, 1}


def test_somebody_who_comes_late_or_elsewhere_is_new():
    late, _ = follow([[(500, 300)]] * 10 + [[None]] * 100 + [[(500, 300)]] * 10)
    assert set(late[-1]) == {1}
    elsewhere, _ = follow([[(100, 300)]] * 10 + [[(900, 300)]] * 10)
    assert set(elsewhere[-1]) == {1}


def test_a_newcomer_is_seen_within_a_fifth_of_a_second():
    found, _ = follow([[(200, 300)] + [(700, 300)] * (n >= 10) for n in range(30)])
    assert next(n for n, seen in enumerate(found) if 1 in seen) <= 10 + 6


def test_persons_are_followed_and_searched_for_at_the_same_time():
    scene = Scene()
    tracker = PoseTracker(scene)
    scene.persons = [(200, 300), (700, 300)]
    tracker.push(IMAGE, 0.0)
    assert scene.looks == [(0, True), (2, False)]  # where they are, then who they are
    tracker.push(IMAGE, 0.1)
    tracker.push(IMAGE, 0.2)
    assert scene.looks[2:] == [(2, False), (2, True)]
    scene.persons = [(200, 300), None]
    tracker.push(IMAGE, 0.3)  # only now it is known that somebody is lost
    tracker.push(IMAGE, 0.4)
    assert scene.looks[4:] == [(2, False), (0, True), (1, True)]


def test_no_more_are_looked_at_than_may_be_followed():
    scene = Scene()
    scene.persons = [(200, 300), (500, 300), (800, 300)]
    seen = PoseTracker(scene, max_persons=2).push(IMAGE, 0.0)
    assert scene.looks == [(0, True), (2, False)]
    assert [round(each.landmarks.centre[0]) for each in seen] == [200, 500]


def test_one_person_has_one_number_though_two_tracks_met():
    # The second walks into the first and is hidden; its region then shows the first.
    frames = [[(300, 300), (500 - 10 * n, 300) if n < 18 else None] for n in range(40)]
    found, _ = follow(frames)
    assert set(found[0]) == {0, 1}
    assert set(found[-1]) == {0}


def test_one_at_most_is_one_number_and_no_search():
    found, detected = follow([[(200, 300), (700, 300)]] * 20 + [[None, (700, 300)]] * 20, most=1)
    assert all(set(seen) == {0} for seen in found)
    assert found[0][0] == (200, 300)
    assert found[-1][0] == (700, 300)
    assert detected == 2


def test_nobody_is_looked_for_in_every_frame():
    found, detected = follow([[]] * 7)
    assert found == [{}] * 7
    assert detected == 7


def test_smoothing_only_while_tracking():
    shaking = [[(500 + (n % 2), 300)] for n in range(40)]
    tracked, _ = follow(shaking)
    static, _ = follow(shaking, "static")
    assert [seen[0] for seen in static] == [tuple(p[0]) for p in shaking]
    assert len({seen[0] for seen in tracked[20:]}) == 1


def test_bad_arguments():
    with pytest.raises(UsageError, match="unknown mode"):
        PoseTracker(Scene(), "fast")
    with pytest.raises(UsageError, match="1 or more"):
        PoseTracker(Scene(), max_persons=0)
    with pytest.raises(DataError, match="image"):
        PoseTracker(Scene()).push(np.zeros((4, 4)), 0.0)
