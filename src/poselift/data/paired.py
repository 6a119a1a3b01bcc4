"""Windows of paired 2D and 3D joints for training: every clip lies in memory once.

A window is the number of its first frame. Clips lie one after the other in tensors, normalised,
mirrored and continued beyond their ends once; a batch is one gather of stretches from each. Nothing
is padded, mirrored or copied for a window but the window itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from poselift.data.clips import PairedClip, Unit
from poselift.data.windows import Target
from poselift.errors import DataError, UsageError
from poselift.geometry.normalise import Normalisation, normalise
from poselift.skeleton import H36M_17

_MIRROR = list(H36M_17.mirror_indices)
_SQUARE = (2.0, 2.0)
"""Size of an image whose pixels, from its middle, are screen coordinates."""


@dataclass(frozen=True)
class PairedBank:
    """Clips one after the other.

    Args:
        keypoints: (N, 17, 2) from the middle of the image, in halves of its width; with the
            normalisation ``person`` in halves of its longer side.
        scores: (N, 17) confidence.
        joints: (N, 17, 3) camera frame, relative to the pelvis, in ``unit``.
        starts: (S,) first frame of each clip.
        lengths: (S,) frames of each clip.
        normalisation: of the network's input.
        unit: of the joints.
        fps: that of most frames.
    """

    keypoints: Tensor
    scores: Tensor
    joints: Tensor
    starts: Tensor
    lengths: Tensor
    normalisation: Normalisation
    unit: Unit
    fps: float

    @classmethod
    def from_clips(
        cls, clips: Sequence[PairedClip], normalisation: Normalisation, device: str = "cpu"
    ) -> PairedBank:
        """Put clips together.

        Raises:
            DataError: no clip, or clips of different units.
        """
        if not clips:
            raise DataError("no clip", "at least one")
        units = {clip.unit for clip in clips}
        if len(units) != 1:
            raise DataError(f"clips in {' and '.join(sorted(units))}", "one unit")
        frames = sum(clip.num_frames for clip in clips)
        keypoints = torch.empty(frames, len(H36M_17), 2)
        scores = torch.ones(frames, len(H36M_17))
        joints = torch.empty(frames, len(H36M_17), 3)
        rates: dict[float, int] = {}
        lengths = torch.tensor([clip.num_frames for clip in clips])
        starts = lengths.cumsum(0) - lengths
        for clip, start in zip(clips, starts.tolist(), strict=True):
            place = slice(start, start + clip.num_frames)
            side = clip.image_size[0] if normalisation == "screen" else max(clip.image_size)
            centre = np.asarray(clip.image_size, dtype=np.float32) / 2
            keypoints[place] = torch.from_numpy((clip.keypoints - centre) * (2 / side))
            if clip.scores is not None:
                # As a `Pose2D` cuts them, from which the network gets them later.
                scores[place] = torch.from_numpy(clip.scores.clip(0, 1))
            joints[place] = torch.from_numpy(clip.joints - clip.joints[:, :1])
            rates[clip.fps] = rates.get(clip.fps, 0) + clip.num_frames
        return cls(
            keypoints=keypoints.to(device),
            scores=scores.to(device),
            joints=joints.to(device),
            starts=starts.to(device),
            lengths=lengths.to(device),
            normalisation=normalisation,
            unit=units.pop(),
            fps=max(rates, key=lambda rate: rates[rate]),
        )

    def with_mirrored(self) -> PairedBank:
        """The same clips, and after them all clips mirrored."""
        return replace(
            self,
            keypoints=torch.cat((self.keypoints, _mirrored(self.keypoints))),
            scores=torch.cat((self.scores, self.scores[:, _MIRROR])),
            joints=torch.cat((self.joints, _mirrored(self.joints))),
            starts=torch.cat((self.starts, self.starts + len(self.joints))),
            lengths=self.lengths.repeat(2),
        )

    def continued(self, before: int, after: int) -> PairedBank:
        """The same clips with their first frame ``before`` times more in front of them, and their
        last one ``after`` times behind; ``starts`` and ``lengths`` are those of the clips alone.
        """
        room = self.lengths + before + after  # (S,)
        places = room.cumsum(0) - room
        clip = torch.repeat_interleave(room)  # of each frame
        frame = torch.arange(len(clip), device=clip.device) - (places + before)[clip]
        source = self.starts[clip] + frame.clamp_(min=0).minimum(self.lengths[clip] - 1)
        return replace(
            self,
            keypoints=self.keypoints[source],
            scores=self.scores[source],
            joints=self.joints[source],
            starts=places + before,
        )


class PairedBatches:
    """Batch number ``step`` is a pure function of seed and step, so that runs can resume.

    Every window comes once in an epoch, in a new order each time. Beyond a clip's ends its first
    or last frame repeats.

    Args:
        bank: clips; batches are made on its device.
        batch_size: B.
        window: F, frames read.
        num_out: n, frames predicted.
        target: which frames of the window are predicted.
        stride: frames from one window to the next: 1 to have each frame as the one that is used,
            ``num_out`` to have each frame predicted once.
        mirror: add all clips mirrored, as VideoPose3D and its successors do: an epoch has twice
            the windows.
        confidence: give the score as third channel of the input.
        seed: of the order.

    Raises:
        UsageError: a stride or number of frames below 1, or more predicted than read.
    """

    def __init__(
        self,
        bank: PairedBank,
        batch_size: int,
        window: int,
        num_out: int,
        target: Target = "centre",
        stride: int = 1,
        mirror: bool = True,
        confidence: bool = False,
        seed: int = 0,
    ) -> None:
        if min(batch_size, window, num_out, stride) < 1 or num_out > window:
            raise UsageError(
                f"batches of {batch_size} windows of {window} frames, {num_out} predicted, "
                f"stride {stride}",
                "whole numbers from 1, and no more frames predicted than read",
            )
        bank = bank.with_mirrored() if mirror else bank
        self.batch_size, self.window, self.num_out = batch_size, window, num_out
        self.confidence = confidence
        self.seed = seed
        # Chunks of `stride` frames cover a clip, as evenly over its ends as in VideoPose3D; the
        # predicted frames lie around their chunk, or end with it.
        centre = target == "centre"
        ahead = (num_out - stride) // 2 if centre else num_out - stride
        counts = -(-bank.lengths // stride)  # (S,)
        clip = torch.repeat_interleave(counts)  # (W,)
        chunk = torch.arange(len(clip), device=clip.device) - (counts.cumsum(0) - counts)[clip]
        over = (counts * stride - bank.lengths) // 2  # (S,)
        first = chunk * stride - over[clip] - ahead  # (W,) predicted frame, counted from its clip
        self._offset = (window - num_out) // 2 if centre else window - num_out
        read = first - self._offset
        beyond = torch.maximum(read, first + num_out - window) + window - bank.lengths[clip]
        self.bank = bank.continued(max(0, -int(read.min())), max(0, int(beyond.max())))
        self._read = self.bank.starts[clip] + read  # (W,) row of the first frame that is read
        self._order = lru_cache(maxsize=2)(self._shuffled)

    @property
    def num_windows(self) -> int:
        """W, of an epoch."""
        return len(self._read)

    @property
    def steps_per_epoch(self) -> int:
        """Batches after which every window has come once; the last may reach into the next."""
        return math.ceil(self.num_windows / self.batch_size)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs (B, F, 17, 2 or 3) normalised, targets (B, n, 17, 3) relative to the pelvis."""
        first, left = step * self.batch_size, self.batch_size
        parts = []
        while left:
            epoch, at = divmod(first, self.num_windows)
            part = self._order(epoch)[at : at + left]
            parts.append(part)
            first, left = first + len(part), left - len(part)
        return self.take(torch.cat(parts))

    def take(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Some windows (B,) by their number from 0, such as those of a validation in order.

        Returns:
            Inputs and targets as from a call.
        """
        bank, read = self.bank, self._read[windows]
        inputs = _stretches(bank.keypoints, read, self.window)
        targets = _stretches(bank.joints, read + self._offset, self.num_out)
        if bank.normalisation != "screen":
            inputs = normalise(inputs + 1, _SQUARE, bank.normalisation)
        if self.confidence:
            scores = _stretches(bank.scores[..., None], read, self.window)
            inputs = torch.cat((inputs, scores), dim=-1)
        return inputs, targets

    def inside(self, windows: Tensor) -> Tensor:
        """(B, n) which of the frames that some windows (B,) predict are of the clip itself."""
        bank = self.bank
        edges = torch.zeros(len(bank.joints) + 1, dtype=torch.int8, device=bank.joints.device)
        edges[bank.starts] += 1
        edges[bank.starts + bank.lengths] -= 1
        real = edges[:-1].cumsum(0) > 0  # (N,)
        first = self._read[windows] + self._offset
        return real[first[:, None] + torch.arange(self.num_out, device=first.device)]

    def _shuffled(self, epoch: int) -> Tensor:
        """(W,) the order of an epoch."""
        g = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        return torch.randperm(self.num_windows, generator=g).to(self._read.device)


def _stretches(table: Tensor, first: Tensor, frames: int) -> Tensor:
    """Stretches of a table (N, 17, C) from rows ``first`` (B,) on: (B, frames, 17, C)."""
    # A view in which row n is the whole stretch from n on: each is copied in one piece, 30 times
    # as fast as `table[rows]`.
    N, J, C = table.shape
    view = table.as_strided((max(0, N - frames + 1), frames * J * C), (J * C, 1))
    return view.index_select(0, first).view(-1, frames, J, C)


def _mirrored(points: Tensor) -> Tensor:
    """(N, 17, 2 or 3) joints with left and right exchanged, and x from the middle negated."""
    out = points[:, _MIRROR]
    out[..., 0] *= -1
    return out
