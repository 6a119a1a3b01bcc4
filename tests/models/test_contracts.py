"""What every registered network promises. A new entry in the registry is tested by being there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from poselift import models
from poselift.errors import CheckpointError, UsageError
from poselift.models.checkpoint import read_weights, save_checkpoint
from poselift.models.registry import REGISTRY

NAMES = list(REGISTRY)


def tiny(name: str) -> nn.Module:
    torch.manual_seed(0)
    return models.create(name, **REGISTRY[name].tiny)


def windows(network: nn.Module, batch: int) -> torch.Tensor:
    config: Any = network.config
    return torch.randn(batch, config.num_frames, 17, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NAMES)
def test_shape_and_finite(name: str) -> None:
    network = tiny(name)
    output = network(windows(network, 5))
    assert output.shape == (5, network.config.num_out_frames, 17, 3)
    assert torch.isfinite(output).all()


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_every_parameter(name: str) -> None:
    network = tiny(name)
    with torch.no_grad():  # a weight that starts at zero hides those behind it
        for weight in network.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    network(windows(network, 8)).square().sum().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # A bias in front of a normalisation over the batch has no effect and hence no gradient.
    assert [n for n in without if not ("linear.bias" in n and name == "martinez")] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_a_batch_is_that_row_alone(name: str) -> None:
    network = tiny(name).eval()
    x = windows(network, 6)
    with torch.no_grad():
        together = network(x)
        alone = torch.cat([network(row[None]) for row in x])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_eval_is_deterministic_and_training_is_not_silent(name: str) -> None:
    network = tiny(name)
    x = windows(network, 4)
    with torch.no_grad():
        assert not torch.equal(network(x), network(x))  # dropout
        network.eval()
        assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("name", NAMES)
def test_checkpoint_round_trip(name: str, tmp_path: Path) -> None:
    network = tiny(name).eval()
    save_checkpoint(tmp_path, name, network, {"fps": 50.0})
    loaded = models.load(tmp_path)
    assert loaded.config == network.config
    assert not loaded.training
    x = windows(network, 3)
    with torch.no_grad():
        assert torch.equal(loaded(x), network(x))


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_files_load_as_float32(name: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, name, tiny(name), {}, dtype=torch.float16)
    weights = read_weights(tmp_path)
    assert {v.dtype for v in weights.values() if v.is_floating_point()} == {torch.float32}
    models.load(tmp_path)


def test_load_names_what_is_wrong(tmp_path: Path) -> None:
    network = tiny("nanohtnet")
    save_checkpoint(tmp_path / "a", "nanohtnet", network, {})
    save_checkpoint(tmp_path / "b", "htnet", tiny("htnet"), {})
    (tmp_path / "a" / "weights.safetensors").replace(tmp_path / "b" / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"missing keys in weights\.safetensors"):
        models.load(tmp_path / "b")
    with pytest.raises(CheckpointError, match="weights"):
        models.load(tmp_path / "a")
    (tmp_path / "a" / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        models.load(tmp_path / "a")


def test_pickles_are_not_weights(tmp_path: Path) -> None:
    network = tiny("htnet")
    save_checkpoint(tmp_path, "htnet", network, {})
    torch.save(network.state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match="safetensors"):
        models.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("nanohtnett", {}, "did you mean 'nanohtnet'"),
        ("nanohtnet", {"frames": 9}, "no option 'frames'"),
        ("nanohtnet", {"num_out_frames": 300}, "window of 243"),
        ("nanohtnet", {"dim": 100}, "multiple"),
        ("htnet", {"num_frames": 3}, "one frame"),
        ("htnet", {"levels": ("joint", "joint")}, "levels"),
        ("htnet", {"part_order": "other"}, "part_order"),
        ("htnet", {"num_heads": 0}, "num_heads = 0"),
        ("htnet", {"num_heads": -2}, "num_heads"),
        ("htnet", {"depth": -1}, "depth"),
        ("nanohtnet", {"hidden": 0}, "hidden"),
        ("nanohtnet", {"head_dim": "two"}, "head_dim"),
        ("nanohtnet", {"drop": 0.9}, "drop rate"),
        ("martinez", {"drop": 5.0}, "drop rate"),
        ("mixste", {"position_std": -0.1}, "position_std"),
        ("mixste", {"position_std": float("inf")}, "position_std"),
        ("martinez", {"hidden": 2.5}, "hidden"),
        ("htnet", {"dim": "wide"}, "options of the right types"),
    ],
)
def test_impossible_networks(name: str, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.create(name, **overrides)


def test_published_sizes() -> None:
    def count(name: str, **overrides: Any) -> int:
        return sum(p.numel() for p in models.create(name, **overrides).parameters())

    assert count("htnet") == 3_048_489
    assert count("nanohtnet") == 2_491_567
    assert count("nanohtnet", num_frames=81) == 2_413_807


def test_swapped_part_order_exchanges_the_arms_only() -> None:
    """With one block whose part level is all that acts, legs agree and arms do not."""
    outputs = []
    for order in ("anatomical", "swapped"):
        torch.manual_seed(0)
        options = {**REGISTRY["htnet"].tiny, "levels": ("part",), "depth": 1, "part_order": order}
        network = models.create("htnet", **options).eval()
        with torch.no_grad():
            outputs.append(network(windows(network, 2)))
    differs = (outputs[0] - outputs[1]).abs().amax(dim=(0, 1, 3)) > 1e-6
    assert differs.nonzero().flatten().tolist() == [12, 13, 15, 16]
