"""Pre-train an encoder by PoseCLR, without labels, by a recipe with a section poseclr.

DIR holds motions_train.npz and motions_val.npz. The output folder holds the encoder; give it to
`train --init`, which puts a new regression head on it. A run that was stopped continues when the
same command is given again. Single values of the recipe can be changed with section.key=value.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from poselift.cli.parser import Parser
from poselift.cli.train import add_run_arguments, read, read_data, run_recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from poselift.training.loop import Report


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift pretrain``."""
    add_run_arguments(parser)
    parser.example(
        "poselift pretrain recipes/poseclr-nanohtnet.toml --data cmu-mocap -o runs/poseclr",
        "poselift train recipes/nanohtnet-243.toml --data cmu-mocap --init runs/poseclr",
    )


def run(args: argparse.Namespace) -> None:
    """Read recipe and data, show the recipe, pre-train with a bar of progress."""
    import torch  # noqa: F401 - before our modules, so that what is missing is named once

    from poselift.training.pretrain import pretrain

    recipe = read(args, pretrains=True)
    train, validation = read_data(recipe, Path(args.data))

    def work(output: Path, report: Report, fabric: Fabric) -> None:
        pretrain(recipe, output, train, validation, report=report, fabric=fabric)

    run_recipe(args, recipe, work, "the pre-trained encoder, for train --init")
