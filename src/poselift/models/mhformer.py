"""MHFormer: several hypotheses of the pose, refined alone and then against each other.

Paper: Li, Liu, Tang, Wang, Van Gool, "MHFormer: Multi-Hypothesis Transformer for 3D Human Pose
Estimation", CVPR 2022, section 3. Verified: golden vectors of the authors' code (tests/models).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from poselift.errors import UsageError
from poselift.models.checks import check_rates, check_sizes, check_transformer
from poselift.models.host import VideoHost, centre_frame
from poselift.models.htnet import NUM_JOINTS
from poselift.models.layers.attention import Attention, CrossAttention
from poselift.models.layers.common import MLP, DropPath, linear_rates
from poselift.models.layers.transformer import FRAMES, TransformerBlock
from poselift.models.published import Published, Rename, drop_kernel, published_value

HYPOTHESES = 3
NUM_COORDS = 2 * NUM_JOINTS
EMBED_DROP = 0.25
SHORT = 27
"""Windows up to so many frames normalise their embedding (as the authors' code does)."""


@dataclass(frozen=True)
class MHFormerConfig:
    """Sizes of an MHFormer; the defaults are the published ones.

    Args:
        num_frames: F, frames in the window; a multiple of ``num_coord_heads``.
        num_out_frames: the centre frames predicted. The network computes all F, and is trained
            and scored on one.
        dim: C, channels of a hypothesis, a multiple of ``num_heads``.
        hidden: hidden size of the MLP over the three hypotheses.
        coord_depth: blocks of each of the three transformers over the coordinates.
        num_coord_heads: their heads.
        depth: blocks that refine each hypothesis by itself; one more crosses them.
        num_heads: heads of the attention over frames.
        drop: dropout.
        drop_path: stochastic depth of the last block, rising from 0 in the first.
    """

    num_frames: int = 351
    num_out_frames: int = 1
    dim: int = 512
    hidden: int = 1024
    coord_depth: int = 4
    num_coord_heads: int = 9
    depth: int = 2
    num_heads: int = 8
    drop: float = 0.1
    drop_path: float = 0.2

    def __post_init__(self) -> None:
        check_sizes(coord_depth=self.coord_depth, num_coord_heads=self.num_coord_heads)
        check_transformer(self)
        check_rates(self.drop, self.drop_path)
        if self.num_frames % self.num_coord_heads:
            raise UsageError(
                f"num_frames {self.num_frames}", f"a multiple of {self.num_coord_heads}"
            )


class CoordEncoder(nn.Module):
    """One of the cascaded transformers: tokens are coordinates, channels their frames."""

    def __init__(self, config: MHFormerConfig) -> None:
        super().__init__()
        frames, drop = config.num_frames, config.drop
        self.norm_in = nn.LayerNorm(frames)
        self.position = nn.Parameter(torch.zeros(1, NUM_COORDS, frames))
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(
                    frames, 2 * frames, config.num_coord_heads, axis=1, drop=drop, drop_path=rate
                )
                for rate in linear_rates(0.0, config.drop_path, config.coord_depth)
            )
        )
        self.norm_out = nn.LayerNorm(frames, eps=1e-6)
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """(B, 34, F) -> (B, 34, F)."""
        tokens = F.dropout(self.norm_in(x) + self.position, self.drop, self.training)
        return x + self.norm_out(self.blocks(tokens))


