"""Multi-head attention along any axis of the tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def split_heads(x: Tensor, num_heads: int, axis: int) -> Tensor:
    """(..., C), tokens along ``axis`` -> (rows, heads, tokens, head_dim)."""
    x = x.reshape(*x.shape[:-1], num_heads, x.shape[-1] // num_heads)
    return x.movedim(axis, -2).flatten(0, -4)


def merge_heads(x: Tensor, like: Tensor, axis: int) -> Tensor:
    """(rows, heads, tokens, head_dim) -> (..., C), the axes of ``like`` but for the tokens."""
    rows = [size for i, size in enumerate(like.shape[:-1]) if i != axis]
    return x.reshape(*rows, *x.shape[1:]).movedim(-2, axis).flatten(-2)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot-product attention of (rows, heads, tokens, head_dim)."""
    if q.dtype == torch.bfloat16 and q.device.type == "cpu" and torch.is_grad_enabled():
        # On a processor the gradient of the fused operator is five to ten times slower in
        # bfloat16 than in float32.
        with torch.autocast("cpu", enabled=False):
            out = F.scaled_dot_product_attention(q.float(), k.float(), v.float())
        return out.to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017) with one ``qkv`` linear.

    Args:
        dim: channels, a multiple of ``num_heads``.
        num_heads: number of heads.
        drop: dropout probability after the output projection.
        axis: of the tokens that attend to each other, counted from the front; all other axes but
            the channels are rows of a batch.
        qkv_bias: whether the ``qkv`` linear has a bias.
    """

    def __init__(
        self, dim: int, num_heads: int, drop: float = 0.0, axis: int = 0, qkv_bias: bool = True
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.drop = drop
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C), such as (J, B, C) with tokens along axis 0."""
        q, k, v = (
            split_heads(part, self.num_heads, self.axis) for part in self.qkv(x).chunk(3, -1)
        )
        out = merge_heads(attend(q, k, v), x, self.axis)
        return F.dropout(self.proj(out), self.drop, self.training)


class CrossAttention(nn.Module):
    """Multi-head attention of queries to other tokens, with a linear for each of q, k and v.

    Args:
        dim: channels, a multiple of ``num_heads``.
        num_heads: number of heads.
        drop: dropout probability after the output projection.
        axis: see :class:`Attention`.
        qkv_bias: whether the linears for q, k and v have a bias.
    """

    def __init__(
        self, dim: int, num_heads: int, drop: float = 0.0, axis: int = 0, qkv_bias: bool = True
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim, bias=qkv_bias)
        self.k = nn.Linear(dim, dim, bias=qkv_bias)
        self.v = nn.Linear(dim, dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.drop = drop
        self.axis = axis

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Queries (..., C) to keys and values (..., C): -> (..., C), tokens as in the queries.

        Queries that are the same in all rows may come as one row: they are projected once.
        """
        q, k, v = (
            split_heads(linear(x), self.num_heads, self.axis)
            for linear, x in ((self.q, query), (self.k, key), (self.v, value))
        )
        out = attend(q.expand(k.shape[0], -1, -1, -1), k, v)
        return F.dropout(self.proj(merge_heads(out, value, self.axis)), self.drop, self.training)
