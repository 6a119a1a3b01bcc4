"""MotionBERT's DSTformer: two streams, joints before frames and frames before joints.

Paper: Zhu, Ma, Liu, Liu, Wu, Wang, "MotionBERT: A Unified Perspective on Learning Human Motion
Representations", ICCV 2023, section 3.2. Predicts every frame of its window. Verified: golden
vectors of the authors' code (tests/models).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from poselift.models.checks import check_rates, check_sizes, check_transformer
from poselift.models.host import VideoHost, positions_for, with_confidence
from poselift.models.htnet import NUM_JOINTS
from poselift.models.layers.common import linear_rates
from poselift.models.layers.fusion import AdaptiveFusion
from poselift.models.layers.transformer import FRAMES, JOINTS, TransformerBlock
from poselift.models.published import Published, published_value


@dataclass(frozen=True)
class MotionBERTConfig:
    """Sizes of a DSTformer; the defaults are the published ones.

    Args:
        num_frames: F, frames in the window.
        num_out_frames: frames in its centre that are predicted, at most F.
        dim: channels, a multiple of ``num_heads``.
        depth: levels, each one block of both streams.
        hidden: hidden size of the MLPs.
        motion_dim: channels of the motion representation in front of the head.
        num_heads: heads of the attention.
        drop: dropout.
        drop_path_first, drop_path_last: stochastic depth of the first and last level.
    """

    num_frames: int = 243
    num_out_frames: int = 243
    dim: int = 256
    depth: int = 5
    hidden: int = 1024
    motion_dim: int = 512
    num_heads: int = 8
    drop: float = 0.0
    drop_path_first: float = 0.0
    drop_path_last: float = 0.0

    def __post_init__(self) -> None:
        check_sizes(motion_dim=self.motion_dim)
        check_transformer(self)
        check_rates(self.drop, self.drop_path_first, self.drop_path_last)


class MotionBERTLevel(nn.Module):
    """Both streams, fused by weights that each token computes from both results.

    Args:
        config: sizes.
        drop_path: stochastic depth of all blocks.
    """

    def __init__(self, config: MotionBERTConfig, drop_path: float) -> None:
        super().__init__()
        self.joints_first, self.frames_first = (
            nn.Sequential(
                *(
                    TransformerBlock(
                        config.dim,
                        config.hidden,
                        config.num_heads,
                        axis,
                        drop=config.drop,
                        drop_path=drop_path,
                    )
                    for axis in order
                )
            )
            for order in ((JOINTS, FRAMES), (FRAMES, JOINTS))
        )
        self.fusion = AdaptiveFusion(config.dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, C)."""
        return self.fusion(self.joints_first(tokens), self.frames_first(tokens))


class MotionBERT(VideoHost):
    """The network. See :class:`MotionBERTConfig` and the head of this file."""

    reads_confidence = True

    def __init__(self, config: MotionBERTConfig) -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.joint_embed = nn.Linear(3, config.dim)
        self.joint_position = nn.Parameter(torch.zeros(1, NUM_JOINTS, config.dim))
        self.frame_position = nn.Parameter(torch.zeros(1, config.num_frames, 1, config.dim))
        rates = linear_rates(config.drop_path_first, config.drop_path_last, config.depth)
        # The last level: an hourglass recovers its frames from normalised tokens.
        norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.levels = nn.ModuleList([*(MotionBERTLevel(config, rate) for rate in rates), norm])
        self.motion = nn.Linear(config.dim, config.motion_dim)
        self.head = nn.Linear(config.motion_dim, 3)

    def embed(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2 or 3) normalised 2D joints and confidence -> (B, F, 17, C)."""
        tokens = self.joint_embed(with_confidence(x)) + self.joint_position
        return tokens + positions_for(self.frame_position, x.shape[1])

    def readout(self, tokens: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, 3) metres relative to the pelvis."""
        return self.head(torch.tanh(self.motion(tokens)))


def _create_published(config: Mapping[str, Any]) -> MotionBERT:
    frames = published_value(config, "maxlen")
    return MotionBERT(MotionBERTConfig(num_frames=frames, num_out_frames=frames))


PUBLISHED = Published(
    _create_published,
    (
        (r"^pos_embed$", "joint_position"),
        (r"^temp_embed$", "frame_position"),
        (r"^joints_embed\.", "joint_embed."),
        (r"^norm\.", f"levels.{MotionBERTConfig.depth}."),
        (r"^pre_logits\.fc\.", "motion."),
        (r"^ts_attn\.(\d+)\.", r"levels.\1.fusion.weigh."),
        # Position of the block in its stream: st has joints first, ts has frames first.
        *(
            (rf"^blocks_{stream}\.(\d+)\.(\w+)_{axis}\b", rf"levels.\1.{name}.{place}.\2")
            for stream, name in (("st", "joints_first"), ("ts", "frames_first"))
            for place, axis in enumerate(stream)
        ),
        (r"_first\.(\d)\.norm1\.", r"_first.\1.norm_attention."),
        (r"_first\.(\d)\.norm2\.", r"_first.\1.norm_mlp."),
        (r"_first\.(\d)\.attn\.", r"_first.\1.attention."),
    ),
)
