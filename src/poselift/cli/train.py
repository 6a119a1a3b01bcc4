"""Train a network by a recipe.

DIR holds motions_train.npz and motions_val.npz, or the files of the data set that the recipe
names. The weights end up in the output folder, which can be given to `lift`, `evaluate` and
`export`. A run that was stopped continues when the same command is given again. Single values of
the recipe can be changed with section.key=value.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselift.cli.outputs import check_folder
from poselift.cli.parser import Parser, count, new_path
from poselift.errors import DataError, PoseliftError, UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from rich.console import Console

    from poselift.training.loop import Progress, Report
    from poselift.training.recipe import Recipe


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift train``."""
    add_run_arguments(parser)
    parser.add_argument("--init", metavar="FOLDER", help="checkpoint folder to start from")
    parser.example(
        "poselift train recipes/nanohtnet-243.toml --data cmu-mocap -o runs/nanohtnet",
        "poselift train recipes/nanohtnet-243.toml --data cmu-mocap train.steps=1000",
    )


def run(args: argparse.Namespace) -> None:
    """Read recipe and data, show the recipe, train with a bar of progress."""
    import torch  # noqa: F401 - before our modules, so that what is missing is named once

    from poselift.training.supervised import fit

    recipe = read(args, pretrains=False)
    train, validation = read_data(recipe, Path(args.data))

    def work(output: Path, report: Report, fabric: Fabric) -> None:
        fit(recipe, output, train, validation, init=args.init, report=report, fabric=fabric)

    chosen = "the checkpoint that validation chose" if validation else "the last weights"
    run_recipe(args, recipe, work, chosen)


def add_run_arguments(parser: Parser) -> None:
    """What ``train`` and ``pretrain`` have in common."""
    parser.add_argument("recipe", metavar="RECIPE", help="TOML file, see recipes/")
    parser.add_argument(
        "overrides", metavar="key=value", nargs="*", help="such as train.steps=1000"
    )
    parser.add_argument("--data", metavar="DIR", required=True, help="folder of the training data")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=new_path,
        help="(default: runs/ and the recipe's name)",
    )
    parser.add_argument(
        "--accelerator", choices=["auto", "cpu", "cuda", "mps"], default="auto", help="(auto)"
    )
    parser.add_argument(
        "--devices", metavar="N", type=count, default=1, help="processes on each machine (1)"
    )
    parser.add_argument("--nodes", metavar="N", type=count, default=1, help="machines (1)")


def read(args: argparse.Namespace, pretrains: bool) -> Recipe:
    """The recipe, of a network that can be built and learn so.

    Raises:
        DataError: the file is wrong.
        UsageError: the file is right and the overrides are wrong, or it is for the other verb.
    """
    from poselift import models
    from poselift.training.encoder import head_keys
    from poselift.training.recipe import read_recipe
    from poselift.training.supervised import check_confidence

    def checked(changes: list[str]) -> Recipe:
        recipe = read_recipe(args.recipe, changes)
        network = models.create(recipe.model.name, **recipe.model.options)
        check_confidence(recipe, network)
        if pretrains or recipe.train.trained == "head":
            head_keys(network)
        return recipe

    try:
        recipe = checked(args.overrides)
    except UsageError as error:
        try:
            checked([])
        except UsageError as inside:
            raise DataError(f"{args.recipe}: {inside}") from error
        raise
    if (recipe.poseclr is not None) != pretrains:
        found = "no section poseclr" if pretrains else "a section poseclr"
        raise UsageError(
            f"{args.recipe} has {found}", "", "poselift pretrain needs one, train must have none"
        )
    return recipe


def read_data(recipe: Recipe, folder: Path) -> tuple[Any, Any]:
    """What the recipe trains on, and what it chooses the checkpoint by."""
    from poselift.data.datasets import read_training
    from poselift.data.mocap import read_motions

    name, choice = recipe.data.set, recipe.data.paired
    if name == "mocap":
        return read_motions(folder / "motions_train.npz"), read_motions(folder / "motions_val.npz")
    train = read_training(name, folder, "train", choice.keypoints, choice.hold_out)
    if not choice.hold_out:
        return train, []
    return train, read_training(name, folder, "validation", choice.keypoints, choice.hold_out)


def run_recipe(
    args: argparse.Namespace,
    recipe: Recipe,
    work: Callable[[Path, Report, Fabric], None],
    result: str,
) -> None:
    """Start the processes, show the recipe and the progress; one process speaks for all.

    Args:
        args: of the command line.
        recipe: what is shown.
        work: does it, given the output folder.
        result: what lies in that folder then.
    """
    from rich.console import Console

    from poselift.training.loop import create_fabric

    output = args.output or Path("runs") / Path(args.recipe).stem
    check_folder(output)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the recipe says it all
    fabric = create_fabric(recipe.train.precision, args.accelerator, args.devices, args.nodes)
    fabric.launch()
    speaks = fabric.is_global_zero
    if speaks:
        print(f"# {args.recipe} -> {output}\n{recipe_text(recipe)}", flush=True)
        if recipe.train.precision == "bf16-mixed" and _is_slow_in_bf16(fabric):
            print("# slow: no bfloat16 arithmetic here; train.precision=32-true", flush=True)
    try:
        console = Console(stderr=True)
        with _Bar(console) as bar:
            work(output, bar.show, fabric)
    except PoseliftError:
        if speaks:
            raise
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        if not speaks:
            raise SystemExit(130) from None
        again = "stopped; the same command continues from the last checkpoint"
        raise KeyboardInterrupt(again) from None
    if speaks:
        print(f"{output}: {result}")


def _is_slow_in_bf16(fabric: Fabric) -> bool:
    """Whether it is a processor that has to emulate it: a step takes ten times as long."""
    import torch

    return fabric.device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX2"


class _Bar:
    """Progress on the terminal, and a line for each checkpoint."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        self.console = console
        self.bar = progress.Progress(
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.completed}/{task.total}"),
            progress.TextColumn("{task.fields[text]}"),
            progress.TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, text="")
        self.measured = ""

    def __enter__(self) -> _Bar:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, progress: Progress) -> None:
        loss = f"loss {progress.loss:.4g}"
        if progress.measured is not None:
            numbers = [f"{name} {value:.4g}" for name, value in progress.measured.items()]
            self.measured = ", ".join(numbers)
            line = ", ".join([loss, *numbers])
            self.console.print(f"step {progress.step}: {line}", highlight=False, soft_wrap=True)
        text = f"{loss}  {self.measured}"
        self.bar.update(self.task, total=progress.steps, completed=progress.step, text=text)


def recipe_text(recipe: Recipe) -> str:
    """The whole recipe in TOML, with every default written out."""
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in _given(values))
        for section, values in recipe.to_dict().items()
        if values
    )


def _given(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in values.items() if value is not None]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {_toml(item)}" for key, item in _given(value))
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
