"""Every network by name: create, list, load a checkpoint folder, load published weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from torch import nn

from poselift.errors import UsageError
from poselift.models import (
    hourglass,
    htnet,
    martinez,
    mhformer,
    mixste,
    motionagformer,
    motionbert,
    nanohtnet,
    tcn,
)
from poselift.models.host import VideoHost
from poselift.models.published import Published, as_tensors, load_state


@dataclass(frozen=True)
class Entry:
    """A registered network.

    Args:
        network: class of the network, or what makes one from a config.
        config: its frozen config dataclass.
        defaults: what this name changes in the config's defaults.
        tiny: overrides that make a very small variant, for the contract tests.
    """

    network: Callable[[Any], nn.Module]
    config: type[Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    tiny: Mapping[str, Any] = field(default_factory=dict)


def with_hourglass(host: Entry, tiny: Mapping[str, Any], **defaults: Any) -> Entry:
    """The entry of a host with an hourglass; ``defaults`` and ``tiny`` are added to the host's."""
    network, config = host.network, cast(Any, host.config)
    assert isinstance(network, type)
    assert issubclass(network, VideoHost)
    return Entry(
        hourglass.builder(network, config),
        hourglass.config_class(config),
        {**host.defaults, **defaults},
        {**host.tiny, **tiny},
    )


_SMALL_HOST = {
    **{"num_frames": 9, "num_out_frames": 9, "dim": 16, "hidden": 16, "depth": 2},
    "num_heads": 2,
}


def _motionagformer(num_frames: int, **defaults: int) -> Entry:
    """One of the published sizes."""
    return Entry(
        motionagformer.MotionAGFormer,
        motionagformer.MotionAGFormerConfig,
        {"num_frames": num_frames, "num_out_frames": num_frames, **defaults},
        {**_SMALL_HOST, "motion_dim": 16, "drop_path": 0.5},
    )


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
    "mixste": Entry(
        mixste.MixSTE,
        mixste.MixSTEConfig,
        tiny={**_SMALL_HOST, "drop_path_last": 0.5},
    ),
    "motionbert": Entry(
        motionbert.MotionBERT,
        motionbert.MotionBERTConfig,
        tiny={**_SMALL_HOST, "motion_dim": 16, "drop_path_last": 0.5},
    ),
    "mhformer": Entry(
        mhformer.MHFormer,
        mhformer.MHFormerConfig,
        tiny={
            "num_frames": 36,
            "dim": 16,
            "hidden": 16,
            "coord_depth": 1,
            "num_coord_heads": 3,
            "depth": 1,
            "num_heads": 2,
        },
    ),
    "motionagformer": _motionagformer(243),
    "motionagformer-xs": _motionagformer(27, depth=12, dim=64, hidden=256),
    "motionagformer-s": _motionagformer(81, depth=26, dim=64, hidden=256),
    "motionagformer-l": _motionagformer(243, depth=26),
    "tcn": Entry(
        tcn.TCN, tcn.TCNConfig, tiny={"num_frames": 9, "filter_widths": (3, 3), "dim": 16}
    ),
}

_SMALL_STEP = {"keep": (5,), "before": (1,)}

REGISTRY |= {
    "mixste+hot": with_hourglass(REGISTRY["mixste"], _SMALL_STEP, keep=(81,), before=(3,)),
    "mixste+h2ot": with_hourglass(
        REGISTRY["mixste"],
        {"keep": (7, 3), "before": (1, 2), "depth": 3},
        keep=(121, 71),
        before=(1, 3),
        prune="uniform",
        recover="linear",
    ),
    "mixste+tpc": with_hourglass(
        REGISTRY["mixste"],
        {**_SMALL_STEP, "num_out_frames": 1},
        keep=(61,),
        before=(7,),
        recover="none",
        num_out_frames=1,
    ),
    "motionbert+hot": with_hourglass(REGISTRY["motionbert"], _SMALL_STEP, keep=(81,), before=(1,)),
    "motionagformer+hot": with_hourglass(
        REGISTRY["motionagformer"], _SMALL_STEP, keep=(81,), before=(7,)
    ),
    "mhformer+tpc": with_hourglass(
        REGISTRY["mhformer"], _SMALL_STEP, keep=(117,), before=(1,), recover="none"
    ),
}

PUBLISHED: dict[str, Published] = {
    "htnet": htnet.PUBLISHED,
    "htnet_refine": htnet.PUBLISHED_REFINE,
    "nanohtnet": nanohtnet.PUBLISHED,
    "mixste": mixste.PUBLISHED,
    "motionbert": motionbert.PUBLISHED,
    "hot_mixste": hourglass.published(mixste.PUBLISHED, keep=81, before=3),
    "tpc_mixste": hourglass.published(mixste.PUBLISHED, keep=61, before=7, one_frame=True),
    "hot_motionbert": hourglass.published(motionbert.PUBLISHED, keep=81, before=1),
    "mhformer": mhformer.PUBLISHED,
    "tpc_mhformer": hourglass.published(mhformer.PUBLISHED, keep=117, before=1, one_frame=True),
    "motionagformer": motionagformer.PUBLISHED,
    "hot_motionagformer": hourglass.published(motionagformer.PUBLISHED, keep=81, before=7),
    "videopose3d": tcn.PUBLISHED,
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
