"""Parameters and multiply-accumulates of the video networks, beside the published figures.

    python benchmarks/operations.py

"all products" counts every multiply-accumulate; "field" is as papers of the field count: two
operations for a multiply-accumulate, of linear layers and convolutions only. Values are those of
one window. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import machine

from poselift import models
from poselift.bench.operations import count_operations

RESULTS = Path(__file__).parent / "results" / "operations.json"

PUBLISHED: dict[str, tuple[float, float | None]] = {  # million parameters, GFLOPs
    # Li et al., HoT, CVPR 2024
    "mixste": (33.78, 277.25),
    "mixste+hot": (35.00, 167.5),
    "mixste+tpc": (33.78, 251.29),
    "motionbert": (16.00, 131.09),
    "motionbert+hot": (16.35, 63.21),
    # Mehraban et al., WACV 2024, table 1: half as many multiply-accumulates
    "motionagformer-xs": (2.2, 2.0),
    "motionagformer-s": (4.8, 13.2),
    "motionagformer": (11.7, 96.6),
    "motionagformer-l": (19.0, 156.6),
    "tcn": (16.95, None),  # Pavllo et al., CVPR 2019
}
OWN = ("mixste+h2ot", "motionagformer+hot", "mhformer", "mhformer+tpc")
SMALL = {  # sizes that train on open motion capture
    "mixste": {"num_frames": 81, "num_out_frames": 81, "dim": 128, "hidden": 256},
    "mixste+hot": {
        **{"num_frames": 81, "num_out_frames": 81, "dim": 128, "hidden": 256},
        "keep": (27,),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = [row(name, {}) for name in (*PUBLISHED, *OWN)]
    rows += [row(name, changed) for name, changed in SMALL.items()]
    for line in rows:
        print("  ".join(f"{key} {value}" for key, value in line.items()))
    report = {
        "what": "parameters, and operations of one window",
        "command": "python benchmarks/operations.py",
        "machine": machine.describe("torch", "poselift"),
        "results": rows,
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {options.json}")


def row(name: str, options: dict[str, Any]) -> dict[str, Any]:
    network: Any = models.create(name, **options)
    found = count_operations(network)
    published = (None, None) if options else PUBLISHED.get(name, (None, None))
    return {
        "model": name,
        "options": options,
        "frames": network.config.num_frames,
        "parameters_million": round(found.parameters / 1e6, 2),
        "published_parameters_million": published[0],
        "all_products_gmac": round(found.multiply_accumulates / 1e9, 3),
        "field_gflops": round(found.field_gflops, 2),
        "published_gflops": published[1],
    }


if __name__ == "__main__":
    main()
