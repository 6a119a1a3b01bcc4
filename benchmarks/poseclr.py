"""What pre-training by PoseCLR gains, with few labels and on unseen cameras.

    python benchmarks/poseclr.py --data cmu-mocap --runs runs/poseclr

For each network and seed: pre-train once on all training motion without labels; then train with
1, 10 and 100 % of the motion labelled, from scratch and from the pre-trained encoder, whole
(fine-tuning) or the regression head alone (linear probe), with the same number of steps.

Labelled motion is seen as in a studio: by cameras at the four azimuths of protocol mocap, about
1.5 m high. Measured is protocol mocap on the test subjects (seen cameras), and the same with four
cameras at the azimuths between and elevations of 30 to 60 degrees (unseen cameras). Pre-training
sees cameras anywhere, from above too (--pretrain-cameras any), or those of the studio alone (seen).

With the default budget about 7 hours on two cores: NanoHTNet 25 minutes for each pre-training and 8
for each training, HTNet 15 and 8. A run that was stopped continues when the command is given again.
Writes JSON and prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine
import numpy as np

from poselift import Lifter, __version__
from poselift.data.mocap import Motion, read_motions
from poselift.evaluation import mocap
from poselift.evaluation.lifting import predict
from poselift.files import write_text
from poselift.geometry.camera import Camera
from poselift.metrics.accumulate import PoseErrors
from poselift.training.pretrain import pretrain
from poselift.training.recipe import read_recipe
from poselift.training.supervised import fit

ROOT = Path(__file__).resolve().parents[1]
RECIPES = {"nanohtnet": "nanohtnet-243", "htnet": "htnet"}
UNSEEN = ((0.0, 30.0), (90.0, 40.0), (180.0, 50.0), (270.0, 60.0))
"""Azimuth and elevation of the unseen cameras, degrees."""
STUDIO = ["data.camera.usual=1.0", f"data.camera.azimuths={[*mocap.AZIMUTHS]}"]
ANYWHERE = ["data.camera.usual=0.2", "data.camera.highest=7.0"]
"""At 3 to 10 m of horizontal distance: elevations up to 60 degrees."""
INITS = ("scratch", "pretrained", "probe-scratch", "probe-pretrained")


def unseen_cameras(motion: Motion) -> list[Camera]:
    """Cameras by protocol mocap's rule of distance, but looking down from ``UNSEEN``."""
    joints = motion.joints.astype(np.float64)
    target = joints[:, 0].mean(axis=0)
    low, high = mocap.MARGIN, mocap.IMAGE_SIZE[0] - mocap.MARGIN
    cameras = []
    for azimuth, elevation in np.radians(UNSEEN):
        level = np.cos(elevation)
        away = np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])
        distance = mocap.NEAREST
        while True:
            camera = Camera.look_at(
                target + distance * away,
                target,
                focal=mocap.FOCAL,
                width=mocap.IMAGE_SIZE[0],
                height=mocap.IMAGE_SIZE[1],
            )
            points = camera.world_to_camera(joints)
            if points[..., 2].min() > mocap.MIN_DEPTH:
                pixels = camera.project(points)
                if low < pixels.min() and pixels.max() < high:
                    break
            distance += mocap.DISTANCE_STEP
        cameras.append(camera)
    return cameras


def measure(folder: Path, motions: Sequence[Motion]) -> dict[str, dict[str, float]]:
    """P1 and P2 in millimetres on seen and unseen cameras, exact and detected 2D."""
    lifter = Lifter(folder, backend="torch")
    errors = {
        f"{views}-{noise}": PoseErrors()
        for views in ("seen", "unseen")
        for noise in ("gt", "detector")
    }
    for motion in motions:
        for views, cameras in (
            ("seen", mocap.cameras(motion)),
            ("unseen", unseen_cameras(motion)),
        ):
            truth = np.stack([c.world_to_camera(motion.joints.astype(np.float64)) for c in cameras])
            exact = np.stack([c.project(j) for c, j in zip(cameras, truth, strict=True)])
            number = {"seen": 0, "unseen": len(mocap.AZIMUTHS)}[views]
            noisy = [mocap.detector_noise(motion.name, number + k, u) for k, u in enumerate(exact)]
            for noise, seen in (("gt", exact), ("detector", np.stack(noisy))):
                lifted = predict(
                    lifter.lift,
                    seen,
                    fps=motion.fps,
                    image_size=mocap.IMAGE_SIZE,
                    source=motion.name,
                )
                for pose, target in zip(lifted, truth, strict=True):
                    errors[f"{views}-{noise}"].add(pose, target)
    return {
        name: {"p1_mm": round(e.p1.value * 1000, 3), "p2_mm": round(e.p2.value * 1000, 3)}
        for name, e in errors.items()
    }


