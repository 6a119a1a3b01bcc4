from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from poselift import models
from poselift.bench.operations import count_operations
from poselift.models.registry import REGISTRY

PUBLISHED = {  # million parameters, GFLOPs of a window of 243 frames
    "mixste": (33.78, 277.25),
    "mixste+hot": (35.00, 167.5),
    "mixste+tpc": (33.78, 251.29),
    "motionbert": (16.00, 131.09),
    "motionbert+hot": (16.35, 63.21),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_costs(name: str) -> None:
    parameters, gflops = PUBLISHED[name]
    network: Any = models.create(name)
    found = count_operations(network)
    assert found.parameters / 1e6 == pytest.approx(parameters, abs=0.005)
    once = 0.0
    if name.endswith("+hot"):  # our queries are projected once, theirs for each of 17 joints
        once = 2e-9 * 16 * network.config.num_frames * network.config.dim**2
    assert found.field_gflops + once == pytest.approx(gflops, abs=0.05)
    assert found.multiply_accumulates > 0.5e9 * found.field_gflops


def test_products_of_tokens_are_counted() -> None:
    name = "mixste"
    config = models.create(name, **REGISTRY[name].tiny).config
    found = count_operations(models.create(name, **REGISTRY[name].tiny))
    frames, joints, dim = config.num_frames, 17, config.dim
    # Queries with keys and attention with values, over the joints and over the frames.
    pairs = frames * joints**2 + joints * frames**2
    assert found.between_tokens == config.depth * 2 * pairs * dim
    block = 4 * dim**2 + 2 * dim * config.hidden
    tokens = frames * joints
    assert found.with_weights == tokens * (config.depth * 2 * block + 5 * dim)


def test_counting_leaves_the_network_alone() -> None:
    network = models.create("mixste+hot", **REGISTRY["mixste+hot"].tiny)
    count_operations(network, num_frames=5)
    assert network.training
    assert all(p.requires_grad and p.device.type == "cpu" for p in network.parameters())
    assert all(
        isinstance(p, nn.Parameter) and torch.isfinite(p).all() for p in network.parameters()
    )
