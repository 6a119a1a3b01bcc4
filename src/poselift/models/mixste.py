"""MixSTE: attention over the joints of a frame and over the frames of a joint, in turn.

Paper: Zhang, Tu, Yang, Chen, Yuan, "MixSTE: Seq2seq Mixed Spatio-Temporal Encoder for 3D Human
Pose Estimation in Video", CVPR 2022, section 3. Predicts every frame of its window. Verified:
golden vectors of the authors' code (tests/models).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from poselift.errors import UsageError
from poselift.models.checks import check_rates, check_transformer
from poselift.models.host import VideoHost, positions_for
from poselift.models.htnet import NUM_JOINTS
from poselift.models.layers.common import linear_rates
from poselift.models.layers.transformer import FRAMES, JOINTS, TransformerBlock
from poselift.models.published import Published, Rename, published_value


@dataclass(frozen=True)
class MixSTEConfig:
    """Sizes of a MixSTE; the defaults are the published ones.

    Args:
        num_frames: F, frames in the window.
        num_out_frames: frames in its centre that are predicted, at most F.
        dim: channels, a multiple of ``num_heads``.
        depth: levels, each one block over joints and one over frames.
        hidden: hidden size of the MLPs.
        num_heads: heads of the attention.
        drop: dropout.
        drop_path_first, drop_path_last: stochastic depth of the first and last level.
        position_std: standard deviation of the positional embeddings before training. From zeros,
            as published, joints stay alike for the first thousand steps, which a short training
            cannot spare.
    """

    num_frames: int = 243
    num_out_frames: int = 243
    dim: int = 512
    depth: int = 8
    hidden: int = 1024
    num_heads: int = 8
    drop: float = 0.0
    drop_path_first: float = 0.0
    drop_path_last: float = 0.1
    position_std: float = 0.0

    def __post_init__(self) -> None:
        check_transformer(self)
        check_rates(self.drop, self.drop_path_first, self.drop_path_last)
        if not 0 <= self.position_std < math.inf:
            raise UsageError(f"position_std = {self.position_std}", "a number from 0")


class MixSTELevel(nn.Module):
    """A block over the joints of each frame, then one over the frames of each joint.

    Args:
        config: sizes.
        drop_path: stochastic depth of both blocks.
        norms: what follows each of the two blocks: one pair for all levels.
        positions: frames of a table of positions in time, added between the blocks; 0 for none.
    """

    def __init__(
        self,
        config: MixSTEConfig,
        drop_path: float,
        norms: tuple[nn.LayerNorm, nn.LayerNorm],
        positions: int = 0,
    ) -> None:
        super().__init__()
        self.over_joints, self.over_frames = (
            TransformerBlock(
                config.dim,
                config.hidden,
                config.num_heads,
                axis,
                drop=config.drop,
                drop_path=drop_path,
            )
            for axis in (JOINTS, FRAMES)
        )
        # The network owns them: inside a tuple they are no weights of each level once more.
        self.norms = norms
        self.position = nn.Parameter(torch.zeros(1, positions, config.dim)) if positions else None

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, C)."""
        after_joints, after_frames = self.norms
        tokens = after_joints(self.over_joints(tokens))
        if self.position is not None:
            tokens = tokens + positions_for(self.position, tokens.shape[1])[:, :, None]
        return after_frames(self.over_frames(tokens))


class MixSTE(VideoHost):
    """The network. See :class:`MixSTEConfig` and the head of this file."""

    def __init__(self, config: MixSTEConfig) -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.position_std = config.position_std
        self.joint_embed = nn.Linear(2, config.dim)
        self.joint_position = nn.Parameter(torch.zeros(1, NUM_JOINTS, config.dim))
        self.joint_norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.frame_norm = nn.LayerNorm(config.dim, eps=1e-6)
        rates = linear_rates(config.drop_path_first, config.drop_path_last, config.depth)
        self.levels = nn.ModuleList(
            MixSTELevel(
                config,
                rate,
                (self.joint_norm, self.frame_norm),
                positions=config.num_frames if i == 0 else 0,
            )
            for i, rate in enumerate(rates)
        )
        self.head_norm = nn.LayerNorm(config.dim)
        self.head = nn.Linear(config.dim, 3)
        for name, table in self.named_parameters():
            if name.endswith("position"):
                self.spread(table)

    def embed(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2 or 3) normalised 2D joints, a confidence unused -> (B, F, 17, C)."""
        return self.joint_embed(x[..., :2]) + self.joint_position

    def readout(self, tokens: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, 3) metres relative to the pelvis."""
        return self.head(self.head_norm(tokens))


def _create_published(config: Mapping[str, Any]) -> MixSTE:
    frames = published_value(config, "frames")
    return MixSTE(
        MixSTEConfig(
            num_frames=frames,
            num_out_frames=frames,
            dim=published_value(config, "channel"),
            hidden=published_value(config, "d_hid"),
        )
    )


BLOCK_RENAMES: tuple[Rename, ...] = (
    (r"\.norm1\.", ".norm_attention."),
    (r"\.norm2\.", ".norm_mlp."),
    (r"\.attn\.", ".attention."),
)

PUBLISHED = Published(
    _create_published,
    (
        (r"^Spatial_pos_embed$", "joint_position"),
        (r"^Temporal_pos_embed$", "levels.0.position"),
        (r"^Spatial_patch_to_embedding\.", "joint_embed."),
        (r"^STEblocks\.(\d+)\.", r"levels.\1.over_joints."),
        (r"^TTEblocks\.(\d+)\.", r"levels.\1.over_frames."),
        (r"^Spatial_norm\.", "joint_norm."),
        (r"^Temporal_norm\.", "frame_norm."),
        (r"^head\.0\.", "head_norm."),
        (r"^head\.1\.", "head."),
        *BLOCK_RENAMES,
    ),
)
