"""A skeleton of constant bones that follows 3D joints: rotations from positions, and back.

Animation files hold a skeleton at rest and the rotation of every bone in every frame. `fit` finds
both for the joints of ``h36m-17``, in closed form: the lengths of the bones are their medians over
the clip; hips and shoulders give the frames of pelvis and chest; every other bone is swung along
the shortest arc from where its parent holds it. Swinging leaves open how thigh and upper arm turn
about themselves; that follows from the plane of knee and elbow, where these are bent, and runs
smoothly over the frames where they are straight.

Frame: Y up, metres. At rest the person stands in a T pose and faces +z, left side to +x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import UsageError
from poselift.geometry.rotation import (
    frame_of,
    normalise_vectors,
    rotation_around,
    shortest_arc,
)
from poselift.skeleton import H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]

_X, _Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])

# Name, parent, direction of the bone that ends in it at rest, and its length in metres where a
# clip never shows it. A node without a direction lies in its parent and only turns: so each bone
# of pelvis and chest moves on its own, as in the BVH files of the CMU motion capture.
_TREE: tuple[tuple[str, str | None, FloatArray | None, float], ...] = (
    ("pelvis", None, None, 0.0),
    ("right_pelvis", "pelvis", None, 0.0),
    ("right_hip", "right_pelvis", -_X, 0.12),
    ("right_knee", "right_hip", -_Y, 0.44),
    ("right_ankle", "right_knee", -_Y, 0.43),
    ("left_pelvis", "pelvis", None, 0.0),
    ("left_hip", "left_pelvis", _X, 0.12),
    ("left_knee", "left_hip", -_Y, 0.44),
    ("left_ankle", "left_knee", -_Y, 0.43),
    ("lower_back", "pelvis", None, 0.0),
    ("spine", "lower_back", _Y, 0.24),
    ("thorax", "spine", _Y, 0.25),
    ("neck_base", "thorax", None, 0.0),
    ("neck", "neck_base", _Y, 0.12),
    ("head", "neck", _Y, 0.12),
    ("left_collar", "thorax", None, 0.0),
    ("left_shoulder", "left_collar", _X, 0.16),
    ("left_elbow", "left_shoulder", _X, 0.28),
    ("left_wrist", "left_elbow", _X, 0.25),
    ("right_collar", "thorax", None, 0.0),
    ("right_shoulder", "right_collar", -_X, 0.16),
    ("right_elbow", "right_shoulder", -_X, 0.28),
    ("right_wrist", "right_elbow", -_X, 0.25),
)

# Bone that turns about itself, bone whose bend tells how, axis of the bend at rest. Elbows bring
# the hand forward, knees the foot backward.
_HINGES = {
    "right_hip": ("right_ankle", _X),
    "left_hip": ("left_ankle", _X),
    "right_shoulder": ("right_wrist", _Y),
    "left_shoulder": ("left_wrist", -_Y),
}

_SMOOTH = 0.08  # seconds (standard deviation) over which the turn of a straight limb is smoothed
_REST_WEIGHT = 0.02  # of the turn at rest, against 1 for a limb bent by a quarter turn


@dataclass(frozen=True, eq=False)
class Rig:
    """A skeleton at rest, as animation files describe it.

    Args:
        names: N nodes, each after its parent.
        parents: (N,) index of the parent, -1 for the root.
        offsets: (N, 3) metres from the parent at rest; zeros for the root.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: npt.NDArray[np.float64]

    @cached_property
    def joints(self) -> tuple[int, ...]:
        """Node of each joint of ``h36m-17``."""
        return tuple(self.names.index(joint) for joint in H36M_17.joints)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Children of each node."""
        count = range(len(self.names))
        return tuple(tuple(c for c in count if self.parents[c] == n) for n in count)

    @cached_property
    def rest(self) -> npt.NDArray[np.float64]:
        """(N, 3) places of the nodes at rest, the root at the origin."""
        eye = np.broadcast_to(np.eye(3), (1, len(self.names), 3, 3))
        return np.asarray(forward(self, eye, np.zeros((1, 3)))[0])


@dataclass(frozen=True, eq=False)
class Animation:
    """A rig and how it moves.

    Args:
        rig: the skeleton at rest.
        rotations: (T, N, 3, 3) of each node against its parent.
        position: (T, 3) of the root, metres.
    """

    rig: Rig
    rotations: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]

    @cached_property
    def nodes(self) -> npt.NDArray[np.float64]:
        """(T, N, 3) places of all nodes, metres."""
        return forward(self.rig, self.rotations, self.position)

    @cached_property
    def joints(self) -> npt.NDArray[np.float64]:
        """(T, 17, 3) places of the joints of ``h36m-17``, metres."""
        return np.asarray(self.nodes[:, self.rig.joints])


def fit(
    joints: FloatArray,
    fps: float,
    skeleton: Skeleton = H36M_17,
    times: FloatArray | None = None,
) -> Animation:
    """The animation of constant bones that follows the joints.

    Each bone points where the joints say, exactly; only its length is the median of the clip.
    Bones that are not known in a frame are interpolated over time; those never known, as at rest.

    Args:
        joints: (T, 17, 3) metres, Y up; NaN where absent.
        fps: frames per second, for smoothing.
        skeleton: of the joints; only ``h36m-17`` is known here.
        times: (T,) seconds of the frames, where they are not even.

    Raises:
        UsageError: another skeleton.
    """
    if skeleton != H36M_17:
        raise UsageError(
            f"skeleton {skeleton.name} has no known rest pose", f"the joints of {H36M_17.name}"
        )
    at = dict(zip(H36M_17.joints, np.moveaxis(np.asarray(joints, np.float64), 1, 0), strict=True))
    lengths = _bone_lengths(at)
    frames = len(joints)
    times = np.arange(frames) / fps if times is None else times
    ways = {
        name: _direction(at[name] - at[parent], times) for name, parent in H36M_17.parents.items()
    }
    rest = {name: way for name, _, way, _ in _TREE if way is not None}

    def held(parent: FloatArray, name: str) -> FloatArray:
        """Frame (T, 3, 3) of a bone: its parent's, swung so that the bone points right."""
        carried = parent @ rest[name]
        way = np.where(np.isnan(ways[name]), carried, ways[name])
        return shortest_arc(carried, way) @ parent

    facing = np.broadcast_to(np.eye(3), (frames, 3, 3))
    across_hips = _axis(at, lengths, ways, times, "hip")
    across_chest = _axis(at, lengths, ways, times, "shoulder")
    turned = {}  # frame of each node in the world: (T, 3, 3)
    hips = np.where(np.isnan(across_hips), across_chest, across_hips)
    turned["pelvis"] = _known(frame_of(hips, ways["spine"], "xy"), facing)
    turned["lower_back"] = held(turned["pelvis"], "spine")
    chest = held(turned["lower_back"], "thorax")
    up = np.where(np.isnan(ways["thorax"]), chest[..., 1], ways["thorax"])
    turned["thorax"] = _known(frame_of(across_chest, up, "xy"), chest)
    # The bone of the spine turns about itself half as far as the chest does.
    between = chest[..., 0] + turned["thorax"][..., 0]
    turned["spine"] = _known(frame_of(up, between, "yx"), chest)
    turned["neck_base"] = held(turned["thorax"], "neck")
    turned["neck"] = held(turned["neck_base"], "head")
    for side in ("right", "left"):
        for base, limb, trunk in (
            ("pelvis", ("hip", "knee", "ankle"), "pelvis"),
            ("collar", ("shoulder", "elbow", "wrist"), "thorax"),
        ):
            first, middle, last = (f"{side}_{joint}" for joint in limb)
            turned[f"{side}_{base}"] = held(turned[trunk], first)
            swung = held(turned[trunk], middle)
            angle = _turn(swung, rest[middle], _HINGES[first][1], ways[middle], ways[last], fps)
            turned[first] = swung @ rotation_around(rest[middle], angle)
            turned[middle] = held(turned[first], last)

    names = tuple(name for name, *_ in _TREE)
    parents = tuple(-1 if parent is None else names.index(parent) for _, parent, *_ in _TREE)
    offsets = np.array([np.zeros(3) if way is None else way * lengths[n] for n, _, way, _ in _TREE])
    rotations = np.empty((frames, len(names), 3, 3))
    for node, (name, parent, *_) in enumerate(_TREE):
        if name not in turned:  # the ends: nothing is known about them
            turned[name] = turned[str(parent)]
        above = facing if parent is None else turned[parent]
        rotations[:, node] = above.swapaxes(-1, -2) @ turned[name]
    return Animation(Rig(names, parents, offsets), rotations, _root(at, times))


