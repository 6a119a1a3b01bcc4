"""How an hourglass gets back the frames that it dropped.

A new way is a :class:`Recovery` and a line in :data:`RECOVERIES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from poselift.models.host import VideoHost, positions_for
from poselift.models.layers.attention import CrossAttention
from poselift.models.layers.transformer import FRAMES


class Recoverer(nn.Module):
    """Brings back all frames: their tokens before the host's readout, or their poses after it."""

    def kept_positions(self, count: int) -> Tensor | None:
        """What the learned positions of ``count`` kept frames begin with, (1, f, C), if they get
        some when they are chosen.
        """
        return None

    def tokens(self, tokens: Tensor, frames: Tensor, num_frames: int) -> Tensor:
        """Tokens (B, f, J, C) of the kept ``frames`` (B, f) -> those to read out."""
        return tokens

    def poses(self, poses: Tensor, frames: Tensor, num_frames: int) -> Tensor:
        """What was read out, (B, f or F, 17, 3) -> (B, F, 17, 3)."""
        return poses


class Recovery(ABC):
    """Names a way to recover; a network builds its own :class:`Recoverer` from it.

    Attributes:
        name: in configs and checkpoints.
    """

    name: ClassVar[str]

    @abstractmethod
    def build(self, host: VideoHost) -> Recoverer:
        """Fresh weights for the tokens and the window of ``host``."""


class AttentionRecovery(Recovery):
    """TRA, the token recovering attention.

    Li et al., "Hourglass Tokenizer for Efficient Transformer-Based 3D Human Pose Estimation", CVPR
    2024, section 3.3: a learned query for each frame of the window attends, joint by joint, to the
    kept frames. The host then reads out all of them.
    """

    name = "attention"

    def build(self, host: VideoHost) -> Recoverer:
        """See :meth:`Recovery.build`; as many heads as the host's own attention has."""
        return _Queries(host)


_WAVES = 16
"""Cosines that a code of time is made of: frames a sixteenth of the window apart differ."""


class _Queries(Recoverer):
    def __init__(self, host: VideoHost) -> None:
        super().__init__()
        heads = host.config.num_heads
        self.queries = nn.Parameter(torch.zeros(1, host.config.num_frames, host.dim))
        self.attention = CrossAttention(host.dim, heads, 0.0, FRAMES, host.qkv_bias)
        if host.position_std:
            self._interpolate(host.position_std)

    def _interpolate(self, std: float) -> None:
        """Begin as an average over the frames around, whose weights fall with the distance.

        The last tokens of a trained host do not tell their time, and the queries have nothing to
        look for: from zeros, or from random numbers, nothing is learned in hundreds of steps.
        """
        _, frames, channels = self.queries.shape
        time = (torch.arange(frames) + 0.5) / frames
        waves = torch.cos(torch.pi * time[:, None] * torch.arange(1, _WAVES + 1))  # (F, waves)
        codes = waves @ torch.randn(_WAVES, channels)  # (F, C)
        ways = self.attention
        with torch.no_grad():
            self.queries.copy_(std * codes / codes.std())
            # Large enough for a frame to prefer its neighbours.
            nn.init.orthogonal_(ways.q.weight, 1.5)
            ways.k.weight.copy_(ways.q.weight)
            nn.init.eye_(ways.v.weight)
            nn.init.eye_(ways.proj.weight)
            for linear in (ways.q, ways.k, ways.v, ways.proj):
                if linear.bias is not None:
                    linear.bias.zero_()

    def kept_positions(self, count: int) -> Tensor:
        """The queries of frames in equal steps; zeros as long as these are."""
        places = torch.linspace(0, self.queries.shape[1] - 1, count).round().long()
        return self.queries.detach()[:, places].clone()

    def tokens(self, tokens: Tensor, frames: Tensor, num_frames: int) -> Tensor:
        """(B, f, J, C) -> (B, F, J, C)."""
        queries = positions_for(self.queries, num_frames)[:, :, None]  # (1, F, 1, C)
        return queries + self.attention(queries, tokens, tokens)


@dataclass(frozen=True)
class Neighbours:
    """The kept frames next to each frame of the window.

    Args:
        before, after: (B, F) their places among the kept ones; the same at and beyond the ends.
        weight: (B, F) of the one after, 0 to 1, by the distance in time.
    """

    before: Tensor
    after: Tensor
    weight: Tensor

    @classmethod
    def of(cls, frames: Tensor, num_frames: int) -> Neighbours:
        """Of the kept ``frames`` (B, f), rising, in a window of ``num_frames``."""
        time = torch.arange(num_frames, device=frames.device)
        last = frames.shape[1] - 1
        count = (frames[:, None, :] <= time[:, None]).sum(dim=2)  # (B, F) kept up to each
        before, after = (count - 1).clamp(min=0), count.clamp(max=last)
        start, end = frames.gather(1, before), frames.gather(1, after)
        weight = ((time - start) / (end - start).clamp(min=1)).clamp(0, 1)
        return cls(before, after, weight)


class _Linear(Recoverer):
    def poses(self, poses: Tensor, frames: Tensor, num_frames: int) -> Tensor:
        """(B, f, 17, 3) -> (B, F, 17, 3)."""
        near = Neighbours.of(frames, num_frames)
        weight = near.weight.to(poses.dtype)[:, :, None, None]
        return take(poses, near.before) * (1 - weight) + take(poses, near.after) * weight


class _Nearest(Recoverer):
    def poses(self, poses: Tensor, frames: Tensor, num_frames: int) -> Tensor:
        """(B, f, 17, 3) -> (B, F, 17, 3)."""
        near = Neighbours.of(frames, num_frames)
        return take(poses, torch.where(near.weight > 0.5, near.after, near.before))


class LinearRecovery(Recovery):
    """Poses in between are interpolated linearly; before the first kept frame and after the last
    one they stand still. Li et al., "H2OT", TPAMI 2025.
    """

    name = "linear"

    def build(self, host: VideoHost) -> Recoverer:
        """See :meth:`Recovery.build`; no weights."""
        return _Linear()


class NearestRecovery(Recovery):
    """The pose of the nearest kept frame; half way between two, of the earlier one."""

    name = "nearest"

    def build(self, host: VideoHost) -> Recoverer:
        """See :meth:`Recovery.build`; no weights."""
        return _Nearest()


def take(x: Tensor, places: Tensor) -> Tensor:
    """Frames of (B, F, ...) at ``places`` (B, f): (B, f, ...)."""
    return x[torch.arange(x.shape[0], device=x.device)[:, None], places]


RECOVERIES: dict[str, Recovery] = {
    recovery.name: recovery
    for recovery in (AttentionRecovery(), LinearRecovery(), NearestRecovery())
}
