"""HTNet: one frame of 2D joints to 3D through joint, part and body level.

Paper: Cai, Liu, Tang, Wang et al., "HTNet: Human Topology Aware Network for 3D Human Pose
Estimation", ICASSP 2023. Verified: golden vectors of the authors' code (tests/models).
With ``levels=("joint",)`` it is a plain modulated graph network, the paper's baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from poselift.errors import UsageError
from poselift.models.checks import check_rates, check_sizes
from poselift.models.layers.common import linear_rates
from poselift.models.layers.graph import skeleton_adjacency
from poselift.models.layers.topology import Level, PartOrder, TopologyBlock
from poselift.models.layers.topology_keys import BLOCK_CONVERT, BLOCK_RENAMES
from poselift.models.published import Published, published_value
from poselift.skeleton import H36M_17

NUM_JOINTS = len(H36M_17)


@dataclass(frozen=True)
class HTNetConfig:
    """Sizes of an HTNet; the defaults are the published ones.

    Args:
        dim: channels, a multiple of ``len(levels) * num_heads``.
        depth: number of blocks.
        hidden: hidden size of the MLPs.
        num_heads: heads of the body level.
        levels: levels of the topology, each on an equal share of the channels.
        part_order: ``"anatomical"`` or ``"swapped"``, see ``PartLevel``.
        drop: dropout.
        drop_path_first, drop_path_last: stochastic depth of the first and last block.
    """

    dim: int = 240
    depth: int = 3
    hidden: int = 1024
    num_heads: int = 8
    levels: tuple[Level, ...] = ("joint", "part", "body")
    part_order: PartOrder = "anatomical"
    drop: float = 0.1
    drop_path_first: float = 0.1
    drop_path_last: float = 0.3

    num_frames: int = 1
    num_out_frames: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        if self.num_frames != 1 or self.num_out_frames != 1:
            raise UsageError(f"HTNet with {self.num_frames} frames", "one frame in, one out")
        check_sizes(depth=self.depth, hidden=self.hidden)
        check_rates(self.drop, self.drop_path_first, self.drop_path_last)
        check_topology(self.dim, self.num_heads, self.levels, self.part_order)


def check_topology(
    dim: int, num_heads: int, levels: tuple[Level, ...], part_order: PartOrder
) -> None:
    """Raise ``UsageError`` where channels, heads and levels do not go together."""
    check_sizes(num_heads=num_heads)
    if not levels or len(set(levels)) != len(levels) or set(levels) - {"joint", "part", "body"}:
        raise UsageError(f"levels {levels}", "some of 'joint', 'part', 'body', each once")
    if dim <= 0 or dim % (len(levels) * num_heads):
        raise UsageError(f"dim {dim}", f"a multiple of {len(levels) * num_heads}")
    if part_order not in ("anatomical", "swapped"):
        raise UsageError(f"part_order {part_order!r}", "'anatomical' or 'swapped'")


class HTNet(nn.Module):
    """The network. See :class:`HTNetConfig` and the head of this file."""

    def __init__(self, config: HTNetConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(2, config.dim)
        self.position = nn.Parameter(torch.zeros(1, NUM_JOINTS, config.dim))
        self.blocks = nn.ModuleList(
            TopologyBlock(
                config.dim,
                config.hidden,
                skeleton_adjacency(H36M_17),
                config.levels,
                config.part_order,
                config.num_heads,
                config.drop,
                config.drop,
                rate,
            )
            for rate in linear_rates(config.drop_path_first, config.drop_path_last, config.depth)
        )
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.head = nn.Linear(config.dim, 3)

    def encode(self, x: Tensor) -> Tensor:
        """(B, 1, 17, 2) normalised 2D joints -> (B, 1, 17, C) features of the joints."""
        return self._tokens(x).transpose(0, 1)[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 17, 2) normalised 2D joints -> (B, 1, 17, 3) metres relative to the pelvis."""
        joints: Tensor = self.head(self._tokens(x))  # (17, B, 3)
        return joints.transpose(0, 1)[:, None]

    def _tokens(self, x: Tensor) -> Tensor:
        """(B, 1, 17, 2) -> (17, B, C)."""
        tokens = self.embed(x[:, 0].transpose(0, 1))  # (17, B, C)
        tokens = tokens + self.position.transpose(0, 1)  # position (17, 1, C)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


@dataclass(frozen=True)
class HTNetRefineConfig:
    """Sizes of HTNet's refinement.

    Args:
        hidden: hidden units.
        drop: dropout between the two layers.
    """

    hidden: int = 1024
    drop: float = 0.5

    num_frames: int = 1
    num_out_frames: int = 1

    def __post_init__(self) -> None:
        check_sizes(hidden=self.hidden)
        check_rates(self.drop)


class HTNetRefine(nn.Module):
    """Gate between the lifted x, y and those back-projected from the image at the lifted depth.

    HTNet, section 2.4. Needs intrinsics and the distance of the root:
    :func:`poselift.geometry.camera.Camera.unproject` makes the second half of the input.
    """

    def __init__(self, config: HTNetRefineConfig) -> None:
        super().__init__()
        self.config = config
        self.fc1 = nn.Linear(NUM_JOINTS * 6, config.hidden)
        self.fc2 = nn.Linear(config.hidden, NUM_JOINTS * 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 17, 6), lifted xyz then back-projected xyz, metres -> (B, 1, 17, 3)."""
        hidden = F.dropout(F.relu(self.fc1(x.flatten(1))), self.config.drop, self.training)
        gate = torch.sigmoid(self.fc2(hidden)).view(-1, 1, NUM_JOINTS, 2)  # (B, 1, 17, 2)
        xy = gate * x[..., 0:2] + (1 - gate) * x[..., 3:5]
        return torch.cat((xy, x[..., 2:3]), dim=-1)


def _create_published(config: Mapping[str, Any]) -> HTNet:
    return HTNet(
        HTNetConfig(
            num_frames=published_value(config, "frames"),
            dim=published_value(config, "channel"),
            hidden=published_value(config, "d_hid"),
            depth=published_value(config, "layers"),
        )
    )


PUBLISHED = Published(
    _create_published,
    (
        (r"^pos_embed$", "position"),
        (r"^patch_embed\.", "embed."),
        (r"^Hiremixer\.blocks\.", "blocks."),
        (r"^Hiremixer\.Temporal_norm\.", "norm."),
        (r"^fcn\.", "head."),
        *BLOCK_RENAMES,
    ),
    BLOCK_CONVERT,
)

PUBLISHED_REFINE = Published(
    lambda config: HTNetRefine(HTNetRefineConfig(num_frames=published_value(config, "frames"))),
    ((r"^post_refine\.0\.", "fc1."), (r"^post_refine\.3\.", "fc2.")),
)
