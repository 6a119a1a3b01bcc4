"""Pre-train an encoder by PoseCLR without labels, see :mod:`poselift.training.poseclr`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from poselift import models
from poselift.data.bank import MotionBank
from poselift.data.batches import ViewBatches
from poselift.data.clips import PairedClip
from poselift.data.mocap import Motion
from poselift.data.views import RecordedViews
from poselift.errors import UsageError
from poselift.models.checkpoint import save_checkpoint
from poselift.training.ema import WeightAverage
from poselift.training.encoder import freeze
from poselift.training.loop import Batch, Report, Task, create_fabric, optimise
from poselift.training.poseclr import (
    FEATURES,
    Embedding,
    PoseCLRConfig,
    Queue,
    collapse_measures,
    info_nce,
)
from poselift.training.recipe import Recipe
from poselift.training.supervised import (
    Clips,
    check_confidence,
    check_subjects,
    describe,
    fingerprint,
)

HELD_OUT = 512
"""Windows of the validation motions that the features are measured on."""


def pretrain(
    recipe: Recipe,
    folder: str | Path,
    train: Clips,
    validation: Clips,
    *,
    report: Report = lambda progress: None,
    fabric: Fabric | None = None,
) -> Path:
    """Pre-train an encoder, and leave its weights, without a regression head, in a folder.

    :func:`poselift.training.supervised.fit` takes the folder as ``init``. Continues where an
    earlier run into the same folder stopped. The weights are the last ones; the momentum encoder
    follows them by ``train.ema``.

    Args:
        recipe: with a section ``poseclr``.
        folder: for the weights, ``training.pt``, ``log.csv`` and TensorBoard's events.
        train: motions to learn from, which virtual cameras see, or clips of several real cameras.
        validation: the same of other subjects, to watch the features on.
        report: called about every second, and after each checkpoint.
        fabric: see :func:`poselift.training.supervised.fit`.

    Returns:
        The folder.

    Raises:
        DataError: a subject is in both sets, or the training diverged.
        UsageError: the recipe has no section ``poseclr``, its network no encoder, its queue is
            smaller than a batch, recordings are to show other persons (``same_person``), or there
            is no validation.
        CheckpointError: the folder holds the state of another recipe.
    """
    folder = Path(folder)
    if recipe.poseclr is None:
        raise UsageError("the recipe has no section poseclr", "one for pre-training", "use train")
    if not validation:
        raise UsageError(
            "nobody held out to watch the features on",
            "clips of other subjects than those of the training",
            "name some in data.paired.hold_out",
        )
    check_subjects(train, validation)
    fabric = fabric or create_fabric(recipe.train.precision)
    task = _Contrast(recipe, recipe.poseclr, train, validation, fabric)
    folder.mkdir(parents=True, exist_ok=True)
    optimise(task, recipe, folder, fabric, report)
    return folder


class _Contrast(Task):
    loss_name = "loss"
    columns = ("variance", "alignment", "uniformity", "retrieval")

    def __init__(
        self,
        recipe: Recipe,
        config: PoseCLRConfig,
        train: Clips,
        validation: Clips,
        fabric: Fabric,
    ) -> None:
        settings = recipe.train
        if config.queue < settings.batch_size * (config.views - 1):
            raise UsageError(
                f"poseclr.queue = {config.queue}", "at least the keys of a batch, or more"
            )
        torch.manual_seed(settings.seed)
        encoder = models.create(recipe.model.name, **recipe.model.options)
        check_confidence(recipe, encoder, train)
        self.head = freeze(encoder, head=True)
        self.network: Embedding = fabric.to_device(Embedding(encoder, config.hidden))  # type: ignore[assignment]
        # At the rate of the first updates all features would drift together, away from the queue.
        self.momentum = WeightAverage(self.network, settings.ema, forget_start=False)
        self.queue = Queue(config.queue, FEATURES, fabric.device)
        self.new_keys: list[Tensor] = []
        self.recipe, self.config, self.fabric = recipe, config, fabric
        self.batches = _views(train, settings.batch_size, recipe, config, encoder, fabric)
        self.held_out = _views(validation, HELD_OUT, recipe, config, encoder, fabric)(0)
        self.apart = config.apart * self.batches.bank.fps
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.belongs_to = fingerprint(train, validation)

    def batch(self, step: int) -> Batch:
        return self.batches(step)

    def loss(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        _, others, instants = batch  # (b, V - 1, F, 17, 2), (b, 2)
        with torch.no_grad(), self.fabric.autocast():
            keys = self.momentum.network(others.flatten(0, 1))
        keys = keys.unflatten(0, others.shape[:2]).transpose(0, 1).float()  # (V - 1, b, D)
        self.new_keys.append(keys)
        usable = self.queue.usable(instants, self.apart)
        loss = info_nce(output, keys, self.queue.keys, usable, self.config.temperature)
        return loss, loss

    def learned(self, step: int, batch: Batch) -> None:
        keys = torch.cat(self.new_keys, dim=1).transpose(0, 1)  # (B / processes, V - 1, D)
        self.new_keys.clear()
        instants = batch[2][:, None].expand(-1, keys.shape[1], -1)
        if self.fabric.world_size > 1:  # the queue is the same in all processes
            keys, instants = (
                self.fabric.all_gather(tensor.contiguous()).flatten(0, 1)  # type: ignore[union-attr]
                for tensor in (keys, instants)
            )
        self.queue.push(keys.flatten(0, 1), instants.flatten(0, 1))
        self.momentum.update(self.network, step)

    def checkpoint(self, step: int, folder: Path) -> dict[str, float]:
        self.network.eval()
        queries, others, _ = self.held_out
        with torch.no_grad():
            measured = collapse_measures(self.network(queries), self.network(others[:, 0]))
        about = {
            **describe(self.recipe, self.batches.bank.fps),
            "pretrained": {"method": "poseclr", "step": step, **measured},
        }
        name = self.recipe.model.name
        save_checkpoint(folder, name, self.network.encoder, about, without=self.head)
        return measured

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "momentum": self.momentum.network.state_dict(),
            "queue": self.queue.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.momentum.network.load_state_dict(state["momentum"])
        self.queue.load_state(state["queue"])


def _views(
    clips: Clips,
    batch_size: int,
    recipe: Recipe,
    config: PoseCLRConfig,
    encoder: nn.Module,
    fabric: Fabric,
) -> ViewBatches | RecordedViews:
    """Batches of the same instants seen by several cameras."""
    data, shape, device = recipe.data, cast(Any, encoder.config), str(fabric.device)
    window, num_out = shape.num_frames, shape.num_out_frames
    if isinstance(clips[0], PairedClip):
        if not config.same_person:
            raise UsageError(
                "poseclr.same_person = false with recordings", "motion capture, or one person"
            )
        return RecordedViews(
            cast(Sequence[PairedClip], clips),
            batch_size,
            window,
            num_out,
            data.target,
            data.normalisation,
            config.views,
            data.augment.mirror,
            data.paired.confidence,
            recipe.train.seed,
            device,
        )
    bank = MotionBank.from_motions(cast(Sequence[Motion], clips), device)
    return ViewBatches(
        bank,
        batch_size,
        window,
        num_out,
        data,
        recipe.train.seed,
        config.views,
        config.same_person,
    )
