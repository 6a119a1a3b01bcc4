"""The linear-residual baseline: one frame, fully connected.

Paper: Martinez, Hossain, Romero, Little, "A simple yet effective baseline for 3d human pose
estimation", ICCV 2017, section 3. Not verified against the authors' TensorFlow code; here as the
reference that every lifter should beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from poselift.models.checks import check_rates, check_sizes
from poselift.models.htnet import NUM_JOINTS


@dataclass(frozen=True)
class MartinezConfig:
    """Sizes; the defaults are the published ones.

    Args:
        hidden: units of each layer.
        depth: residual blocks of two layers each.
        drop: dropout.
    """

    hidden: int = 1024
    depth: int = 2
    drop: float = 0.5

    num_frames: int = 1
    num_out_frames: int = 1

    def __post_init__(self) -> None:
        check_sizes(hidden=self.hidden, depth=self.depth)
        check_rates(self.drop)


class Layer(nn.Module):
    """Linear, batch norm, ReLU, dropout."""

    def __init__(self, in_dim: int, out_dim: int, drop: float) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, out_dim)
        self.norm = nn.BatchNorm1d(out_dim)
        self.drop = drop
        nn.init.kaiming_normal_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in) -> (B, out)."""
        return F.dropout(F.relu(self.norm(self.linear(x))), self.drop, self.training)


class Martinez(nn.Module):
    """The network. See :class:`MartinezConfig` and the head of this file."""

    def __init__(self, config: MartinezConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = Layer(2 * NUM_JOINTS, config.hidden, config.drop)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                Layer(config.hidden, config.hidden, config.drop),
                Layer(config.hidden, config.hidden, config.drop),
            )
            for _ in range(config.depth)
        )
        self.head = nn.Linear(config.hidden, 3 * (NUM_JOINTS - 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 17, 2) normalised 2D joints -> (B, 1, 17, 3) metres relative to the pelvis."""
        hidden = self.embed(x.flatten(1))  # (B, hidden)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        joints = self.head(hidden).view(-1, 1, NUM_JOINTS - 1, 3)
        return torch.cat((torch.zeros_like(joints[:, :, :1]), joints), dim=2)