class HypothesisEmbedding(nn.Module):
    """The coordinates of a frame, as one hypothesis has them, to C channels."""

    def __init__(self, config: MHFormerConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(NUM_COORDS, config.dim)
        self.norm = nn.BatchNorm1d(config.dim) if config.num_frames <= SHORT else None
        self.position = nn.Parameter(torch.zeros(1, config.num_frames, config.dim))
        self.drop = config.drop

    def forward(self, x: Tensor) -> Tensor:
        """(B, 34, F) -> (B, F, C)."""
        tokens = self.linear(x.transpose(1, 2))  # (B, F, C)
        if self.norm is not None:
            tokens = F.relu(self.norm(tokens.transpose(1, 2)).transpose(1, 2))
            tokens = F.dropout(tokens, EMBED_DROP, self.training)
        return F.dropout(tokens + self.position, self.drop, self.training)


class MixingMLP(nn.Module):
    """An MLP over all hypotheses of a frame, with a residual: how a level ends."""

    def __init__(self, config: MHFormerConfig, drop_path: DropPath) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(HYPOTHESES * config.dim, eps=1e-6)
        self.mlp = MLP(HYPOTHESES * config.dim, config.hidden, config.drop)
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, 1, 3C) -> (B, F, 1, 3C)."""
        return x + self.drop_path(self.mlp(self.norm(x)))


class SelfHypothesis(nn.Module):
    """Level that refines each hypothesis by attention over its own frames (section 3.3)."""

    def __init__(self, config: MHFormerConfig, drop_path: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(config.dim, eps=1e-6) for _ in range(HYPOTHESES))
        self.attentions = nn.ModuleList(
            Attention(config.dim, config.num_heads, config.drop, FRAMES) for _ in range(HYPOTHESES)
        )
        self.drop_path = DropPath(drop_path, FRAMES)
        self.mix = MixingMLP(config, self.drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, F, 1, 3C) -> (B, F, 1, 3C)."""
        refined = [
            x + self.drop_path(attention(norm(x)))
            for x, norm, attention in zip(
                tokens.chunk(HYPOTHESES, dim=-1), self.norms, self.attentions, strict=True
            )
        ]
        return self.mix(torch.cat(refined, dim=-1))


class Crossing(nn.Module):
    """Attention of one hypothesis to another for the features of a third, all normalised before."""

    def __init__(self, config: MHFormerConfig) -> None:
        super().__init__()
        self.norm_q, self.norm_k, self.norm_v = (
            nn.LayerNorm(config.dim, eps=1e-6) for _ in range(3)
        )
        self.attention = CrossAttention(config.dim, config.num_heads, config.drop, FRAMES)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Three of (B, F, 1, C) -> (B, F, 1, C)."""
        return self.attention(self.norm_q(query), self.norm_k(key), self.norm_v(value))


class CrossHypothesis(nn.Module):
    """Level in which the hypotheses learn of each other (section 3.4)."""

    def __init__(self, config: MHFormerConfig, drop_path: float) -> None:
        super().__init__()
        self.crossings = nn.ModuleList(Crossing(config) for _ in range(HYPOTHESES))
        self.drop_path = DropPath(drop_path, FRAMES)
        self.mix = MixingMLP(config, self.drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, F, 1, 3C) -> (B, F, 1, 3C)."""
        x = [*tokens.chunk(HYPOTHESES, dim=-1)]
        for i, crossing in enumerate(self.crossings):
            # Those before i have been updated: as in the authors' code, one after the other.
            query, key = x[:i] + x[i + 1 :]
            x[i] = x[i] + self.drop_path(crossing(query, key, x[i]))
        return self.mix(torch.cat(x, dim=-1))


