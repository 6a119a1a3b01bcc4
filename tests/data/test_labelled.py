from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from poselift.data.labelled import choose_labelled
from poselift.data.mocap import Motion
from poselift.data.procedural import generate


@pytest.fixture(scope="module")
def motions() -> list[Motion]:
    made = [generate(seconds=1.0 + seed % 3, fps=50.0, seed=seed) for seed in range(8)]
    return [dataclasses.replace(m, name=f"clip-{i}") for i, m in enumerate(made)]


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.99])
def test_has_the_share_of_the_frames(motions: list[Motion], share: float) -> None:
    total = sum(m.num_frames for m in motions)
    chosen = choose_labelled(motions, share)
    assert sum(m.num_frames for m in chosen) == max(1, round(share * total))


def test_everything(motions: list[Motion]) -> None:
    assert choose_labelled(motions, 1.0) == motions


def test_a_small_share_lies_in_a_larger_one(motions: list[Motion]) -> None:
    few, more = choose_labelled(motions, 0.2), choose_labelled(motions, 0.6)
    by_name = {m.name: m for m in more}
    for motion in few:
        larger = by_name[motion.name]
        np.testing.assert_array_equal(larger.joints[: motion.num_frames], motion.joints)


def test_the_choice_is_the_same_in_any_order(motions: list[Motion]) -> None:
    names = [m.name for m in choose_labelled(motions, 0.3)]
    assert [m.name for m in choose_labelled(motions[::-1], 0.3)] == names
