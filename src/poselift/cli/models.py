"""List the networks: those with weights in this package, and those that can be trained."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from poselift.cli.parser import Parser
from poselift.errors import PoseliftError

_COLUMNS = ("model", "network", "frames in", "out", "fps", "size", "licence of the weights")


def add_arguments(parser: Parser) -> None:
    """``poselift models`` has no arguments."""
    parser.example("poselift models")


def run(args: argparse.Namespace) -> None:
    """Print two tables."""
    from poselift.runtime import store

    print("With weights, for lift, evaluate and export:\n")
    rows = [_row(name) for name in store.shipped()]
    if rows:
        print(_table([_COLUMNS, *rows]))
    else:
        print("  none in this installation")
    print("\nTo train, with the extra `train`:\n")
    if find_spec("torch") is None:
        print('  not installed: pip install "poselift[train]"')
        return

    from poselift import models

    print("  " + "\n  ".join(models.list()))


def _row(name: str) -> tuple[str, ...]:
    from poselift.checkpoints import About, read_config
    from poselift.runtime import store

    folder = store.find(name).folder
    assert folder is not None  # what is shipped is a folder
    try:
        about = About.parse(read_config(folder), str(folder))
    except PoseliftError as error:
        return (name, f"unusable: {error}", *[""] * (len(_COLUMNS) - 2))
    return (
        name,
        about.model,
        str(about.window),
        f"{about.num_out} {about.target}",
        f"{about.fps:g}",
        f"{_megabytes(folder):.1f} MB",
        about.licence or "not stated",
    )


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  " + "  ".join(f"{cell:<{n}}" for cell, n in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
