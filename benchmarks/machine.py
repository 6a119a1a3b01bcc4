"""The machine that a benchmark runs on."""

from __future__ import annotations

import os
from typing import Any

from poselift.bench.machine import describe_machine


def describe(*packages: str) -> dict[str, Any]:
    """The machine, with the versions of numpy and ``packages``."""
    return describe_machine(("numpy", *packages))


def bind_to_one_core() -> int | None:
    """Bind this process; number of the core, ``None`` where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core
