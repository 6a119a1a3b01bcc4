from __future__ import annotations

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
