"""The machine that a measurement is made on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("poselift", "numpy", "onnxruntime", "openvino", "ai-edge-litert", "torch")


def describe_machine(packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """Processor, cores, memory, load and versions of ``packages`` where they are installed; no
    names of hosts or users."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [ln for ln in cpuinfo.read_text().splitlines() if ln.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip() if names else processor
    found: dict[str, Any] = {
        "processor": processor,
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        found["memory_gib"] = round(memory, 1)
    if hasattr(os, "getloadavg"):
        # Other work on the machine at the time; 0 would be an idle one.
        found["load_average"] = round(os.getloadavg()[0], 2)
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def bind_to_one_core() -> int | None:
    """Bind this process; number of the core, ``None`` where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


@contextmanager
def one_core() -> Iterator[int | None]:
    """Bound to one core, and free again: its number, ``None`` where the system cannot."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        yield bind_to_one_core()
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
