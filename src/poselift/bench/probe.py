"""Start, memory and first window of an exported file, in a process of its own.

Run as a program, with a file as its argument, it prints one line of JSON. It then imports only
what a device needs: numpy and the runtime of the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path


def probe(path: Path) -> dict[str, float]:
    """Run this file's ``main`` on ``path`` in a fresh interpreter.

    Returns:
        ``start_s``: from the start of the interpreter's work to the first pose, imports included;
        ``load_s``: of that, to load the file; ``peak_mib``: most memory resident;
        ``bare_mib``: that of an interpreter which does nothing.
    """
    bare, found = (
        json.loads(
            subprocess.run(
                # Not as a module: the package around it would bring torch.
                [sys.executable, "-P", __file__, *arguments],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for arguments in ([], [str(path)])
    )
    return {**found, "bare_mib": bare["peak_mib"]}


def peak_mib() -> float:
    """Most memory that this process has had resident, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there counts the parent from before the start
        lines = status.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main(path: Path) -> dict[str, float]:
    """Load, run one window, and tell what it took."""
    start = time.perf_counter()
    import numpy as np

    from poselift.runtime.backends import EXPORTED

    loading = time.perf_counter()
    network = EXPORTED[path.suffix.lower()](path, 1)
    loaded = time.perf_counter()
    network(np.zeros((1, network.about.window, 17, network.about.channels), np.float32))
    end = time.perf_counter()
    return {"start_s": end - start, "load_s": loaded - loading, "peak_mib": peak_mib()}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])) if len(sys.argv) > 1 else {"peak_mib": peak_mib()}))
