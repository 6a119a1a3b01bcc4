"""Checks that every network's config makes."""

from __future__ import annotations

from poselift.errors import UsageError


def check_sizes(**sizes: int) -> None:
    """Raise ``UsageError`` unless every named size is a whole number from 1."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise UsageError(f"{name} = {size!r}", "a whole number from 1")


def check_rates(*rates: float) -> None:
    """Raise ``UsageError`` unless every probability of dropping lies in [0, 1)."""
    for rate in rates:
        if not 0 <= rate < 1:
            raise UsageError(f"a drop rate of {rate}", "0 to below 1")
