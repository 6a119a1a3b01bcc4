"""Several processes learn what one does, and survive being killed."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from poselift.data.mocap import Motion
from poselift.training.loop import _dropout_seed
from poselift.training.recipe import read_recipe
from poselift.training.supervised import fit

HERE = Path(__file__).parent


def launch(recipe: Path, *runs: tuple[Path, int, int]) -> list[int]:
    """Exit codes of the processes of each (folder, processes, step to be killed at)."""
    arguments = [str(value) for run in runs for value in run]
    command = [sys.executable, str(HERE / "launch.py"), str(recipe), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def state(folder: Path) -> dict[str, torch.Tensor]:
    """Everything in ``training.pt`` but its recipe, flat."""
    content = torch.load(folder / "training.pt", weights_only=True)
    out: dict[str, torch.Tensor] = {}

    def walk(value: object, name: str) -> None:
        if isinstance(value, dict | list | tuple):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in items:
                walk(inner, f"{name}/{key}")
        elif isinstance(value, torch.Tensor | int | float):
            out[name] = torch.as_tensor(value)

    walk({key: content[key] for key in ("task", "optimisers", "step")}, "")
    return out


def assert_same(a: Path, b: Path, **tolerance: float) -> None:
    one, other = state(a), state(b)
    assert one.keys() == other.keys()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, msg=lambda m, k=key: f"{k}: {m}", **tolerance)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in the launched processes: another number of threads adds in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_killed_runs_and_several_processes_learn_the_same(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    runs = ("two", 2, 0), ("two-killed", 2, 5), ("two-killed", 2, 0), ("killed", 1, 5)
    apart = ("apart{rank}", 2, 5), ("apart{rank}", 2, 0)
    codes = launch(recipe_file, *((tmp_path / name, *numbers) for name, *numbers in runs + apart))
    # The second process does not see the first one's state: neither goes on.
    assert codes == [0, 0, -9, -9, 0, 0, -9, -9, -9, 1, 1]
    assert state(tmp_path / "apart0")["/step"] == 4
    # Five steps were done, four of them in the checkpoint.
    assert state(tmp_path / "killed")["/step"] == 4
    recipe, clips = read_recipe(recipe_file), (motions[:2], motions[2:])
    fit(recipe, tmp_path / "one", *clips)
    fit(recipe, tmp_path / "killed", *clips)
    for whole, killed in (("two", "two-killed"), ("one", "killed")):
        assert_same(tmp_path / whole, tmp_path / killed, atol=0, rtol=0)
        logs = [(tmp_path / name / "log.csv").read_text() for name in (whole, killed)]
        assert logs[0] == logs[1]

    # The parts of a batch have dropout of their own, whichever process computes them.
    close = {"atol": 2e-5, "rtol": 1e-4}
    fit(read_recipe(recipe_file, ["train.accumulate=2"]), tmp_path / "parts", *clips)
    assert_same(tmp_path / "parts", tmp_path / "two", **close)
    with pytest.raises(AssertionError):
        assert_same(tmp_path / "one", tmp_path / "two", **close)


def test_parts_of_a_batch_and_steps_have_dropout_of_their_own() -> None:
    masks = set()
    for step, part in itertools.product(range(3), range(8)):
        torch.manual_seed(_dropout_seed(0, step, part))
        masks.add(tuple(functional.dropout(torch.ones(64)).tolist()))
    assert len(masks) == 24


def test_a_killed_run_with_two_optimisers_goes_on(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    content = recipe_file.read_text().replace("steps = 6", 'steps = 6\noptimiser = "muon"')
    # Wide enough for matrices that Muon takes.
    recipe_file.write_text(content.replace("dim = 24", "dim = 96"))
    assert launch(recipe_file, (tmp_path / "killed", 1, 5)) == [-9]
    recipe, clips = read_recipe(recipe_file), (motions[:2], motions[2:])
    assert recipe.train.optimiser == "muon"
    for name in ("whole", "killed"):
        fit(recipe, tmp_path / name, *clips)
    assert any("/optimisers/1/" in key for key in state(tmp_path / "whole"))
    assert_same(tmp_path / "whole", tmp_path / "killed", atol=0, rtol=0)
