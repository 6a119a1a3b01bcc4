"""The training loop: read a recipe, fit, validate, keep the best weights, resume.

Batch and dropout of a step depend on the seed and the step alone. A run that was killed
therefore continues from its last checkpoint to the same weights as one that was not.
"""

from __future__ import annotations

import csv
import math
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from poselift import __version__, models
from poselift.data.bank import MotionBank
from poselift.data.batches import Batches
from poselift.data.mocap import Motion
from poselift.errors import CheckpointError, DataError
from poselift.files import atomic_path
from poselift.models.checkpoint import load_network, save_checkpoint
from poselift.skeleton import H36M_17
from poselift.training.ema import WeightAverage
from poselift.training.losses import mpjpe, velocity_error
from poselift.training.recipe import Recipe
from poselift.training.validate import Validation, geometric_mean

STATE_FILE = "training.pt"
LOG_FILE = "log.csv"


@dataclass(frozen=True)
class Progress:
    """What a run reports.

    Args:
        step: optimiser steps done.
        loss: mean training loss in millimetres since the last report.
        seconds_per_step: of wall time, batches included.
        data_share: share of the wall time spent waiting for batches.
        validation_mm: MPJPE on exact and detected 2D of the validation motions, if just measured.
    """

    step: int
    loss: float
    seconds_per_step: float
    data_share: float
    validation_mm: tuple[float, float] | None = None


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine to a hundredth of the peak."""
    train = recipe.train
    if step < train.warmup:
        return train.learning_rate * (step + 1) / train.warmup
    done = (step - train.warmup) / max(1, train.steps - train.warmup)
    return train.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def fit(
    recipe: Recipe,
    folder: str | Path,
    train: Sequence[Motion],
    validation: Sequence[Motion],
    *,
    init: str | Path | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    accelerator: str = "auto",
) -> Path:
    """Train, and leave the best weights by validation as a checkpoint folder.

    Continues where an earlier run into the same folder stopped.

    Args:
        recipe: what to train and how.
        folder: for the best weights, ``training.pt``, ``log.csv`` and TensorBoard's events.
        train: motions to learn from.
        validation: motions of other subjects, to choose the checkpoint by.
        init: checkpoint folder to start from, of the same network.
        report: called about every second, and after each validation.
        accelerator: for Fabric: ``"auto"``, ``"cpu"``, ``"cuda"``.

    Returns:
        The folder.

    Raises:
        DataError: a subject is in both sets of motions.
        CheckpointError: the folder holds the state of another recipe, or ``init`` does not fit.
    """
    folder = Path(folder)
    _check_subjects(train, validation)
    settings = recipe.train
    fabric = Fabric(accelerator=accelerator, devices=1, precision=settings.precision)
    torch.manual_seed(settings.seed)
    network = models.create(recipe.model.name, **recipe.model.options)
    config: Any = network.config
    if init is not None:
        _copy_weights(load_network(init), network, init)
    folder.mkdir(parents=True, exist_ok=True)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    wrapped, optimiser = fabric.setup(network, optimiser)
    average = WeightAverage(network, settings.ema)
    shape = (config.num_frames, config.num_out_frames)
    held_out = Validation.prepare(
        validation, *shape, recipe.data.target, recipe.data.normalisation, fabric.device
    )
    batches = Batches(
        MotionBank.from_motions(train, str(fabric.device)),
        settings.batch_size,
        *shape,
        recipe.data,
        settings.seed,
    )
    data = zlib.crc32(b"".join(motion.joints.tobytes() for motion in (*train, *validation)))
    state = _State(folder / STATE_FILE, recipe, data, network, average, optimiser)
    first, best = state.resume()
    about = {
        "skeleton": H36M_17.name,
        "fps": batches.bank.fps,
        "normalisation": recipe.data.normalisation,
        "target": recipe.data.target,
        "licence": recipe.about.get("licence", "not stated"),
        "acknowledgement": recipe.about.get("acknowledgement", ""),
    }
    provenance = {"poselift": __version__, "recipe": recipe.to_dict()}
    log = _Log(folder, first)
    meter = _Meter()
    with ThreadPoolExecutor(1) as maker:
        upcoming = maker.submit(batches, first)
        for step in range(first, settings.steps):
            waited = time.perf_counter()
            inputs, targets = upcoming.result()
            meter.waiting += time.perf_counter() - waited
            if step + 1 < settings.steps:
                upcoming = maker.submit(batches, step + 1)

            torch.manual_seed(settings.seed * 1_000_003 + step)  # dropout
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, recipe)
            network.train()
            predicted = wrapped(inputs).float()
            error = mpjpe(predicted, targets)
            loss = error + settings.velocity * velocity_error(predicted, targets)
            optimiser.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(
                wrapped, optimiser, max_norm=settings.clip, error_if_nonfinite=False
            )
            optimiser.step()
            average.update(network, step)
            meter.add(error)

            done = step + 1
            if done % settings.validate_every == 0 or done == settings.steps:
                progress = meter.progress(done)
                # In float32: bfloat16 rounds a joint half a metre away by a millimetre or two.
                errors = held_out.errors_mm(average.network)
                progress = replace(progress, validation_mm=errors)
                log.write(progress, learning_rate(step, recipe))
                if geometric_mean(errors) < best:
                    best = geometric_mean(errors)
                    chosen = {
                        **about,
                        "provenance": {**provenance, "step": done},
                        "validation_mm": dict(zip(("gt", "detector"), errors, strict=True)),
                    }
                    save_checkpoint(folder, recipe.model.name, average.network, chosen)
                state.save(done, best)
                report(progress)
                meter = _Meter()
            elif meter.due():
                report(meter.progress(done))
                meter = _Meter()
    log.close()
    return folder


class _Meter:
    """Losses and times since the last report."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.waiting = 0.0
        self.errors: list[torch.Tensor] = []

    def add(self, error: torch.Tensor) -> None:
        self.errors.append(error.detach())

    def due(self) -> bool:
        return time.perf_counter() - self.started > 1.0

    def progress(self, step: int) -> Progress:
        wall = time.perf_counter() - self.started
        loss = float(torch.stack(self.errors).mean()) * 1000
        if not math.isfinite(loss):
            raise DataError(
                f"training diverged before step {step}", "a finite loss", "lower the learning rate"
            )
        return Progress(step, loss, wall / len(self.errors), self.waiting / wall)


