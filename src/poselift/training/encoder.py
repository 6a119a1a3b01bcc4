"""Encoder and regression head of a network, and weights to start from.

A network has an encoder if it has ``encode(x)``: (B, F, 17, 2 or 3) -> (B, n, J, C), the features
in front of its regression head. The head is every weight that these features do not depend on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from poselift.errors import CheckpointError, UsageError
from poselift.models.checkpoint import load_network, read_config, read_weights
from poselift.models.hourglass import Hourglass


def head_keys(network: nn.Module) -> frozenset[str]:
    """Keys of the state dict that belong to the regression head.

    Raises:
        UsageError: the network has no encoder.
    """
    if not hasattr(network, "encode"):
        raise UsageError(
            f"{type(network).__name__} has no encoder", "a network with `encode`, such as htnet"
        )
    config: Any = network.config
    device = next(network.parameters()).device
    named = dict(network.named_parameters())
    training = network.training
    network.eval()  # statistics of a batch stay as they are
    with torch.enable_grad():
        features = network.encode(torch.randn(2, config.num_frames, 17, 2, device=device))  # type: ignore[operator]
        gradients = torch.autograd.grad(features.sum(), [*named.values()], allow_unused=True)
    network.train(training)
    head = {name for name, g in zip(named, gradients, strict=True) if g is None}
    modules = {name.rpartition(".")[0] for name in head}
    return frozenset(
        key
        for key in network.state_dict()
        if key in head or (key not in named and key.rpartition(".")[0] in modules)
    )


def freeze(network: nn.Module, head: bool, anew: Sequence[str] = ()) -> frozenset[str]:
    """Let only the head learn, or all but the head if ``head``.

    Args:
        network: gets it.
        head: what stays as it is.
        anew: names of modules that count as part of the head.

    Returns:
        The keys of the head.

    Raises:
        UsageError: the network has no encoder, or no module of a name in ``anew``.
    """
    keys = head_keys(network)
    for name, module in _named(network, anew).items():
        keys |= {f"{name}.{key}" for key in module.state_dict()}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_((name in keys) != head)
    return keys


_FREE = ("num_frames", "num_out_frames", "position_std", "layer_scale")
"""Options that weights learned with other values fit, if the shapes do: what is read and read out,
and how weights begin."""


def start_from(
    folder: str | Path, network: nn.Module, normalisation: str, anew: Sequence[str] = ()
) -> None:
    """Copy the weights of a checkpoint folder; those of a pre-trained encoder leave the head alone.

    Where they do not fit and one of the two is an hourglass, its host gives or takes them alone.

    Args:
        folder: what ``poselift train`` or ``poselift pretrain`` wrote.
        network: gets the weights.
        normalisation: of its input.
        anew: names of modules that stay as they are in ``network``.

    Raises:
        CheckpointError: the folder is of another network or of another normalisation.
        UsageError: the network has no module of a name in ``anew``.
    """
    modules = _named(network, anew)
    begun = {name: copy.deepcopy(module.state_dict()) for name, module in modules.items()}
    about = read_config(folder)
    _check_options(about["config"], _host(network).config, folder)
    found = load_network(folder) if "pretrained" not in about else None
    if found is None:
        state = read_weights(folder)
        state |= {key: network.state_dict()[key] for key in head_keys(network)}
    else:
        if _shapes(found) != _shapes(network):
            found, network = _host(found), _host(network)
        state = found.state_dict()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: its network does not fit the recipe", "the same network"
        ) from error
    if about.get("normalisation", normalisation) != normalisation:
        raise CheckpointError(
            f"{folder}: trained on input normalised by {about['normalisation']!r}",
            f"{normalisation!r}, as the recipe says",
            "set data.normalisation",
        )
    for name, module in modules.items():
        module.load_state_dict(begun[name])


def _check_options(theirs: Mapping[str, Any], ours: Any, folder: str | Path) -> None:
    """Raise ``CheckpointError`` where an option differs that weights are learned with.

    Not every one shows in a shape: other heads of attention take the same weights.
    """
    for name, value in theirs.items():
        value = tuple(value) if isinstance(value, list) else value
        own = getattr(ours, name, value)
        if value != own and name not in _FREE and not name.startswith("drop"):
            raise CheckpointError(
                f"{folder}: its network does not fit the recipe, {name} = {value!r}",
                f"{name} = {own!r}",
            )


def _named(network: nn.Module, names: Sequence[str]) -> dict[str, nn.Module]:
    modules = dict(network.named_modules())
    if unknown := [name for name in names if name not in modules]:
        children = ", ".join(name for name, _ in network.named_children())
        raise UsageError(
            f"{type(network).__name__} has no module {unknown[0]!r}",
            f"one it has, such as {children}",
        )
    return {name: modules[name] for name in names}


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in network.state_dict().items()}


def _host(network: nn.Module) -> nn.Module:
    return network.host if isinstance(network, Hourglass) else network
