"""NanoHTNet: a window of 2D joints to its centre frames (or its newest) through two streams.

Paper: Cai, Liu, Tang, Wang et al., "NanoHTNet: Nano Human Topology Network for Efficient 3D
Human Pose Estimation", TIP 2025. One token for each joint's whole trajectory in the spatial
stream, one for each low DCT coefficient in the temporal one: J + K tokens instead of J * T.
Verified: golden vectors of the authors' code (tests/models).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from poselift.errors import UsageError
from poselift.models.checks import check_rates, check_sizes
from poselift.models.htnet import NUM_JOINTS, check_topology
from poselift.models.layers.common import linear_rates
from poselift.models.layers.graph import chain_adjacency, skeleton_adjacency
from poselift.models.layers.topology import PartOrder, TopologyBlock
from poselift.models.layers.topology_keys import BLOCK_CONVERT, BLOCK_RENAMES
from poselift.models.published import Published, published_value
from poselift.skeleton import H36M_17


@dataclass(frozen=True)
class NanoHTNetConfig:
    """Sizes of a NanoHTNet; the defaults are the published ones.

    Args:
        num_frames: T, frames in the window.
        num_out_frames: frames predicted, and DCT coefficients kept (this network needs both
            to be the same number); at most ``num_frames``.
        dim: channels, a multiple of 6 * ``num_heads``.
        depth: blocks in each stream.
        hidden: hidden size of the MLPs.
        head_dim: channels that each stream gives for a joint and frame.
        num_heads: heads of the body level.
        part_order: ``"anatomical"`` or ``"swapped"``, see ``PartLevel``.
        drop: dropout; the spatial mixer's MLP has 1.5 times as much.
        drop_path_first, drop_path_last: stochastic depth of the first and last block.
    """

    num_frames: int = 243
    num_out_frames: int = 9
    dim: int = 240
    depth: int = 3
    hidden: int = 256
    head_dim: int = 8
    num_heads: int = 8
    part_order: PartOrder = "anatomical"
    drop: float = 0.1
    drop_path_first: float = 0.1
    drop_path_last: float = 0.3

    def __post_init__(self) -> None:
        if not 1 <= self.num_out_frames <= self.num_frames:
            raise UsageError(
                f"{self.num_out_frames} frames out of a window of {self.num_frames}",
                "between 1 and the window's frames",
            )
        check_sizes(depth=self.depth, hidden=self.hidden, head_dim=self.head_dim)
        check_rates(1.5 * self.drop, self.drop_path_first, self.drop_path_last)
        check_topology(self.dim, self.num_heads, ("joint", "part", "body"), self.part_order)
        check_topology(self.dim, self.num_heads, ("joint", "body"), self.part_order)


def dct_matrix(num_coeffs: int, num_frames: int) -> Tensor:
    """(K, T) rows of the un-normalised DCT-II: ``2 cos(π k (2t + 1) / 2T)``."""
    k = torch.arange(num_coeffs, dtype=torch.float64)[:, None]
    t = torch.arange(num_frames, dtype=torch.float64)[None]
    return (2 * torch.cos(math.pi * k * (2 * t + 1) / (2 * num_frames))).float()


class NanoHTNet(nn.Module):
    """The network. See :class:`NanoHTNetConfig` and the head of this file."""

    dct: Tensor

    def __init__(self, config: NanoHTNetConfig) -> None:
        super().__init__()
        self.config = config
        frames, out = config.num_frames, config.num_out_frames
        rates = linear_rates(config.drop_path_first, config.drop_path_last, config.depth)
        self.register_buffer("dct", dct_matrix(out, frames), persistent=False)

        self.joint_embed = nn.Linear(2 * frames, config.dim)
        self.joint_position = nn.Parameter(torch.zeros(1, NUM_JOINTS, config.dim))
        self.joint_blocks = nn.ModuleList(
            TopologyBlock(
                config.dim,
                config.hidden,
                skeleton_adjacency(H36M_17),
                ("joint", "part", "body"),
                config.part_order,
                config.num_heads,
                config.drop,
                1.5 * config.drop,
                rate,
            )
            for rate in rates
        )
        self.joint_norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.joint_head = nn.Linear(config.dim, out * config.head_dim)

        self.coeff_embed = nn.Linear(2 * NUM_JOINTS, config.dim)
        self.coeff_position = nn.Parameter(torch.zeros(1, out, config.dim))
        self.coeff_blocks = nn.ModuleList(
            TopologyBlock(
                config.dim,
                config.hidden,
                chain_adjacency(out),
                ("joint", "body"),
                config.part_order,
                config.num_heads,
                config.drop,
                config.drop,
                rate,
            )
            for rate in rates
        )
        self.coeff_norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.coeff_head = nn.Linear(config.dim, NUM_JOINTS * config.head_dim)

        self.head = nn.Linear(2 * config.head_dim, 3)

    def encode(self, x: Tensor) -> Tensor:
        """(B, T, 17, 2) normalised 2D joints -> (B, n, 17, 2h) both streams' features."""
        B, T = x.shape[:2]
        out, h = self.config.num_out_frames, self.config.head_dim

        joints = x.permute(2, 0, 1, 3).reshape(NUM_JOINTS, B, 2 * T)
        tokens = self.joint_embed(joints) + self.joint_position.transpose(0, 1)  # (17, B, C)
        for block in self.joint_blocks:
            tokens = block(tokens)
        spatial = self.joint_head(self.joint_norm(tokens))  # (17, B, n h)
        spatial = spatial.view(NUM_JOINTS, B, out, h).permute(1, 2, 0, 3)  # (B, n, 17, h)

        coeffs = self.dct @ x.reshape(B, T, 2 * NUM_JOINTS)  # (B, n, 34)
        tokens = self.coeff_embed(coeffs.transpose(0, 1))
        tokens = tokens + self.coeff_position.transpose(0, 1)  # (n, B, C)
        for block in self.coeff_blocks:
            tokens = block(tokens)
        temporal = self.coeff_head(self.coeff_norm(tokens))  # (n, B, 17 h)
        temporal = temporal.view(out, B, NUM_JOINTS, h).transpose(0, 1)  # (B, n, 17, h)

        return torch.cat((spatial, temporal), dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 17, 2) normalised 2D joints -> (B, n, 17, 3) metres relative to the pelvis."""
        joints: Tensor = self.head(self.encode(x))
        return joints


def _create_published(config: Mapping[str, Any]) -> NanoHTNet:
    return NanoHTNet(
        NanoHTNetConfig(
            num_frames=published_value(config, "frames"),
            num_out_frames=published_value(config, "keep_frames"),
            dim=published_value(config, "channel"),
            hidden=published_value(config, "d_hid"),
            depth=published_value(config, "layers"),
            head_dim=published_value(config, "hid"),
        )
    )


PUBLISHED = Published(
    _create_published,
    (
        (r"^tem_pos_embed$", "coeff_position"),
        (r"^pos_embed$", "joint_position"),
        (r"^tem_patch_embed\.", "coeff_embed."),
        (r"^patch_embed\.", "joint_embed."),
        (r"^tem_Transformer\.blocks\.", "coeff_blocks."),
        (r"^tem_Transformer\.Temporal_norm\.", "coeff_norm."),
        (r"^Transformer\.blocks\.", "joint_blocks."),
        (r"^Transformer\.Temporal_norm\.", "joint_norm."),
        (r"^fcn_tem\.", "coeff_head."),
        (r"^fcn_spa\.", "joint_head."),
        (r"^fc\.", "head."),
        *BLOCK_RENAMES,
    ),
    BLOCK_CONVERT,
)
