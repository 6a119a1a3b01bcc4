"""What pre-training by PoseCLR gains, with few labels and on unseen cameras.

    python benchmarks/poseclr.py --data cmu-mocap --runs runs/poseclr

For each network and seed: pre-train once by recipes/poseclr-*.toml on all training motion without
labels; then train with 1, 10 and 100 % of the motion labelled, from scratch and from the
pre-trained encoder, whole (fine-tuning) or the regression head alone (linear probe), with the same
number of steps. Three seeds of both networks take three hours of a core with bfloat16 arithmetic;
without, eight hours in float32 (--pretrain train.precision=32-true --train
train.precision=32-true).

Labelled motion is seen as in a studio: by cameras at the four azimuths of protocol mocap, about
1.5 m high. Measured is protocol mocap on the test subjects (seen cameras), and the same with four
cameras at the azimuths between and elevations of 30 to 60 degrees (unseen cameras). Pre-training
sees cameras anywhere, from above too.

Each run is a row of the JSON file, and is not run again if its row is there; several processes may
fill one file, each with networks or seeds of its own. Rows with other settings (--pretrain,
--train) stand beside each other: so settings are compared, on the validation subjects (--part
val). Prints Markdown.
"""

from __future__ import annotations

import argparse
import fcntl
import itertools
import json
import logging
import statistics
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import machine
import numpy as np

from poselift import Lifter, __version__
from poselift.checkpoints import read_config
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
EVERY = {"nanohtnet": 1, "htnet": 5}
"""Of the frames that a network sees one by one every fifth is measured."""
UNSEEN = ((0.0, 30.0), (90.0, 40.0), (180.0, 50.0), (270.0, 60.0))
"""Azimuth and elevation of the unseen cameras, degrees."""
INITS = ("scratch", "pretrained", "probe-scratch", "probe-pretrained")
NAMES = ("seen-gt", "seen-detector", "unseen-gt", "unseen-detector")

TRAIN = (
    "data.camera.usual=1.0",
    f"data.camera.azimuths={[*mocap.AZIMUTHS]}",
    "train.steps=400",
    "train.batch_size=128",
    "train.validate_every=100",
    "train.optimiser=muon",
    "train.learning_rate=3e-3",
    "train.warmup=50",
    "train.ema=0.99",
)
TRAIN_OF = {
    "htnet": (),
    "nanohtnet": ("train.steps=500",),
}
ANEW_OF = {
    "htnet": (),
    # What the pre-training compares need not be what is lifted from.
    "nanohtnet": ("train.anew=['joint_head', 'coeff_head']",),
}
PROBE = ("train.trained=head", "train.learning_rate=1e-2")


def settings(model: str, init: str) -> list[str]:
    """Of the training, beyond its recipe."""
    changes = [*TRAIN, *TRAIN_OF[model]]
    if init.startswith("probe"):
        changes += PROBE
    if init != "scratch":
        changes += ANEW_OF[model]
    return changes


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


def measure(folder: Path, motions: Sequence[Motion], every: int) -> dict[str, dict[str, float]]:
    """P1 and P2 in millimetres on seen and unseen cameras, exact and detected 2D."""
    num_out = read_config(folder)["config"]["num_out_frames"]
    lifter = Lifter(folder, backend="torch", stride=num_out)  # windows stand end to end
    errors = {name: PoseErrors() for name in NAMES}
    for motion in motions:
        for views, first, cameras in (
            ("seen", 0, mocap.cameras(motion)),
            ("unseen", len(mocap.AZIMUTHS), unseen_cameras(motion)),
        ):
            truth = np.stack([c.world_to_camera(motion.joints.astype(np.float64)) for c in cameras])
            exact = np.stack([c.project(j) for c, j in zip(cameras, truth, strict=True)])
            noisy = [mocap.detector_noise(motion.name, first + k, u) for k, u in enumerate(exact)]
            for noise, seen in (("gt", exact), ("detector", np.stack(noisy))):
                lifted = predict(
                    lifter.lift,
                    seen[:, ::every],
                    fps=motion.fps,
                    image_size=mocap.IMAGE_SIZE,
                    source=motion.name,
                )
                for pose, target in zip(lifted, truth[:, ::every], strict=True):
                    errors[f"{views}-{noise}"].add(pose, target)
    return {
        name: {"p1_mm": round(e.p1.value * 1000, 3), "p2_mm": round(e.p2.value * 1000, 3)}
        for name, e in errors.items()
    }


ARM = ("part", "model", "labelled", "init", "pretrain", "train")
"""What is compared; runs that differ in the seed alone are averaged."""


