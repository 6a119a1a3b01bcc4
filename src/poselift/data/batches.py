"""Training batches: motion, camera, detector, normalisation."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from poselift.data.augment import AugmentConfig, sample_motion
from poselift.data.bank import MotionBank
from poselift.data.random_cameras import IMAGE_SIZE, CameraConfig, see
from poselift.data.random_noise import NoiseConfig, add_noise
from poselift.data.windows import Target, output_offset
from poselift.geometry.normalise import Normalisation, normalise


@dataclass(frozen=True)
class DataConfig:
    """What a batch is made of.

    Args:
        normalisation: of the network's input.
        target: which frames of the window are predicted.
        augment, camera, noise: how motion, view and detection vary.
    """

    normalisation: Normalisation = "screen"
    target: Target = "centre"
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)


class Batches:
    """Batch number ``step`` is a pure function of seed and step, so that runs can resume.

    Args:
        bank: training motion; batches are made on its device.
        batch_size: B.
        window: F, frames read.
        num_out: n, frames predicted.
        config: what a batch is made of.
        seed: of all randomness.
    """

    def __init__(
        self,
        bank: MotionBank,
        batch_size: int,
        window: int,
        num_out: int,
        config: DataConfig,
        seed: int = 0,
    ) -> None:
        self.bank = bank
        self.batch_size = batch_size
        self.window = window
        self.num_out = num_out
        self.config = config
        self.seed = seed

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs (B, F, 17, 2) normalised, targets (B, n, 17, 3) metres relative to the pelvis."""
        config = self.config
        g = torch.Generator(self.bank.joints.device)
        g.manual_seed(self.seed * 1_000_003 + step)
        first = output_offset(self.window, self.num_out, config.target)
        anchor = first + (self.num_out // 2 if config.target == "centre" else self.num_out - 1)
        joints = sample_motion(self.bank, self.batch_size, self.window, anchor, config.augment, g)
        seen, pixels = see(joints, config.camera, g)
        targets = seen[:, first : first + self.num_out]
        targets = targets - targets[:, :, :1]  # (B, n, 17, 3)
        pixels = add_noise(pixels, config.noise, g)
        return normalise(pixels, (IMAGE_SIZE, IMAGE_SIZE), config.normalisation), targets
