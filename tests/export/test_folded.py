from __future__ import annotations

from typing import Any

import pytest
import torch

from poselift import models
from poselift.export.folded import Folded, fold, freeze
from poselift.models.registry import REGISTRY

CASES: list[tuple[str, dict[str, Any]]] = [
    ("nanohtnet", {}),
    ("nanohtnet", {"part_order": "swapped", "depth": 1}),
    ("nanohtnet", {"num_out_frames": 1, "depth": 1}),
    ("htnet", {}),
    ("htnet", {"part_order": "swapped", "depth": 1}),
    ("htnet", {"levels": ("part", "body"), "dim": 16, "depth": 1}),
    ("mgcn", {}),
]


def network_of(name: str, options: dict[str, Any]) -> torch.nn.Module:
    torch.manual_seed(0)
    network = models.create(name, **{**REGISTRY[name].tiny, **options}).eval()
    with torch.no_grad():
        for weight in network.parameters():  # no zeros and ones that would hide a mistake
            weight.add_(0.2 * torch.randn_like(weight))
    return network


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("batch", [1, 3])
def test_same_numbers(name: str, options: dict[str, Any], batch: int) -> None:
    network = network_of(name, options)
    x = torch.randn(batch, network.config.num_frames, 17, 2)
    with torch.inference_mode():
        expected, folded = network(x), fold(network)
        assert (folded(x) - expected).abs().max() < 1e-5
        assert (freeze(folded)(x) - expected).abs().max() < 1e-5


def test_full_size() -> None:
    for name in ("nanohtnet", "htnet"):
        torch.manual_seed(0)
        network = models.create(name).eval()
        x = torch.randn(2, network.config.num_frames, 17, 2)
        with torch.inference_mode():
            assert (fold(network)(x) - network(x)).abs().max() < 1e-5


def test_frozen_keeps_its_constants() -> None:
    network = network_of("htnet", {"depth": 1})
    x = torch.randn(2, 1, 17, 2)
    with torch.inference_mode():
        expected = network(x)
        following, frozen = fold(network), freeze(fold(network))
        for weight in network.parameters():
            weight.zero_()
        assert following(x).abs().max() < 1e-6
        parts = [part for part in frozen.modules() if isinstance(part, Folded)]
        assert all(part.frozen for part in parts)
        norm_out = [n for n in frozen.modules() if isinstance(n, torch.nn.LayerNorm)]
        assert norm_out  # its affine is followed by a sum, and stays a weight
        assert not torch.allclose(frozen(x), torch.zeros_like(expected))


def test_others_are_themselves() -> None:
    network = models.create("martinez", **REGISTRY["martinez"].tiny).eval()
    assert fold(network) is network
