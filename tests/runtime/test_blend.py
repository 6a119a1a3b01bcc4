from __future__ import annotations

import numpy as np
import pytest

from poselift.runtime.blend import Blender, blend_weights


@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_weights_fade_in_and_out(n: int) -> None:
    weights = blend_weights(n)
    assert (weights > 0).all()
    assert np.allclose(weights, weights[::-1])
    assert weights.argmax() in (n // 2, (n - 1) // 2)
    assert weights[0] < 0.5 or n < 3


def test_equal_predictions_stay_and_unpredicted_frames_are_nan() -> None:
    blender = Blender(persons=2, frames=6, num_out=3, num_joints=2)
    truth = np.random.default_rng(0).normal(size=(2, 8, 2, 3)).astype(np.float32)
    persons = np.array([0, 0, 0, 1])
    frames = np.array([[-1, 0, 1], [1, 2, 3], [2, 3, 4], [4, 5, 6]])
    blender.add(persons, frames, truth[persons[:, None], frames])
    result = blender.result()
    assert np.allclose(result[0, :5], truth[0, :5], atol=1e-6)
    assert np.allclose(result[1, 4:], truth[1, 4:6], atol=1e-6)
    assert np.isnan(result[0, 5]).all()
    assert np.isnan(result[1, :4]).all()
