"""The transformer block of the video networks."""

from __future__ import annotations

from torch import Tensor, nn

from poselift.models.layers.attention import Attention
from poselift.models.layers.common import MLP, DropPath

FRAMES, JOINTS = 1, 2
"""Axes of tokens (B, F, J, C)."""


class TransformerBlock(nn.Module):
    """Attention and MLP, each normalised before it and with a residual (pre-LN).

    Args:
        dim: channels, a multiple of ``num_heads``.
        hidden: hidden size of the MLP.
        num_heads: heads of the attention.
        axis: of the tokens that attend to each other, such as ``FRAMES`` or ``JOINTS``.
        eps: of both normalisations.
        drop: dropout of the attention's projection and of the MLP.
        drop_path: stochastic depth of both branches.
        qkv_bias: whether the ``qkv`` linear has a bias.
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        num_heads: int,
        axis: int,
        *,
        eps: float = 1e-6,
        drop: float = 0.0,
        drop_path: float = 0.0,
        qkv_bias: bool = True,
    ) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(dim, eps)
        self.attention = Attention(dim, num_heads, drop, axis, qkv_bias)
        self.norm_mlp = nn.LayerNorm(dim, eps)
        self.mlp = MLP(dim, hidden, drop)
        self.drop_path = DropPath(drop_path, axis)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C), such as tokens (B, F, J, C)."""
        x = x + self.drop_path(self.attention(self.norm_attention(x)))
        return x + self.drop_path(self.mlp(self.norm_mlp(x)))
