from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from poselift import models
from poselift.errors import UsageError
from poselift.models.hourglass import Hourglass
from poselift.models.layers.transformer import FRAMES, JOINTS
from poselift.models.motionagformer import (
    FrameGraphConv,
    MotionAGFormer,
    MotionAGFormerConfig,
    NodeNorm,
    joint_links,
)
from poselift.models.pruning import PRUNINGS
from poselift.models.recovery import RECOVERIES
from poselift.models.registry import REGISTRY
from poselift.skeleton import H36M_17

WINDOW = 9


def network(**options: Any) -> MotionAGFormer:
    torch.manual_seed(0)
    tiny = REGISTRY["motionagformer"].tiny
    net = MotionAGFormer(MotionAGFormerConfig(**{**tiny, **options})).eval()
    with torch.no_grad():  # its residuals start too small to see
        for weight in net.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
        for name, statistics in net.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                statistics.uniform_(0.5, 1.5)
    return net


def windows(frames: int = WINDOW, channels: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, frames, 17, channels, generator=generator)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("motionagformer-xs", 2_241_531),
        ("motionagformer-s", 4_817_119),
        ("motionagformer", 11_723_811),
        ("motionagformer-l", 19_007_111),
    ],
)
def test_published_sizes(name: str, parameters: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in models.create(name).parameters()) == parameters


def test_joints_read_the_neighbours_that_the_authors_list() -> None:
    listed = {
        **{10: (9,), 9: (8, 10), 8: (7, 9), 14: (15, 8), 15: (16, 14), 16: (15,)},
        **{11: (12, 8), 12: (13, 11), 13: (12,), 7: (0, 8), 0: (1, 7), 1: (2, 0)},
        **{2: (3, 1), 3: (2,), 4: (5, 0), 5: (6, 4), 6: (5,)},
    }
    links = joint_links()
    for joint, neighbours in listed.items():
        assert links[joint].nonzero().flatten().tolist() == sorted(neighbours)
        for other in neighbours:
            expected = (len(neighbours) * len(listed[other])) ** -0.5
            assert links[joint, other].item() == pytest.approx(expected)
    assert len(listed) == len(H36M_17)


def test_frames_gather_the_mean_of_the_most_similar() -> None:
    conv = FrameGraphConv(dim=4, num_frames=5, neighbours=2)
    x, values = windows(5, 4), torch.randn(2, 5, 17, 4)
    gathered = conv.gather(values, x)
    for b, t, j in ((0, 0, 0), (1, 3, 16), (1, 4, 7)):
        similar = (x[b, :, j] @ x[b, t, j]).argsort(descending=True)[:2]
        torch.testing.assert_close(gathered[b, t, j], values[b, similar, j].mean(dim=0))
    few = conv.gather(values[:, :1], x[:, :1])  # fewer frames than neighbours
    torch.testing.assert_close(few, values[:, :1])


@pytest.mark.parametrize("axis", [FRAMES, JOINTS])
def test_node_norm_is_batch_norm_over_nodes(axis: int) -> None:
    nodes = windows().shape[axis]
    norm, reference = NodeNorm(nodes, axis), nn.BatchNorm1d(nodes)
    x = windows(channels=4)
    rows = x.transpose(1, axis).transpose(1, 2).flatten(0, 1)  # (rows, nodes, C)
    out = norm(x).transpose(1, axis).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(out, reference(rows))
    torch.testing.assert_close(norm.running_mean, reference.running_mean)
    torch.testing.assert_close(norm.running_var, reference.running_var)
    out = norm.eval()(x).transpose(1, axis).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(out, reference.eval()(rows))


def test_fewer_frames_have_the_statistics_of_the_centre() -> None:
    norm = NodeNorm(WINDOW, FRAMES)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2.0)
        norm.running_mean.normal_()  # type: ignore[union-attr]
        norm.eval()
        x = windows(channels=4)
        torch.testing.assert_close(norm(x[:, 3:6]), norm(x)[:, 3:6])


def test_without_confidence_it_is_one() -> None:
    net = network()
    x = windows()
    with torch.no_grad():
        sure = net(torch.cat((x, torch.ones(2, WINDOW, 17, 1)), dim=-1))
        unsure = net(torch.cat((x, torch.full((2, WINDOW, 17, 1), 0.5)), dim=-1))
        assert torch.equal(net(x), sure)
        assert not torch.allclose(sure, unsure)


def test_levels_behind_a_pruning_have_norms_of_their_own_size() -> None:
    """And a training reaches all of them (tests/models/test_contracts.py)."""
    net = models.create("motionagformer+hot", **REGISTRY["motionagformer+hot"].tiny)
    sizes = [
        module.norm.num_features for module in net.modules() if isinstance(module, FrameGraphConv)
    ]
    assert sizes == [9, 5]
    with torch.no_grad():
        assert net.eval()(windows()).shape == (2, WINDOW, 17, 3)
        assert net(windows(frames=3)).shape == (2, 3, 17, 3)


@pytest.mark.parametrize("recover", RECOVERIES)
@pytest.mark.parametrize("prune", PRUNINGS)
def test_any_hourglass_around_it(prune: str, recover: str) -> None:
    net = Hourglass(network(depth=3), (7, 4), (1, 2), PRUNINGS[prune], RECOVERIES[recover]).eval()
    with torch.no_grad():
        poses, frames = net.kept(windows())
    assert poses.shape == (2, WINDOW, 17, 3)
    assert torch.isfinite(poses).all()
    assert [kept.shape[1] for kept in frames] == [7, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 100}, "multiple"),
        ({"neighbours": 300}, "300 neighbours among 243 frames"),
        ({"neighbours": 0}, "neighbours = 0"),
        ({"num_out_frames": 300}, "window of 243"),
        ({"drop_path": -0.1}, "drop rate"),
    ],
)
def test_impossible_sizes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.create("motionagformer", **options)
