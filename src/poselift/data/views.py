"""The same instants seen by several cameras of a data set, for training without 3D joints."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from poselift.data.clips import PairedClip
from poselift.data.paired import PairedBank, PairedBatches
from poselift.data.windows import Target
from poselift.errors import DataError
from poselift.geometry.normalise import Normalisation


def recording_of(name: str) -> str:
    """The part of a clip's name that is the same for all cameras.

    >>> recording_of("S9/Walking 1/54138969"), recording_of("s_01_act_02_subact_01_ca_01")
    ('S9/Walking 1', 's_01_act_02_subact_01')
    """
    return name.rpartition("/")[0] or name.rpartition("_ca_")[0] or name


class RecordedViews:
    """Batch number ``step`` is a pure function of seed and step, so that runs can resume.

    Args:
        clips: of any recordings; those that too few cameras have seen are left out.
        batch_size: B.
        window: F, frames read.
        num_out: n, frames that the network predicts.
        target: which frames of the window those are.
        normalisation: of the network's input.
        views: V, cameras of each instant.
        mirror: share of instants that are mirrored, in all views.
        confidence: give the score as third channel of the input.
        seed: of all randomness.
        device: where batches are made.

    Raises:
        DataError: no recording by so many cameras.
    """

    def __init__(
        self,
        clips: Sequence[PairedClip],
        batch_size: int,
        window: int,
        num_out: int,
        target: Target,
        normalisation: Normalisation,
        views: int,
        mirror: float = 0.5,
        confidence: bool = False,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        recordings: dict[str, list[int]] = {}
        for number, clip in enumerate(clips):
            recordings.setdefault(recording_of(clip.name), []).append(number)
        usable = [numbers for numbers in recordings.values() if len(numbers) >= views]
        if not usable:
            raise DataError(
                f"no recording by {views} cameras among {len(clips)} clips",
                "clips of several cameras, named as `recording_of` reads them",
            )
        self.bank = PairedBank.from_clips(clips, normalisation, device)
        self.batch_size, self.views, self.mirror, self.seed = batch_size, views, mirror, seed
        # At stride 1 the window of a clip's frame t has the number of the clip's start plus t; the
        # mirrored clips come after all the others.
        self._windows = PairedBatches(
            self.bank, batch_size, window, num_out, target, mirror=True, confidence=confidence
        )
        most = max(map(len, usable))
        padded = [numbers + [-1] * (most - len(numbers)) for numbers in usable]
        self._clips = torch.tensor(padded, device=device)  # (R, most)
        lengths = self.bank.lengths[self._clips].masked_fill(self._clips < 0, 2**62)
        self._lengths = lengths.amin(dim=1)  # (R,) frames that all cameras have
        self._ends = self._lengths.cumsum(0)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which as many instants are drawn as there are."""
        return math.ceil(int(self._ends[-1]) / self.batch_size)

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Views and instants as `poselift.data.batches.ViewBatches` gives them."""
        device = self._ends.device
        g = torch.Generator(device).manual_seed(self.seed * 1_000_003 + step)
        B = self.batch_size
        drawn = torch.randint(int(self._ends[-1]), (B,), generator=g, device=device)
        recording = torch.searchsorted(self._ends, drawn, right=True)  # (B,)
        frame = drawn - (self._ends - self._lengths)[recording]
        present = self._clips[recording] >= 0  # (B, most)
        order = torch.rand(present.shape, generator=g, device=device).masked_fill(~present, 2.0)
        cameras = order.argsort(dim=1)[:, : self.views]  # (B, V)
        clips = self._clips[recording].gather(1, cameras)
        windows = (self.bank.starts[clips] + frame[:, None]).flatten()
        mirrored = torch.rand(B, generator=g, device=device) < self.mirror
        windows += mirrored.repeat_interleave(self.views) * len(self.bank.joints)
        inputs, _ = self._windows.take(windows)
        inputs = inputs.view(B, self.views, *inputs.shape[1:])  # (B, V, F, 17, 2 or 3)
        return inputs[:, 0], inputs[:, 1:], torch.stack((recording, frame), dim=-1)
