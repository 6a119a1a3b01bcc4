"""Windows of people in motion: what an export is compared and calibrated on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poselift.checkpoints import About
from poselift.data import procedural
from poselift.data.mocap import Motion
from poselift.data.windows import output_offset
from poselift.evaluation.mocap import IMAGE_SIZE, camera_joints, detector_noise, project_views
from poselift.geometry.normalise import normalise
from poselift.metrics.functional import mpjpe
from poselift.skeleton import H36M_17

Float32Array = npt.NDArray[np.float32]
Network = Callable[[Float32Array], Float32Array]
"""(B, F, 17, 2 or 3) 2D joints -> (B, n, 17, 3) metres."""

_ROOT = H36M_17.index("pelvis")
_KINDS = ("walk", "turn", "squat", "wave")


@dataclass(frozen=True, eq=False)
class Sample:
    """Windows and what they show.

    Args:
        pixels: (B, F, 17, 2) in images of `poselift.evaluation.mocap.IMAGE_SIZE`, with the errors
            of a detector; and a confidence made up, for a network that reads one.
        joints: (B, n, 17, 3) true joints relative to the pelvis, metres, camera frame.
        about: the network that they are for.
    """

    pixels: Float32Array
    joints: Float32Array
    about: About

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def windows(self) -> Float32Array:
        """(B, F, 17, 2 or 3) normalised, as the network reads them."""
        x: Float32Array = normalise(self.pixels, IMAGE_SIZE, self.about.normalisation)
        return np.ascontiguousarray(x, dtype=np.float32)

    def p1(self, predicted: Float32Array) -> float:
        """Mean joint error (MPJPE) of (B, n, 17, 3), metres, pelvis against pelvis."""
        relative = predicted - predicted[:, :, _ROOT : _ROOT + 1]
        return float(mpjpe(relative, self.joints).mean())


def sample(about: About, count: int, motions: Sequence[Motion] = (), first: int = 0) -> Sample:
    """Windows at the network's frame rate, spread over motions and their four cameras.

    Args:
        about: the network.
        count: B, number of windows, as many as asked for.
        motions: motion capture; people made from formulas if there is none.
        first: number of the first window. Samples ``first`` apart by more than ``count`` share
            none: one to calibrate on and one to measure on.
    """
    pixels = np.empty((count, about.window, 17, about.channels), dtype=np.float32)
    rng = np.random.default_rng(first)
    pixels[..., 2:] = rng.uniform(0.3, 1.0, size=pixels[..., 2:].shape)
    joints = np.empty((count, about.num_out, 17, 3), dtype=np.float32)
    offset = output_offset(about.window, about.num_out, about.target)
    for row, (motion, view, start) in zip(
        range(count), _places(about, motions, first), strict=False
    ):
        frames = start + np.arange(about.window)
        index = np.clip(np.round(frames * motion.fps / about.fps), 0, motion.num_frames - 1)
        part = _part(motion, index.astype(np.int64))
        exact = project_views(part)[view]
        pixels[row, ..., :2] = detector_noise(f"{motion.name}/{start}", view, exact)
        shown = camera_joints(part)[view, offset : offset + about.num_out]
        joints[row] = shown - shown[:, _ROOT : _ROOT + 1]
    return Sample(pixels, joints, about)


def _places(
    about: About, motions: Sequence[Motion], first: int
) -> Iterator[tuple[Motion, int, int]]:
    """(motion, camera, first frame at the network's rate), without an end."""
    number = first
    while True:
        # Steps that have no factor in common with the number of motions, cameras or kinds.
        if motions:
            motion = motions[number * 7 % len(motions)]
        else:
            seconds = about.window / about.fps + 1
            motion = procedural.generate(_KINDS[number % 4], seconds, about.fps, seed=number // 4)
        room = max(1, int(motion.num_frames * about.fps / motion.fps) - about.window)
        yield motion, (number + number // 4) % 4, number * 37 % room
        number += 1


def _part(motion: Motion, frames: npt.NDArray[np.int64]) -> Motion:
    return Motion(
        motion.name,
        motion.subject,
        motion.skeleton,
        motion.description,
        motion.joints[frames],
        motion.fps,
    )


@dataclass(frozen=True)
class Agreement:
    """How well an exported network agrees with torch on a sample.

    Args:
        largest: largest distance of a joint between the two, metres.
        p1: mean joint error of torch, metres.
        p1_change: by how much it is larger in the exported network, metres.
        windows: number of windows compared at each batch size.
        batch_sizes: batch sizes compared.
    """

    largest: float
    p1: float
    p1_change: float
    windows: int
    batch_sizes: tuple[int, ...]


BATCH_SIZES = (1, 7)


def agreement(
    expected: Float32Array,
    exported: Network,
    compared: Sample,
    *,
    raw: bool = False,
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
) -> Agreement:
    """Run an exported network on a sample at several batch sizes.

    Args:
        expected: (B, n, 17, 3) metres, what torch gives for the sample's windows.
        exported: the network; a raw one takes pixels instead of normalised windows.
        compared: the sample.
        raw: whether it is a raw one, which puts the pelvis at zero.
        batch_sizes: each goes through the whole sample.
    """
    x = compared.pixels if raw else compared.windows
    reference = expected - expected[:, :, _ROOT : _ROOT + 1] if raw else expected
    largest, errors = 0.0, []
    for size in batch_sizes:
        given = np.concatenate([exported(x[i : i + size]) for i in range(0, len(x), size)])
        gap = np.linalg.norm(given - reference, axis=-1).max()
        largest = max(largest, float(gap)) if np.isfinite(gap) else np.inf
        errors.append(compared.p1(given) if np.isfinite(gap) else np.inf)
    p1 = compared.p1(expected)
    return Agreement(largest, p1, max(errors) - p1, len(x), batch_sizes)
