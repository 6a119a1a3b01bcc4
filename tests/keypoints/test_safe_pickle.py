"""The restricted reader: all plain data comes through, and nothing else."""

from __future__ import annotations

import collections
import os
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.errors import DataError
from poselift.keypoints.safe_pickle import loads

PLAIN = {
    "number": 3,
    "text": "a",
    "bytes": b"\x00\xff",
    "list": [1, 2.5, None, True],
    "tuple": (1, (2,)),
    "scalar": np.float32(1.5),
    "int": np.int64(-7),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol(protocol: int) -> None:
    assert loads(pickle.dumps(PLAIN, protocol), "x") == PLAIN


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="float32").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i4"),
        np.array([True, False]),
        np.array(["ab", "c"]),
        np.zeros((0, 17, 2)),
        np.array(4.0),
    ],
)
def test_arrays(array: np.ndarray, protocol: int) -> None:
    if protocol == 5:
        # Arrays in protocol 5 use numpy's buffer function; np.save writes protocol 4 at most.
        with pytest.raises(DataError, match="_frombuffer"):
            loads(pickle.dumps(array[..., None], 5), "x")
        return
    out = loads(pickle.dumps(array, protocol), "x")
    np.testing.assert_array_equal(out, array)
    assert out.dtype.kind == array.dtype.kind
    assert out.shape == array.shape


def test_object_arrays_and_ordered_dictionaries() -> None:
    inner = np.empty(2, dtype=object)
    inner[:] = [np.arange(3), {"a": [np.float64(2)]}]
    out = loads(pickle.dumps(collections.OrderedDict(x=inner), 3), "x")
    np.testing.assert_array_equal(out["x"][0], np.arange(3))
    assert out["x"][1] == {"a": [2.0]}


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "value",
    [
        Call(os.system, "echo no"),
        Call(eval, "1"),
        Call(getattr, "a", "upper"),
        Call(np.load, "x"),
        Call(np.frombuffer, b"1234"),
        Call(open, "/dev/null"),
        collections.Counter("a"),
        {1, 2},
        3j,
        np.zeros(2, dtype=[("a", "f4")]),
        np.zeros(2, dtype="M8[s]"),
        np.zeros(2, dtype="c8"),
        np.ma.zeros(2),
        range(3),
        {(1, 2): 3},
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_else(value: Any) -> None:
    with pytest.raises(DataError, match="x: pickled objects other than data"):
        loads(pickle.dumps([value], 4), "x")


def test_forged_arrays() -> None:
    """States that numpy's own unpickling would take on trust."""
    whole = pickle.dumps(np.arange(4.0), 2)
    assert loads(whole, "x").shape == (4,)
    for old, new in ((b"K\x04\x85", b"K\x05\x85"), (b"K\x04\x85", b"J\xff\xff\xff\xff\x85")):
        assert old in whole
        with pytest.raises(DataError):
            loads(whole.replace(old, new), "x")
    with pytest.raises(DataError, match="array without content"):
        loads(b"cnumpy\nndarray\n)R.", "x")


def test_memory_bomb() -> None:
    with pytest.raises(DataError, match="forged memo"):
        loads(b"Nr\xff\xff\xff\x7f.", "x")


def test_a_list_in_itself() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(DataError, match="nested too deep"):
        loads(pickle.dumps(ring), "x")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400))
def test_damage_is_a_data_error(noise: bytes, at: int) -> None:
    whole = bytearray(pickle.dumps(PLAIN | {"array": np.arange(3.0)}, 3))
    at = min(at, len(whole))
    whole[at : at + len(noise)] = noise
    message = "x: none"
    try:
        loads(bytes(whole), "x")
    except DataError as error:
        message = str(error)
    assert message.startswith("x: ")
    assert "\n" not in message
