"""The training loop: batches, optimiser, processes, checkpoints. What is learned is a `Task`.

Batch and dropout of a step depend on the seed and the step alone. A run that was killed
therefore continues from its last checkpoint to the same weights as one that was not, and
several processes, each with its share of every batch, do what one does with all of it.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor, nn

from poselift.errors import CheckpointError, DataError, UsageError
from poselift.training.curves import Curves
from poselift.training.recipe import Precision, Recipe
from poselift.training.schedule import Schedule, create_optimisers
from poselift.training.state import STATE_FILE, load_state, save_state

Batch = tuple[Tensor, ...]
"""Tensors with one row for each window."""


@dataclass(frozen=True)
class Progress:
    """What a run reports.

    Args:
        step: optimiser steps done.
        steps: of the whole training.
        loss: mean of what the task calls its loss since the last report.
        seconds_per_step: of wall time, batches included.
        data_share: share of the wall time spent waiting for batches.
        measured: by name, if this is a checkpoint.
    """

    step: int
    steps: int
    loss: float
    seconds_per_step: float
    data_share: float
    measured: Mapping[str, float] | None = None


Report = Callable[[Progress], None]


class Task(ABC):
    """What is learned.

    Attributes:
        network: what learns; its forward takes the first tensor of a batch.
        columns: names of what :meth:`checkpoint` measures.
        loss_name: what the shown loss is called in the curves.
        steps_per_epoch: optimiser steps of an epoch.
        belongs_to: what of data and first weights must be the same to continue a run.
    """

    network: nn.Module
    columns: tuple[str, ...]
    loss_name: str
    steps_per_epoch: int
    belongs_to: int

    @abstractmethod
    def batch(self, step: int) -> Batch:
        """The whole batch of a step, a pure function of seed and step. Called in a thread."""

    @abstractmethod
    def loss(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of what the network gives for a part of a batch: what is minimised, and what is shown."""

    @abstractmethod
    def learned(self, step: int, batch: Batch) -> None:
        """After the optimiser's step; ``batch`` is this process's share."""

    @abstractmethod
    def checkpoint(self, step: int, folder: Path) -> dict[str, float]:
        """After ``step`` steps: measure the columns, and write weights. In one process only."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What :meth:`load_state` takes."""

    @abstractmethod
    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore an earlier run."""

    def set_mode(self) -> None:
        """Put the parts of the network into training or evaluation mode."""
        self.network.train()


def create_fabric(
    precision: Precision, accelerator: str = "auto", devices: int = 1, nodes: int = 1
) -> Fabric:
    """Where a training runs.

    With several devices call ``launch()`` of the result: it starts the other processes, which run
    the same program from its beginning.

    Args:
        precision: of the arithmetic.
        accelerator: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        devices: processes on each machine.
        nodes: machines.

    Raises:
        UsageError: the machine does not have them, or they are not what a launcher has started.
    """
    _check_launch(devices, nodes)
    try:
        return Fabric(
            accelerator=accelerator, devices=devices, num_nodes=nodes, precision=precision
        )
    except Exception as error:  # Fabric and torch have half a dozen for it
        raise UsageError(
            f"{devices} devices of accelerator {accelerator!r}: {error}", "what this machine has"
        ) from error


def _check_launch(devices: int, nodes: int) -> None:
    """Fabric itself would wait for other processes, or train as many times as it was started."""
    given = os.environ
    if TorchElasticEnvironment.detect():
        launcher, here = "torchrun", int(given.get("LOCAL_WORLD_SIZE", devices))
        started = int(given["WORLD_SIZE"])
    elif SLURMEnvironment.detect():
        # A job's script is one process; srun starts the tasks.
        launcher, here, started = "srun", 1, 1
        if "SLURM_STEP_ID" in given:
            here = int(given.get("SLURM_NTASKS_PER_NODE", devices))
            started = int(given["SLURM_NTASKS"])
    elif nodes > 1 and not given.keys() & {"NODE_RANK", "GROUP_RANK"}:
        raise UsageError(
            f"{nodes} machines and nothing that starts processes on them", "torchrun or SLURM"
        )
    else:
        return
    if (here, started) != (devices, devices * nodes):
        raise UsageError(
            f"{devices} devices on each of {nodes} machines, in a run of {started} processes, "
            f"{here} on each machine",
            f"as many as {launcher} starts",
            "give --devices the processes on each machine, and --nodes the machines",
        )


def optimise(task: Task, recipe: Recipe, folder: Path, fabric: Fabric, report: Report) -> None:
    """Do the steps of a recipe that are not done yet.

    Args:
        task: what is learned; its network is on the device of ``fabric``.
        recipe: how.
        folder: for ``training.pt``, the curves, and what the task writes.
        fabric: where, launched.
        report: called about every second, and after each checkpoint, in one process.

    Raises:
        UsageError: the batch cannot be shared out.
        DataError: the loss is not finite any more.
        CheckpointError: ``training.pt`` belongs to another recipe, other data or first weights,
            or not all processes see it.
    """
    settings = recipe.train
    share = _share(settings.batch_size, settings.accumulate, fabric)
    schedule = Schedule(
        settings.schedule,
        settings.learning_rate,
        settings.warmup,
        settings.length(task.steps_per_epoch),
        task.steps_per_epoch,
    )
    network: nn.Module = task.network
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimisers = create_optimisers(
        settings.optimiser,
        learning,
        settings.learning_rate,
        settings.weight_decay,
    )
    if settings.compile:
        network = torch.compile(network)  # type: ignore[assignment]  # it is called the same way
    forward, *optimisers = fabric.setup(network, *optimisers)
    first = 0
    if (state := load_state(folder, recipe, task.belongs_to)) is not None:
        task.load_state(state["task"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        first = int(state["step"])
    _check_same_start(first, folder, fabric)
    alone = fabric.world_size == 1
    # Gradients of a few small position tables; copying them costs nothing that can be measured.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    names = (task.loss_name, *task.columns, "learning_rate")
    curves = Curves(folder, names, first) if fabric.is_global_zero else None
    meter = _Meter(schedule.steps)
    losses: list[Tensor] = []  # since the last validation
    with ThreadPoolExecutor(1) as maker:
        upcoming = maker.submit(task.batch, first)
        for step in range(first, schedule.steps):
            waited = time.perf_counter()
            batch = tuple(tensor[share] for tensor in upcoming.result())
            meter.waiting += time.perf_counter() - waited
            if step + 1 < schedule.steps:
                upcoming = maker.submit(task.batch, step + 1)

            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = schedule.rate(step)
                optimiser.zero_grad()
            task.set_mode()
            parts = [*zip(*(t.chunk(settings.accumulate) for t in batch), strict=True)]
            for i, part in enumerate(parts):
                number = fabric.global_rank * len(parts) + i
                torch.manual_seed(_dropout_seed(settings.seed, step, number))
                with fabric.no_backward_sync(forward, enabled=i + 1 < len(parts)):
                    loss, shown = task.loss(forward(part[0]), part)
                    fabric.backward(loss / len(parts))
                losses.append(shown.detach())
            if settings.clip:
                # Of all together: fabric's own clipping takes the parameters of one optimiser.
                nn.utils.clip_grad_norm_(learning, settings.clip)
            for optimiser in optimisers:
                optimiser.step()
            task.learned(step, batch)
            meter.done += 1

            done = step + 1
            if done % settings.validate_every == 0 or done == schedule.steps:
                mean = _mean(torch.stack(losses).mean(), fabric)
                losses.clear()
                progress = meter.progress(done, mean, check=True)
                if curves is not None:
                    measured = task.checkpoint(done, folder)
                    row = {task.loss_name: mean, **measured, "learning_rate": schedule.rate(step)}
                    curves.write(done, row)
                    content = {
                        "step": done,
                        "task": task.state(),
                        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                    }
                    save_state(folder, recipe, task.belongs_to, content)
                    report(replace(progress, measured=measured))
                meter = _Meter(schedule.steps)
            elif curves is not None and meter.due():
                # One process that stops would leave the others waiting for it.
                recent = torch.stack(losses[-meter.done * len(parts) :]).mean()
                report(meter.progress(done, float(recent), check=alone))
                meter = _Meter(schedule.steps)
    if curves is not None:
        curves.close()


def _share(batch_size: int, accumulate: int, fabric: Fabric) -> slice:
    """Rows of a batch that are this process's."""
    parts = fabric.world_size * accumulate
    if batch_size % parts:
        raise UsageError(
            f"batch_size = {batch_size} for {fabric.world_size} processes with "
            f"accumulate = {accumulate}",
            f"a multiple of {parts}",
        )
    rows = batch_size // fabric.world_size
    return slice(fabric.global_rank * rows, (fabric.global_rank + 1) * rows)


