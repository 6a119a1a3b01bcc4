"""From the camera's frame to the room's: z up, the floor at zero, people standing on it.

The camera rests. Where its horizon lies follows from the people: standing feet lie on one plane,
and upright people point away from it. Both are weighed against each other and against how cameras
are usually held, so that a person who walks about decides by his feet and one who stands still by
his trunk. The floor is the lowest level that people stand on.

World: origin on the floor below the camera, y where it looks, x to its right, z up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError, UsageError
from poselift.geometry.contact import ANKLE_HEIGHT, LEGS, foot_contacts, runs
from poselift.geometry.trajectory import AGILITY, FloorHints, Trajectory, solve_trajectory
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
Array = FloatArray

# How sure each source is, standard deviations; the trunk's was measured on the validation motions.
_TRUNK = math.radians(3.0)
_CAMERA = np.radians([20.0, 4.0])  # pitch, roll of cameras of which nothing is known
_FOOT = 0.03  # metres of a standing ankle from the plane
_FOOT_ROOT = 0.04  # the same for the place of the root, measured like the trunk
_STANDING = math.radians(30)  # a person bent more than this tells nothing of up
_LYING = math.radians(60)  # nor does one who is this far from where cameras have it
_SIZE = 0.07  # relative: sizes of lifted people when nobody's height is known
_SIZE_KNOWN = 0.02
_STOREY = 0.6  # metres: a step this high is another floor, a smaller one is an error
_STOREY_SHARE = 0.1  # of all frames
_FORWARD = np.array([0.0, 0.0, 1.0])
_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class World:
    """Where the camera is in the room, and how surely.

    Args:
        rotation: (3, 3) world -> camera, as `poselift.geometry.camera.Camera` has it.
        position: (3,) of the camera in the world, metres: (0, 0, its height above the floor).
        scale: by which the people were too small: multiply joints and roots in the camera frame.
        method: what decided: ``"feet"``, ``"feet and trunk"``, ``"trunk"``, ``"camera"`` (the
            usual one, for want of anything better) or ``"given"``.
        tilt_sigma: degrees by which up may be off, one standard deviation.
        floor_rms: metres of standing ankles from the plane; NaN without any.
        contacts: how many times a foot stood.
    """

    rotation: Array
    position: Array
    scale: float
    method: str
    tilt_sigma: float
    floor_rms: float
    contacts: int

    @property
    def up(self) -> Array:
        """(3,) unit vector in the camera frame."""
        return self.rotation[:, 2]

    @property
    def height(self) -> float:
        """Of the camera above the floor, metres."""
        return float(self.position[2])

    @property
    def pitch(self) -> float:
        """Degrees by which the camera looks down."""
        return math.degrees(math.asin(-float(np.clip(self.up[2], -1, 1))))

    @property
    def roll(self) -> float:
        """Degrees by which the camera is turned clockwise, seen from behind it."""
        return math.degrees(math.atan2(-self.up[0], -self.up[1]))

    def points(self, points: FloatArray) -> Array:
        """Points (..., 3) of the camera frame in the world, metres; scaled already."""
        out: Array = np.asarray(points, np.float64) @ self.rotation + self.position
        return out

    def seen(self, points: FloatArray) -> Array:
        """Points (..., 3) of the world in the camera frame, metres: the inverse of `points`."""
        out: Array = (np.asarray(points, np.float64) - self.position) @ self.rotation.T
        return out

    def describe(self) -> dict[str, Any]:
        """Plain numbers and texts for a file's ``meta``."""
        return {
            "frame": "world: z up, origin on the floor below the camera, y where it looks",
            "camera_height_m": round(self.height, 4),
            "camera_pitch_degrees": round(self.pitch, 3),
            "camera_roll_degrees": round(self.roll, 3),
            # point in the world = rotation @ point in the camera frame + position
            "camera_to_world": {
                "rotation": self.rotation.T.round(6).tolist(),
                "position_m": self.position.round(4).tolist(),
            },
            "scale": round(self.scale, 5),
            "method": self.method,
            "tilt_sigma_degrees": round(self.tilt_sigma, 3),
            "floor_rms_m": None if math.isnan(self.floor_rms) else round(self.floor_rms, 4),
            "foot_contacts": self.contacts,
        }


