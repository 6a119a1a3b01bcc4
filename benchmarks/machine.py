"""The machine that a benchmark runs on."""

from __future__ import annotations

from typing import Any

from poselift.bench.machine import bind_to_one_core, describe_machine

__all__ = ["bind_to_one_core", "describe"]


def describe(*packages: str) -> dict[str, Any]:
    """The machine, with the versions of numpy and ``packages``."""
    return describe_machine(("numpy", *packages))
