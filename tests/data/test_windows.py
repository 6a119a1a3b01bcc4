from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.data.windows import plan_windows
from poselift.errors import UsageError


@given(
    frames=st.integers(1, 60),
    window=st.integers(1, 31),
    num_out=st.integers(1, 9),
    stride=st.integers(1, 9),
    target=st.sampled_from(["centre", "newest"]),
)
def test_every_frame_is_predicted_equally_often(
    frames: int, window: int, num_out: int, stride: int, target: str
) -> None:
    num_out = min(num_out, window)
    stride = min(stride, num_out)
    plan = plan_windows(frames, window, num_out, stride, target)
    inside = plan.outputs[(plan.outputs >= 0) & (plan.outputs < frames)]
    counts = np.bincount(inside, minlength=frames)
    assert counts.min() >= num_out // stride
    assert counts.max() <= -(-num_out // stride)
    assert plan.inputs.min() >= 0
    assert plan.inputs.max() < frames
    # A predicted frame that lies inside the clip stands where the window says.
    offset = (window - num_out) // 2 if target == "centre" else window - num_out
    read = plan.inputs[:, offset : offset + num_out]
    valid = (plan.outputs >= 0) & (plan.outputs < frames)
    assert (read[valid] == plan.outputs[valid]).all()


@pytest.mark.parametrize("stride", [0, 10, -1])
def test_strides_that_leave_frames_out(stride: int) -> None:
    with pytest.raises(UsageError, match="stride"):
        plan_windows(10, 27, 9, stride, "centre")


def test_an_hour_of_windows_takes_no_more_memory_than_its_starts() -> None:
    tracemalloc.start()
    try:
        plan = plan_windows(180_000, 243, 9, 1, "centre")
        last = plan[-64:]
        assert (last.inputs.shape, last.outputs.shape) == ((64, 243), (64, 9))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_some_windows_are_those_of_all() -> None:
    plan = plan_windows(40, 9, 3, 2, "newest")
    which = np.array([3, 3, 0, 7])
    assert len(plan[::4]) == len(plan.inputs[::4]) == -(-len(plan) // 4)
    assert np.array_equal(plan[which].inputs, plan.inputs[which])
    assert np.array_equal(plan[which].outputs, plan.outputs[which])
