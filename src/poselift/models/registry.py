"""Every network by name: create, list, load a checkpoint folder, load published weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn

from poselift.errors import UsageError
from poselift.models import htnet, martinez, nanohtnet
from poselift.models.published import Published, as_tensors, load_state


@dataclass(frozen=True)
class Entry:
    """A registered network.

    Args:
        network: class that takes a config.
        config: its frozen config dataclass.
        defaults: what this name changes in the config's defaults.
        tiny: overrides that make a very small variant, for the contract tests.
    """

    network: type[nn.Module]
    config: type[Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    tiny: Mapping[str, Any] = field(default_factory=dict)


REGISTRY: dict[str, Entry] = {
    "htnet": Entry(
        htnet.HTNet, htnet.HTNetConfig, tiny={"dim": 24, "hidden": 16, "depth": 2, "num_heads": 2}
    ),
    "mgcn": Entry(
        htnet.HTNet,
        htnet.HTNetConfig,
        defaults={"levels": ("joint",)},
        tiny={"dim": 8, "hidden": 16, "depth": 2, "num_heads": 2},
    ),
    "nanohtnet": Entry(
        nanohtnet.NanoHTNet,
        nanohtnet.NanoHTNetConfig,
        tiny={
            "num_frames": 9,
            "num_out_frames": 3,
            "dim": 24,
            "hidden": 16,
            "depth": 2,
            "head_dim": 4,
            "num_heads": 2,
        },
    ),
    "martinez": Entry(martinez.Martinez, martinez.MartinezConfig, tiny={"hidden": 16, "depth": 1}),
}

PUBLISHED: dict[str, Published] = {
    "htnet": htnet.PUBLISHED,
    "htnet_refine": htnet.PUBLISHED_REFINE,
    "nanohtnet": nanohtnet.PUBLISHED,
}


def list() -> tuple[str, ...]:
    """Names of the registered networks.

    >>> "nanohtnet" in list()
    True
    """
    return tuple(REGISTRY)


def _look_up(table: Mapping[str, Any], name: str) -> Any:
    if name not in table:
        close = get_close_matches(str(name), table, 1)
        hint = f"did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"unknown model {name!r}", f"one of {', '.join(table)}", hint)
    return table[name]


def create(name: str, **overrides: Any) -> nn.Module:
    """A network with fresh weights, in training mode.

    Args:
        name: one of :func:`list`.
        overrides: fields of its config.

    Raises:
        UsageError: unknown name or field, or values that do not go together.

    >>> create("nanohtnet", num_frames=81).config.num_frames
    81
    """
    entry: Entry = _look_up(REGISTRY, name)
    known = {f.name for f in dataclasses.fields(entry.config)}
    unknown = sorted(overrides.keys() - known)
    if unknown:
        raise UsageError(
            f"model {name!r} has no option {unknown[0]!r}", f"one of {', '.join(sorted(known))}"
        )
    try:
        return entry.network(entry.config(**{**entry.defaults, **overrides}))
    except UsageError:
        raise
    except (TypeError, ValueError) as error:  # a text where a number belongs, and the like
        raise UsageError(f"model {name!r}: {error}", "options of the right types") from error


def load_published(
    model: str, config: Mapping[str, Any], state_dict: Mapping[str, Any]
) -> nn.Module:
    """A network with the authors' released weights, in eval mode.

    Args:
        model: the authors' model, such as ``"nanohtnet"`` or ``"htnet_refine"``.
        config: their hyper-parameters, by their names.
        state_dict: their weights, tensors or arrays; a ``module.`` prefix is tolerated.

    Raises:
        UsageError: unknown model or configuration.
        CheckpointError: a wrong, missing or misshapen key, named.
    """
    published: Published = _look_up(PUBLISHED, model)
    network = published.create(config)
    load_state(published, network, as_tensors(state_dict))
    return network.eval()


def load(folder: str | Path) -> nn.Module:
    """The network of a checkpoint folder with its weights, in eval mode.

    Raises:
        CheckpointError: a file is missing, or keys or shapes do not fit.
    """
    from poselift.models.checkpoint import load_network

    return load_network(folder)