class Experiment:
    """All runs, each in a folder of its own with what was measured."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.train, self.validation, self.test = (
            read_motions(arguments.data / f"motions_{part}.npz")
            for part in ("train", "val", "test")
        )
        if arguments.test_sequences:
            self.test = self.test[: arguments.test_sequences]

    def pretrained(self, model: str, seed: int) -> Path:
        """The encoder of a seed."""
        arguments = self.arguments
        folder = arguments.runs / f"{model}-poseclr-{arguments.pretrain_cameras}-{seed}"
        cameras = ANYWHERE if arguments.pretrain_cameras == "any" else STUDIO
        recipe = read_recipe(
            ROOT / "recipes" / f"poseclr-{model}.toml",
            [
                *cameras,
                *(arguments.poseclr or []),
                f"train.steps={arguments.pretrain_steps}",
                f"train.validate_every={min(500, arguments.pretrain_steps)}",
                f"train.seed={seed}",
            ],
        )
        started = time.perf_counter()
        pretrain(recipe, folder, self.train, self.validation)
        print(f"{folder.name}: {time.perf_counter() - started:.0f} s", flush=True)
        return folder

    def trained(self, model: str, seed: int, share: float, init: str) -> dict[str, Any]:
        """One training, measured."""
        arguments = self.arguments
        name = f"{model}-{share:g}-{init}-{arguments.pretrain_cameras}-{seed}"
        if init.endswith("scratch"):
            name = f"{model}-{share:g}-{init}-{seed}"
        folder = arguments.runs / name
        result = folder / "result.json"
        budget = {name: getattr(arguments, name) for name in _BUDGET}
        if result.exists():
            row: dict[str, Any] = json.loads(result.read_text())
            if row["budget"] != budget:
                raise SystemExit(f"{folder}: made with {row['budget']}; choose another --runs")
            return row
        recipe = read_recipe(
            ROOT / "recipes" / f"{RECIPES[model]}.toml",
            [
                *STUDIO,
                *(arguments.train or []),
                f"train.steps={arguments.steps}",
                f"train.validate_every={max(1, arguments.steps // 5)}",
                f"train.labelled={share}",
                f"train.seed={seed}",
                f"train.trained={'head' if init.startswith('probe') else 'all'}",
            ],
        )
        encoder = None if init.endswith("scratch") else self.pretrained(model, seed)
        started = time.perf_counter()
        fit(recipe, folder, self.train, self.validation, init=encoder)
        took = time.perf_counter() - started
        row = {"model": model, "seed": seed, "labelled": share, "init": init, "budget": budget}
        row |= {"seconds": round(took), **measure(folder, self.test)}
        write_text(result, json.dumps(row, indent=1))
        print(f"{name}: {took:.0f} s, {row['seen-detector']} seen, {row['unseen-detector']} unseen")
        return row


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over seeds."""
    groups: dict[tuple[str, float, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["labelled"], row["init"]), []).append(row)
    out = []
    for (model, share, init), members in sorted(groups.items()):
        line: dict[str, Any] = {"model": model, "labelled": share, "init": init}
        line["seeds"] = len(members)
        for name in ("seen-gt", "seen-detector", "unseen-gt", "unseen-detector"):
            values = [row[name]["p1_mm"] for row in members]
            spread = statistics.stdev(values) if len(values) > 1 else None
            line[name] = {
                "p1_mm": round(statistics.mean(values), 2),
                "sd": None if spread is None else round(spread, 2),
            }
        out.append(line)
    return out


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Markdown: P1 in millimetres, mean ± standard deviation."""
    names = ("seen-gt", "seen-detector", "unseen-gt", "unseen-detector")
    text = [
        "| network | labelled | from | " + " | ".join(names) + " |",
        "|---|---:|---|" + "---:|" * len(names),
    ]
    for line in lines:
        cells = []
        for name in names:
            spread = "" if line[name]["sd"] is None else f" ± {line[name]['sd']:.1f}"
            cells.append(f"{line[name]['p1_mm']:.1f}{spread}")
        start = f"| `{line['model']}` | {line['labelled']:.0%} | {line['init']} | "
        text.append(start + " | ".join(cells) + " |")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with motions_*.npz")
    parser.add_argument("--runs", type=Path, required=True, help="folder for all runs")
    parser.add_argument("--models", nargs="+", choices=[*RECIPES], default=[*RECIPES])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--labelled", nargs="+", type=float, default=[0.01, 0.1, 1.0])
    parser.add_argument("--inits", nargs="+", choices=INITS, default=["scratch", "pretrained"])
    parser.add_argument("--pretrain-cameras", choices=["any", "seen"], default="any")
    parser.add_argument("--pretrain-steps", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--poseclr", nargs="*", help="overrides, such as poseclr.temperature=0.5")
    parser.add_argument("--train", nargs="*", help="overrides, such as train.optimiser=muon")
    parser.add_argument("--test-sequences", type=int, help="measure on the first ones only")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/poseclr.json")
    arguments = parser.parse_args()
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    experiment = Experiment(arguments)
    rows = []
    for model in arguments.models:
        for seed in arguments.seeds:
            for share in arguments.labelled:
                for init in arguments.inits:
                    rows.append(experiment.trained(model, seed, share, init))
                    lines = summary(rows)
                    settings = {k: v for k, v in vars(arguments).items() if k not in _PLACES}
                    out = {
                        "poselift": __version__,
                        "machine": machine.describe(),
                        "settings": settings,
                        "unseen_cameras": UNSEEN,
                        "summary": lines,
                        "runs": rows,
                    }
                    write_text(arguments.json, json.dumps(out, indent=1) + "\n")
    print(table(lines))


_PLACES = ("data", "runs", "json")
_BUDGET = ("steps", "train", "pretrain_steps", "poseclr", "test_sequences")


if __name__ == "__main__":
    main()
