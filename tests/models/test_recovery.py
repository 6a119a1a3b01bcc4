from __future__ import annotations

import numpy as np
import pytest
import torch

from poselift.models.mixste import MixSTE, MixSTEConfig
from poselift.models.recovery import RECOVERIES, AttentionRecovery, LinearRecovery, NearestRecovery

KEPT = torch.tensor([[0, 3, 4, 8], [2, 3, 5, 6]])
WINDOW = 9
HOST = MixSTE(MixSTEConfig(WINDOW, WINDOW, dim=16, depth=1, hidden=16, num_heads=2))


def poses() -> torch.Tensor:
    return torch.randn(2, 4, 17, 3, generator=torch.Generator().manual_seed(0))


def test_linear_is_interpolation_in_time() -> None:
    recovered = LinearRecovery().build(HOST).poses(poses(), KEPT, WINDOW)
    for row, known, frames in zip(recovered, poses().flatten(2).numpy(), KEPT, strict=True):
        expected = [np.interp(range(WINDOW), frames, values) for values in known.T]
        np.testing.assert_allclose(row.flatten(1).T, expected, atol=1e-6)


def test_nearest_is_the_nearest() -> None:
    recovered = NearestRecovery().build(HOST).poses(poses(), KEPT, WINDOW)
    for row, known, frames in zip(recovered, poses(), KEPT, strict=True):
        for t in range(WINDOW):
            assert torch.equal(row[t], known[(frames - t).abs().argmin()])


@pytest.mark.parametrize("name", ["linear", "nearest"])
def test_kept_frames_stay_as_they_are(name: str) -> None:
    recoverer = RECOVERIES[name].build(HOST)
    assert not list(recoverer.parameters())
    recovered = recoverer.poses(poses(), KEPT, WINDOW)
    assert torch.equal(recovered.gather(1, KEPT[:, :, None, None].expand(2, 4, 17, 3)), poses())
    one = recoverer.poses(poses()[:, :1], KEPT[:, :1], WINDOW)
    assert torch.equal(one, poses()[:, :1].expand(2, WINDOW, 17, 3))


def test_attention_recovers_each_joint_from_its_own_tokens() -> None:
    torch.manual_seed(0)
    recoverer = AttentionRecovery().build(HOST)
    tokens = torch.randn(2, 4, 17, 16)
    recovered = recoverer.tokens(tokens, KEPT, WINDOW)
    assert recovered.shape == (2, WINDOW, 17, 16)
    other = tokens.clone()
    other[:, :, 5] += 1
    changed = (recoverer.tokens(other, KEPT, WINDOW) - recovered).abs().amax(dim=(0, 1, 3)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [5]
    assert recoverer.tokens(tokens[:, :2], KEPT[:, :2], 4).shape == (2, 4, 17, 16)
