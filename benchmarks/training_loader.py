"""How much of a training step is spent waiting for data, and how many windows a second it makes.

    python benchmarks/training_loader.py --data DIR

Trains each recipe's network for a while in the real loop. The wait is the time in which the
optimiser had no batch to work on. Beside it: batches alone, and the network alone on one batch.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path

import machine
import torch

from poselift import models
from poselift.data.bank import MotionBank
from poselift.data.batches import Batches
from poselift.data.mocap import read_motions
from poselift.training.loop import Progress, create_fabric
from poselift.training.recipe import read_recipe
from poselift.training.supervised import fit

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with motions_*.npz")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument(
        "--json", type=Path, default=ROOT / "benchmarks/results/training_loader.json"
    )
    arguments = parser.parse_args()
    train = read_motions(arguments.data / "motions_train.npz")
    validation = read_motions(arguments.data / "motions_val.npz")[:2]
    results = {}
    for name in ("nanohtnet-243", "htnet"):
        recipe = read_recipe(ROOT / "recipes" / f"{name}.toml")
        settings = dataclasses.replace(
            recipe.train, steps=arguments.steps, validate_every=arguments.steps
        )
        recipe = dataclasses.replace(recipe, train=settings)
        seen: list[Progress] = []
        with tempfile.TemporaryDirectory() as folder:
            fabric = create_fabric(settings.precision, "cpu")
            fit(recipe, folder, train, validation, report=seen.append, fabric=fabric)
        seen = seen[2:]  # warm-up
        config = models.create(recipe.model.name, **recipe.model.options).config
        batches = Batches(
            MotionBank.from_motions(train),
            settings.batch_size,
            config.num_frames,
            config.num_out_frames,
            recipe.data,
        )
        alone = []
        for step in range(12):
            started = time.perf_counter()
            batches(step)
            alone.append(time.perf_counter() - started)
        step_s = statistics.median(p.seconds_per_step for p in seen)
        results[name] = {
            "batch_size": settings.batch_size,
            "step_ms": round(step_s * 1000, 1),
            "windows_per_second": round(settings.batch_size / step_s),
            "waiting_share_median": round(statistics.median(p.data_share for p in seen), 4),
            "waiting_share_max": round(max(p.data_share for p in seen), 4),
            "batch_alone_ms": round(statistics.median(alone[2:]) * 1000, 1),
        }
        print(name, results[name])
    out = {"machine": machine.describe(), "torch": torch.__version__, "results": results}
    arguments.json.write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
