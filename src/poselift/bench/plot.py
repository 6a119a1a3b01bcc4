"""Error against latency as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from poselift.bench.measure import Row

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 250, 30, 60
_COLOURS = ("#3b6fb6", "#c4562f", "#3f8f4f", "#8a5aa8", "#a3862b", "#5c6770")


def plot(rows: Sequence[Row]) -> str:
    """SVG: time of one window (logarithmic) from left to right, error from bottom to top."""
    models = list(dict.fromkeys(row.model for row in rows))
    times = [row.p50_ms for row in rows]
    low, high = math.log10(min(times)) - 0.1, math.log10(max(times)) + 0.1
    errors = [row.p1_mm for row in rows]
    bottom, top = math.floor(min(errors)) - 1, math.ceil(max(errors)) + 1

    def x(milliseconds: float) -> float:
        place = (math.log10(milliseconds) - low) / (high - low)
        return _LEFT + place * (_WIDTH - _LEFT - _RIGHT)

    def y(error: float) -> float:
        return _HEIGHT - _BOTTOM - (error - bottom) / (top - bottom) * (_HEIGHT - _TOP - _BOTTOM)

    end_x, end_y = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<path d="M{_LEFT} {_TOP}V{end_y}H{end_x}" fill="none" stroke="#888"/>',
    ]
    for value in _round_times(low, high):
        parts.append(f'<path d="M{x(value):.1f} {_TOP}V{end_y}" stroke="#eee"/>')
        parts.append(_text(x(value), end_y + 18, f"{value:g}", "middle"))
    step = max(1, round((top - bottom) / 8))
    for error in range(bottom, top + 1, step):
        parts.append(f'<path d="M{_LEFT} {y(error):.1f}H{end_x}" stroke="#eee"/>')
        parts.append(_text(_LEFT - 8, y(error) + 4, str(error), "end"))
    parts.append(_text((_LEFT + end_x) / 2, _HEIGHT - 16, "ms for one window", "middle"))
    parts.append(_text(_LEFT, _TOP - 12, "P1, mm", "middle"))
    numbers = []
    for number, row in enumerate(rows, start=1):
        colour = _COLOURS[models.index(row.model) % len(_COLOURS)]
        cx, cy = x(row.p50_ms), y(row.p1_mm)
        parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" fill="{colour}"/>')
        # Up and down in turns: precisions of one network lie side by side.
        parts.append(_text(cx, cy + (-9 if number % 2 else 19), str(number), "middle", colour))
        threads = "" if row.threads == 1 else f", {row.threads or 'all'} threads"
        name = f"{number}  {row.model} {row.backend} {row.precision}{threads}"
        numbers.append(_text(end_x + 18, _TOP + 18 * number, name, "start", colour))
    return "\n".join([*parts, *numbers, "</svg>"]) + "\n"


def _round_times(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two logarithms."""
    exponents = range(math.floor(low), math.ceil(high) + 1)
    values = [digit * 10.0**exponent for exponent in exponents for digit in (1, 2, 5)]
    return [value for value in values if low <= math.log10(value) <= high]


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
