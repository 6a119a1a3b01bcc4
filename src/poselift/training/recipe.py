"""A recipe: everything that a training needs, in one TOML file.

Sections are dataclasses; unknown keys are errors. ``key=value`` overrides such as
``train.steps=100`` change single values.
"""

from __future__ import annotations

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
        batch_size: windows in a step.
        learning_rate: peak of the cosine schedule.
        warmup: steps over which the rate rises from 0.
        weight_decay: of AdamW.
        ema: decay of the averaged weights, which are the ones evaluated and kept.
        velocity: weight of the error of frame differences beside the MPJPE.
        clip: largest norm of the gradient.
        precision: of the arithmetic.
        seed: of weights, batches and dropout.
        validate_every: steps between validations; a checkpoint is written at each.
    """

    steps: int
    batch_size: int = 128
    learning_rate: float = 1e-3
    warmup: int = 300
    weight_decay: float = 0.01
    ema: float = 0.999
    velocity: float = 0.5
    clip: float = 1.0
    precision: Precision = "bf16-mixed"
    seed: int = 0
    validate_every: int = 500

    def __post_init__(self) -> None:
        many = math.inf
        check_ranges(
            self,
            steps=(1, many),
            batch_size=(2, many),  # one window alone has no batch statistics
            learning_rate=(0.0, 1.0),
            warmup=(0, many),
            weight_decay=(0.0, 10.0),
            ema=(0.0, 0.999999),
            velocity=(0.0, many),
            clip=(1e-6, many),
            validate_every=(1, many),
        )


@dataclass(frozen=True)
class Recipe:
    """A whole training.

    Args:
        model: the network.
        train: the schedule.
        data: the batches.
        about: free text: expected error, cost, command; ``licence`` and ``acknowledgement`` of the
            data go into the checkpoint.
    """

    model: ModelConfig
    train: TrainConfig
    data: DataConfig = field(default_factory=DataConfig)
    about: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they would stand in the file."""
        return dataclasses.asdict(self)


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: TOML file.
        overrides: ``section.key=value``, values in TOML syntax; a bare word is a text.

    Raises:
        DataError: the file cannot be read.
        UsageError: a key is unknown or missing, or a value has the wrong type.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: {error}", "a recipe in TOML") from error
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
        kind = next(arg for arg in get_args(kind) if arg is not type(None))
    plain = origin or kind
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise UsageError(f"{where} = {value!r}", f"a value of type {plain.__name__}")
    return value


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
