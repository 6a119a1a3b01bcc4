"""Error against cost as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from poselift.bench.measure import Row

_WIDTH, _HEIGHT = 800, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 290, 30, 60
_LINE = 18  # of the list of names
_COLOURS = ("#3b6fb6", "#c4562f", "#3f8f4f", "#8a5aa8", "#a3862b", "#5c6770")


@dataclass(frozen=True)
class Point:
    """A thing that costs something and errs.

    Args:
        cost: above 0.
        error: the less the better.
        name: in the list beside the picture.
        group: points of one group have one colour.
    """

    cost: float
    error: float
    name: str
    group: str


def plot(rows: Sequence[Row]) -> str:
    """SVG of what `poselift bench` measured: time of one window, and error."""
    points = []
    for row in rows:
        threads = "" if row.threads == 1 else f", {row.threads or 'all'} threads"
        name = f"{row.model} {row.backend} {row.precision}{threads}"
        points.append(Point(row.p50_ms, row.p1_mm, name, row.model))
    return draw(points, "ms for one window", "P1, mm")


def draw(
    points: Sequence[Point], cost: str, error: str, level: tuple[float, str] | None = None
) -> str:
    """SVG: cost from left to right, error from bottom to top.

    Args:
        points: one or more. The axis of the cost is logarithmic where they lie far apart, and
            else begins at zero.
        cost, error: what stands at the axes.
        level: an error to draw a dashed line at, and what to write at it.
    """
    costs, errors = [p.cost for p in points], [p.error for p in points]
    end_y = max(_HEIGHT - _BOTTOM, _TOP + _LINE * (len(points) + 1))
    end_x, height = _WIDTH - _RIGHT, end_y + _BOTTOM
    wide = max(costs) > 4 * min(costs)
    x = _Axis(min(costs) / 1.25 if wide else 0.0, max(costs) * 1.25, _LEFT, end_x, wide)
    heights = errors if level is None else [*errors, level[0]]
    margin = max(0.1 * (max(heights) - min(heights)), 0.001 * max(heights), 1e-6)
    y = _Axis(min(heights) - margin, max(heights) + margin, end_y, _TOP, False)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<path d="M{_LEFT} {_TOP}V{end_y}H{end_x}" fill="none" stroke="#888"/>',
    ]
    for value in x.ticks():
        parts.append(f'<path d="M{x.place(value):.1f} {_TOP}V{end_y}" stroke="#eee"/>')
        parts.append(_text(x.place(value), end_y + 18, f"{value:g}", "middle"))
    for value in y.ticks():
        parts.append(f'<path d="M{_LEFT} {y.place(value):.1f}H{end_x}" stroke="#eee"/>')
        parts.append(_text(_LEFT - 8, y.place(value) + 4, f"{value:g}", "end"))
    parts.append(_text((_LEFT + end_x) / 2, height - 16, cost, "middle"))
    parts.append(_text(8, _TOP - 12, error, "start"))
    if level is not None:
        at = y.place(level[0])
        dashes = 'stroke="#888" stroke-dasharray="5 4"'
        parts.append(f'<path d="M{_LEFT} {at:.1f}H{end_x}" {dashes}/>')
        parts.append(_text(_LEFT + 6, at - 5, level[1], "start"))
    groups = list(dict.fromkeys(point.group for point in points))
    numbers = []
    for number, point in enumerate(points, start=1):
        colour = _COLOURS[groups.index(point.group) % len(_COLOURS)]
        cx, cy = x.place(point.cost), y.place(point.error)
        parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" fill="{colour}"/>')
        # Up and down in turns: points of one group often lie side by side.
        parts.append(_text(cx, cy + (-9 if number % 2 else 19), str(number), "middle", colour))
        name = f"{number}  {point.name}"
        numbers.append(_text(end_x + 18, _TOP + _LINE * number, name, "start", colour))
    return "\n".join([*parts, *numbers, "</svg>"]) + "\n"


@dataclass(frozen=True)
class _Axis:
    """Where values from ``low`` to ``high`` lie between two places of the picture."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def place(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values: 1, 2 and 5 times powers of ten, or multiples of one of those."""
        if self.logarithmic:
            exponents = range(
                math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1
            )
            values = [digit * 10.0**exponent for exponent in exponents for digit in (1, 2, 5)]
            return [value for value in values if self.low <= value <= self.high]
        ten = 10.0 ** math.floor(math.log10((self.high - self.low) / 5))
        step = next(n * ten for n in (1, 2, 5, 10) if n * ten >= (self.high - self.low) / 8)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [round(n * step, 9) for n in range(first, last + 1)]


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
