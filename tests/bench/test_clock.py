from __future__ import annotations

import pytest

from poselift.bench.clock import WARM_UP, Spread, in_turns


def test_turns_and_what_counts() -> None:
    """On a clock that a call puts forward, each call takes what it says, and warm-up is free."""
    now, called = 0.0, []

    def call(name: str, takes: float) -> None:
        nonlocal now
        called.append(name)
        cold = called[-WARM_UP - 1 :].count(name) <= WARM_UP
        now += takes + (100.0 if cold else 0.0)  # the first calls of a turn are slow

    times = in_turns(
        {"a": lambda: call("a", 1.0), "b": lambda: call("b", 2.0)},
        rounds=4,
        calls=5,
        clock=lambda: now,
    )
    assert times == {"a": [1.0] * 20, "b": [2.0] * 20}
    turn = WARM_UP + 5
    assert called == (["a"] * turn + ["b"] * turn) * 4


def test_spread() -> None:
    spread = Spread.of([float(i) for i in range(101)])
    assert (spread.p50, spread.p95, spread.p99, spread.lowest) == (50.0, 95.0, 99.0, 0.0)
    assert spread.calls == 101
    # one disturbance moves neither the median nor the lowest
    assert Spread.of([1.0] * 99 + [1000.0]).p50 == pytest.approx(1.0)
