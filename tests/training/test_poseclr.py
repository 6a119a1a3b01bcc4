"""The parts of PoseCLR, against plain formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from poselift import models
from poselift.models.registry import REGISTRY
from poselift.training.encoder import freeze, head_keys
from poselift.training.poseclr import Embedding, Queue, collapse_measures, info_nce

ENCODERS = [name for name, entry in REGISTRY.items() if hasattr(entry.network, "encode")]


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_loss_is_a_cross_entropy_over_own_key_and_negatives() -> None:
    queries, keys, negatives = unit(5, 8), unit(2, 5, 8, seed=1), unit(7, 8, seed=2)
    usable = torch.rand(5, 7, generator=torch.Generator().manual_seed(3)) < 0.7
    expected = []
    for key in keys:
        for i, query in enumerate(queries):
            logits = torch.cat(((query @ key[i])[None], negatives[usable[i]] @ query)) / 0.3
            expected.append(-logits.log_softmax(dim=0)[0])
    loss = info_nce(queries, keys, negatives, usable, 0.3)
    torch.testing.assert_close(loss, torch.stack(expected).mean())


def test_a_query_without_negatives_has_neither_loss_nor_gradient() -> None:
    queries = unit(3, 8).requires_grad_()
    loss = info_nce(queries, unit(1, 3, 8), torch.zeros(4, 8), torch.zeros(3, 4).bool(), 0.07)
    loss.backward()
    assert loss.item() == 0.0
    assert queries.grad is not None
    assert not queries.grad.any()


def test_the_queue_keeps_the_newest_keys() -> None:
    queue = Queue(5, 2, torch.device("cpu"))
    for first in (0, 3, 6):
        values = torch.arange(first, first + 3)
        queue.push(values[:, None].expand(3, 2).float(), torch.stack((values, values), dim=1))
    assert sorted(queue.keys[:, 0].tolist()) == [4, 5, 6, 7, 8]
    assert queue.instants[:, 0].tolist() == queue.keys[:, 0].long().tolist()
    other = Queue(5, 2, torch.device("cpu"))
    other.load_state(queue.state())
    for one in (queue, other):
        one.push(torch.full((1, 2), 9.0), torch.full((1, 2), 9))
    assert torch.equal(queue.keys, other.keys)


def test_the_same_instant_and_empty_places_are_no_negatives() -> None:
    queue = Queue(6, 2, torch.device("cpu"))
    instants = torch.tensor([[3, 10], [3, 12], [3, 13], [4, 10], [3, 7]])
    queue.push(torch.ones(5, 2), instants)
    usable = queue.usable(torch.tensor([[3, 10], [4, 10]]), apart=2.0)
    assert usable.tolist() == [
        [False, False, True, True, True, False],
        [True, True, True, False, True, False],
    ]


def test_measures_of_collapsed_and_of_spread_features() -> None:
    same = unit(1, 16).expand(50, 16)
    collapsed = collapse_measures(same, same)
    assert collapsed["variance"] == pytest.approx(0, abs=1e-6)
    assert collapsed["uniformity"] == pytest.approx(0, abs=1e-5)
    assert collapsed["retrieval"] == pytest.approx(1 / 50)
    # Four corners of a square: squared distances 2, 2 and 4 to the others.
    corners = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    spread = collapse_measures(corners, corners)
    assert spread["variance"] == pytest.approx(1)
    assert spread["uniformity"] == pytest.approx(
        math.log((4 * math.exp(-4) + 2 * math.exp(-8)) / 6), rel=1e-5
    )
    assert spread["alignment"] == 0.0
    assert spread["retrieval"] == 1.0
    assert collapse_measures(corners, -corners)["alignment"] == pytest.approx(4)


@pytest.mark.parametrize("name", ENCODERS)
def test_head_and_encoder_share_the_weights_among_them(name: str) -> None:
    torch.manual_seed(0)
    network = models.create(name, **REGISTRY[name].tiny)
    head = head_keys(network)
    assert head
    x = torch.randn(3, network.config.num_frames, 17, 2)
    network.eval()
    with torch.no_grad():
        features, poses = network.encode(x), network(x)
        for key, value in network.state_dict().items():
            if key in head and value.is_floating_point():
                value.add_(1.0)
        assert torch.equal(network.encode(x), features)
        assert not torch.allclose(network(x), poses)
    freeze(network, head=False)
    learns = {key for key, value in network.named_parameters() if value.requires_grad}
    assert learns <= head
    assert learns


@pytest.mark.parametrize("hidden", [0, 24])
@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_gives_unit_vectors_and_learns(name: str, hidden: int) -> None:
    torch.manual_seed(0)
    network = models.create(name, **REGISTRY[name].tiny)
    freeze(network, head=True)
    embedding = Embedding(network, hidden)
    x = torch.randn(6, network.config.num_frames, 17, 2)
    features = embedding(x)
    assert features.shape == (6, 136)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(6))
    (features @ torch.randn(136, 6)).square().sum().backward()
    without = [n for n, p in embedding.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_a_hidden_layer_sees_all_joints_together() -> None:
    """The published head maps each joint's features to numbers of its own."""
    torch.manual_seed(0)
    network = models.create("htnet", **REGISTRY["htnet"].tiny)
    features = torch.randn(1, 1, 17, network.config.dim)
    moved = features.clone()
    moved[:, :, 16] += torch.randn(network.config.dim)
    for hidden, alone in ((0, True), (24, False)):
        project = Embedding(network, hidden).projection
        before, after = project(features), project(moved)
        ratio = (after / before)[0, : 8 * 16]  # but for its length: one factor for the others
        assert torch.allclose(ratio, ratio[:1], rtol=1e-4) == alone


def test_both_published_families_have_encoders() -> None:
    assert {"htnet", "mgcn", "nanohtnet"} <= set(ENCODERS)