def forward(rig: Rig, rotations: FloatArray, position: FloatArray) -> npt.NDArray[np.float64]:
    """Forward kinematics: places of the nodes.

    Args:
        rig: N nodes.
        rotations: (T, N, 3, 3) of each node against its parent.
        position: (T, 3) of the root.

    Returns:
        (T, N, 3) in the unit of the offsets.
    """
    places = np.empty((*rotations.shape[:2], 3))
    turned = np.empty(rotations.shape)
    for node, parent in enumerate(rig.parents):
        if parent < 0:
            places[:, node] = position + rig.offsets[node]
            turned[:, node] = rotations[:, node]
        else:
            places[:, node] = places[:, parent] + turned[:, parent] @ rig.offsets[node]
            turned[:, node] = turned[:, parent] @ rotations[:, node]
    return places


def present(points: FloatArray) -> npt.NDArray[np.bool_]:
    """(...) which of points (..., C) are known, that is finite in every coordinate."""
    return np.asarray(np.isfinite(points).all(axis=-1))


def interpolate_gaps(values: FloatArray, times: FloatArray) -> npt.NDArray[np.float64]:
    """Fill frames that are not known: linear between known ones, constant before and after.

    Args:
        values: (T, C), a frame with any NaN counts as unknown.
        times: (T,) seconds.

    Returns:
        (T, C); all NaN where no frame is known.
    """
    known = present(values)
    out = np.full(values.shape, np.nan)
    if known.any():
        for c in range(values.shape[1]):
            out[:, c] = np.interp(times, times[known], values[known, c])
    return out


