"""What a run must remember to continue: ``training.pt``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from poselift.errors import CheckpointError, UsageError
from poselift.files import atomic_path
from poselift.training.recipe import Recipe, recipe_from_dict

STATE_FILE = "training.pt"


def save_state(folder: Path, recipe: Recipe, data: int, state: Mapping[str, Any]) -> None:
    """Write ``training.pt``.

    Args:
        folder: of the run.
        recipe: must be the same to continue, all but its text.
        data: a number of the data and first weights, which must be the same too.
        state: tensors, numbers, and dictionaries and lists of them.
    """
    belongs_to = {"recipe": _decisive(recipe).to_dict(), "data": data}
    with atomic_path(folder / STATE_FILE) as path:
        torch.save({"belongs_to": belongs_to, **state}, path)


def load_state(folder: Path, recipe: Recipe, data: int) -> dict[str, Any] | None:
    """What an earlier run left, ``None`` if there was none.

    A setting that poselift did not have yet when the file was written had its default.

    Raises:
        CheckpointError: the file is damaged, or of another recipe, other data or first weights.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        belongs_to = state.pop("belongs_to")
        saved_recipe, saved_data = belongs_to["recipe"], belongs_to["data"]
    except Exception as error:  # torch.load has no one exception for a file not its own
        raise CheckpointError(
            f"{path}: cannot be read ({error.__class__.__name__})",
            "the state of an unfinished training",
            "choose another folder or delete the file",
        ) from error
    try:
        same = saved_data == data and recipe_from_dict(saved_recipe) == _decisive(recipe)
    except UsageError:  # it has a setting that poselift no longer has
        same = False
    if not same:
        raise CheckpointError(
            f"{path}: belongs to another recipe, other data or other weights to start from",
            "those that began the run",
            "choose another folder or delete the file",
        )
    return state


def _decisive(recipe: Recipe) -> Recipe:
    """What of a recipe decides the weights."""
    return replace(recipe, about={})
