from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from poselift.models.layers.attention import Attention, CrossAttention, attend


def tokens(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_tokens_along_any_axis(axis: int) -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2, axis=axis)
    x = tokens(3, 4, 5, 8)
    out = attention(x)
    # The reference: torch's own, on rows (N, tokens, C).
    reference = nn.MultiheadAttention(8, 2, batch_first=True)
    reference.load_state_dict(
        {
            "in_proj_weight": attention.qkv.weight,
            "in_proj_bias": attention.qkv.bias,
            "out_proj.weight": attention.proj.weight,
            "out_proj.bias": attention.proj.bias,
        }
    )
    rows = x.movedim(axis, 2).flatten(0, 1)
    expected = reference(rows, rows, rows, need_weights=False)[0]
    torch.testing.assert_close(out.movedim(axis, 2).flatten(0, 1), expected)


def test_cross_attention_of_shared_queries() -> None:
    torch.manual_seed(0)
    attention = CrossAttention(8, 2, axis=1)
    queries, kept = tokens(1, 6, 1, 8), tokens(2, 3, 4, 8)
    out = attention(queries, kept, kept)
    assert out.shape == (2, 6, 4, 8)
    repeated = attention(queries.expand(2, 6, 4, 8), kept, kept)
    torch.testing.assert_close(out, repeated)


def test_gradients_in_bfloat16_are_those_of_float32() -> None:
    def gradient(dtype: torch.dtype) -> Tensor:
        q, k, v = (tokens(2, 3, 7, 4).to(dtype) + i for i in range(3))
        q.requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16):
            out = attend(q, k, v)
        assert out.dtype == torch.bfloat16
        out.float().square().sum().backward()
        assert q.grad is not None
        return q.grad.float()

    exact, found = gradient(torch.float32), gradient(torch.bfloat16)
    assert (found - exact).norm() < 0.05 * exact.norm()