def _bone_lengths(at: dict[str, FloatArray]) -> dict[str, float]:
    """Median lengths in metres; of bones never seen that of the other side, or a usual one."""
    usual = {name: length for name, *_, length in _TREE}
    found = {}
    for name, parent in H36M_17.parents.items():
        length = np.linalg.norm(at[name] - at[parent], axis=-1)
        if np.isfinite(length).any():
            found[name] = float(np.nanmedian(length))
    swap = dict(zip(H36M_17.joints, H36M_17.mirror_indices, strict=True))
    # People differ in size: scale what is usual by the bones that are seen.
    ratio = float(np.median([found[n] / usual[n] for n in found])) if found else 1.0
    return {
        name: found.get(name, found.get(H36M_17.joints[swap[name]], usual[name] * ratio))
        for name in H36M_17.parents
    }


def _direction(vectors: FloatArray, times: FloatArray) -> FloatArray:
    """Unit vectors (T, 3) over time without gaps; all NaN if never known."""
    unit = normalise_vectors(vectors)
    filled = normalise_vectors(interpolate_gaps(unit, times))
    # Halfway between opposite directions there is none: hold.
    lost = ~present(filled)
    if lost.any() and not lost.all():
        nearest = np.abs(times[lost][:, None] - times[~lost]).argmin(axis=-1)
        filled[lost] = filled[~lost][nearest]
    return filled


def _axis(
    at: dict[str, FloatArray],
    lengths: dict[str, float],
    ways: dict[str, FloatArray],
    times: FloatArray,
    joint: str,
) -> FloatArray:
    """From the right joint of this name to the left one, (T, 3) without gaps; NaN if unknown."""
    left, right = f"left_{joint}", f"right_{joint}"
    across = _direction(at[left] - at[right], times)
    bones = ways[left] * lengths[left] - ways[right] * lengths[right]
    return np.where(np.isnan(across), normalise_vectors(bones), across)


def _known(frames: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Where a frame (T, 3, 3) is undefined, another."""
    lost = np.asarray(np.isnan(frames).any(axis=(-2, -1)))
    return np.where(lost[:, None, None], otherwise, frames)


def _turn(
    swung: FloatArray,
    bone: FloatArray,
    hinge: FloatArray,
    upper: FloatArray,
    lower: FloatArray,
    fps: float,
) -> FloatArray:
    """Angle (T,) by which a limb turns about itself, from the plane in which it bends.

    A limb that is nearly straight, or bends the wrong way (which is noise), says little: it takes
    the turn of frames about it, and if none of these says more, that at rest.
    """
    # As a complex number: its angle is the turn, its size how much it can be trusted.
    normal = np.nan_to_num(np.cross(upper, lower))  # as long as the sine of the bend
    local = (swung.swapaxes(-1, -2) @ normal[..., None])[..., 0]
    found = local @ hinge + 1j * (local @ np.cross(bone, hinge))
    found = found * (np.abs(found) + found.real) / 2
    sigma = _SMOOTH * fps
    # Never wider than the clip: a rate of a million frames a second is possible too.
    reach = min(int(np.ceil(3 * sigma)), len(found) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    inside = np.convolve(np.ones(len(found)), kernel)[reach : reach + len(found)]
    smooth = np.convolve(found, kernel)[reach : reach + len(found)] / inside
    return np.asarray(np.angle(smooth + _REST_WEIGHT))


def _root(at: dict[str, FloatArray], times: FloatArray) -> npt.NDArray[np.float64]:
    """Place of the pelvis (T, 3): as given, between the hips, or among the joints there are."""
    everything = np.stack(list(at.values()))  # (J, T, 3)
    known = present(everything)
    count = known.sum(axis=0)[:, None]
    mean = np.where(known[..., None], everything, 0.0).sum(axis=0) / np.where(count, count, np.nan)
    for guess in (at["pelvis"], (at["left_hip"] + at["right_hip"]) / 2, mean):
        filled = interpolate_gaps(guess, times)
        if np.isfinite(filled).all():
            return filled
    return np.zeros(mean.shape)
