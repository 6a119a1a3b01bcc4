"""How long each stage of a pipeline works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

STAGES = ("decode", "detect", "lift", "draw", "write")
"""Frames out of a file, persons in them, 3D motion, pictures and video of it, other files."""


class Stages:
    """Seconds of work in each of `STAGES`.

    Stages that run at the same time in threads count each for itself, so that the sum may be more
    than what passed on the clock.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count what happens inside."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += perf_counter() - start

    def each(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The same items; count the making of each."""
        iterator = iter(items)
        while True:
            with self(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    @property
    def shares(self) -> dict[str, float]:
        """Of the sum of all stages, 0..1."""
        total = sum(self.seconds.values()) or 1.0
        return {stage: seconds / total for stage, seconds in self.seconds.items()}
