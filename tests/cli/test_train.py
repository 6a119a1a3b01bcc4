from __future__ import annotations

import dataclasses
import tomllib

from poselift.cli.train import recipe_text
from poselift.training.recipe import read_recipe


def test_trains_shows_the_recipe_and_continues(command, recipe, capture, tmp_path):
    argv = ["train", recipe, "--data", capture, "-o", tmp_path / "run", "train.steps=4"]
    done = command(*argv)
    assert done.code == 0, done.err
    assert "steps = 4" in done.out
    assert "learning_rate = 0.001" in done.out  # a default that the recipe does not have
    assert done.out.endswith(f"{tmp_path / 'run'}: the best checkpoint by validation\n")
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["step 2", "step 4"]
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "weights.safetensors", "training.pt", "log.csv"} <= files

    again = command(*argv)
    assert (again.code, again.err) == (0, "")  # nothing was left to do

    other = command(*argv[:-1], "train.steps=6")
    assert other.code == 1
    assert "belongs to another recipe" in other.err


def test_what_was_trained_can_be_used(command, recipe, capture, tmp_path):
    run = tmp_path / "run"
    assert command("train", recipe, "--data", capture, "-o", run).code == 0
    done = command("evaluate", "--model", run, "--data", capture / "motions_val.npz")
    assert done.code == 0, done.err
    tuned = tmp_path / "tuned"
    done = command("train", recipe, "--data", capture, "-o", tuned, "--init", run)
    assert done.code == 0, done.err


def test_the_output_is_named_after_the_recipe(command, recipe, capture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("train", recipe, "--data", capture, "train.steps=1").code == 0
    assert (tmp_path / "runs" / "tiny" / "weights.safetensors").is_file()


def test_the_recipe_shown_is_a_recipe(recipe, tmp_path):
    original = read_recipe(recipe)
    text = recipe_text(original)
    path = tmp_path / "shown.toml"
    path.write_text(text)
    assert tomllib.loads(text)["train"]["steps"] == 3
    assert read_recipe(path) == original
    for field in dataclasses.fields(original.train):
        assert f"\n{field.name} = " in text