class MHFormer(VideoHost):
    """The network. See :class:`MHFormerConfig` and the head of this file.

    Tokens are (B, F, 1, 3C): the three hypotheses of a frame side by side.
    """

    def __init__(self, config: MHFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.dim = HYPOTHESES * config.dim
        self.encoders = nn.ModuleList(CoordEncoder(config) for _ in range(HYPOTHESES))
        self.embeddings = nn.ModuleList(HypothesisEmbedding(config) for _ in range(HYPOTHESES))
        *rates, last = linear_rates(0.0, config.drop_path, config.depth + 1)
        self.levels = nn.ModuleList(
            [*(SelfHypothesis(config, rate) for rate in rates), CrossHypothesis(config, last)]
        )
        self.norm = nn.LayerNorm(self.dim, eps=1e-6)
        self.head_norm = nn.BatchNorm1d(self.dim)
        self.head = nn.Linear(self.dim, 3 * NUM_JOINTS)

    def embed(self, x: Tensor) -> Tensor:
        """(B, T, 17, 2) normalised 2D joints -> tokens (B, T, 1, 3C), T up to the window's F.

        Frames are channels of the first transformers, so that none can be masked: in a shorter
        window these, and these alone, have the first and the last frame repeated.
        """
        T, missing = x.shape[1], self.config.num_frames - x.shape[1]
        before = centre_frame(self.config.num_frames) - centre_frame(T)
        coords = x[..., :2].flatten(2).transpose(1, 2)  # (B, 34, T)
        if missing:
            coords = F.pad(coords, (before, missing - before), mode="replicate")
        hypotheses = []
        for encoder, embedding in zip(self.encoders, self.embeddings, strict=True):
            coords = encoder(coords)  # (B, 34, F)
            hypotheses.append(embedding(coords))
        tokens = torch.cat(hypotheses, dim=-1)  # (B, F, 3C)
        return tokens[:, before : before + T].unsqueeze(2)

    def readout(self, tokens: Tensor) -> Tensor:
        """Tokens (B, F, 1, 3C) -> (B, F, 17, 3) metres relative to the pelvis."""
        features = self.norm(tokens.squeeze(2)).transpose(1, 2)  # (B, 3C, F)
        joints = self.head(self.head_norm(features).transpose(1, 2))  # (B, F, 51)
        return joints.unflatten(2, (NUM_JOINTS, 3))


def config_from_published(config: Mapping[str, Any]) -> MHFormerConfig:
    """Ours from the authors' hyper-parameters; their code returns all frames."""
    return MHFormerConfig(
        num_frames=published_value(config, "frames"),
        num_out_frames=published_value(config, "frames"),
        dim=published_value(config, "channel"),
        hidden=published_value(config, "d_hid"),
    )


def _hypothesis_renames(theirs: int) -> tuple[Rename, ...]:
    """Their names end in the hypothesis, counted from one."""
    ours = theirs - 1
    return (
        (rf"^norm_{theirs}\.", f"encoders.{ours}.norm_in."),
        (rf"^Transformer_encoder_{theirs}\.pos_embed$", f"encoders.{ours}.position"),
        (rf"^Transformer_encoder_{theirs}\.norm\.", f"encoders.{ours}.norm_out."),
        (rf"^Transformer_encoder_{theirs}\.", f"encoders.{ours}."),
        (rf"^embedding_{theirs}\.1\.", f"embeddings.{ours}.norm."),
        (rf"^embedding_{theirs}\.(0\.)?", f"embeddings.{ours}.linear."),
        (rf"^Transformer_hypothesis\.pos_embed_{theirs}$", f"embeddings.{ours}.position"),
        (rf"\.norm1_{theirs}\.", f".norms.{ours}."),
        *(
            (rf"\.norm3_{theirs}{i}\.", f".crossings.{ours}.norm_{role}.")
            for i, role in enumerate("qkv", start=1)
        ),
        (rf"\.CHI_blocks\.0\.attn_{theirs}\.", f".CHI_blocks.0.crossings.{ours}.attention."),
        (rf"\.attn_{theirs}\.", f".attentions.{ours}."),
    )


RENAMES: tuple[Rename, ...] = (
    *(rename for theirs in (1, 2, 3) for rename in _hypothesis_renames(theirs)),
    (r"(\.blocks\.\d+)\.norm1\.", r"\1.norm_attention."),
    (r"(\.blocks\.\d+)\.norm2\.", r"\1.norm_mlp."),
    (r"(\.blocks\.\d+)\.attn\.", r"\1.attention."),
    (r"^Transformer_hypothesis\.norm\.", "norm."),
    (r"^Transformer_hypothesis\.SHR_blocks\.", "levels."),
    (r"^Transformer_hypothesis\.CHI_blocks\.0\.", "levels.2."),
    (r"^(levels\.\d)\.norm2\.", r"\1.mix.norm."),
    (r"^(levels\.\d)\.mlp\.", r"\1.mix.mlp."),
    (r"\.linear_([qkv])\.", r".\1."),
    (r"^regression\.0\.", "head_norm."),
    (r"^regression\.1\.", "head."),
)
CONVERT = ((r"^(embeddings\.\d\.linear|head)\.weight$", drop_kernel),)

PUBLISHED = Published(lambda config: MHFormer(config_from_published(config)), RENAMES, CONVERT)
