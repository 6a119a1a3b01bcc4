"""Poses for the round trips."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from poselift.data.procedural import generate
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17, Skeleton

POINTS = Skeleton("drei-punkte", ("mitte", "left_fuß", "right_fuß"), {}, None)


def example(persons: int = 2, frames: int = 5, seed: int = 0, **fields: object) -> Pose3D:
    rng = np.random.default_rng(seed)
    shape = (persons, frames, 17)
    joints = rng.normal(size=(*shape, 3))
    joints[rng.random(shape) < 0.1] = np.nan
    joints[0, 0] = np.nan  # a person absent in a frame
    root = rng.normal(size=(persons, frames, 3))
    root[-1] = np.nan
    return Pose3D(
        joints,
        root,
        rng.normal(size=(*shape, 2)) * 1000,
        rng.random(shape),
        **{"fps": 29.97, "track_ids": np.arange(persons) * 7 + 3, **fields},
    )


@st.composite
def poses(draw: st.DrawFn) -> Pose3D:
    """Any pose that may exist: absent joints, odd times, skeletons and metadata."""
    skeleton = draw(st.sampled_from([H36M_17, POINTS]))
    persons, frames = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-30, 1e-3, 1.0, 1e30]))

    def numbers(*shape: int) -> np.ndarray:
        values = rng.normal(size=shape) * scale
        values[rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = np.nan
        return values

    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    values = st.one_of(texts, st.integers(), st.booleans(), st.floats(allow_nan=False, width=64))
    meta = draw(st.dictionaries(texts, st.one_of(values, st.lists(values, max_size=3)), max_size=3))
    taken = ("format", "skeleton", "frame", "axes", "joints_relative_to", "units")
    steps = rng.random(frames) + 1e-3
    return Pose3D(
        numbers(persons, frames, len(skeleton), 3),
        numbers(persons, frames, 3),
        numbers(persons, frames, len(skeleton), 2),
        numbers(persons, frames, len(skeleton)),
        skeleton=skeleton,
        fps=draw(st.sampled_from([29.97, 50.0, 1.0, 240.0])),
        times=np.cumsum(steps),
        track_ids=rng.permutation(100)[:persons] - 5,
        meta={
            key: value
            for key, value in meta.items()
            if key not in taken
            and value not in (np.inf, -np.inf)
            and not (isinstance(value, list) and any(v in (np.inf, -np.inf) for v in value))
        },
    )


def assert_same(a: Pose3D, b: Pose3D) -> None:
    for name in ("joints", "root", "keypoints", "scores"):
        one, other = getattr(a, name), getattr(b, name)
        assert one.dtype == other.dtype == np.float32
        np.testing.assert_array_equal(one, other, err_msg=name)
    np.testing.assert_array_equal(a.times, b.times)
    np.testing.assert_array_equal(a.track_ids, b.track_ids)
    assert (a.skeleton, a.fps) == (b.skeleton, b.fps)


def moving(*kinds: str, seconds: float = 1.0, placed: bool = True, **fields: object) -> Pose3D:
    """People who move, each of a kind of `poselift.data.procedural`; a camera 1 m above floor."""
    joints = np.stack([generate(kind, seconds, 50.0, seed=3).joints for kind in kinds])
    # World (z up) to camera: x right, y down, z forward.
    joints = np.stack([joints[..., 0], 1 - joints[..., 2], joints[..., 1] + 5], axis=-1)
    root = joints[:, :, 0] if placed else np.full_like(joints[:, :, 0], np.nan)
    return Pose3D(joints - joints[:, :, :1], root, **{"fps": 50.0, **fields})


def y_up(pose: Pose3D) -> np.ndarray:
    """(P, T, J, 3) absolute joints, Y up."""
    return pose.absolute * [1, -1, -1]
