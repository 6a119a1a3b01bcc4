"""A recipe: everything that a training needs, in one TOML file.

Sections are dataclasses; unknown keys are errors. ``key=value`` overrides such as
``train.steps=100`` change single values.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from poselift.data.batches import DataConfig
from poselift.data.ranges import check_ranges
from poselift.errors import DataError, UsageError
from poselift.training.losses import LossConfig
from poselift.training.poseclr import PoseCLRConfig
from poselift.training.schedule import OptimiserName, ScheduleConfig

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class ModelConfig:
    """Which network.

    Args:
        name: a registered model.
        options: what to change in its config.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainConfig:
    """How it is trained.

    Args:
        steps: optimiser steps.
        epochs: passes over the training data; a training ends with whichever of ``steps`` and
            ``epochs`` comes first, and needs one of them.
        batch_size: windows in a step, those of all processes together.
        accumulate: parts that each process computes its windows in, one after the other, to save
            memory.
        optimiser: ``"adamw"``, ``"adam"``, ``"amsgrad"`` (Adam with AMSGrad), or ``"muon"``, see
            :func:`poselift.training.schedule.create_optimisers`.
        learning_rate: peak of the schedule.
        warmup: steps over which the rate rises from 0.
        schedule: how the rate changes after that.
        weight_decay: of the optimiser.
        ema: decay of the averaged weights, which are the ones evaluated and kept; 0 for none.
        loss: what is minimised.
        clip: largest norm of the gradient of all parameters together; 0 for any.
        precision: of the arithmetic.
        compile: compile the network with ``torch.compile`` first.
        labelled: share of the training motion that has labels; see
            :func:`poselift.data.labelled.choose_labelled`.
        trained: what learns: ``"all"``, or ``"head"`` for the regression head alone, on an encoder
            that stays as it was given (linear probe).
        anew: modules that begin anew where a training starts from other weights, as a regression
            head does on a pre-trained encoder; with ``trained = "head"`` they learn with it.
        seed: of weights, batches and dropout.
        validate_every: steps between validations; a checkpoint is written at each.
    """

    steps: int | None = None
    epochs: int | None = None
    batch_size: int = 128
    accumulate: int = 1
    optimiser: OptimiserName = "adamw"
    learning_rate: float = 1e-3
    warmup: int = 300
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    weight_decay: float = 0.01
    ema: float = 0.999
    loss: LossConfig = field(default_factory=LossConfig)
    clip: float = 1.0
    precision: Precision = "bf16-mixed"
    compile: bool = False
    labelled: float = 1.0
    trained: Literal["all", "head"] = "all"
    anew: tuple[str, ...] = ()
    seed: int = 0
    validate_every: int = 500

    def __post_init__(self) -> None:
        if self.steps is None and self.epochs is None:
            raise UsageError("steps and epochs are not given", "one of them")
        many = math.inf
        check_ranges(
            self,
            **{name: (1, many) for name in ("steps", "epochs") if getattr(self, name) is not None},
            batch_size=(2, many),  # one window alone has no batch statistics
            accumulate=(1, many),
            learning_rate=(0.0, 1.0),
            warmup=(0, many),
            weight_decay=(0.0, 10.0),
            ema=(0.0, 0.999999),
            clip=(0.0, many),
            labelled=(0.0, 1.0),
            validate_every=(1, many),
            seed=(0, 2**31 - 1),
        )

    def length(self, epoch_steps: int) -> int:
        """Optimiser steps of the whole training, with epochs of so many steps."""
        by_epochs = math.inf if self.epochs is None else self.epochs * epoch_steps
        return int(min(by_epochs, math.inf if self.steps is None else self.steps))


@dataclass(frozen=True)
class Recipe:
    """A whole training.

    Args:
        model: the network.
        train: the schedule.
        data: the batches.
        poseclr: how the encoder is pre-trained; only in a recipe for ``poselift pretrain``.
        about: free text: expected error, cost, command; ``licence`` and ``acknowledgement`` of the
            data go into the checkpoint.
    """

    model: ModelConfig
    train: TrainConfig
    data: DataConfig = field(default_factory=DataConfig)
    poseclr: PoseCLRConfig | None = None
    about: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they would stand in the file."""
        return dataclasses.asdict(self)


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: TOML file.
        overrides: ``section.key=value``, values in TOML syntax; a bare word is a text. With
            another ``data.set`` the recipe no longer says ``about.licence`` and
            ``about.acknowledgement``, unless they are given too.

    Raises:
        DataError: the file cannot be read.
        UsageError: a key is unknown or missing, or a value has the wrong type.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: {error}", "a recipe in TOML") from error
    changed = copy.deepcopy(content)
    for override in overrides:
        _apply(changed, override)
    if _data_set(changed) != _data_set(content) and isinstance(content.get("about"), dict):
        for key in ("licence", "acknowledgement"):  # of the data that the file is for
            content["about"].pop(key, None)
    for override in overrides:
        _apply(content, override)
    recipe = _build(Recipe, content, "")
    assert isinstance(recipe, Recipe)
    return recipe


def recipe_from_dict(content: Mapping[str, Any]) -> Recipe:
    """The inverse of :meth:`Recipe.to_dict`."""
    recipe = _build(Recipe, content, "")
    assert isinstance(recipe, Recipe)
    return recipe


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"override {override!r}", "section.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, last = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise UsageError(f"override {override!r}", "section.key=value")
    content[last] = value


def _data_set(content: Mapping[str, Any]) -> Any:
    data = content.get("data")
    return data.get("set", "mocap") if isinstance(data, dict) else "mocap"


def _build(kind: type[Any], content: Any, where: str) -> Any:
    if not isinstance(content, Mapping):
        raise UsageError(f"{where or 'recipe'} is {content!r}", "a section of keys")
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(content.keys() - fields.keys())
    if unknown:
        raise UsageError(
            f"recipe has unknown key {_join(where, unknown[0])!r}",
            f"one of {', '.join(sorted(fields))}",
        )
    values = {
        name: _value(hints[name], value, _join(where, name)) for name, value in content.items()
    }
    for name, spec in fields.items():
        required = (
            spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
        )
        if required and name not in values:
            raise UsageError(f"recipe lacks {_join(where, name)!r}", "that key")
    try:
        return kind(**values)
    except UsageError as error:  # it begins with the key
        raise UsageError(_join(where, str(error))) from error


def _value(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _build(kind, value, where)
    origin = get_origin(kind)
    if origin is Literal:
        if value in get_args(kind):
            return value
        raise UsageError(f"{where} = {value!r}", f"one of {json.dumps(get_args(kind))}")
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _value(next(a for a in get_args(kind) if a is not type(None)), value, where)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(get_args(kind)[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    plain = origin or kind
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise UsageError(f"{where} = {value!r}", f"a value of type {plain.__name__}")
    return value


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
