"""Train a network by a recipe.

DIR holds motions_train.npz and motions_val.npz. The best weights by validation end up in the
output folder, which can be given to `lift`, `evaluate` and `export`. A run that was stopped
continues when the same command is given again. Single values of the recipe can be changed with
section.key=value.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselift.cli.outputs import check_folder
from poselift.cli.parser import Parser, new_path
from poselift.errors import DataError, UsageError

if TYPE_CHECKING:
    from poselift.training.recipe import Recipe


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift train``."""
    parser.add_argument("recipe", metavar="RECIPE", help="TOML file, see recipes/")
    parser.add_argument(
        "overrides", metavar="key=value", nargs="*", help="such as train.steps=1000"
    )
    parser.add_argument("--data", metavar="DIR", required=True, help="folder of motion capture")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=new_path,
        help="(default: runs/ and the recipe's name)",
    )
    parser.add_argument("--init", metavar="FOLDER", help="checkpoint folder to start from")
    parser.add_argument(
        "--accelerator", choices=["auto", "cpu", "cuda", "mps"], default="auto", help="(auto)"
    )
    parser.example(
        "poselift train recipes/nanohtnet-243.toml --data cmu-mocap -o runs/nanohtnet",
        "poselift train recipes/nanohtnet-243.toml --data cmu-mocap train.steps=1000",
    )


def run(args: argparse.Namespace) -> None:
    """Read recipe and data, show the recipe, train with a bar of progress."""
    output = args.output or Path("runs") / Path(args.recipe).stem
    check_folder(output)

    import torch  # noqa: F401 - before our modules, so that what is missing is named once

    from poselift.data.mocap import read_motions

    recipe = _read(args.recipe, args.overrides)
    data = Path(args.data)
    train = read_motions(data / "motions_train.npz")
    validation = read_motions(data / "motions_val.npz")
    print(f"# {args.recipe} -> {output}\n{recipe_text(recipe)}", flush=True)
    _fit(recipe, output, train, validation, args)
    print(f"{output}: the best checkpoint by validation")


def _read(path: str, overrides: list[str]) -> Recipe:
    """The recipe, of a network that can be built.

    Raises:
        DataError: the file is wrong.
        UsageError: the file is right and the overrides are wrong.
    """
    from poselift import models
    from poselift.training.recipe import read_recipe

    def checked(changes: list[str]) -> Recipe:
        recipe = read_recipe(path, changes)
        models.create(recipe.model.name, **recipe.model.options)
        return recipe

    try:
        return checked(overrides)
    except UsageError as error:
        try:
            checked([])
        except UsageError as inside:
            raise DataError(f"{path}: {inside}") from error
        raise


def _fit(recipe: Recipe, output: Path, train: Any, validation: Any, args: Any) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from poselift.training.loop import Progress as Report
    from poselift.training.loop import fit

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the recipe says it all
    console = Console(stderr=True)
    bar = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[validation]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=recipe.train.steps, loss="", validation="")

    def show(progress: Report) -> None:
        loss = f"loss {progress.loss:.1f} mm"
        bar.update(task, completed=progress.step, loss=loss)
        if progress.validation_mm is not None:
            exact, detected = progress.validation_mm
            bar.update(task, validation=f"val {exact:.1f}/{detected:.1f} mm")
            console.print(
                f"step {progress.step}: {loss}, validation {exact:.1f} mm gt, "
                f"{detected:.1f} mm detector",
                highlight=False,
            )

    with bar:
        try:
            fit(
                recipe,
                output,
                train,
                validation,
                init=args.init,
                report=show,
                accelerator=args.accelerator,
            )
        except KeyboardInterrupt:
            print("stopped; the same command continues from the last validation", file=sys.stderr)
            raise


def recipe_text(recipe: Recipe) -> str:
    """The whole recipe in TOML, with every default written out."""
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())
        for section, values in recipe.to_dict().items()
        if values
    )


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
