"""Checks of the numbers in a configuration."""

from __future__ import annotations

import math
from typing import Any

from poselift.errors import UsageError


def check_ranges(config: Any, **limits: tuple[float, float]) -> None:
    """Raise ``UsageError`` where a field of ``config`` lies outside its (lowest, highest).

    >>> from types import SimpleNamespace
    >>> check_ranges(SimpleNamespace(share=0.5), share=(0, 1))
    """
    for name, (lowest, highest) in limits.items():
        value = getattr(config, name)
        if not lowest <= value <= highest:
            top = f"to {highest:g}" if math.isfinite(highest) else "or more"
            raise UsageError(f"{name} = {value}", f"{lowest:g} {top}")
