"""The hourglass: a video network that keeps a few frames in its middle.

Papers: Li, Liu, Liu, Wang, Cai, Sebe, "Hourglass Tokenizer for Efficient Transformer-Based 3D
Human Pose Estimation" (HoT), CVPR 2024; several steps: Li et al., "H2OT: Hierarchical Hourglass
Tokenizer for Efficient Video Pose Transformers", TPAMI 2025. Works on the seam of
:mod:`poselift.models.host` alone: any host, any pruning, any recovery. Verified: golden vectors of
the authors' code (tests/models).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from poselift.errors import UsageError
from poselift.models.host import (
    VideoHost,
    WindowConfig,
    centre_frame,
    checked_window,
    positions_for,
    predicted,
)
from poselift.models.pruning import PRUNINGS, ClusterPruning, Pruning, choose
from poselift.models.published import Published, published_value
from poselift.models.recovery import RECOVERIES, AttentionRecovery, Recovery, take

NO_RECOVERY = "none"
"""Of networks for one frame, which need no other frames back."""


class Kept(NamedTuple):
    """What an hourglass computes.

    Attributes:
        poses: (B, F, 17, 3) metres; without a recovery (B, f, 17, 3), those of the kept frames.
        frames: for each step of pruning (B, f), the frames of the window that were kept, rising.
    """

    poses: Tensor
    frames: tuple[Tensor, ...]


class Hourglass(nn.Module):
    """A host that goes on with fewer frames after some of its levels.

    With ``num_out_frames = 1`` in the host's config the centre frame is kept whatever its score,
    and is what :meth:`forward` gives.

    Args:
        host: any video network.
        keep: frames kept by each step, fewer from step to step.
        before: the level, counted from 0, that each step comes before.
        prune: which frames are kept.
        recover: how the others come back; ``None`` for a host that predicts one frame.

    Raises:
        UsageError: steps that the host's window and levels do not allow, or no recovery for a host
            that predicts more than one frame.
    """

    config: WindowConfig

    def __init__(
        self,
        host: VideoHost,
        keep: Sequence[int] = (81,),
        before: Sequence[int] = (3,),
        prune: Pruning = ClusterPruning(),  # noqa: B008 - they hold nothing
        recover: Recovery | None = AttentionRecovery(),  # noqa: B008
    ) -> None:
        super().__init__()
        config = host.config
        _check_steps(tuple(keep), tuple(before), config.num_frames, len(host.levels))
        if recover is None and config.num_out_frames != 1:
            raise UsageError(
                f"an hourglass without recovery for {config.num_out_frames} frames",
                "num_out_frames = 1, or a recovery",
            )
        for level, frames in zip(before, keep, strict=True):
            host.keep_frames(level, frames)
        self.host = host
        self.reads_confidence = host.reads_confidence
        self.prune = prune
        self.recovery = recover.build(host) if recover else None
        positions = [self.recovery.kept_positions(k) for k in keep] if self.recovery else []
        self.positions = nn.ParameterList(table for table in positions if table is not None)
        self.config = config_class(type(config))(
            **_fields(config),
            keep=tuple(keep),
            before=tuple(before),
            prune=prune.name,
            recover=recover.name if recover else NO_RECOVERY,
        )
        self.steps = dict(zip(before, keep, strict=True))

    def kept(self, x: Tensor, token_index: Tensor | Sequence[Tensor] | None = None) -> Kept:
        """Poses of all frames, or without a recovery of those kept, and which those are.

        Args:
            x: (B, F, 17, 2 or 3) normalised 2D joints.
            token_index: frames to keep instead of choosing them, as in ``Kept.frames``: for the
                mirrored input those of the input itself. A tensor where there is one step.

        Raises:
            UsageError: more frames than the window's, or not one ``token_index`` for each step.
        """
        x = checked_window(x, self.config)
        given = self._given(token_index)
        num_frames = x.shape[1]
        tokens = self.host.embed(x)
        left = torch.arange(num_frames, device=x.device).expand(x.shape[:2])  # (B, F)
        frames: list[Tensor] = []
        for i, level in enumerate(self.host.levels):
            if i in self.steps:
                step = len(frames)
                if given is None:
                    places = self._choose(tokens, x, left, self.steps[i])
                else:
                    places = _places(given[step], left)
                tokens, left = take(tokens, places), take(left, places)
                if self.positions:
                    tokens = tokens + positions_for(self.positions[step], left.shape[1])[:, :, None]
                frames.append(left)
            tokens = level(tokens)
        if self.recovery is not None:
            tokens = self.recovery.tokens(tokens, left, num_frames)
        poses = self.host.readout(tokens)
        if self.recovery is not None:
            poses = self.recovery.poses(poses, left, num_frames)
        return Kept(poses, tuple(frames))

    def forward(self, x: Tensor, token_index: Tensor | Sequence[Tensor] | None = None) -> Tensor:
        """(B, F, 17, 2 or 3) -> (B, n, 17, 3) metres relative to the pelvis.

        Fewer frames than the window's, and ``token_index``: see :meth:`VideoHost.forward` and
        :meth:`kept`.
        """
        poses, frames = self.kept(x, token_index)
        if self.recovery is not None:
            return predicted(poses, self.config)
        is_centre = frames[-1] == centre_frame(x.shape[1])  # (B, f)
        return take(poses, is_centre.int().argmax(dim=1, keepdim=True))

    def _choose(self, tokens: Tensor, x: Tensor, left: Tensor, keep: int) -> Tensor:
        """Places (B, k) of the frames to keep, among those that are ``left`` (B, F)."""
        keep = min(keep, left.shape[1])
        joints = take(x[..., :2], left)
        scores = self.prune.scores(self.host.pooled(tokens.detach()), joints, keep)
        only_centre = self.config.num_out_frames == 1
        return choose(scores, keep, left == centre_frame(x.shape[1]) if only_centre else None)

    def _given(self, token_index: Tensor | Sequence[Tensor] | None) -> tuple[Tensor, ...] | None:
        if token_index is None:
            return None
        given = (token_index,) if isinstance(token_index, Tensor) else tuple(token_index)
        if len(given) != len(self.steps):
            raise UsageError(
                f"token_index for {len(given)} steps", f"one for each of {len(self.steps)}"
            )
        return given


class KeptFrames(Hourglass):
    """An hourglass for one frame, as its authors' code has it: all kept frames come out.

    It is trained on all of them. Its weights are those of the :class:`Hourglass`.
    """

    def forward(self, x: Tensor, token_index: Tensor | Sequence[Tensor] | None = None) -> Tensor:
        """(B, F, 17, 2 or 3) -> (B, f, 17, 3) metres relative to the pelvis."""
        return self.kept(x, token_index).poses


def _places(frames: Tensor, left: Tensor) -> Tensor:
    """Where ``frames`` (B, f) are among those that are ``left`` (B, F): (B, f)."""
    same = frames[:, :, None] == left[:, None, :]  # (B, f, F)
    if not bool(same.any(dim=2).all()):
        raise UsageError("a frame of token_index that is not there", "frames of the window")
    return same.int().argmax(dim=2)


def _check_steps(
    keep: tuple[int, ...], before: tuple[int, ...], num_frames: int, num_levels: int
) -> None:
    """Raise ``UsageError`` unless frames fall and levels rise from step to step."""
    if not keep or len(keep) != len(before):
        raise UsageError(f"keep = {keep} and before = {before}", "as many of each, one or more")
    if not all(a > b for a, b in zip((num_frames, *keep), (*keep, 0), strict=True)):
        raise UsageError(f"keep = {keep}", f"falling numbers of frames, below {num_frames}")
    if not all(a < b for a, b in zip((0, *before), (*before, num_levels), strict=True)):
        raise UsageError(f"before = {before}", f"rising levels, from 1 to {num_levels - 1}")


def _fields(config: Any) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}


@cache
def config_class(host: Any) -> type[Any]:
    """The config of a host's hourglass: the host's fields and, behind them, those of the steps.

    ``keep`` and ``before`` as in :class:`Hourglass`, ``prune`` and ``recover`` by name.
    """

    def check(self: Any) -> None:
        for name in ("keep", "before"):  # a config file has lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, known in (("prune", PRUNINGS), ("recover", {**RECOVERIES, NO_RECOVERY: None})):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} = {getattr(self, name)!r}", f"one of {', '.join(known)}")
        host.__post_init__(self)

    return dataclasses.make_dataclass(
        f"{host.__name__}Hourglass",
        [
            ("keep", tuple[int, ...], (81,)),
            ("before", tuple[int, ...], (3,)),
            ("prune", str, ClusterPruning.name),
            ("recover", str, AttentionRecovery.name),
        ],
        bases=(host,),
        frozen=True,
        namespace={"__post_init__": check},
    )


def builder(network: type[VideoHost], config: type[Any]) -> Callable[[Any], Hourglass]:
    """What makes an hourglass around a fresh host from its :func:`config_class`."""

    def build(whole: Any) -> Hourglass:
        own = {field.name: getattr(whole, field.name) for field in dataclasses.fields(config)}
        recover = RECOVERIES.get(whole.recover)  # none for a host that predicts one frame
        return Hourglass(
            network(config(**own)), whole.keep, whole.before, PRUNINGS[whole.prune], recover
        )

    return build


def published(host: Published, keep: int, before: int, *, one_frame: bool = False) -> Published:
    """The authors' hourglass around a published host.

    Args:
        host: how the host itself is published.
        keep, before: where the authors' hyper-parameters do not say ``token_num`` and
            ``layer_index``.
        one_frame: without recovery ("TPC w." in the paper), all kept frames come out.
    """

    def create(config: Mapping[str, Any]) -> Hourglass:
        given = {"token_num": keep, "layer_index": before, **config}
        kept = (published_value(given, "token_num"),)
        level = (published_value(given, "layer_index"),)
        network = cast(VideoHost, host.create(config))
        if not one_frame:
            return Hourglass(network, kept, level)
        network.config = dataclasses.replace(cast(Any, network.config), num_out_frames=1)
        return KeptFrames(network, kept, level, recover=None)

    return Published(
        create,
        (
            (r"^pos_embed_token$", "positions.0"),
            (r"^x_token$", "recovery.queries"),
            (r"^cross_attention\.linear_", "recovery.attention."),
            (r"^cross_attention\.", "recovery.attention."),
            *host.renames,
            (r"^(?!positions\.|recovery\.)", "host."),
        ),
        tuple((re.sub(r"^\^", r"^host\.", pattern), change) for pattern, change in host.convert),
    )
