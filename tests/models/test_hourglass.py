from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from poselift import models
from poselift.errors import UsageError
from poselift.geometry.mirror import mirror_keypoints
from poselift.models.checkpoint import save_checkpoint
from poselift.models.host import centre_frame
from poselift.models.hourglass import Hourglass, KeptFrames
from poselift.models.mixste import MixSTE, MixSTEConfig
from poselift.models.pruning import PRUNINGS, UniformPruning
from poselift.models.recovery import RECOVERIES, AttentionRecovery, LinearRecovery
from poselift.models.registry import REGISTRY

FRAMES = 9
SMALL: dict[str, Any] = {"num_frames": FRAMES, "dim": 16, "hidden": 16, "depth": 3, "num_heads": 2}
HOSTS = ["mixste", "motionbert"]


def host(num_out: int = FRAMES) -> MixSTE:
    torch.manual_seed(0)
    return MixSTE(MixSTEConfig(**SMALL, num_out_frames=num_out)).eval()


def windows(batch: int = 3, frames: int = FRAMES) -> Tensor:
    return torch.randn(batch, frames, 17, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("recover", RECOVERIES)
@pytest.mark.parametrize("prune", PRUNINGS)
@pytest.mark.parametrize("name", HOSTS)
def test_any_pruning_with_any_recovery(name: str, prune: str, recover: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {**REGISTRY[f"{name}+hot"].tiny, "depth": 3, "keep": [7, 4], "before": [1, 2]}
    network = models.create(f"{name}+hot", **options, prune=prune, recover=recover).eval()
    x = windows()
    with torch.no_grad():
        poses, (first, second) = network.kept(x)
        assert poses.shape == (3, FRAMES, 17, 3)
        assert torch.equal(network(x), poses)
        assert torch.isfinite(poses).all()
        assert (first.diff(dim=1) > 0).all()
        assert first.shape == (3, 7)
        assert second.shape == (3, 4)
        for later, earlier in zip(second.tolist(), first.tolist(), strict=True):
            assert set(later) < set(earlier)
        save_checkpoint(tmp_path, f"{name}+hot", network, {})
        loaded = models.load(tmp_path)
        assert loaded.config == network.config
        assert torch.equal(loaded(x), poses)


def test_dropped_frames_do_not_count_after_the_step() -> None:
    network = Hourglass(host(), (3,), (1,), UniformPruning(), LinearRecovery())
    seen: list[torch.Size] = []
    for level in network.host.levels:
        level.register_forward_hook(lambda module, args, out: seen.append(out.shape))
    with torch.no_grad():
        poses = network(windows())
        # By hand: what the host makes of the three frames after its first level.
        tokens = network.host.levels[0](network.host.embed(windows()))[:, [0, 4, 8]]
        for level in network.host.levels[1:]:
            tokens = level(tokens)
        assert torch.equal(poses[:, [0, 4, 8]], network.host.readout(tokens))
    assert [shape[1] for shape in seen[:3]] == [FRAMES, 3, 3]
    assert torch.allclose(poses[:, 2], (poses[:, 0] + poses[:, 4]) / 2, atol=1e-6)


@pytest.mark.parametrize("prune", PRUNINGS)
@pytest.mark.parametrize("recover", [None, "attention", "linear"])
def test_one_frame_is_the_centre_and_always_kept(prune: str, recover: str | None) -> None:
    how = RECOVERIES[recover] if recover else None
    network = Hourglass(host(num_out=1), (4, 2), (1, 2), PRUNINGS[prune], how).eval()
    with torch.no_grad():
        poses, frames = network.kept(windows())
        for kept in frames:
            assert (kept == centre_frame(FRAMES)).any(dim=1).all()
        centre = network(windows())
        assert centre.shape == (3, 1, 17, 3)
        if recover is None:
            assert poses.shape == (3, 2, 17, 3)
            assert torch.equal(centre[:, 0], poses[frames[-1] == 4])
        else:
            assert torch.equal(centre, poses[:, 4:5])


def test_the_published_form_gives_all_kept_frames() -> None:
    plain = Hourglass(host(num_out=1), (3,), (1,), recover=None)
    network = KeptFrames(host(num_out=1), (3,), (1,), recover=None)
    network.load_state_dict(plain.state_dict())
    with torch.no_grad():
        assert torch.equal(network(windows()), plain.kept(windows()).poses)


def test_the_mirrored_pass_can_keep_the_same_frames() -> None:
    network = Hourglass(host(), (5, 2), (1, 2)).eval()
    x = windows()
    mirrored = torch.from_numpy(mirror_keypoints(x.numpy(), 0))  # around x = 0
    with torch.no_grad():
        poses, frames = network.kept(x)
        again, reused = network.kept(mirrored.float(), token_index=frames)
        assert all(torch.equal(a, b) for a, b in zip(reused, frames, strict=True))
        assert not torch.equal(again, poses)
        assert torch.equal(network(x, token_index=frames), poses)
        one = Hourglass(host(), (5,), (1,)).eval()
        kept = one.kept(x).frames[0]
        assert torch.equal(one(x, token_index=kept), one(x))
        for wrong in (frames, [kept, kept, kept], kept + 100):
            with pytest.raises(UsageError, match="token_index"):
                one(x, token_index=wrong)


@pytest.mark.parametrize("name", [*HOSTS, "mixste+hot", "mixste+h2ot", "mixste+tpc"])
@pytest.mark.parametrize("frames", [1, 2, 5, 8])
def test_fewer_frames_than_the_window(name: str, frames: int) -> None:
    torch.manual_seed(0)
    network = models.create(name, **REGISTRY[name].tiny).eval()
    with torch.no_grad():
        poses = network(windows(frames=frames))
    assert poses.shape == (3, min(network.config.num_out_frames, frames), 17, 3)
    assert torch.isfinite(poses).all()


@pytest.mark.parametrize("name", [*HOSTS, "mixste+hot"])
def test_more_frames_than_the_window(name: str) -> None:
    network = models.create(name, **REGISTRY[name].tiny)
    with pytest.raises(UsageError, match="10 frames for a window of 9"):
        network(windows(frames=10))


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("frames", [1, 4, 8])
def test_fewer_frames_are_a_window_with_the_others_masked(
    name: str, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = models.create(name, **REGISTRY[name].tiny).eval()
    with torch.no_grad():
        for weight in network.parameters():  # positions start at zero
            weight.add_(0.2 * torch.randn_like(weight))
    first = centre_frame(FRAMES) - centre_frame(frames)
    valid = torch.zeros(FRAMES, dtype=torch.bool)
    valid[first : first + frames] = True
    whole = windows()
    attend: Callable[..., Tensor] = nn.functional.scaled_dot_product_attention

    def masked(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(q, k, v, attn_mask=valid[None] if k.shape[-2] == FRAMES else None)

    with torch.no_grad():
        short = network(whole[:, valid])
        monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", masked)
        torch.testing.assert_close(short, network(whole)[:, valid], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": (9,)}, "below 9"),
        ({"keep": (0,)}, "falling"),
        ({"keep": (3, 5), "before": (1, 2)}, "falling"),
        ({"keep": (5, 3)}, "as many of each"),
        ({"keep": (), "before": ()}, "one or more"),
        ({"before": (0,)}, "rising levels, from 1 to 2"),
        ({"before": (3,)}, "rising levels"),
        ({"keep": (5, 3), "before": (2, 1)}, "rising levels"),
        ({"prune": "random"}, "prune = 'random'.*cluster"),
        ({"recover": "magic"}, "recover = 'magic'.*none"),
        ({"recover": "none"}, "num_out_frames = 1"),
        ({"num_heads": 3}, "multiple"),
        ({"keep": 5}, "right types"),
    ],
)
def test_impossible_hourglasses(options: dict[str, Any], message: str) -> None:
    small = {**SMALL, "num_out_frames": FRAMES, "keep": (5,), "before": (1,)}
    models.create("mixste+hot", **small)
    with pytest.raises(UsageError, match=message):
        models.create("mixste+hot", **{**small, **options})


def test_hourglasses_share_no_weights() -> None:
    first, second = (Hourglass(host(), (5,), (1,)) for _ in range(2))
    assert not {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}
    assert isinstance(RECOVERIES["attention"], AttentionRecovery)


@pytest.mark.parametrize("name", ["mixste", "mixste+hot"])
def test_one_clip_can_be_learned_by_heart(name: str) -> None:
    torch.manual_seed(0)
    options = {**REGISTRY[name].tiny, "dim": 32, "hidden": 64, "drop_path_last": 0.0}
    network = models.create(name, **options)
    before = {key: weight.clone() for key, weight in network.named_parameters()}
    time = torch.linspace(0, 2, FRAMES)[None, :, None, None]
    joint = torch.arange(17.0)[None, None, :, None]
    target = 0.3 * torch.sin(time + 0.4 * joint + torch.tensor([0.0, 1, 2]))
    x = target[..., :2] / (4 + target[..., 2:])
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    errors = []
    for _ in range(400):
        error = (network(x) - target).norm(dim=-1).mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < 0.06  # metres; the mean pose is off by 0.2
    assert [k for k, weight in network.named_parameters() if torch.equal(weight, before[k])] == []


def test_token_recovery_begins_by_looking_at_the_nearest_frames() -> None:
    network = models.create(
        "mixste+hot",
        num_frames=81,
        num_out_frames=81,
        dim=64,
        hidden=64,
        depth=2,
        keep=[27],
        before=[1],
        position_std=0.5,
    )
    ways, queries = network.recovery.attention, network.recovery.queries[0]
    with torch.no_grad():
        liking = ways.q(queries) @ ways.k(network.positions[0][0]).T  # (F, f)
    kept = torch.linspace(0, 80, 27).round()
    apart = (kept[None] - torch.arange(81)[:, None]).abs()  # frames
    found = apart.gather(1, liking.argmax(dim=1, keepdim=True))
    assert float((found <= 2).float().mean()) > 0.9  # by chance 0.06


@pytest.mark.parametrize("std", [0.0, 0.5])
def test_positional_embeddings_start_as_told(std: float) -> None:
    network = models.create(
        "mixste+hot", **SMALL, num_out_frames=FRAMES, keep=[3], before=[1], position_std=std
    )
    tables = {
        name: table.detach()
        for name, table in network.named_parameters()
        if name.endswith(("position", "queries"))
    }
    assert len(tables) == 3
    drawn = torch.cat([table.flatten() for table in tables.values()])
    assert float(drawn.std()) == pytest.approx(std, rel=0.15)
