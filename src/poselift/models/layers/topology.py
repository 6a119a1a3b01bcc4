"""HTNet's block: joint, part and body level, each on its share of the channels.

Cai et al., "HTNet: Human Topology Aware Network for 3D Human Pose Estimation", ICASSP 2023,
section 2. NanoHTNet's temporal stream is the same block without the part level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from poselift.models.layers.attention import Attention
from poselift.models.layers.common import MLP, DropPath
from poselift.models.layers.graph import ModulatedGraphConv
from poselift.skeleton import H36M_17, LIMBS

Level = Literal["joint", "part", "body"]
PartOrder = Literal["anatomical", "swapped"]

GRAPH_HIDDEN = 384


class JointLevel(nn.Module):
    """LJC: two modulated graph convolutions with a residual."""

    def __init__(self, dim: int, adjacency: Tensor, drop_path: float) -> None:
        super().__init__()
        self.norm_in = nn.LayerNorm(dim)
        self.conv1 = ModulatedGraphConv(dim, GRAPH_HIDDEN, adjacency)
        self.conv2 = ModulatedGraphConv(GRAPH_HIDDEN, dim, adjacency)
        self.norm_out = nn.LayerNorm(dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(J, B, D) -> (J, B, D)."""
        out = self.conv2(F.gelu(self.conv1(self.norm_in(x))))
        return x + self.drop_path(self.norm_out(out))


class PartScale(nn.Module):
    """One scale of the part level: a feature for each limb, written into its outer joints.

    Args:
        dim: channels.
        hidden: hidden size of the limb MLP.
        length: joints of the limb that are read, counted from its end (3 or 2).
        swap_arms: write the left arm's feature into the right arm and the other way round.
        drop: dropout of the MLP.
        drop_path: stochastic depth of the MLP.
    """

    def __init__(
        self, dim: int, hidden: int, length: int, swap_arms: bool, drop: float, drop_path: float
    ) -> None:
        super().__init__()
        self.length = length
        self.norm = nn.LayerNorm(dim)
        # A convolution over the joints of a limb with stride = kernel is one linear map.
        self.merge = nn.Linear(length * dim, dim)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = MLP(dim, hidden, drop)
        self.drop_path = DropPath(drop_path)
        self.first_read = tuple(H36M_17.index(limb[3 - length]) for limb in LIMBS)
        sources = (0, 1, 3, 2) if swap_arms else (0, 1, 2, 3)
        # (first joint written, number of joints written, limb whose feature is written)
        self.writes = tuple(
            (H36M_17.index(limb[4 - length]), length - 1, source)
            for limb, source in zip(LIMBS, sources, strict=True)
        )

    def forward(self, u: Tensor) -> Tensor:
        """(17, B, D) -> (17, B, D): normalised joints, the limbs' outer joints replaced."""
        v = self.norm(u)
        B, D = v.shape[1:]
        limbs = torch.stack([v[i : i + self.length] for i in self.first_read])  # (4, L, B, D)
        merged = limbs.transpose(1, 2).reshape(4, B, self.length * D)
        feature = F.gelu(self.merge(merged))  # (4, B, D)
        feature = feature + self.drop_path(self.mlp(self.norm_mlp(feature)))
        pieces, done = [], 0
        for start, count, source in self.writes:
            pieces += [v[done:start], feature[source].expand(count, B, D)]
            done = start + count
        return torch.cat([*pieces, v[done:]])  # the limbs end in joint 16, the last one


class PartLevel(nn.Module):
    """IPC: constraints inside a limb at two scales, of three joints and of two.

    Args:
        dim: channels.
        hidden: hidden size of the limb MLPs.
        part_order: ``"anatomical"`` hands a limb its own feature, which is what the golden
            vectors of the authors' code show; ``"swapped"`` exchanges the two arms at the scale
            of three joints (docs/models.md compares them).
        drop: dropout of the MLPs.
        drop_path: stochastic depth of the MLPs.
    """

    def __init__(
        self, dim: int, hidden: int, part_order: PartOrder, drop: float, drop_path: float
    ) -> None:
        super().__init__()
        self.whole = PartScale(dim, hidden, 3, part_order == "swapped", drop, drop_path)
        self.outer = PartScale(dim, hidden, 2, False, drop, drop_path)

    def forward(self, u: Tensor) -> Tensor:
        """(17, B, D) -> (17, B, D)."""
        return self.whole(u) + self.outer(u) + u


class BodyLevel(nn.Module):
    """GBI: self-attention over all nodes."""

    def __init__(self, dim: int, num_heads: int, drop: float, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, num_heads, drop)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(J, B, D) -> (J, B, D)."""
        return x + self.drop_path(self.attention(self.norm(x)))


class TopologyBlock(nn.Module):
    """Levels in a row, each on its share of the channels plus the output of the one before.

    Args:
        dim: channels, a multiple of the number of levels.
        hidden: hidden size of the MLPs.
        adjacency: (J, J) graph of the joint level.
        levels: which levels, in this order.
        part_order: see ``PartLevel``.
        num_heads: heads of the body level.
        drop: dropout of the attention projection and of the part level's MLPs.
        mlp_drop: dropout of the MLP over all channels.
        drop_path: stochastic depth of every residual branch.
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        adjacency: Tensor,
        levels: tuple[Level, ...],
        part_order: PartOrder,
        num_heads: int,
        drop: float,
        mlp_drop: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        share = dim // len(levels)
        makers: dict[Level, Callable[[], nn.Module]] = {
            "joint": lambda: JointLevel(share, adjacency, drop_path),
            "part": lambda: PartLevel(share, hidden, part_order, drop, drop_path),
            "body": lambda: BodyLevel(share, num_heads, drop, drop_path),
        }
        self.levels = nn.ModuleDict({level: makers[level]() for level in levels})
        self.norm_mlp = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, hidden, mlp_drop)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(J, B, C) -> (J, B, C)."""
        outputs: list[Tensor] = []
        for share, level in zip(
            x.chunk(len(self.levels), dim=-1), self.levels.values(), strict=True
        ):
            outputs.append(level(share + outputs[-1] if outputs else share))
        merged = torch.cat(outputs, dim=-1)  # (J, B, C)
        return merged + self.drop_path(self.mlp(self.norm_mlp(merged)))
