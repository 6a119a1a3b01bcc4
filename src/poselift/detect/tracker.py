"""Following several persons through a video with BlazePose, which sees one person per region."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from math import hypot, inf, log
from typing import NamedTuple

import numpy as np

from poselift.detect.blazepose import BlazePose, Detection, Landmarks, check_image
from poselift.detect.region import Image, Region, is_usable, region_around
from poselift.detect.smoothing import LowPass, OneEuro
from poselift.errors import UsageError
from poselift.keypoints.tracks import steps

MODES = ("tracking", "static")

_PRESENT = 0.5
"""Of the landmark network's confidence that there is a person, as in MediaPipe's graph."""
_SAME_CENTRE = 0.15
"""Regions whose centres lie closer, relative to their size, and ..."""
_SAME_SIZE = 1.6
"""... whose sizes differ by less than this factor, hold the same person."""
_SAME_POSE = 0.12
"""Poses closer than this (see `steps`) are the same person's."""
_SEARCH_SECONDS = 0.2
_FORGET_SECONDS = 3.0
_NEAR, _SPEED, _FAR = 0.35, 1.0, 1.5
"""How far a lost person may have gone, in sizes of the region: at once, per second, at most."""


class Seen(NamedTuple):
    """A person in one frame.

    Args:
        person: number of the track, from 0 by first appearance.
        landmarks: smoothed in tracking mode.
    """

    person: int
    landmarks: Landmarks


@dataclass
class _Filters:
    """The state of MediaPipe's smoothing for one person, with the options of its graph."""

    points: OneEuro = field(default_factory=lambda: OneEuro(0.05, 80.0))
    visibility: LowPass = field(default_factory=lambda: LowPass(0.1))
    world: OneEuro = field(default_factory=lambda: OneEuro(0.1, 40.0))
    alignment: OneEuro = field(default_factory=lambda: OneEuro(0.01, 10.0))

    def __call__(self, raw: Landmarks, time: float) -> Landmarks:
        """Smoothed landmarks."""
        scale = max(region_around(raw.centre, raw.edge, 1.0).size, 1e-6)
        centre, edge = self.alignment(np.stack([raw.centre, raw.edge]), time, scale)
        return replace(
            raw,
            points=self.points(raw.points, time, scale),
            visibility=self.visibility(raw.visibility),
            world=self.world(raw.world, time),
            centre=centre,
            edge=edge,
        )


@dataclass
class _Track:
    person: int
    landmarks: Landmarks
    time: float
    filters: _Filters
    active: bool = True

    @property
    def region(self) -> Region:
        """Where the person is looked for next."""
        return region_around(self.landmarks.centre, self.landmarks.edge)


