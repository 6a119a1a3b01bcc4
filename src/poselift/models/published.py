"""Load the checkpoints that the authors of the networks released.

Each model file holds the table that maps the authors' keys to ours; this file applies it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from poselift.errors import CheckpointError, UsageError

Rename = tuple[str, str]


@dataclass(frozen=True)
class Published:
    """How a published model maps to one of ours.

    Args:
        create: the authors' hyper-parameters -> our network.
        renames: (regular expression on the authors' key, replacement), applied in order.
        convert: regular expression on *our* key -> what to do to the tensor.
    """

    create: Callable[[Mapping[str, Any]], nn.Module]
    renames: tuple[Rename, ...]
    convert: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = ()


def load_state(published: Published, network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy the authors' ``state`` into ``network``; ``CheckpointError`` unless every key fits."""
    own = network.state_dict()
    loaded: dict[str, Tensor] = {}
    for their_key, tensor in state.items():
        key = their_key.removeprefix("module.")
        for pattern, replacement in published.renames:
            key = re.sub(pattern, replacement, key)
        if key not in own or key in loaded:
            raise CheckpointError(
                f"key {their_key!r} is not one of this model",
                "the keys of the authors' release",
                "check the model name and its configuration",
            )
        for pattern, convert in published.convert:
            if re.search(pattern, key):
                tensor = convert(tensor)
        if tensor.shape != own[key].shape:
            raise CheckpointError(
                f"key {their_key!r} has shape {tuple(tensor.shape)}",
                f"{tuple(own[key].shape)}",
                "check the configuration",
            )
        loaded[key] = tensor
    missing = sorted(own.keys() - loaded.keys())
    if missing:
        raise CheckpointError(
            f"{len(missing)} keys are missing, the first is the one that becomes {missing[0]!r}",
            "the keys of the authors' release",
        )
    network.load_state_dict(loaded)


def published_value(config: Mapping[str, Any], key: str) -> int:
    """One of the authors' hyper-parameters; ``UsageError`` where it is missing or no number."""
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"config[{key!r}] is {value!r}", "a whole number, as the authors give it")
    return value


def flatten_kernel(weight: Tensor) -> Tensor:
    """Conv1d weight (out, in, K) with stride K -> linear weight (out, K * in), joint-major."""
    return weight.permute(0, 2, 1).reshape(weight.shape[0], -1).contiguous()


def drop_kernel(weight: Tensor) -> Tensor:
    """Conv1d weight (out, in, 1) -> linear weight (out, in)."""
    return weight.squeeze(-1)


def as_tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Accept NumPy arrays beside tensors."""
    return {key: torch.as_tensor(value) for key, value in state.items()}