def camera_up(pitch: float, roll: float = 0.0) -> Array:
    """Up (3,) in the frame of a camera that looks down by ``pitch`` and is turned by ``roll``.

    Degrees, see `World`.

    Raises:
        UsageError: a pitch beyond straight down or up, or numbers that are not finite.

    >>> camera_up(0).tolist()[1:]
    [-1.0, -0.0]
    """
    if not (math.isfinite(pitch) and abs(pitch) <= 90 and math.isfinite(roll)):
        raise UsageError(f"camera pitch {pitch!r}, roll {roll!r}", "degrees, pitch from -90 to 90")
    p, r = math.radians(pitch), math.radians(roll)
    return np.array([-math.sin(r) * math.cos(p), -math.cos(r) * math.cos(p), -math.sin(p)])


def fit_world(
    joints: FloatArray,
    times: FloatArray,
    *,
    camera_height: float | None = None,
    pitch: float | None = None,
    roll: float | None = None,
    sizes_known: bool = False,
    skeleton: Skeleton = H36M_17,
) -> World:
    """Find the floor and up from people in the frame of a resting camera.

    Args:
        joints: (P, T, J, 3) metres, camera frame, with their roots; NaN where absent.
        times: (T,) seconds.
        camera_height: of the camera above the floor, metres; found if not given. It also tells
            the people's sizes, and with them ``scale``, unless these are known.
        pitch: degrees by which the camera looks down; found if not given.
        roll: degrees by which it is turned clockwise; 0 if only ``pitch`` is given.
        sizes_known: the people have their true sizes.
        skeleton: of the joints.

    Raises:
        UsageError: a height that is not positive, or a pitch beyond 90 degrees.
        DataError: no person with ankles in any frame, or shapes that do not fit.
    """
    if camera_height is not None and not (math.isfinite(camera_height) and camera_height > 0):
        raise UsageError(f"camera height {camera_height!r}", "a positive number of metres")
    given = pitch is not None or roll is not None
    usual = camera_up(pitch or 0.0, roll or 0.0)
    joints = np.asarray(joints, dtype=np.float64)
    contacts = foot_contacts(joints, times, floor=False, skeleton=skeleton)
    feet: Array = joints[:, :, list(skeleton.indices([leg[-1] for leg in LEGS]))]  # (P, T, 2, 3)
    if not np.isfinite(feet).all(axis=-1).any():
        raise DataError("no feet with a place in the room", "at least one frame with an ankle")

    # A prior as one direction with an uncertainty about each of the camera's axes x and z.
    sigma = np.full(2, 1e-6) if given else _CAMERA.copy()
    up, trunk = usual, None if given else trunk_up(joints, skeleton)
    if trunk is not None and float(trunk @ usual) < math.cos(_LYING):
        trunk = None
    if trunk is not None:
        weight, mine = sigma**-2.0, _TRUNK**-2
        lean = np.array([trunk[2], trunk[0]]) / -trunk[1] * mine / (weight + mine)
        up = _unit(np.array([lean[1], -1.0, lean[0]]))
        sigma = (weight + mine) ** -0.5
    points, counts = _resting_points(feet, contacts)
    ratio = (_SIZE_KNOWN if sizes_known else _SIZE) if camera_height is not None else math.inf
    aim = 0.0 if camera_height is None else ANKLE_HEIGHT - camera_height
    found, level, cov, rms = _fit_plane(points, counts, up, sigma, aim, abs(ratio * aim))
    if camera_height is None and len(points):
        level = _lowest_level(feet @ found, level)
    if not len(points):  # nobody stood: the lowest that feet got to
        levels = feet[np.isfinite(feet).all(axis=-1)] @ found
        level = aim if camera_height is not None else float(np.percentile(levels, 5))
    method = _method(given, trunk is not None, cov, sigma)
    scale = 1.0
    if camera_height is not None and not sizes_known and len(points) and level < 0:
        scale = aim / level
    height = ANKLE_HEIGHT - level * scale if camera_height is None else camera_height
    return World(
        _frame(found),
        np.array([0.0, 0.0, height]),
        scale,
        method,
        math.degrees(math.sqrt(max(float(cov.max()), 0.0))),
        rms,
        len(points),
    )


