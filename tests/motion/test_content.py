from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from motion_examples import example

import poselift
from poselift.motion.content import decimals, describe


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(
    allow_infinity=False, width=32)))  # fmt: skip
def test_decimals_give_the_same_float32_back(values: np.ndarray) -> None:
    back = np.array(json.loads(json.dumps(decimals(values))), dtype=np.float32)
    np.testing.assert_array_equal(back, values)


def test_describe_has_all_keys_and_lets_the_pose_decide() -> None:
    meta = describe(example(meta={"version": "9.9", "skeleton": "other", "note": "x"}))
    assert meta["version"] == "9.9"  # of what lifted, not of what writes
    assert meta["skeleton"] == "h36m-17"
    assert meta["note"] == "x"
    assert describe(example())["version"] == poselift.__version__