def _check_same_start(first: int, folder: Path, fabric: Fabric) -> None:
    """Raise ``CheckpointError`` unless all processes go on from the same step.

    One process writes the state, and each reads it: on machines that do not share the folder the
    others would begin anew, and their gradients spoil the weights.
    """
    firsts = fabric.all_gather(torch.tensor(first))
    assert isinstance(firsts, Tensor)
    steps = firsts.flatten().tolist()
    if len(set(steps)) > 1:
        raise CheckpointError(
            f"{folder}: processes would go on from steps {', '.join(map(str, steps))}",
            f"the same {STATE_FILE} in sight of all of them",
            "give a folder that the machines share, or copy it to all of them",
        )


def _mean(value: Tensor, fabric: Fabric) -> float:
    """Of a number of each process."""
    reduced = fabric.all_reduce(value, reduce_op="mean")
    assert isinstance(reduced, Tensor)
    return float(reduced)


def _dropout_seed(seed: int, step: int, part: int) -> int:
    """Each part of a batch, counted over all processes, has its own."""
    # On processors torch reads the lower 32 bits alone: parts must be far apart in these.
    return seed * 1_000_003 + step + part * 0x9E37_79B1


class _Meter:
    """Times since the last report.

    Args:
        steps: of the whole training.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.started = time.perf_counter()
        self.waiting = 0.0
        self.done = 0

    def due(self) -> bool:
        return time.perf_counter() - self.started > 1.0

    def progress(self, step: int, loss: float, check: bool) -> Progress:
        wall = time.perf_counter() - self.started
        if check and not math.isfinite(loss):
            raise DataError(
                f"training diverged before step {step}", "a finite loss", "lower the learning rate"
            )
        return Progress(step, self.steps, loss, wall / self.done, self.waiting / wall)