def trunk_up(joints: FloatArray, skeleton: Skeleton = H36M_17) -> Array | None:
    """Up (3,) as standing people show it: from the feet to the neck, over all frames.

    Args:
        joints: (P, T, J, 3) in any frame; NaN where absent.
        skeleton: of the joints.

    Returns:
        A unit vector, or ``None`` if nobody stands upright in any frame.
    """
    joints = np.asarray(joints, dtype=np.float64)
    names = ["left_ankle", "right_ankle", "pelvis", "thorax"]
    left, right, pelvis, thorax = np.moveaxis(joints[:, :, list(skeleton.indices(names))], 2, 0)
    feet = (left + right) / 2
    lower, upper, whole = (_unit(a) for a in (pelvis - feet, thorax - pelvis, thorax - feet))
    # Bent or seated people are left out, and so is a trunk that leans out of the legs' line.
    straight = (lower * upper).sum(axis=-1) > math.cos(_STANDING)
    directions = whole[straight & np.isfinite(whole).all(axis=-1)]
    if not len(directions):
        return None
    up = _unit(np.median(directions, axis=0))
    for _ in range(5):
        off = np.arccos(np.clip(directions @ up, -1, 1))
        weight = 1 / np.maximum(off, math.radians(2))  # towards the median direction
        up = _unit((weight[:, None] * directions).sum(axis=0))
    return up


def to_world(pose: Pose3D, world: World) -> Array:
    """Joints (P, T, J, 3) in the world, metres; NaN where the person or the root is absent."""
    return world.points(pose.absolute.astype(np.float64) * world.scale)


def floor_hints(
    joints: FloatArray, times: FloatArray, world: World, skeleton: Skeleton = H36M_17
) -> FloorHints:
    """What the standing feet say of the roots, for `poselift.geometry.trajectory`.

    Args:
        joints: (P, T, J, 3) metres, camera frame, with their roots, not yet scaled.
        times: (T,) seconds.
        world: found from these joints.
        skeleton: of the joints.
    """
    joints = np.asarray(joints, dtype=np.float64)
    contacts = foot_contacts(joints, times, floor=False, skeleton=skeleton)
    feet = joints[:, :, list(skeleton.indices([leg[-1] for leg in LEGS]))]
    root = joints[:, :, skeleton.index(skeleton.root or "pelvis")]
    ankles = (ANKLE_HEIGHT - world.height) / world.scale  # their plane, along up
    above = feet @ world.up - ankles
    stands = contacts & (np.abs(above) < 4 * _FOOT)
    # Of two standing feet, the mean.
    count = stands.sum(axis=-1)
    off = np.where(stands, above, 0.0).sum(axis=-1) / np.maximum(count, 1)
    level = np.where(count > 0, root @ world.up - off, np.nan)
    return FloorHints(world.up, level, _FOOT_ROOT)


