"""Multi-head self-attention over node-first tokens."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017) with one ``qkv`` linear.

    Args:
        dim: channels, a multiple of ``num_heads``.
        num_heads: number of heads.
        drop: dropout probability after the output projection.
    """

    def __init__(self, dim: int, num_heads: int, drop: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """(J, B, C) -> (J, B, C); tokens are the J nodes of one sample."""
        J, B, C = x.shape
        qkv = self.qkv(x).view(J, B, 3, self.num_heads, C // self.num_heads)
        q, k, v = qkv.permute(2, 1, 3, 0, 4)  # each (B, heads, J, head_dim)
        out = F.scaled_dot_product_attention(q, k, v)
        out = out.permute(2, 0, 1, 3).reshape(J, B, C)
        return F.dropout(self.proj(out), self.drop, self.training)
