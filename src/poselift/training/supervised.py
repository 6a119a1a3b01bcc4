"""Learn to lift: 2D joints in, 3D joints out, by motion with known 3D joints."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from poselift import __version__, models
from poselift.checkpoints import WEIGHTS_FILE, read_config
from poselift.data.bank import MotionBank
from poselift.data.batches import Batches
from poselift.data.clips import PairedClip, Unit
from poselift.data.labelled import choose_labelled
from poselift.data.mocap import Motion
from poselift.data.paired import PairedBank, PairedBatches
from poselift.errors import DataError, UsageError
from poselift.files import read_bytes
from poselift.models.checkpoint import save_checkpoint
from poselift.models.hourglass import Hourglass
from poselift.models.recovery import take
from poselift.skeleton import H36M_17
from poselift.training.ema import WeightAverage
from poselift.training.encoder import freeze, start_from
from poselift.training.loop import Batch, Report, Task, create_fabric, optimise
from poselift.training.losses import mpjpe, pose_loss
from poselift.training.recipe import Recipe
from poselift.training.validate import Validation, geometric_mean

Clips = Sequence[Motion] | Sequence[PairedClip]
"""Motion that is seen through virtual cameras, or clips with their own 2D joints."""


def fit(
    recipe: Recipe,
    folder: str | Path,
    train: Clips,
    validation: Clips,
    *,
    init: str | Path | None = None,
    report: Report = lambda progress: None,
    fabric: Fabric | None = None,
) -> Path:
    """Train, and leave the weights that the recipe keeps as a checkpoint folder.

    Continues where an earlier run into the same folder stopped.

    Args:
        recipe: what to train and how.
        folder: for the weights, ``training.pt``, ``log.csv`` and TensorBoard's events.
        train: motions, seen through virtual cameras, or clips with their own 2D joints.
        validation: the same of other subjects, to choose the checkpoint by; with none of them the
            last weights are kept.
        init: checkpoint folder to start from, of the same network; of a pre-trained encoder all
            but the regression head is taken.
        report: called about every second, and after each validation.
        fabric: where it runs, launched: :func:`poselift.training.loop.create_fabric`. By default
            one process on the best device.

    Returns:
        The folder.

    Raises:
        DataError: a subject is in both sets, or the training diverged.
        UsageError: the recipe pre-trains, or asks for what cannot be, such as ``train.anew``
            without ``init``.
        CheckpointError: the folder holds the state of another recipe, other data or other first
            weights, or ``init`` does not fit.
    """
    folder = Path(folder)
    if recipe.poseclr is not None:
        raise UsageError("the recipe has a section poseclr", "one for training", "use pretrain")
    if recipe.train.anew and recipe.train.trained == "all" and init is None:
        raise UsageError(
            f"train.anew = {list(recipe.train.anew)} in a training where everything begins anew",
            "weights to start from",
            "give --init or leave train.anew out",
        )
    check_subjects(train, validation)
    fabric = fabric or create_fabric(recipe.train.precision)
    task = _Lifting(recipe, train, validation, init, fabric)
    folder.mkdir(parents=True, exist_ok=True)
    optimise(task, recipe, folder, fabric, report)
    return folder


def check_subjects(
    train: Clips,
    validation: Clips,
) -> None:
    """Raise ``DataError`` if somebody is in both sets."""
    both = {clip.subject for clip in train} & {clip.subject for clip in validation}
    if both:
        raise DataError(
            f"subjects {', '.join(sorted(both))} are in training and in validation",
            "other persons to choose the checkpoint by",
        )


def check_confidence(recipe: Recipe, network: nn.Module, clips: Clips = ()) -> None:
    """Raise ``UsageError`` if a recipe with confidence is for a network or clips without."""
    if not recipe.data.reads_confidence:
        return
    if any(isinstance(clip, PairedClip) and clip.scores is None for clip in clips):
        raise UsageError(
            "data.paired.confidence = true for 2D joints without scores", "detections with scores"
        )
    if not getattr(network, "reads_confidence", False):
        raise UsageError(
            f"data.paired.confidence = true for {recipe.model.name}",
            "a network that reads confidence, such as motionbert or motionagformer",
        )


def describe(
    recipe: Recipe, fps: float, init: str | Path | None = None, **provenance: int
) -> dict[str, Any]:
    """What ``config.json`` says of any network that a recipe made, from the weights ``init``."""
    terms = {"licence": "not stated", "acknowledgement": ""}
    first = {} if init is None else read_config(init)
    for key, nothing in terms.items():
        # Those of the first weights hold for what was made of them, too.
        parts = [recipe.about.get(key, nothing), *str(first.get(key) or "").split("; ")]
        terms[key] = "; ".join(dict.fromkeys(filter(None, parts)))
    return {
        "skeleton": H36M_17.name,
        "fps": fps,
        "normalisation": recipe.data.normalisation,
        "target": recipe.data.target,
        "confidence": recipe.data.reads_confidence,
        **terms,
        "provenance": {"poselift": __version__, "recipe": recipe.to_dict(), **provenance},
    }


def fingerprint(train: Clips, validation: Clips, init: str | Path | None = None) -> int:
    """A number that other clips, another split, or other weights to start from, hardly have."""
    crc = zlib.crc32(repr((len(train), len(validation))).encode())
    for clip in (*train, *validation):
        about = [clip.name, clip.subject, clip.fps, clip.num_frames]
        arrays = [clip.joints]
        if isinstance(clip, PairedClip):
            about += [clip.image_size, clip.unit, clip.scores is None]
            arrays += [array for array in (clip.keypoints, clip.scores) if array is not None]
        else:
            about += [clip.skeleton]  # bones that the subject has are not varied
        crc = zlib.crc32(repr(about).encode(), crc)
        for array in arrays:
            crc = zlib.crc32(array.tobytes(), crc)
    return crc if init is None else zlib.crc32(read_bytes(Path(init) / WEIGHTS_FILE), crc)


class _Lifting(Task):
    def __init__(
        self,
        recipe: Recipe,
        train: Clips,
        validation: Clips,
        init: str | Path | None,
        fabric: Fabric,
    ) -> None:
        settings = recipe.train
        torch.manual_seed(settings.seed)
        network = models.create(recipe.model.name, **recipe.model.options)
        check_confidence(recipe, network, train)
        if init is not None:
            start_from(init, network, recipe.data.normalisation, settings.anew)
        self.still: list[nn.Module] = []
        if settings.trained == "head":
            head = freeze(network, head=False, anew=settings.anew)
            # What does not learn has no dropout and gathers no statistics.
            self.still = [
                module
                for name, module in network.named_modules()
                if name and not any(key.startswith(f"{name}.") for key in head)
            ]
        self.lifter = fabric.to_device(network)
        self.average = WeightAverage(self.lifter, settings.ema)
        self.network = self.lifter
        if isinstance(self.lifter, Hourglass) and self.lifter.recovery is None:
            self.network = _Kept(self.lifter)
        every_frame = self.network is not self.lifter
        self.recipe = recipe
        self.init = init
        self.best = math.inf
        data = _prepare(recipe, network.config, every_frame, train, validation, fabric.device)
        self.data = data
        self.steps_per_epoch = data.steps_per_epoch
        self.belongs_to = fingerprint(train, validation, init)
        unit = "mm" if data.unit == "metres" else "thousandths"
        self.loss_name = f"loss_{unit}"
        self.columns = tuple(f"val_{name}_{unit}" for name in data.validation.inputs)

    def batch(self, step: int) -> Batch:
        return self.data.batches(step)

    def loss(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        predicted, targets = output, batch[1]
        if isinstance(self.network, _Kept):
            predicted, frames = output
            targets = take(targets, frames)
        predicted = predicted.float()
        error = mpjpe(predicted, targets)
        return pose_loss(predicted, targets, self.recipe.train.loss), error * 1000

    def set_mode(self) -> None:
        self.network.train()
        for module in self.still:
            module.eval()

    def learned(self, step: int, batch: Batch) -> None:
        self.average.update(self.lifter, step)

    def checkpoint(self, step: int, folder: Path) -> dict[str, float]:
        # In float32: bfloat16 rounds a joint half a metre away by a millimetre or two.
        errors = self.data.validation.errors(self.average.network)
        best = geometric_mean(errors) if errors else 0.0
        if best < self.best or not errors:
            self.best = best
            about = {
                **describe(self.recipe, self.data.fps, self.init, step=step),
                "unit": self.data.unit,
                "validation_mm": errors,
            }
            save_checkpoint(folder, self.recipe.model.name, self.average.network, about)
        return dict(zip(self.columns, errors.values(), strict=True))

    def state(self) -> dict[str, Any]:
        return {
            "network": self.lifter.state_dict(),
            "average": self.average.network.state_dict(),
            "best": self.best,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.lifter.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.best = float(state["best"])


class _Kept(nn.Module):
    """A pruned network for one frame, as it learns: from every frame that it keeps.

    Li et al., "Hourglass Tokenizer for Efficient Transformer-Based 3D Human Pose Estimation", CVPR
    2024, section on sequence-to-frame models.
    """

    def __init__(self, network: Hourglass) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, 17, 2 or 3) -> poses (B, f, 17, 3) and their frames (B, f)."""
        kept = self.network.kept(x)
        return kept.poses, kept.frames[-1]


