"""A person who moves, made from formulas: for tests, documentation and trials without data.

World frame: metres, z up, floor at z = 0, standing ankles at 0.08 m, joints of ``h36m-17``. All
bones keep their length exactly. In the frame of the body x is forward, y to the left, z up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.data.mocap import Motion
from poselift.errors import UsageError
from poselift.geometry.rotation import rotation_about
from poselift.skeleton import H36M_17

FloatArray = npt.NDArray[np.floating[Any]]

_Angle = FloatArray | float

_ANKLE = 0.08  # height of the ankle of a foot on the floor
_REACH = 0.995  # of the length of the leg: a knee never locks, so that it never snaps


def generate(kind: str = "walk", seconds: float = 4.0, fps: float = 50.0, seed: int = 0) -> Motion:
    """A motion of one person.

    Args:
        kind: ``walk`` along a curved path, ``turn`` on the spot, ``squat``, or ``wave`` one arm.
        seconds: how long; at least one frame comes out.
        fps: frames per second. The motion is a function of time: another fps samples the same.
        seed: of stature, limb lengths, speed, heading and place; same seed, same motion.

    Returns:
        Motion with joints (T, 17, 3), T = round(seconds * fps).

    Raises:
        UsageError: unknown kind, or a duration, fps or seed that cannot be used.

    >>> generate("squat", seconds=2, fps=30).joints.shape
    (60, 17, 3)
    """
    if kind not in _KINDS:
        raise UsageError(f"kind of motion {kind!r}", f"one of {', '.join(_KINDS)}")
    if not (np.isfinite([seconds, fps]).all() and seconds > 0 and fps > 0):
        raise UsageError(f"{seconds} s at {fps} fps", "positive numbers")
    if seed < 0:
        raise UsageError(f"seed {seed}", "0 or more")
    rng = np.random.default_rng(seed)
    body = _Body.random(rng)
    time = np.arange(max(1, round(seconds * fps))) / fps
    joints = _KINDS[kind](time, body, rng)
    return Motion(
        name=f"{kind}-{seed}",
        subject=f"procedural-{seed}",
        skeleton="procedural",
        description=f"{kind}, made from formulas",
        joints=joints.astype(np.float32),
        fps=fps,
    )


@dataclass(frozen=True)
class _Body:
    """Lengths of bones, metres."""

    hip: float = 0.115
    thigh: float = 0.44
    shank: float = 0.43
    spine: float = 0.235
    chest: float = 0.255
    neck: float = 0.115
    head: float = 0.115
    shoulder: float = 0.165
    upper_arm: float = 0.28
    forearm: float = 0.25

    @classmethod
    def random(cls, rng: np.random.Generator) -> _Body:
        stature = rng.uniform(0.92, 1.08)
        lengths = {
            name: getattr(cls, name) * stature * rng.uniform(0.96, 1.04)
            for name in cls.__dataclass_fields__
        }
        return cls(**lengths)

    @property
    def leg(self) -> float:
        return self.thigh + self.shank


@dataclass
class _Drive:
    """What moves the body: all (T,), radians unless said; zero where a kind does not set it."""

    pelvis: FloatArray  # (T, 3) metres
    heading: FloatArray  # about z, 0 along the world's x axis
    ankles: FloatArray  # (T, 2, 3) metres, right and left
    toes: FloatArray  # (T, 2) heading of each foot: where the knee points
    sway: _Angle = 0.0  # pelvis about the forward axis
    twist: _Angle = 0.0  # pelvis about z against the heading; the chest turns back
    lean: _Angle = 0.0  # trunk, forward
    nod: _Angle = 0.0  # head, forward
    swing: list[_Angle] = field(default_factory=lambda: [0.0, 0.0])  # arms, forward
    spread: list[_Angle] = field(default_factory=lambda: [0.12, 0.12])  # arms, sideways
    bend: list[_Angle] = field(default_factory=lambda: [0.25, 0.25])  # elbows
    roll: list[_Angle] = field(default_factory=lambda: [0.0, 0.0])  # forearms, inward


def _pose(drive: _Drive, body: _Body) -> FloatArray:
    """Forward kinematics of the trunk and arms, inverse kinematics of the legs: (T, 17, 3)."""
    frames = len(drive.heading)

    def turn(z: _Angle = 0.0, x: _Angle = 0.0, y: _Angle = 0.0) -> FloatArray:
        """(T, 3, 3): about z, then about the turned x, then about the turned y."""
        out = rotation_about("z", np.broadcast_to(z, frames))
        out = out @ rotation_about("x", np.broadcast_to(x, frames))
        return out @ rotation_about("y", np.broadcast_to(y, frames))

    at = {"pelvis": drive.pelvis}
    hips = turn(z=drive.heading + drive.twist, x=drive.sway)
    lumbar = turn(z=drive.heading + 0.5 * drive.twist, x=0.3 * drive.sway, y=0.7 * drive.lean)
    chest = turn(z=drive.heading - drive.twist, x=-0.3 * drive.sway, y=drive.lean)
    skull = turn(z=drive.heading, y=0.5 * drive.lean + drive.nod)

    at["spine"] = at["pelvis"] + lumbar @ _bone(-0.08, 0, 1, body.spine)
    at["thorax"] = at["spine"] + chest @ _bone(0, 0, 1, body.chest)
    at["neck"] = at["thorax"] + skull @ _bone(0.35, 0, 0.94, body.neck)
    at["head"] = at["neck"] + skull @ _bone(-0.1, 0, 1, body.head)
    for i, (side, sign) in enumerate((("right", -1.0), ("left", 1.0))):
        arm = chest @ turn(x=sign * drive.spread[i], y=-drive.swing[i])
        forearm = arm @ turn(z=-sign * drive.roll[i], y=-drive.bend[i])
        at[f"{side}_shoulder"] = at["thorax"] + chest @ _bone(0, sign, -0.1, body.shoulder)
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] + arm @ _bone(0, 0, -1, body.upper_arm)
        at[f"{side}_wrist"] = at[f"{side}_elbow"] + forearm @ _bone(0, 0, -1, body.forearm)
        at[f"{side}_hip"] = at["pelvis"] + hips @ _bone(0, sign, 0, body.hip)
        at[f"{side}_knee"], at[f"{side}_ankle"] = _leg(
            at[f"{side}_hip"], drive.ankles[:, i], drive.toes[:, i], body
        )
    return np.stack([at[joint] for joint in H36M_17.joints], axis=1)


def _bone(x: float, y: float, z: float, length: float) -> FloatArray:
    """Vector (3,) of this direction and length."""
    return np.array([x, y, z]) * (length / float(np.sqrt(x * x + y * y + z * z)))


def _leg(
    hip: FloatArray, ankle: FloatArray, toes: FloatArray, body: _Body
) -> tuple[FloatArray, FloatArray]:
    """Knee and ankle (T, 3): the ankle where it is wanted, or as near as the leg reaches."""
    along = ankle - hip
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    along = along / length
    length = np.clip(length, 0.3 * body.leg, _REACH * body.leg)
    forward = np.stack([np.cos(toes), np.sin(toes), np.full_like(toes, 0.2)], axis=-1)
    forward -= (forward * along).sum(axis=-1, keepdims=True) * along
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    down = (body.thigh**2 - body.shank**2 + length**2) / (2 * length)
    out = np.sqrt(body.thigh**2 - down**2)
    return hip + down * along + out * forward, hip + length * along


def _smooth(x: FloatArray) -> FloatArray:
    """0 to 1 while x goes from 0 to 1, with rest at both ends."""
    x = np.clip(x, 0, 1)
    return x * x * x * (x * (6 * x - 15) + 10)


def _horizontal(angle: FloatArray) -> FloatArray:
    """Unit vectors (..., 3) with this heading."""
    return np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)


def _steps(time: FloatArray, body: _Body, rng: np.random.Generator, speed: float) -> _Drive:
    """Walk with curved heading at ``speed`` m/s; with none, step round on the spot."""
    period = rng.uniform(1.0, 1.15)  # of two steps, s
    phase, heading0 = rng.uniform(0, 1), rng.uniform(-np.pi, np.pi)
    side = 1.0 if rng.random() < 0.5 else -1.0
    wave, wave_phase = rng.uniform(0.4, 0.7), rng.uniform(0, 2 * np.pi)
    rate = side * (rng.uniform(0.1, 0.25) if speed else rng.uniform(0.6, 0.9))  # rad/s
    place = np.append(rng.uniform(-1, 1, size=2), 0.0)

    def heading(t: FloatArray) -> FloatArray:
        curve: FloatArray = (0.3 if speed else 0.0) * np.sin(wave * t + wave_phase)
        return heading0 + rate * t + curve

    # The path is the integral of the heading; feet need it a step before and after each frame.
    grid = np.arange(-2 * period, time[-1] + 2 * period, 0.01)
    path = np.cumsum(speed * 0.01 * _horizontal(heading(grid)), axis=0)
    path += place - path[np.searchsorted(grid, 0.0)]

    def ground(t: FloatArray) -> FloatArray:
        return np.stack([np.interp(t, grid, path[:, axis]) for axis in range(3)], axis=-1)

    stance = 0.62  # share of the period for which a foot stands
    effort = 1.0 if speed else 0.35
    ankles, toes = [], []
    for offset, sign in ((0.0, -1.0), (0.5, 1.0)):  # right, left
        cycle = time / period + phase + offset
        step = np.floor(cycle)
        share = cycle - step

        def planted(
            number: FloatArray, offset: float = offset, sign: float = sign
        ) -> tuple[FloatArray, FloatArray]:
            # The foot stands where the body is in the middle of its stance, a little behind.
            middle = (number + 0.46 * stance - phase - offset) * period
            left = _horizontal(heading(middle) + np.pi / 2)
            return ground(middle) + 0.085 * sign * left, heading(middle) + 0.1 * sign

        (here, toe_here), (there, toe_there) = planted(step), planted(step + 1)
        swing = (share - stance) / (1 - stance)
        heel = _smooth((share - 0.6 * stance) / (0.4 * stance)) * effort  # rises before the swing
        moved = _smooth(swing)
        lift = np.where(swing > 0, (1 - moved) * 0.09 * effort, 0.09 * heel)
        lift = lift + 0.06 * np.sin(np.pi * np.clip(swing, 0, 1)) ** 2
        forward = np.where(swing > 0, (1 - moved) * effort, heel) * 0.09
        ankle = here + (there - here) * moved[:, None] + forward[:, None] * _horizontal(toe_here)
        ankle[:, 2] += _ANKLE + lift
        ankles.append(ankle)
        toes.append(toe_here + (toe_there - toe_here) * moved)

    beat = 2 * np.pi * (time / period + phase - 0.5 * stance)  # 0 in the middle of right stance
    pelvis = ground(time)
    left = _horizontal(heading(time) + np.pi / 2)
    pelvis += -0.02 * np.cos(beat)[:, None] * left  # over the standing foot
    half_step = 0.25 * speed * period
    height = np.sqrt((0.985 * body.leg) ** 2 - half_step**2)
    pelvis[:, 2] = _ANKLE + height + (0.012 * speed) * (np.cos(2 * beat) - 1)
    arms = rng.uniform(0.35, 0.5) * (speed / 1.2)
    swing_right = arms * np.sin(beat)  # with the left leg
    return _Drive(
        pelvis=pelvis,
        heading=heading(time),
        ankles=np.stack(ankles, axis=1),
        toes=np.stack(toes, axis=1),
        sway=0.04 * np.cos(beat),
        twist=-0.08 * speed * np.sin(beat),
        lean=np.full(len(time), 0.05),
        swing=[swing_right + 0.02, -swing_right + 0.02],
        bend=[0.35 + 0.5 * swing_right, 0.35 - 0.5 * swing_right],
        roll=[0.3, 0.3],
    )


def _walk(time: FloatArray, body: _Body, rng: np.random.Generator) -> FloatArray:
    return _pose(_steps(time, body, rng, rng.uniform(0.9, 1.3)), body)


def _turn(time: FloatArray, body: _Body, rng: np.random.Generator) -> FloatArray:
    return _pose(_steps(time, body, rng, 0.0), body)


def _stand(time: FloatArray, body: _Body, rng: np.random.Generator, width: float) -> _Drive:
    """Both feet ``width`` metres apart, breathing and shifting a little."""
    heading = np.full(len(time), rng.uniform(-np.pi, np.pi))
    place = np.append(rng.uniform(-1, 1, size=2), 0.0)
    left = _horizontal(heading + np.pi / 2)
    shift = 0.02 * np.sin(2 * np.pi * 0.21 * time + rng.uniform(0, 6))
    pelvis = place + shift[:, None] * left
    pelvis[:, 2] = _ANKLE + 0.985 * body.leg
    ankles = np.stack([place - width / 2 * left, place + width / 2 * left], axis=1)
    ankles[..., 2] = _ANKLE
    toes = np.stack([heading - 0.2, heading + 0.2], axis=1)
    sway = 0.03 * np.sin(2 * np.pi * 0.13 * time + rng.uniform(0, 6))
    return _Drive(pelvis, heading, ankles, toes, sway=sway, lean=np.full(len(time), 0.03))


def _squat(time: FloatArray, body: _Body, rng: np.random.Generator) -> FloatArray:
    drive = _stand(time, body, rng, width=0.36)
    period, depth = rng.uniform(2.2, 3.0), rng.uniform(0.36, 0.45) * body.leg
    down = 0.5 - 0.5 * np.cos(2 * np.pi * time / period)
    drive.pelvis = drive.pelvis - 0.22 * down[:, None] * _horizontal(drive.heading)
    drive.pelvis[:, 2] -= depth * down
    drive.lean = 0.03 + 0.7 * down
    drive.nod = -0.15 * down
    reach = down * rng.uniform(1.2, 1.5) + 0.6 * down  # forward of the leaning chest
    drive.swing = [reach, reach]
    drive.bend = [0.25 - 0.1 * down, 0.25 - 0.1 * down]
    return _pose(drive, body)


def _wave(time: FloatArray, body: _Body, rng: np.random.Generator) -> FloatArray:
    drive = _stand(time, body, rng, width=0.22)
    arm = int(rng.integers(2))
    up = _smooth(time / 0.8)
    beat = 2 * np.pi * rng.uniform(0.9, 1.4) * time
    drive.spread[arm] = 0.12 + up * (1.45 + 0.08 * np.sin(beat))
    # Upper arm level and sideways, forearm up: the elbow bends in the plane of the chest.
    drive.roll[arm] = -up * np.pi / 2
    drive.bend[arm] = 0.25 + up * (1.25 + 0.45 * np.sin(beat))
    drive.nod = 0.05 * np.sin(beat / 2)
    return _pose(drive, body)


_KINDS: dict[str, Callable[[FloatArray, _Body, np.random.Generator], FloatArray]] = {
    "walk": _walk,
    "turn": _turn,
    "squat": _squat,
    "wave": _wave,
}
