"""Training batches: motion, camera, detector, normalisation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from poselift.data.augment import AugmentConfig, draw_frames, sample_persons
from poselift.data.bank import MotionBank
from poselift.data.datasets import PairedSet
from poselift.data.random_cameras import IMAGE_SIZE, CameraConfig, see
from poselift.data.random_noise import NoiseConfig, add_noise
from poselift.data.ranges import check_ranges
from poselift.data.windows import Target, output_offset
from poselift.geometry.normalise import Normalisation, normalise

DataSet = Literal["mocap", PairedSet]


@dataclass(frozen=True)
class PairedConfig:
    """Which windows of a data set with its own 2D joints are used.

    Args:
        keypoints: detections of ``h36m``, such as ``gt`` or ``cpn_ft_h36m_dbb``.
        hold_out: training subjects that are not trained on but choose the checkpoint. With none
            the last weights are kept, as most published numbers are made.
        stride: frames from one window to the next.
        mirror: add every window mirrored.
        confidence: give the score of a joint as a third number.
    """

    keypoints: str = "gt"
    hold_out: tuple[str, ...] = ("S8",)
    stride: int = 1
    mirror: bool = True
    confidence: bool = False

    def __post_init__(self) -> None:
        check_ranges(self, stride=(1, math.inf))


@dataclass(frozen=True)
class DataConfig:
    """What a batch is made of.

    Args:
        set: where the motion comes from: ``"mocap"`` (motion capture, seen through virtual
            cameras), or ``"h36m"``, ``"h36m-motionbert"`` or ``"3dhp"`` (with their own 2D joints).
        normalisation: of the network's input.
        target: which frames of the window are predicted.
        augment, camera, noise: how motion, view and detection of motion capture vary.
        paired: which windows of the other sets are used.
    """

    set: DataSet = "mocap"
    normalisation: Normalisation = "screen"
    target: Target = "centre"
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    paired: PairedConfig = field(default_factory=PairedConfig)

    @property
    def reads_confidence(self) -> bool:
        """Whether the network gets the score of each joint: motion capture has none."""
        return self.set != "mocap" and self.paired.confidence


@dataclass(frozen=True)
class MotionBatches:
    """Batch number ``step`` is a pure function of seed and step, so that runs can resume.

    Args:
        bank: training motion; batches are made on its device.
        batch_size: B.
        window: F, frames read.
        num_out: n, frames predicted.
        config: what a batch is made of.
        seed: of all randomness.
    """

    bank: MotionBank
    batch_size: int
    window: int
    num_out: int
    config: DataConfig
    seed: int = 0

    @property
    def first(self) -> int:
        """The first predicted frame of a window."""
        return output_offset(self.window, self.num_out, self.config.target)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which as many windows are drawn as there are frames."""
        return math.ceil(len(self.bank.joints) / self.batch_size)

    def _generator(self, step: int) -> torch.Generator:
        g = torch.Generator(self.bank.joints.device)
        return g.manual_seed(self.seed * 1_000_003 + step)

    def _motion(self, g: torch.Generator, frames: Tensor, persons: int = 1) -> list[Tensor]:
        """(B, F, 17, 3) metres, world frame, for each person."""
        middle = self.num_out // 2 if self.config.target == "centre" else self.num_out - 1
        anchor = self.first + middle
        augment = self.config.augment
        return sample_persons(self.bank, frames, self.window, anchor, augment, g, persons)

    def _view(self, joints: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """Joints (B, F, 17, 3) in the camera frame, and 2D joints (B, F, 17, 2) normalised."""
        seen, pixels = see(joints, self.config.camera, g)
        pixels = add_noise(pixels, self.config.noise, g)
        return seen, normalise(pixels, (IMAGE_SIZE, IMAGE_SIZE), self.config.normalisation)


@dataclass(frozen=True)
class Batches(MotionBatches):
    """Motion seen by a camera, with its 3D joints. See :class:`MotionBatches`."""

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs (B, F, 17, 2) normalised, targets (B, n, 17, 3) metres relative to the pelvis."""
        g = self._generator(step)
        (joints,) = self._motion(g, draw_frames(self.bank, self.batch_size, g))
        seen, inputs = self._view(joints, g)
        targets = seen[:, self.first : self.first + self.num_out]
        return inputs, targets - targets[:, :, :1]


@dataclass(frozen=True)
class ViewBatches(MotionBatches):
    """The same motion seen by several cameras, without 3D joints. See :class:`MotionBatches`.

    Args:
        views: V, cameras; each sees the motion with detection errors of its own.
        same_person: whether they see one person, or each another one who does the same.
    """

    views: int = 2
    same_person: bool = True

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Views of the motion, and which instant they show.

        Returns:
            (B, F, 17, 2) normalised 2D joints in the first camera, (B, V - 1, F, 17, 2) in the
            others, and (B, 2) the clip and its frame that lie in the middle of what is predicted.
        """
        g = self._generator(step)
        frames = draw_frames(self.bank, self.batch_size, g)
        persons = self._motion(g, frames, 1 if self.same_person else self.views)
        views = [self._view(persons[k % len(persons)], g)[1] for k in range(self.views)]
        clip = self.bank.clip_of(frames)
        instants = torch.stack((clip, frames - self.bank.starts[clip]), dim=-1)
        return views[0], torch.stack(views[1:], dim=1), instants
