from __future__ import annotations

import pytest
import torch

from poselift.training.muon import Muon
from poselift.training.recipe import read_recipe
from poselift.training.schedule import Schedule, ScheduleConfig, create_optimisers


def test_cosine_rises_and_falls() -> None:
    schedule = Schedule(ScheduleConfig(), peak=1e-3, warmup=10, steps=100, epoch_steps=7)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[-1] == pytest.approx(1e-5, rel=0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_htnets_schedule_by_hand() -> None:
    """Times 0.95 after each epoch, but times 0.5 after each fifth."""
    config = ScheduleConfig("step", decay=0.95, drop=0.5, drop_every=5)
    schedule = Schedule(config, peak=1.0, warmup=0, steps=100, epoch_steps=3)
    rate, expected = 1.0, []
    for epoch in range(1, 13):
        expected += [rate] * 3
        rate *= 0.5 if epoch % 5 == 0 else 0.95
    assert [schedule.rate(step) for step in range(36)] == pytest.approx(expected)


def test_mixstes_and_nanohtnets_schedules() -> None:
    mixste = ScheduleConfig("step", decay=0.99)
    assert mixste.factor(160) == pytest.approx(0.99**160)
    nano = ScheduleConfig("step", drop=0.5, drop_every=5)
    assert [nano.factor(epoch) for epoch in (0, 4, 5, 9, 10)] == [1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("name", ["adamw", "adam", "amsgrad"])
def test_optimisers(name: str) -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    (optimiser,) = create_optimisers(name, [parameter], 1e-2, 0.1)  # type: ignore[arg-type]
    assert optimiser.defaults["amsgrad"] is (name == "amsgrad")
    # Without a gradient, decoupled decay shrinks the weight and decay in the gradient moves it.
    parameter.grad = torch.zeros(2)
    optimiser.step()
    expected = 1 - 1e-2 * 0.1 if name == "adamw" else 1 - 1e-2
    torch.testing.assert_close(parameter.detach(), torch.full((2,), expected), atol=1e-4, rtol=0)


def test_muon_takes_the_matrices_between_features() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Linear(32, 64))
    muon, adamw = create_optimisers("muon", network.parameters(), 1e-2, 0.1)
    assert isinstance(muon, Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    taken = [[*group["params"]] for o in (muon, adamw) for group in o.param_groups]
    first, second = network
    assert [*map(id, taken[0])] == [id(second.weight)]
    assert {*map(id, taken[1])} == {*map(id, (first.weight, first.bias, second.bias))}
    # A step turns the gradient's singular values to about one and is as long as AdamW's.
    before = second.weight.detach().clone()
    second.weight.grad = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    muon.step()
    moved = (second.weight.detach() - before * (1 - 1e-2 * 0.1)) / 1e-2
    values = torch.linalg.svdvals(moved) / (0.2 * 64**0.5)
    assert values.min() > 0.5
    assert values.max() < 1.4
    assert float(moved.square().mean().sqrt()) == pytest.approx(0.18, abs=0.03)


@pytest.mark.parametrize("shape", [(48, 32), (32, 48), (32, 32)])
def test_steps_are_those_of_torchs_muon(shape: tuple[int, int]) -> None:
    """Which computes in bfloat16."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("torch has one since 2.9")
    g = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(shape, generator=g), torch.randn(3, *shape, generator=g)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimisers = (
        Muon([ours], 1e-2, 0.1),
        torch.optim.Muon([theirs], 1e-2, 0.1, adjust_lr_fn="match_rms_adamw"),
    )
    for gradient in gradients:
        for parameter, optimiser in zip((ours, theirs), optimisers, strict=True):
            parameter.grad = gradient.clone()
            optimiser.step()
    moved, expected = ours.detach() - start, theirs.detach() - start
    assert float((moved - expected).norm() / expected.norm()) < 0.02


def test_a_training_ends_with_what_comes_first(recipe_file) -> None:
    def length(*changes: str) -> int:
        return read_recipe(recipe_file, changes).train.length(epoch_steps=10)

    assert length() == 6
    assert length("train.steps=100", "train.epochs=3") == 30
    assert length("train.steps=20", "train.epochs=3") == 20
