from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from poselift import models
from poselift.errors import UsageError
from poselift.models.host import centre_frame
from poselift.models.hourglass import Hourglass
from poselift.models.mhformer import CrossHypothesis, MHFormer, MHFormerConfig
from poselift.models.pruning import PRUNINGS
from poselift.models.recovery import RECOVERIES
from poselift.models.registry import REGISTRY

FRAMES = 36


def network(**options: Any) -> MHFormer:
    torch.manual_seed(0)
    net = MHFormer(MHFormerConfig(**{**REGISTRY["mhformer"].tiny, **options})).eval()
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return net


def windows(batch: int = 2, frames: int = FRAMES) -> Tensor:
    return torch.randn(batch, frames, 17, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("frames", "parameters"), [(27, 19_184_517), (351, 31_516_125)])
def test_published_sizes(frames: int, parameters: int) -> None:
    net = models.create("mhformer", num_frames=frames)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_one_frame_is_the_centre_of_all() -> None:
    one, all_frames = network(), network(num_out_frames=FRAMES)
    assert one.state_dict().keys() == all_frames.state_dict().keys()
    with torch.no_grad():
        poses = all_frames(windows())
        assert poses.shape == (2, FRAMES, 17, 3)
        assert torch.equal(one(windows()), poses[:, [centre_frame(FRAMES)]])


@pytest.mark.parametrize("frames", [1, 2, 35])
def test_a_short_window_repeats_its_ends_for_the_embedding_alone(frames: int) -> None:
    net = network(num_out_frames=FRAMES)
    x = windows(frames=frames)
    before = centre_frame(FRAMES) - centre_frame(frames)
    after = FRAMES - frames - before
    whole = torch.cat((x[:, :1].repeat(1, before, 1, 1), x, x[:, -1:].repeat(1, after, 1, 1)), 1)
    with torch.no_grad():
        tokens = net.embed(whole)[:, before : before + frames]
        assert torch.equal(net.embed(x), tokens)
        for level in net.levels:
            tokens = level(tokens)
        assert torch.equal(net(x), net.readout(tokens))


def test_hypotheses_cross_one_after_the_other() -> None:
    """The first hypothesis sees the others as they came; the last one sees them crossed."""
    level = network().levels[-1]
    assert isinstance(level, CrossHypothesis)
    inputs: dict[int, tuple[Tensor, ...]] = {}
    for i, crossing in enumerate(level.crossings):
        crossing.register_forward_hook(lambda module, args, out, i=i: inputs.update({i: args}))
    tokens = torch.randn(2, FRAMES, 1, 48)
    with torch.no_grad():
        level(tokens)
    old = tokens.chunk(3, dim=-1)
    assert all(torch.equal(a, b) for a, b in zip(inputs[0], (old[1], old[2], old[0]), strict=True))
    query, key, value = inputs[2]
    assert torch.equal(value, old[2])
    assert torch.equal(query, inputs[1][0])
    assert not torch.equal(query, old[0])
    assert not torch.equal(key, old[1])


@pytest.mark.parametrize("prune", PRUNINGS)
@pytest.mark.parametrize("recover", [None, *RECOVERIES])
@pytest.mark.parametrize("frames", [FRAMES, 20])
def test_any_hourglass_around_it(prune: str, recover: str | None, frames: int) -> None:
    num_out = FRAMES if recover else 1
    how = RECOVERIES[recover] if recover else None
    net = Hourglass(network(num_out_frames=num_out), (9,), (1,), PRUNINGS[prune], how).eval()
    with torch.no_grad():
        assert net(windows(frames=frames)).shape == (2, min(num_out, frames), 17, 3)
        (kept,) = net.kept(windows(frames=frames)).frames
    assert kept.shape == (2, 9)
    assert recover is not None or (kept == centre_frame(frames)).any(dim=1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_frames": 100}, "num_frames 100; expected a multiple of 9"),
        ({"dim": 100}, "dim 100; expected a multiple of 8"),
        ({"num_out_frames": 352}, "352 frames out of a window of 351"),
        ({"coord_depth": 0}, "coord_depth = 0"),
        ({"drop": 1.0}, "drop rate"),
    ],
)
def test_impossible_sizes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.create("mhformer", **options)
