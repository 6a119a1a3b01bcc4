"""Modulated graph convolution and the graphs it runs on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from poselift.skeleton import Skeleton


def skeleton_adjacency(skeleton: Skeleton) -> Tensor:
    """(J, J) undirected bones, each row divided by its sum, then the diagonal set to 1."""
    adjacency = torch.zeros(len(skeleton), len(skeleton))
    for parent, child in skeleton.bones:
        adjacency[parent, child] = adjacency[child, parent] = 1.0
    adjacency /= adjacency.sum(dim=1, keepdim=True)
    return adjacency.fill_diagonal_(1.0)


def chain_adjacency(num_nodes: int) -> Tensor:
    """(N, N) ones on the diagonal and for the two neighbours."""
    adjacency = torch.eye(num_nodes)
    if num_nodes > 1:
        neighbours = torch.ones(num_nodes - 1)
        adjacency += torch.diag(neighbours, 1) + torch.diag(neighbours, -1)
    return adjacency


class ModulatedGraphConv(nn.Module):
    """Graph convolution with a weight modulation for each node and a learned affinity.

    Zou and Tang, "Modulated Graph Convolutional Network for 3D Human Pose Estimation", ICCV
    2021, section 3: ``y = (A∘I)(M∘xW0) + (A∘(1−I))(M∘xW1) + b`` with A the symmetrised sum of
    the skeleton's adjacency and a learned one.

    Args:
        in_dim: channels in.
        out_dim: channels out.
        adjacency: (J, J) fixed part of A.
    """

    adjacency: Tensor

    def __init__(self, in_dim: int, out_dim: int, adjacency: Tensor) -> None:
        super().__init__()
        num_nodes = adjacency.shape[0]
        self.weight = nn.Parameter(torch.empty(2, in_dim, out_dim))
        self.modulation = nn.Parameter(torch.empty(num_nodes, out_dim))
        self.affinity = nn.Parameter(torch.full((num_nodes, num_nodes), 1e-6))
        self.bias = nn.Parameter(torch.empty(out_dim))
        self.register_buffer("adjacency", adjacency, persistent=False)
        nn.init.xavier_uniform_(self.weight, gain=1.414)
        nn.init.xavier_uniform_(self.modulation, gain=1.414)
        nn.init.uniform_(self.bias, -(out_dim**-0.5), out_dim**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(J, B, in) -> (J, B, out)."""
        total = self.adjacency + self.affinity
        symmetric = (total + total.T) / 2
        own = symmetric.diagonal()[:, None] * self.modulation  # (J, out)
        others = symmetric - torch.diag(symmetric.diagonal())  # (J, J)
        both = torch.cat((self.weight[0], self.weight[1]), dim=1)  # (in, 2 out)
        to_self, to_others = (x @ both).chunk(2, dim=-1)  # each (J, B, out)
        modulated = self.modulation[:, None] * to_others
        # Node-first tokens make mixing over nodes one matrix product for the whole batch.
        mixed = (others @ modulated.flatten(1)).view_as(to_self)  # (J, J) @ (J, B out)
        return own[:, None] * to_self + mixed + self.bias