def place(
    pose: Pose3D,
    *,
    focal: float | None = None,
    image_size: tuple[int, int] | None = None,
    height: float | None = None,
    camera_height: float | None = None,
    pitch: float | None = None,
    roll: float | None = None,
    agility: float = AGILITY,
) -> tuple[Pose3D, World]:
    """Put lifted people into the room: their paths in metres, and the room's frame.

    Args:
        pose: as a `Lifter` gives it, with its keypoints.
        focal: focal length, pixels; what ``meta`` says (``focal_px``) if not given.
        image_size: (width, height), pixels; what ``meta`` says if not given.
        height: of every person, standing, metres, if it is known.
        camera_height: of the camera above the floor, metres, if it is known.
        pitch: degrees by which the camera looks down, if known.
        roll: degrees by which it is turned clockwise, if known.
        agility: see `poselift.geometry.trajectory`.

    Returns:
        The pose with new ``root`` and, where the size became known, scaled ``joints``; ``meta``
        says what was done (``trajectory`` and ``world``). And the world, of scale 1: call
        ``to_world(pose, world)``.

    Raises:
        UsageError: a value out of its range, or no focal length or image size.
        DataError: nobody can be placed, or nobody's feet were ever seen.
    """
    focal = pose.meta.get("focal_px") if focal is None else focal
    image_size = pose.meta.get("image_size") if image_size is None else image_size
    if focal is None or image_size is None:
        raise UsageError("no focal length or image size", "both, to find people's places")
    if not (math.isfinite(focal) and focal > 0):
        raise UsageError(f"focal={focal!r}", "a positive number of pixels")
    centre = np.array(image_size, dtype=np.float64) / 2
    joints = pose.joints
    ankles = list(pose.skeleton.indices([leg[-1] for leg in LEGS]))
    guessed = np.isnan(pose.keypoints[:, :, ankles]).all(axis=(1, 2, 3))  # (P,)

    def solve(floor: FloorHints | None) -> tuple[FloatArray, Array, Trajectory]:
        path = solve_trajectory(
            joints,
            pose.keypoints,
            focal,
            centre,
            times=pose.times,
            scores=pose.scores,
            height=height,
            agility=agility,
            floor=floor,
            skeleton=pose.skeleton,
        )
        scale = path.scale[:, None, None, None].astype(np.float32)
        return joints * scale, path.root, path

    def bodies(scaled: FloatArray, root: Array) -> Array:
        """Joints with their roots, without feet that only the network believes in."""
        out = scaled + root[:, :, None]
        for ankle in ankles:
            out[guessed, :, ankle] = np.nan
        return out

    def fit(scaled: FloatArray, root: Array) -> World:
        return fit_world(
            bodies(scaled, root),
            pose.times,
            camera_height=camera_height,
            pitch=pitch,
            roll=roll,
            sizes_known=height is not None,
            skeleton=pose.skeleton,
        )

    scaled, root, path = solve(None)
    world = fit(scaled, root)
    # Once more, with the floor under the feet.
    hints = floor_hints(bodies(scaled, root), pose.times, world, pose.skeleton)
    hints = FloorHints(hints.up, hints.level / path.scale[:, None], hints.sigma)
    scaled, root, path = solve(hints)
    world = fit(scaled, root)
    scaled, root = scaled * world.scale, root * world.scale
    tall = path.stature * world.scale
    meta = {
        **pose.meta,
        "focal_px": float(focal),
        "trajectory": {
            "smoothing": agility,
            "height_given_m": height,
            "heights_m": [None if math.isnan(h) else round(float(h), 3) for h in tall],
            "scales": (path.scale * world.scale).round(5).tolist(),
            "reprojection_sigma_px": [
                None if math.isnan(s) else round(float(s), 3) for s in path.sigma_px
            ],
        },
        "world": world.describe(),
    }
    placed = replace(
        pose, joints=scaled.astype(np.float32), root=root.astype(np.float32), meta=meta
    )
    return placed, replace(world, scale=1.0)


