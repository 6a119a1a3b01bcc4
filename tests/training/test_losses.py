from __future__ import annotations

import pytest
import torch

from poselift.errors import UsageError
from poselift.metrics import functional
from poselift.training.losses import MIXSTE_WEIGHTS, LossConfig, n_mpjpe, pose_loss


def poses() -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 17, 3, generator=g), torch.randn(2, 4, 17, 3, generator=g)


def test_each_part_by_plain_loops() -> None:
    predicted, target = poses()
    position, velocity, smooth, scaled, count = 0.0, 0.0, 0.0, 0.0, 0
    for b in range(2):
        for t in range(4):
            size = sum(float(joint @ joint) for joint in predicted[b, t])
            pairs = zip(predicted[b, t], target[b, t], strict=True)
            best = sum(float(mine @ other) for mine, other in pairs) / size
            for j in range(17):
                left = best * predicted[b, t, j] - target[b, t, j]
                scaled += float(left.norm()) / (2 * 4 * 17)
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
    config = LossConfig("mixste", velocity=2.0, smoothness=0.5, scale=3.0)
    expected = position + 2.0 * velocity + 0.5 * smooth + 3.0 * scaled
    assert float(pose_loss(predicted, target, config)) == pytest.approx(expected, rel=1e-5)


def test_equal_joints_and_one_frame() -> None:
    predicted, target = poses()
    error = (predicted - target).norm(dim=-1).mean()
    torch.testing.assert_close(pose_loss(predicted, target, LossConfig(velocity=0.0)), error)
    one, other = predicted[:, :1], target[:, :1]
    loss = pose_loss(one, other, LossConfig(velocity=1.0, smoothness=1.0))
    torch.testing.assert_close(loss, (one - other).norm(dim=-1).mean())


def test_the_error_after_scaling_is_the_metric_and_blind_to_size() -> None:
    predicted, target = poses()
    error = n_mpjpe(predicted, target)
    assert float(error) == pytest.approx(
        functional.n_mpjpe(predicted.numpy(), target.numpy()).mean(), rel=1e-5
    )
    torch.testing.assert_close(n_mpjpe(3 * predicted, target), error)
    assert float(n_mpjpe(0.5 * target, target)) < 1e-6
    # As much a part of the loss as any other: it pulls at the shape, not at the size.
    predicted.requires_grad_()
    n_mpjpe(predicted, target).backward()
    assert predicted.grad is not None
    assert predicted.grad.abs().max() > 1e-4
    along = (predicted.grad * predicted).sum(dim=(-2, -1))
    assert along.abs().max() < 1e-6


def test_a_pose_in_one_point_has_a_loss_and_a_gradient() -> None:
    predicted, target = torch.zeros(1, 2, 17, 3, requires_grad=True), poses()[1][:1, :2]
    loss = pose_loss(predicted, target, LossConfig(velocity=0.0, scale=0.5))
    torch.testing.assert_close(loss, 1.5 * target.norm(dim=-1).mean())
    loss.backward()
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()


def test_weights_of_a_loss_are_not_negative() -> None:
    with pytest.raises(UsageError, match="scale"):
        LossConfig(scale=-0.5)
