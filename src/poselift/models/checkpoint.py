"""Checkpoint folders: ``config.json`` and ``weights.safetensors``.

``config.json`` names the model and everything needed to use its weights: skeleton, frame rate,
normalisation of the input, which frames of the window come out, licence and provenance.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from poselift.checkpoints import CONFIG_FILE, WEIGHTS_FILE, read_config
from poselift.errors import CheckpointError, UsageError
from poselift.files import atomic_path

__all__ = ["load_network", "read_config", "read_weights", "save_checkpoint"]


def save_checkpoint(
    folder: str | Path,
    model: str,
    network: nn.Module,
    about: Mapping[str, Any],
    dtype: torch.dtype = torch.float32,
    without: Container[str] = (),
) -> None:
    """Write a checkpoint folder.

    Args:
        folder: where; made if absent.
        model: registered name of the network.
        network: its weights and config are written.
        about: further keys of ``config.json``: skeleton, fps, normalisation, licence, ...
        dtype: how floating-point weights are stored.
        without: keys of the state dict that are not written, of a part that was not trained.
    """
    folder = Path(folder)
    config = {"model": model, "config": dataclasses.asdict(network.config), **about}  # type: ignore[call-overload]  # nn.Module types its attributes as tensors
    state = {
        key: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for key, value in network.state_dict().items()
        if key not in without
    }
    with atomic_path(folder / WEIGHTS_FILE) as path:
        path.write_bytes(save(state))
    with atomic_path(folder / CONFIG_FILE) as path:
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """The tensors of ``weights.safetensors`` in float32."""
    path = Path(folder) / WEIGHTS_FILE
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: {error}", "weights in safetensors format") from error
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def load_network(folder: str | Path) -> nn.Module:
    """The network of a checkpoint folder, in eval mode. See :func:`poselift.models.load`."""
    from poselift.models.registry import create

    content = read_config(folder)
    try:
        network = create(content["model"], **content["config"])
    except UsageError as error:
        raise CheckpointError(f"{folder}: {error}", "a config.json of this version") from error
    own, state = network.state_dict(), read_weights(folder)
    for kind, keys in (
        ("missing", own.keys() - state.keys()),
        ("unexpected", state.keys() - own.keys()),
        ("misshapen", {k for k in own.keys() & state.keys() if own[k].shape != state[k].shape}),
    ):
        if keys:
            raise CheckpointError(
                f"{folder}: {len(keys)} {kind} keys in {WEIGHTS_FILE}, such as {min(keys)!r}",
                f"the weights of a {content['model']} as config.json describes it",
            )
    network.load_state_dict(state)
    return network.eval()
