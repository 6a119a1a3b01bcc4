"""Checks that every network's config makes."""

from __future__ import annotations

from typing import Protocol

from poselift.errors import UsageError
from poselift.models.host import WindowConfig


class TransformerConfig(WindowConfig, Protocol):
    """Sizes that every transformer over a window has."""

    @property
    def dim(self) -> int:
        """Channels."""

    @property
    def depth(self) -> int:
        """Number of levels."""

    @property
    def hidden(self) -> int:
        """Hidden size of the MLPs."""


def check_sizes(**sizes: int) -> None:
    """Raise ``UsageError`` unless every named size is a whole number from 1."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise UsageError(f"{name} = {size!r}", "a whole number from 1")


def check_rates(*rates: float) -> None:
    """Raise ``UsageError`` unless every probability of dropping lies in [0, 1)."""
    for rate in rates:
        if not 0 <= rate < 1:
            raise UsageError(f"a drop rate of {rate}", "0 to below 1")


def check_transformer(config: TransformerConfig) -> None:
    """Raise ``UsageError`` where the sizes of a transformer over a window do not go together."""
    check_sizes(
        num_frames=config.num_frames,
        num_out_frames=config.num_out_frames,
        dim=config.dim,
        depth=config.depth,
        hidden=config.hidden,
        num_heads=config.num_heads,
    )
    if config.num_out_frames > config.num_frames:
        raise UsageError(
            f"{config.num_out_frames} frames out of a window of {config.num_frames}",
            "at most the window's frames",
        )
    if config.dim % config.num_heads:
        raise UsageError(f"dim {config.dim}", f"a multiple of {config.num_heads}")
