"""Which detection belongs to which person: by the source's own ids, or by overlap in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from poselift.poses import FloatArray

MAX_GAP = 30
"""Frames after which a person who was not seen is taken for a new one."""
MAX_STEP = 0.5
"""Largest mean motion between two sightings, as a fraction of the person's size."""
_MIN_SIZE = 16.0  # pixels; below that, noise is as large as the person

Track = dict[int, "Detection"]


@dataclass(frozen=True, eq=False)
class Detection:
    """One person in one frame.

    Args:
        keypoints: (J, 2) pixels, NaN where absent.
        scores: (J,) confidence 0..1.
        track: the source's own number for the person, ``None`` if it gives none.
    """

    keypoints: FloatArray
    scores: FloatArray
    track: int | None = None


def link(frames: Mapping[int, Sequence[Detection]], max_gap: int = MAX_GAP) -> dict[int, Track]:
    """Detections as one track for each person.

    A detection with an id of the source goes to that id's track. One without goes on with the
    person it overlaps best, nearest pairs first, among those with no sighting in its frame; a
    person may be out of sight for ``max_gap`` frames. Of several detections with one id in a
    frame, the one most like the id's track keeps it and the others have none. An id that first
    appears on a person followed so far without one names that person's track.

    Args:
        frames: frame number -> the persons in it.
        max_gap: see above.

    Returns:
        track id -> frame number -> detection, in order of first appearance.
    """
    ids = [[p.track for p in persons if p.track is not None] for persons in frames.values()]
    distinct = set().union(*ids)
    # One number for everybody (AlphaPose without a tracker) tells nobody apart.
    trusted = len(distinct) > 1 or all(len(row) < 2 for row in ids)
    nameless = fresh = max(distinct) + 1 if trusted and distinct else 0  # ids from here are ours
    tracks: dict[int, Track] = {}
    last: dict[int, int] = {}  # track -> frame in which it was seen last
    for frame in sorted(frames):
        persons = frames[frame]
        own = _claims(persons, tracks) if trusted else {}  # person -> track
        last = {track: seen for track, seen in last.items() if frame - seen <= max_gap}
        here = set(own.values())
        free = [track for track in last if track not in here]
        seekers = [n for n in range(len(persons)) if own.get(n) not in tracks]
        pairs = {}  # seeker -> free track
        if free and seekers:
            cost = steps(
                np.stack([tracks[track][last[track]].keypoints for track in free]),
                np.stack([persons[n].keypoints for n in seekers]),
            )
            # Two ids are two persons.
            cost[np.outer([track < nameless for track in free], [n in own for n in seekers])] = (
                np.inf
            )
            pairs = {seekers[b]: free[a] for a, b in _nearest(cost).items()}
        for n in seekers:
            if n in own and n in pairs:
                tracks[own[n]] = tracks.pop(pairs[n])
                del last[pairs[n]]
            elif n in pairs:
                own[n] = pairs[n]
            elif n not in own:
                own[n], fresh = fresh, fresh + 1
        for n, person in enumerate(persons):
            tracks.setdefault(own[n], {})[frame] = person
            last[own[n]] = frame
    return dict(sorted(tracks.items(), key=lambda item: min(item[1])))


def _claims(persons: Sequence[Detection], tracks: Mapping[int, Track]) -> dict[int, int]:
    """Person -> id, no id twice: the nearest to where the id was last, or the surest, has it."""
    rivals: dict[int, list[int]] = {}
    for n, person in enumerate(persons):
        if person.track is not None:
            rivals.setdefault(person.track, []).append(n)
    own = {}
    for track, several in rivals.items():
        cost = np.array([-persons[n].scores.sum() for n in several])
        if len(several) > 1 and track in tracks:
            before = tracks[track][max(tracks[track])].keypoints
            cost = steps(before[None], np.stack([persons[n].keypoints for n in several]))[0]
        own[several[int(cost.argmin())]] = track
    return own


def _nearest(cost: FloatArray) -> dict[int, int]:
    """Row -> column for the pairs up to ``MAX_STEP``, cheapest first, no row or column twice."""
    pairs: dict[int, int] = {}
    taken = set()
    for flat in np.argsort(cost, axis=None, kind="stable"):
        row, column = divmod(int(flat), cost.shape[1])
        if cost[row, column] > MAX_STEP:
            break
        if row not in pairs and column not in taken:
            pairs[row] = column
            taken.add(column)
    return pairs


def steps(before: FloatArray, after: FloatArray) -> FloatArray:
    """How far persons would have moved, for every pair.

    Args:
        before: (A, J, 2) pixels, NaN where absent, some joint present in each.
        after: (B, J, 2) the same.

    Returns:
        (A, B) mean over the joints that both have of their distance over the person's size, each
        cut at 1 so that one stray joint cannot part a person; without a joint in common, the
        distance of the centres.
    """
    size = np.maximum(np.maximum(_sizes(before)[:, None], _sizes(after)[None]), _MIN_SIZE)  # (A, B)
    distance = np.linalg.norm(before[:, None] - after[None], axis=-1)  # (A, B, J)
    shared = np.isfinite(distance)
    relative = np.where(shared, np.minimum(distance / size[..., None], 1), 0)
    count = shared.sum(axis=-1)
    centres = np.linalg.norm(
        np.nanmean(before, axis=1)[:, None] - np.nanmean(after, axis=1), axis=-1
    )
    mean = relative.sum(axis=-1) / np.maximum(count, 1)
    return np.asarray(np.where(count > 0, mean, centres / size))


def _sizes(persons: FloatArray) -> FloatArray:
    """(N,) diagonals of the boxes around (N, J, 2) joints, pixels."""
    spread = np.nanmax(persons, axis=1) - np.nanmin(persons, axis=1)
    return np.asarray(np.linalg.norm(spread, axis=-1))
