"""How long `import poselift` takes, beside Python's own start.

    python benchmarks/import_time.py

Processes with and without the import take turns, so that a change in the machine's load meets
both alike. Reported is the median of the differences, with the quartiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parents[1]
CODES = {
    "import poselift": "import poselift",
    "import poselift.runtime": "import poselift.runtime",
    "poselift --version": "from poselift.cli.main import main; main(['--version'])",
}


def seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/import_time.json")
    arguments = parser.parse_args()
    results = {}
    for name, code in CODES.items():
        seconds(code)  # the files are in memory after this
        extra = [seconds(code) - seconds("pass") for _ in range(arguments.runs)]
        low, middle, high = statistics.quantiles(extra, n=4)
        results[name] = {
            "median_ms": round(middle * 1000, 1),
            "quartiles_ms": [round(low * 1000, 1), round(high * 1000, 1)],
        }
        print(f"{name}: {middle * 1000:.1f} ms ({low * 1000:.1f} to {high * 1000:.1f})")
    out = {"machine": machine.describe(), "runs": arguments.runs, "results": results}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