class Experiment:
    """All runs; what they measured stands in one file."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.runs, self.json = arguments.runs, arguments.json
        self.train, self.validation, self.measured = (
            read_motions(arguments.data / f"motions_{part}.npz")
            for part in ("train", "val", arguments.part)
        )

    def rows(self) -> list[dict[str, Any]]:
        """What is measured so far; another process may add to it between two runs of this one."""
        return json.loads(self.json.read_text())["runs"] if self.json.exists() else []

    def run(self, arm: Mapping[str, Any], seed: int) -> None:
        """One training, measured, unless its row is there."""
        about = {**arm, "seed": seed}
        if any(about.items() <= row.items() for row in self.rows()):
            return
        model = arm["model"]
        changes = [*arm["train"], f"train.seed={seed}", f"train.labelled={arm['labelled']}"]
        recipe = read_recipe(ROOT / "recipes" / f"{RECIPES[model]}.toml", changes)
        encoder = None if arm["pretrain"] is None else self._encoder(model, arm["pretrain"], seed)
        folder = self.runs / _name({key: about[key] for key in about if key != "part"})
        fit(recipe, folder, self.train, self.validation, init=encoder)
        self._add({**about, **measure(folder, self.measured, EVERY[model])})

    def _add(self, row: Mapping[str, Any]) -> None:
        print(json.dumps(row), flush=True)
        with (self.runs / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
            rows = [*self.rows(), row]
            out = {
                "poselift": __version__,
                "machine": machine.describe("torch"),
                "unseen_cameras": UNSEEN,
                "every": EVERY,
                "summary": summary(rows),
                "runs": rows,
            }
            write_text(self.json, json.dumps(out, indent=1) + "\n")

    def _encoder(self, model: str, changes: Sequence[str], seed: int) -> Path:
        """Pre-trained; what was left half done goes on, what is done is taken as it is."""
        changes = [*changes, f"train.seed={seed}"]
        folder = self.runs / _name({"model": model, "pretrain": changes})
        recipe = read_recipe(ROOT / "recipes" / f"poseclr-{model}.toml", changes)
        return pretrain(recipe, folder, self.train, self.validation)


def _name(about: Mapping[str, Any]) -> str:
    """A folder of its own for everything that differs."""
    return f"{about['model']}-{zlib.crc32(json.dumps(about, sort_keys=True).encode()):08x}"


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """P1 of each arm, mean and standard deviation over seeds.

    So is the gain of a pre-trained arm, seed by seed: a training from scratch with the same seed
    sees the same batches.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(json.dumps({key: row[key] for key in ARM}), []).append(row)
    out = []
    for arm, members in groups.items():
        line: dict[str, Any] = {**json.loads(arm), "seeds": len(members)}
        scratch = {row["seed"]: row for row in rows if _is_scratch_of(row, line)}
        pairs = [(scratch[row["seed"]], row) for row in members if row["seed"] in scratch]
        for name in NAMES:
            line[name] = _over_seeds([row[name]["p1_mm"] for row in members])
            if pairs:
                gains = [before[name]["p1_mm"] - after[name]["p1_mm"] for before, after in pairs]
                line[name]["gain"] = _over_seeds(gains)
        out.append(line)
    return out


def _is_scratch_of(row: Mapping[str, Any], arm: Mapping[str, Any]) -> bool:
    """Whether a row is of the training that an arm with pre-training is to be compared with."""
    return (
        arm["init"].endswith("pretrained")
        and row["init"] == arm["init"].replace("pretrained", "scratch")
        and all(row[key] == arm[key] for key in ("part", "model", "labelled"))
        and other_settings(row)[1] == other_settings(arm)[1]
    )


def other_settings(arm: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What was set beyond the settings above, in pre-training and training."""
    return arm["pretrain"] or [], arm["train"][len(settings(arm["model"], arm["init"])) :]


def _over_seeds(values: Sequence[float]) -> dict[str, float | None]:
    spread = round(statistics.stdev(values), 2) if len(values) > 1 else None
    return {"p1_mm": round(statistics.mean(values), 2), "sd": spread}


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: P1 and gain in millimetres, mean ± standard deviation; and other settings."""
    text = [
        "| network | labelled | from | " + " | ".join(NAMES) + " | other settings |",
        "|---|---:|---|" + "---:|" * len(NAMES) + "---|",
    ]
    for line in lines:
        start = f"| `{line['model']}` | {line['labelled']:.0%} | "
        cells = [_cell(line[name]) for name in NAMES]
        other = ", ".join(itertools.chain(*other_settings(line)))
        text.append(start + " | ".join((line["init"], *cells, other)) + " |")
        if "gain" in line[NAMES[0]]:
            cells = [_cell(line[name]["gain"]) for name in NAMES]
            text.append(start + " | ".join(("gain", *cells, other)) + " |")
    return "\n".join(text)


def _cell(value: Mapping[str, Any]) -> str:
    return f"{value['p1_mm']:.1f}" + ("" if value["sd"] is None else f" ± {value['sd']:.1f}")


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
    parser.add_argument("--part", choices=["val", "test"], default="test", help="measured on")
    parser.add_argument("--pretrain", nargs="*", default=[], help="such as poseclr.temperature=0.5")
    parser.add_argument("--train", nargs="*", default=[], help="such as train.steps=1000")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/poseclr.json")
    options = parser.parse_args()
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    experiment = Experiment(options)
    asked = []
    runs = itertools.product(options.seeds, options.models, options.labelled, options.inits)
    for seed, model, labelled, init in runs:
        arm = {
            "part": options.part,
            "model": model,
            "labelled": labelled,
            "init": init,
            "pretrain": None if init.endswith("scratch") else options.pretrain,
            "train": [*settings(model, init), *options.train],
        }
        asked.append(arm)
        experiment.run(arm, seed)
    rows = [row for row in experiment.rows() if any(arm.items() <= row.items() for arm in asked)]
    print(table(summary(rows)))


if __name__ == "__main__":
    main()
