"""What a run must remember to continue: ``training.pt``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from poselift.errors import CheckpointError
from poselift.files import atomic_path

STATE_FILE = "training.pt"


def save_state(folder: Path, belongs_to: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write ``training.pt``.

    Args:
        folder: of the run.
        belongs_to: what must be the same to continue.
        state: tensors, numbers, and dictionaries and lists of them.
    """
    with atomic_path(folder / STATE_FILE) as path:
        torch.save({"belongs_to": dict(belongs_to), **state}, path)


def load_state(folder: Path, belongs_to: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an earlier run left, ``None`` if there was none.

    Raises:
        CheckpointError: the file is damaged, or of other settings or data.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        same = state.pop("belongs_to") == belongs_to
    except Exception as error:  # torch.load has no one exception for a file not its own
        raise CheckpointError(
            f"{path}: cannot be read ({error.__class__.__name__})",
            "the state of an unfinished training",
            "choose another folder or delete the file",
        ) from error
    if not same:
        raise CheckpointError(
            f"{path}: belongs to another recipe or other data",
            "those that began the run",
            "choose another folder or delete the file",
        )
    return state