class _Log:
    """Curves: ``log.csv`` and TensorBoard's events."""

    HEADER = ("step", "loss_mm", "val_gt_mm", "val_detector_mm", "learning_rate")

    def __init__(self, folder: Path, first: int) -> None:
        self.path = folder / LOG_FILE
        rows = []
        if self.path.exists():  # drop what lies after the checkpoint that we resume from
            with self.path.open(newline="") as file:
                rows = [row for row in list(csv.reader(file))[1:] if row and int(row[0]) <= first]
        with atomic_path(self.path) as path, path.open("w", newline="") as file:
            csv.writer(file).writerows([self.HEADER, *rows])
        self.board = SummaryWriter(str(folder), purge_step=first + 1)

    def write(self, progress: Progress, rate: float) -> None:
        assert progress.validation_mm is not None
        values = (progress.loss, *progress.validation_mm, rate)
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([progress.step, *(f"{value:.6g}" for value in values)])
        for name, value in zip(self.HEADER[1:], values, strict=True):
            self.board.add_scalar(name, value, progress.step)
        self.board.flush()

    def close(self) -> None:
        self.board.close()


def _check_subjects(train: Sequence[Motion], validation: Sequence[Motion]) -> None:
    both = {motion.subject for motion in train} & {motion.subject for motion in validation}
    if both:
        raise DataError(
            f"subjects {', '.join(sorted(both))} are in training and in validation",
            "other persons to choose the checkpoint by",
        )


def _copy_weights(source: nn.Module, network: nn.Module, where: str | Path) -> None:
    try:
        network.load_state_dict(source.state_dict())
    except RuntimeError as error:
        raise CheckpointError(
            f"{where}: its network does not fit the recipe", "the same network"
        ) from error


@dataclass(frozen=True)
class _State:
    """What a run must remember to continue, and ``training.pt`` that holds it."""

    path: Path
    recipe: Recipe
    data: int
    network: nn.Module
    average: WeightAverage
    optimiser: Any

    def save(self, step: int, best: float) -> None:
        """Write it after ``step`` steps, with the best validation error so far."""
        state = {
            "recipe": self._settings(),
            "data": self.data,
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": step,
            "best": best,
        }
        with atomic_path(self.path) as path:
            torch.save(state, path)

    def resume(self) -> tuple[int, float]:
        """Restore an earlier run; returns (steps done, best validation error)."""
        if not self.path.exists():
            return 0, math.inf
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            same = state["recipe"] == self._settings() and state["data"] == self.data
        except Exception as error:  # torch.load has no one exception for a file not its own
            raise CheckpointError(
                f"{self.path}: cannot be read ({error.__class__.__name__})",
                "the state of an unfinished training",
                "choose another folder or delete the file",
            ) from error
        if not same:
            raise CheckpointError(
                f"{self.path}: belongs to another recipe or other data",
                "those that began the run",
                "choose another folder or delete the file",
            )
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        return int(state["step"]), float(state["best"])

    def _settings(self) -> dict[str, Any]:
        """What decides the weights: all of a recipe but its text."""
        return {key: value for key, value in self.recipe.to_dict().items() if key != "about"}