@dataclass(frozen=True)
class _Data:
    """Batches to learn from and windows to measure on."""

    batches: Callable[[int], tuple[Tensor, Tensor]]
    steps_per_epoch: int
    validation: Validation
    fps: float
    unit: Unit


def _prepare(
    recipe: Recipe,
    config: Any,
    every_frame: bool,
    train: Clips,
    validation: Clips,
    device: torch.device,
) -> _Data:
    """Put the clips on the device; with ``every_frame`` learn from all frames of a window."""
    settings, data = recipe.train, recipe.data
    window, num_out = config.num_frames, config.num_out_frames
    held_out = Validation.none()
    learned = window if every_frame else num_out
    if not isinstance(train[0], PairedClip):
        motions = choose_labelled(cast(Sequence[Motion], train), settings.labelled)
        bank = MotionBank.from_motions(motions, str(device))
        batches = Batches(bank, settings.batch_size, window, learned, data, settings.seed)
        shape = (window, num_out, data.target, data.normalisation)
        if validation:
            held_out = Validation.of_motions(cast(Sequence[Motion], validation), *shape, device)
        return _Data(batches, batches.steps_per_epoch, held_out, bank.fps, "metres")

    def pairs(
        clips: Sequence[PairedClip], batch_size: int, num_out: int, mirror: bool
    ) -> PairedBatches:
        choice = data.paired
        return PairedBatches(
            PairedBank.from_clips(clips, data.normalisation, str(device)),
            batch_size,
            window,
            num_out,
            data.target,
            choice.stride,
            mirror,
            choice.confidence,
            settings.seed,
        )

    clips = choose_labelled(cast(Sequence[PairedClip], train), settings.labelled)
    own = pairs(clips, settings.batch_size, learned, data.paired.mirror)
    if validation:
        others = cast(Sequence[PairedClip], validation)
        held_out = Validation.of_pairs(pairs(others, 1, num_out, False), data.target)
    return _Data(own, own.steps_per_epoch, held_out, own.bank.fps, own.bank.unit)
