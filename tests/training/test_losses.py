from __future__ import annotations

import pytest
import torch

from poselift.training.losses import MIXSTE_WEIGHTS, LossConfig, pose_loss


def poses() -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 17, 3, generator=g), torch.randn(2, 4, 17, 3, generator=g)


def test_each_part_by_plain_loops() -> None:
    predicted, target = poses()
    position, velocity, smooth, count = 0.0, 0.0, 0.0, 0
    for b in range(2):
        for t in range(4):
            for j in range(17):
                error = predicted[b, t, j] - target[b, t, j]
                position += MIXSTE_WEIGHTS[j] * float(error.norm()) / (2 * 4 * 17)
                if t == 0:
                    continue
                before = predicted[b, t - 1, j] - target[b, t - 1, j]
                velocity += float((error - before).norm()) / (2 * 3 * 17)
                moved = predicted[b, t, j] - predicted[b, t - 1, j]
                smooth += MIXSTE_WEIGHTS[j] * float(moved.square().sum()) / (2 * 3 * 17 * 3)
                count += 1
    assert count == 2 * 3 * 17
    config = LossConfig("mixste", velocity=2.0, smoothness=0.5)
    expected = position + 2.0 * velocity + 0.5 * smooth
    assert float(pose_loss(predicted, target, config)) == pytest.approx(expected, rel=1e-5)


def test_equal_joints_and_one_frame() -> None:
    predicted, target = poses()
    error = (predicted - target).norm(dim=-1).mean()
    torch.testing.assert_close(pose_loss(predicted, target, LossConfig(velocity=0.0)), error)
    one, other = predicted[:, :1], target[:, :1]
    loss = pose_loss(one, other, LossConfig(velocity=1.0, smoothness=1.0))
    torch.testing.assert_close(loss, (one - other).norm(dim=-1).mean())