def _resting_points(feet: Array, contacts: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """(N, 3) middle of each contact and (N,) frames in it."""
    points, counts = [], []
    for p in range(len(feet)):
        for side in range(feet.shape[2]):
            for first, end in runs(contacts[p, :, side]):
                points.append(np.median(feet[p, first:end, side], axis=0))
                counts.append(end - first)
    return np.array(points).reshape(-1, 3), np.array(counts, dtype=np.float64)


def _fit_plane(
    points: Array, counts: Array, prior: Array, sigma: Array, aim: float, aim_sigma: float
) -> tuple[Array, float, Array, float]:
    """Up, level of the ankles along it, covariance (2, 2) of up, and rms of the points.

    Least squares of the distances of points from the plane, of the tilt from the prior and of the
    level from ``aim``, in which points far off count less (Tukey), so that a foot that rests on a
    step, or hangs still in the air, does not tilt the floor.
    """
    # Tilts about camera axes: the first tips up along z (pitch), the second along x (roll).
    first = _unit(_FORWARD - (_FORWARD @ prior) * prior)
    if not np.isfinite(first).all() or abs(prior[2]) > 0.999:
        first = _unit(np.array([0.0, -1.0, 0.0]) + prior[1] * prior)
    basis = np.stack([first, np.cross(first, prior)])
    up, level, tilt = prior, aim, np.zeros(2)
    about = np.diag(sigma**-2.0)
    if not len(points):
        return prior, level, np.linalg.inv(about), math.nan
    level = float(np.median(points @ prior))
    spread = 0.15
    for n in range(_ROUNDS):
        off = points @ up - level
        spread = max(_FOOT, 1.4826 * float(np.median(np.abs(off))))
        # From wide to narrow: the first plane may be tilted.
        cut = max(4 * spread, 0.5 * 0.8**n)
        weight = np.clip(1 - (off / cut) ** 2, 0.0, None) ** 2 / spread**2
        rows = np.concatenate([points @ basis.T, -np.ones((len(points), 1))], axis=1)  # (N, 3)
        target = -(points @ prior)
        matrix = rows.T @ (weight[:, None] * rows)
        right = rows.T @ (weight * target)
        matrix[:2, :2] += about
        if math.isfinite(aim_sigma):
            matrix[2, 2] += aim_sigma**-2
            right[2] += aim_sigma**-2 * aim
        matrix[2, 2] += 1e-9
        x = np.linalg.solve(matrix, right)
        change, tilt = np.abs(x[:2] - tilt).max(), x[:2]
        raw = prior + tilt @ basis
        up, level = _unit(raw), float(x[2]) / float(np.linalg.norm(raw))
        if change < 1e-7 and n > 8:
            break
    inside = weight > 0
    rms = float(np.sqrt(np.average((points @ up - level)[inside] ** 2, weights=counts[inside])))
    covariance: Array = np.linalg.inv(matrix)[:2, :2]
    return up, level, covariance, rms


def _lowest_level(levels: Array, level: float) -> float:
    """The floor is the lowest level that people stand on: who was on a roof has come down.

    Of people on their feet one foot stands nearly always, so that the lower one tells; steps need
    not be long or still enough to be found as contacts.

    Args:
        levels: (P, T, 2) of the feet along up, metres.
        level: of the plane that most of the standing feet are near.
    """
    lower = np.where(np.isnan(levels), np.inf, levels).min(axis=2)
    lower = lower[np.isfinite(lower)]
    below = lower[lower < level - _STOREY]
    while len(below) > _STOREY_SHARE * len(lower):
        level = float(np.median(below))
        below = lower[lower < level - _STOREY]
    return level


def _method(given: bool, trunk: bool, covariance: Array, sigma: Array) -> str:
    if given:
        return "given"
    gained = np.sqrt(np.diag(covariance)) / sigma  # about each axis; 1: the feet told nothing
    if (gained < 0.5).all():
        return "feet"
    if (gained > 0.9).all():
        return "trunk" if trunk else "camera"
    return "feet and trunk" if trunk else "feet"


def _frame(up: Array) -> Array:
    """World -> camera rotation (3, 3): its columns are the world's axes in the camera frame."""
    heading = _FORWARD if abs(up[2]) < 0.999 else np.array([0.0, -1.0, 0.0])
    y = _unit(heading - (heading @ up) * up)
    return np.stack([np.cross(y, up), y, up], axis=1)


def _unit(vectors: Array) -> Array:
    """Vectors (..., 3) of length one; NaN where they have none."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, np.nan))