class PoseTracker:
    """Persons from frame to frame, each under a number of its own.

    In ``"tracking"`` mode the landmarks of a frame give the region of the next one, as in
    MediaPipe, and are smoothed by its causal filters; the detector runs while somebody is lost, and
    five times a second for newcomers. In ``"static"`` mode the detector runs on every frame and
    nothing is smoothed. Somebody who is lost and found again nearby within three seconds keeps the
    number. BlazePose sees one person in a region: of two who cover each other, one may be lost for
    as long as they do.

    Args:
        network: the two networks.
        mode: ``"tracking"`` or ``"static"``.
        max_persons: how many to follow at once; ``None`` for all. With 1 it is whom the detector
            is surest of whenever nobody is followed, as in MediaPipe, and all get the number 0.

    Raises:
        UsageError: an unknown mode, or fewer than one person.
    """

    def __init__(
        self, network: BlazePose, mode: str = "tracking", max_persons: int | None = None
    ) -> None:
        if mode not in MODES:
            raise UsageError(f"unknown mode {mode!r}", " or ".join(MODES))
        if max_persons is not None and max_persons < 1:
            raise UsageError(f"{max_persons} persons", "1 or more, or all")
        self._network = network
        self._static = mode == "static"
        self._most = max_persons or sys.maxsize
        self._tracks: list[_Track] = []
        self._count = 0
        self._searched = -inf

    def push(self, image: Image, time: float) -> list[Seen]:
        """The persons in the next frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            time: seconds, increasing.

        Raises:
            DataError: an array of another kind.
        """
        check_image(image)
        self._tracks = [t for t in self._tracks if time - t.time < _FORGET_SECONDS]
        if self._static:
            for track in self._tracks:
                track.active = False
        # Whoever is lost in this frame is one more reason to search, so what is due now stays so.
        search = self._search_is_due(time)
        followed = self._active
        bodies, persons = self._look(image, [track.region for track in followed], search)
        self._follow(followed, bodies, time)
        if not search and self._search_is_due(time):
            search = True
            _, persons = self._look(image, [], True)
        if search:
            self._searched = time
            self._find(image, persons, time)
        return [Seen(track.person, track.landmarks) for track in self._active]

    @property
    def _active(self) -> list[_Track]:
        return [track for track in self._tracks if track.active]

    def _search_is_due(self, time: float) -> bool:
        """Whether the detector is to run."""
        active = len(self._active)
        missing = active < len(self._tracks)
        return active == 0 or (
            active < self._most and (missing or time - self._searched >= _SEARCH_SECONDS)
        )

    def _look(
        self, image: Image, regions: Sequence[Region], search: bool = False
    ) -> tuple[list[Landmarks | None], list[Detection]]:
        """The person in each region, if there is one, and those that a search finds."""
        usable = [is_usable(region, image.shape[1], image.shape[0]) for region in regions]
        bodies, persons = self._network.look(image, list(compress(regions, usable)), search)
        answers = iter(bodies)
        found = [next(answers) if is_worth_it else None for is_worth_it in usable]
        return [body if body and _is_person(body) else None for body in found], persons

    def _follow(
        self, tracks: Sequence[_Track], bodies: Sequence[Landmarks | None], time: float
    ) -> None:
        """Go on with what was seen of each person where the last frame said."""
        moved = {}
        for track, raw in zip(tracks, bodies, strict=True):
            track.active = raw is not None
            if raw is not None:
                smooth = track.filters(raw, time)
                moved[track.person] = _apart(track.landmarks, smooth)
                track.landmarks, track.time = smooth, time
        # Of two tracks that have come to follow the same person, end the one that jumped there.
        for track in sorted(self._active, key=lambda track: -moved[track.person]):
            others = (other for other in self._active if other is not track)
            if any(_apart(track.landmarks, other.landmarks) < _SAME_POSE for other in others):
                track.active = False

    def _find(self, image: Image, persons: Sequence[Detection], time: float) -> None:
        """Look at persons who are not followed, lost ones or new ones."""
        found: list[Landmarks] = []
        known = [track.landmarks for track in self._active]
        followed = [track.region for track in self._active]
        regions = [
            person.region
            for person in persons
            if not any(_same_region(person.region, region) for region in followed)
        ]
        while regions and (free := self._most - len(known) - len(found)) > 0:
            bodies, _ = self._look(image, regions[:free])
            del regions[:free]
            for raw in bodies:
                if raw and all(_apart(raw, other) >= _SAME_POSE for other in known + found):
                    found.append(raw)
        for raw, track in self._matched(found, time):
            filters = _Filters()
            smooth = raw if self._static else filters(raw, time)
            if track is None:
                track = _Track(self._count, smooth, time, filters)
                self._count += 1
                self._tracks.append(track)
            track.landmarks, track.time, track.filters, track.active = smooth, time, filters, True

    def _matched(
        self, found: list[Landmarks], time: float
    ) -> list[tuple[Landmarks, _Track | None]]:
        """Each person found with the lost track that is nearest, or with none."""
        lost = [track for track in self._tracks if not track.active]
        if self._most == 1:  # whoever it is
            return [(raw, lost[0] if lost else None) for raw in found]
        pairs = sorted(
            (_apart(track.landmarks, raw), n, m)
            for n, raw in enumerate(found)
            for m, track in enumerate(lost)
            if _way(track, raw) <= min(_NEAR + _SPEED * (time - track.time), _FAR)
        )
        taken: dict[int, int] = {}
        for _, n, m in pairs:
            if n not in taken and m not in taken.values():
                taken[n] = m
        return [(raw, lost[taken[n]] if n in taken else None) for n, raw in enumerate(found)]


def _is_person(body: Landmarks) -> bool:
    return bool(body.presence > _PRESENT and np.isfinite(body.points).all())


def _same_region(a: Region, b: Region) -> bool:
    size = max(a.size, b.size)
    near = hypot(a.x - b.x, a.y - b.y) < _SAME_CENTRE * size
    return near and size < _SAME_SIZE * min(a.size, b.size)


def _apart(a: Landmarks, b: Landmarks) -> float:
    """How far apart two poses are, 0..1 of the person's size."""
    return float(steps(a.points[None], b.points[None])[0, 0])


def _way(track: _Track, raw: Landmarks) -> float:
    """From where a person was lost to where one is found, in sizes of the region.

    Another size counts as a way, too: people do not grow, while a mistaken pose is often large.
    """
    before, now = track.region, region_around(raw.centre, raw.edge)
    size = max(before.size, 1.0)
    growth = abs(log(max(now.size, 1.0) / size))
    return hypot(now.x - before.x, now.y - before.y) / size + growth / 2
