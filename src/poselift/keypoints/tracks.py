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

    The source's ids are used if every detection has one and none occurs twice in a frame.
    Otherwise a detection goes on with the person it overlaps best, nearest pairs first; a person
    may be out of sight for ``max_gap`` frames.

    Args:
        frames: frame number -> the persons in it.
        max_gap: see above.

    Returns:
        track id -> frame number -> detection, in order of first appearance.
    """
    ids = [[person.track for person in persons] for persons in frames.values()]
    if all(None not in row and len(set(row)) == len(row) for row in ids):
        tracks: dict[int, Track] = {}
        for frame in sorted(frames):
            for person in frames[frame]:
                if person.track is not None:
                    tracks.setdefault(person.track, {})[frame] = person
        return tracks
    return _by_overlap(frames, max_gap)


def _by_overlap(frames: Mapping[int, Sequence[Detection]], max_gap: int) -> dict[int, Track]:
    tracks: dict[int, Track] = {}
    last: dict[int, int] = {}  # track -> frame in which it was seen last
    for frame in sorted(frames):
        persons = frames[frame]
        if not persons:
            continue
        last = {track: seen for track, seen in last.items() if frame - seen <= max_gap}
        live = list(last)
        taken: dict[int, int] = {}  # person -> track
        if live:
            cost = steps(
                np.stack([tracks[track][last[track]].keypoints for track in live]),
                np.stack([person.keypoints for person in persons]),
            )
            used = set()
            for flat in np.argsort(cost, axis=None, kind="stable"):
                row, column = divmod(int(flat), len(persons))
                if cost[row, column] > MAX_STEP:
                    break
                if live[row] not in used and column not in taken:
                    used.add(live[row])
                    taken[column] = live[row]
        for column, person in enumerate(persons):
            track = taken.get(column, len(tracks))
            tracks.setdefault(track, {})[frame] = person
            last[track] = frame
    return tracks


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
