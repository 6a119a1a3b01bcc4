"""When a foot stands on the floor, and holding it there.

Feet are (left, right) ankles throughout, the last joints of the legs that ``h36m-17`` has.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError, UsageError
from poselift.geometry.smooth import checked_times, whittaker
from poselift.skeleton import H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
Array = FloatArray
Mask = npt.NDArray[np.bool_]

LEGS = (("left_hip", "left_knee", "left_ankle"), ("right_hip", "right_knee", "right_ankle"))

ANKLE_HEIGHT = 0.08
"""Metres from the floor to the ankle joint of a standing foot."""

SPEED = (0.5, 0.8)
"""m/s: a foot slower than the first begins to stand, one faster than the second has left.

For lifted people, whose standing feet slide (chosen on the validation motions).
"""
SPEED_MEASURED = (0.35, 0.6)
"""The same for motion capture."""
HEIGHT = (0.06, 0.10)
"""Metres of the ankle above its place when standing, likewise."""
SHORTEST = 0.06
"""Seconds: shorter contacts are noise."""

_SPEED_CUTOFF = 4.0  # Hz: unsmoothed noise of 5 mm would be 0.35 m/s at 50 frames a second


def foot_contacts(
    joints: FloatArray,
    times: FloatArray,
    *,
    floor: bool = True,
    speed: tuple[float, float] = SPEED,
    skeleton: Skeleton = H36M_17,
) -> Mask:
    """Which feet stand, from their speed and their height, with hysteresis.

    Args:
        joints: (P, T, J, 3) metres, world frame, z up, floor at zero.
        times: (T,) seconds.
        floor: look at the height too. Without, any frame with a resting camera will do.
        speed: see `SPEED`.
        skeleton: of the joints.

    Returns:
        (P, T, 2) left, right. False where a foot is absent.

    Raises:
        DataError: shapes or times that do not fit.
    """
    feet = _feet(joints, skeleton)  # (P, T, 2, 3)
    times = checked_times(times, feet.shape[1])
    moves = foot_speed(feet, times)
    high = feet[..., 2] - ANKLE_HEIGHT if floor else np.zeros(moves.shape)
    enter, stay = ((moves < speed[n]) & (high < HEIGHT[n]) for n in range(2))
    return hysteresis(enter, stay, times)


def foot_speed(feet: FloatArray, times: FloatArray) -> Array:
    """Speed (P, T, N) of points (P, T, N, C), units per second, a little smoothed; NaN if absent.

    Infinite in a clip of one frame: nothing is known to stand.
    """
    times = checked_times(times, np.shape(feet)[1])
    if len(times) < 2:
        return np.full(np.shape(feet)[:-1], np.inf)
    smooth = whittaker(np.moveaxis(np.asarray(feet, np.float64), 1, 0), times, _SPEED_CUTOFF)
    forward = np.diff(smooth, axis=0) / np.diff(times).reshape(-1, *[1] * (smooth.ndim - 1))
    pad = np.full_like(smooth[:1], np.nan)
    before, after = np.concatenate([pad, forward]), np.concatenate([forward, pad])
    # Central where both neighbours are there, one-sided at an end.
    velocity = np.where(
        np.isnan(before), after, np.where(np.isnan(after), before, (before + after) / 2)
    )
    return np.moveaxis(np.linalg.norm(velocity, axis=-1), 0, 1)


def hysteresis(enter: Mask, stay: Mask, times: FloatArray) -> Mask:
    """Runs (P, T, N) of ``stay`` that hold an ``enter``, longer than `SHORTEST`."""
    out = np.zeros(stay.shape, dtype=np.bool_)
    for p in range(stay.shape[0]):
        for n in range(stay.shape[2]):
            for first, end in runs(stay[p, :, n]):
                long = times[end - 1] - times[first] >= SHORTEST
                if long and enter[p, first:end, n].any():
                    out[p, first:end, n] = True
    return out


def runs(mask: Mask) -> list[tuple[int, int]]:
    """(first, end) of each run of True in (T,).

    >>> runs(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def lock_feet(
    joints: FloatArray,
    contacts: Mask,
    times: FloatArray,
    *,
    blend: float = 0.15,
    ground: bool = False,
    skeleton: Skeleton = H36M_17,
) -> Array:
    """Hold standing feet still.

    First the whole person follows a smooth path on which the standing feet rest as well as they
    can; then each leg bends at hip and knee so that its foot rests fully. Lengths of bones stay,
    except where a foot is out of reach: then it stays short of its place.

    Args:
        joints: (P, T, J, 3) metres, world frame.
        contacts: (P, T, 2) standing feet (left, right), as `foot_contacts` gives them.
        times: (T,) seconds.
        blend: seconds before and after a contact over which the hold sets in and lets go.
        ground: put standing ankles at `ANKLE_HEIGHT` above z = 0; else they keep their height.
        skeleton: of the joints.

    Returns:
        (P, T, J, 3) metres, NaN where it came in.

    Raises:
        UsageError: a blend that is not positive.
        DataError: shapes or times that do not fit.
    """
    out = np.array(joints, dtype=np.float64)
    feet = _feet(out, skeleton)
    times = checked_times(times, out.shape[1])
    contacts = np.asarray(contacts, dtype=np.bool_)
    if contacts.shape != feet.shape[:-1]:
        raise DataError(f"contacts of shape {contacts.shape}", f"{feet.shape[:-1]}")
    if not (math.isfinite(blend) and blend > 0):
        raise UsageError(f"blend={blend!r}", "a positive number of seconds")
    contacts = contacts & np.isfinite(feet).all(axis=-1)
    for p in range(len(out)):
        offset = _hold_offsets(feet[p], contacts[p], ground)  # (T, 2, 3), NaN in the air
        out[p] += _body_path(offset, out[p], times, blend)[:, None]
        left = _hold_offsets(_feet(out[p : p + 1], skeleton)[0], contacts[p], ground)
        for side, leg in enumerate(LEGS):
            pull = _tapered(left[:, side], times, blend)
            hips = out[p][:, list(skeleton.indices([LEGS[0][0], LEGS[1][0]]))]
            _bend(out[p], skeleton.indices(leg), pull, hips[:, 0] - hips[:, 1])
    return out


def _feet(joints: FloatArray, skeleton: Skeleton) -> Array:
    """(P, T, 2, 3) left and right ankle."""
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 4 or joints.shape[2:] != (len(skeleton), 3):
        raise DataError(f"joints of shape {joints.shape}", f"(P, T, {len(skeleton)}, 3)")
    return joints[:, :, list(skeleton.indices([leg[-1] for leg in LEGS]))]


def _hold_offsets(feet: Array, contacts: Mask, ground: bool) -> Array:
    """(T, 2, 3) from each standing foot to its place of rest, NaN in the air."""
    offset = np.full(feet.shape, np.nan)
    for side in range(feet.shape[1]):
        for first, end in runs(contacts[:, side]):
            stretch = feet[first:end, side]
            rest = np.median(stretch, axis=0)
            if ground:
                rest[2] = ANKLE_HEIGHT
            offset[first:end, side] = rest - stretch
    return offset


def _body_path(offset: Array, joints: Array, times: Array, blend: float) -> Array:
    """(T, 3) shift of the whole person: that of its standing feet, smooth, bridged in the air."""
    held = np.isfinite(offset[..., 0])  # (T, 2)
    weight = held.sum(axis=1).astype(np.float64)
    if not held.any():
        return np.zeros((len(times), 3))
    mean = np.where(held[..., None], offset, 0.0).sum(axis=1) / np.maximum(weight, 1)[:, None]
    # In the air nothing pulls; a little weight of zero lets go where that lasts.
    weight = np.where(weight > 0, weight, 0.02)
    present = np.asarray(np.isfinite(joints).all(axis=(1, 2)))
    mean = np.where(present[:, None], mean, 0.0)
    return whittaker(mean, times, 0.5 / blend, np.broadcast_to(weight[:, None], mean.shape))


def _tapered(offset: Array, times: Array, blend: float) -> Array:
    """(T, 3) offsets that fade in before each contact and out after it."""
    held = np.asarray(np.isfinite(offset[:, 0]))
    out = np.where(held[:, None], offset, 0.0)
    for first, end in runs(held):
        for edge, side in ((first, slice(0, first)), (end - 1, slice(end, len(times)))):
            away = np.abs(times[side] - times[edge]) / blend
            fade = np.where(away < 1, 0.5 + 0.5 * np.cos(np.pi * np.minimum(away, 1)), 0.0)
            fade = np.where(held[side], 0.0, fade)
            out[side] += fade[:, None] * offset[edge]
    return out


def _bend(joints: Array, leg: tuple[int, ...], pull: Array, leftwards: Array) -> None:
    """Move ankles by ``pull`` (T, 3), in place: the knee stays in its plane, bones keep lengths.

    ``leftwards`` (T, 3) runs from the right hip to the left one.
    """
    hip, knee, ankle = leg
    a, b, c = joints[:, hip], joints[:, knee], joints[:, ankle]
    moves = np.isfinite(a + b + c + leftwards).all(axis=1) & (np.abs(pull) > 0).any(axis=1)
    if not moves.any():
        return
    a, b, c, pull, leftwards = a[moves], b[moves], c[moves], pull[moves], leftwards[moves]
    thigh = np.linalg.norm(b - a, axis=1)
    shin = np.linalg.norm(c - b, axis=1)
    reach = c + pull - a
    far = np.linalg.norm(reach, axis=1)
    wanted = np.clip(far, np.abs(thigh - shin) + 1e-6, thigh + shin)
    along = reach / np.maximum(far, 1e-9)[:, None]
    # Law of cosines: the knee lies at ``x`` along the line from hip to ankle, ``y`` beside it.
    x = (thigh**2 - shin**2 + wanted**2) / (2 * np.maximum(wanted, 1e-9))
    y = np.sqrt(np.maximum(thigh**2 - x**2, 0.0))
    aside = b - a - ((b - a) * along).sum(axis=1)[:, None] * along
    # A straight leg has no plane of its own: its knee goes forwards.
    width = np.linalg.norm(aside, axis=1, keepdims=True)
    aside = np.where(width > 1e-6, aside, np.cross(along, leftwards))
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    joints[moves, knee] = a + x[:, None] * along + y[:, None] * aside
    joints[moves, ankle] = a + wanted[:, None] * along
