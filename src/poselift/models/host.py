"""The seam that all video pose transformers share: embed, levels, readout.

The hourglass (:mod:`poselift.models.hourglass`) drops frames between two levels and brings them
back before the readout or after it; no host knows of it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from poselift.data.windows import output_offset
from poselift.errors import UsageError


class WindowConfig(Protocol):
    """What every config of a network over a window says."""

    @property
    def num_frames(self) -> int:
        """F, frames of the window."""

    @property
    def num_out_frames(self) -> int:
        """n, frames predicted, in the centre of the window."""

    @property
    def num_heads(self) -> int:
        """Heads of the attention."""


class VideoHost(nn.Module):
    """A network over the frames of a window whose levels take any subset of the frames.

    Tokens are (B, F, J, C): batch, frames, joints, channels. A network without a joint axis has
    J = 1. What depends on a frame's place in the window (position tables) belongs into
    :meth:`embed` or into level 0; further levels, and :meth:`readout`, work with any number of
    frames in the order of time: after pruning they see those that were kept.

    Attributes:
        config: sizes. ``num_out_frames`` is F for a network that predicts a sequence, 1 for one
            that predicts the frame in the centre.
        levels: each maps tokens to tokens of the same shape.
        dim: C, channels of a token.
        qkv_bias: whether queries, keys and values of its attention have a bias.
        reads_confidence: whether it has a place for a third number of each joint.
        position_std: standard deviation of positional embeddings before training.
    """

    config: WindowConfig
    levels: nn.ModuleList
    dim: int
    qkv_bias: ClassVar[bool] = True
    reads_confidence: ClassVar[bool] = False
    position_std: float = 0.0

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2 or 3) normalised 2D joints -> tokens (B, F, J, C)."""

    @abstractmethod
    def readout(self, tokens: Tensor) -> Tensor:
        """Tokens (B, F, J, C) -> (B, F, 17, 3) metres relative to the pelvis."""

    def pooled(self, tokens: Tensor) -> Tensor:
        """What a pruning compares frames by: (B, F, J, C) -> (B, F, C)."""
        return tokens.mean(dim=2)

    def keep_frames(self, level: int, num_frames: int) -> None:
        """Make the levels from ``level`` on for windows of ``num_frames``, with fresh weights.

        An hourglass says so when it is built, for levels with a weight for each frame.
        """

    def spread(self, positions: Tensor) -> None:
        """Draw positional embeddings that are zeros so far, as ``position_std`` says."""
        if self.position_std:
            nn.init.normal_(positions, std=self.position_std)

    def encode(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2 or 3) -> tokens (B, F, J, C), the features in front of the readout."""
        tokens: Tensor = self.embed(x)
        for level in self.levels:
            tokens = level(tokens)
        return tokens

    def poses(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2 or 3) -> (B, F, 17, 3) metres, every frame that is computed."""
        return self.readout(self.encode(x))

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2 or 3) -> (B, n, 17, 3) metres relative to the pelvis.

        A third number for each joint is the detector's confidence, for networks that read it.
        Fewer frames than the window's are taken for those around its centre: the result is that of
        a whole window whose other frames are masked. All of them come out if they are fewer than
        ``num_out_frames``.

        Raises:
            UsageError: more frames than the window's.
        """
        return predicted(self.poses(checked_window(x, self.config)), self.config)


def checked_window(x: Tensor, config: WindowConfig) -> Tensor:
    """``x`` (B, T, 17, 2 or 3), or ``UsageError`` where it has more frames than the window."""
    if x.shape[1] > config.num_frames:
        raise UsageError(
            f"{x.shape[1]} frames for a window of {config.num_frames}",
            "at most the window's",
            "poselift.Lifter cuts clips of any length into windows",
        )
    return x


def predicted(poses: Tensor, config: WindowConfig) -> Tensor:
    """The frames in the centre that a network predicts: (B, F, 17, 3) -> (B, n, 17, 3)."""
    count = min(config.num_out_frames, poses.shape[1])
    first = output_offset(poses.shape[1], count, "centre")
    return poses[:, first : first + count]


def centre_frame(num_frames: int) -> int:
    """The frame that a network for one frame predicts.

    >>> centre_frame(243)
    121
    """
    return output_offset(num_frames, 1, "centre")


def positions_for(table: Tensor, num_frames: int) -> Tensor:
    """The rows of a position table for a window of fewer frames, centre on centre.

    Args:
        table: (1, F, ...) learned positions.
        num_frames: T, at most F.

    Returns:
        (1, T, ...).
    """
    first = centre_frame(table.shape[1]) - centre_frame(num_frames)
    return table[:, first : first + num_frames]


def with_confidence(x: Tensor) -> Tensor:
    """(B, F, 17, 2 or 3) -> (B, F, 17, 3): where no confidence is given, it is one."""
    if x.shape[-1] == 3:
        return x
    return torch.cat((x, torch.ones_like(x[..., :1])), dim=-1)
