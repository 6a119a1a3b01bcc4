"""One line on a terminal that says how far the work is."""

from __future__ import annotations

import shutil
import sys
from time import monotonic
from types import TracebackType

_BAR = 24
_SECONDS = 0.1
"""Between two drawings: a terminal must not slow the work down."""
_SETTLED = 1.0
"""Seconds before a rate is worth showing."""


class ProgressLine:
    """A bar with the rate and the time left on stderr; nothing where stderr is not a terminal.

    Args:
        label: what is being done.
        quiet: show nothing at all.
        unit: of the rate, such as ``fps``; no rate is shown without one.
    """

    def __init__(self, label: str, quiet: bool = False, unit: str = "") -> None:
        self._label, self._unit = label, unit
        self._show = not quiet and sys.stderr.isatty()
        self._begin = self._drawn = 0.0
        self._first = 0

    def __call__(self, done: int, total: int | None) -> None:
        """Say that ``done`` of ``total`` parts are ready; ``None``: nobody knows how many."""
        now = monotonic()
        if not self._begin:
            self._begin, self._first = now, done
        if not self._show or (now - self._drawn < _SECONDS and done != total):
            return
        self._drawn = now
        bar = f"[{'#' * (_BAR * min(done, total) // max(1, total)):<{_BAR}}] " if total else ""
        count = f"{done}/{total}" if total else str(done)
        line = f"{self._label} {bar}{count}{self._speed(now, done, total)}"
        # A line that wraps could not be drawn over: each drawing would leave one behind.
        line = line[: shutil.get_terminal_size().columns - 1]
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)

    def _speed(self, now: float, done: int, total: int | None) -> str:
        """Rate and time left, once they are known."""
        passed = now - self._begin
        if not self._unit or passed < _SETTLED or done <= self._first:
            return ""
        rate = (done - self._first) / passed
        left = f", {_clock((total - done) / rate)} left" if total and total > done else ""
        return f"  {rate:.1f} {self._unit}{left}"

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._show:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    """``1:02:03`` or ``02:03``.

    >>> _clock(3723), _clock(59.9)
    ('1:02:03', '01:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
