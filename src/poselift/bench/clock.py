"""How times are taken: warmed up, in turns, and told by their spread.

A machine is never quite idle. Contenders therefore take turns in rounds, so that what else runs on
it hits all of them, and every figure of one table comes from the same minutes. The first calls of
each turn only warm caches up. What is told are quantiles over all calls; the mean would tell the
worst disturbance instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WARM_UP = 3
"""Calls at the start of each turn that do not count."""


@dataclass(frozen=True)
class Spread:
    """Quantiles of a time, seconds."""

    p50: float
    p95: float
    p99: float
    lowest: float
    calls: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """Of the times of calls.

        >>> Spread.of([3.0, 1.0, 2.0]).p50
        2.0
        """
        p50, p95, p99 = (float(q) for q in np.percentile(seconds, [50, 95, 99]))
        return cls(p50, p95, p99, float(min(seconds)), len(seconds))


def in_turns(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int,
    calls: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each counted call of each contender.

    Args:
        contenders: what to call, by name.
        rounds: turns that each contender has.
        calls: counted calls in a turn, after ``WARM_UP`` others.
        clock: seconds; only its differences matter.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            for _ in range(WARM_UP):
                call()
            for _ in range(calls):
                start = clock()
                call()
                times[name].append(clock() - start)
    return times
