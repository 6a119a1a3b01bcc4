"""Six steps on a procedural motion: files, resuming, learning."""

from __future__ import annotations

import csv
import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from poselift import models
from poselift.data.mocap import Motion
from poselift.errors import CheckpointError, DataError
from poselift.training.loop import Progress, fit, learning_rate
from poselift.training.recipe import read_recipe


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(folder / "training.pt", weights_only=True)
    return {**state["network"], **{f"average.{k}": v for k, v in state["average"].items()}}


def test_writes_what_it_promises(recipe_file: Path, motions: list[Motion], tmp_path: Path) -> None:
    seen: list[Progress] = []
    folder = fit(
        read_recipe(recipe_file), tmp_path / "run", motions[:2], motions[2:], report=seen.append
    )
    names = {path.name.split(".tfevents")[0] for path in folder.iterdir()}
    assert names == {"config.json", "weights.safetensors", "training.pt", "log.csv", "events.out"}
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert [p.step for p in seen if p.validation_mm] == [2, 4, 6]
    about = json.loads((folder / "config.json").read_text())
    assert about["fps"] == 50.0
    assert about["normalisation"] == "person"
    assert about["target"] == "centre"
    assert about["acknowledgement"] == "The data was made up."
    # The kept weights are the average ones of the best validation.
    best = min(rows, key=lambda r: float(r["val_gt_mm"]) * float(r["val_detector_mm"]))
    assert about["provenance"]["step"] == int(best["step"])
    assert models.load(folder).config.num_frames == 9


def test_resumed_run_equals_uninterrupted_run(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    """Killed with SIGKILL between two checkpoints, run again: same weights, same log."""
    recipe = read_recipe(recipe_file)
    fit(recipe, tmp_path / "whole", motions[:2], motions[2:])

    code = """
import sys, time
sys.path.insert(0, sys.argv[3])
from conftest import *
import poselift.training.loop as loop
from poselift.training.recipe import read_recipe
made = [generate(seconds=2.0, fps=50.0, seed=seed) for seed in range(3)]
made = [dataclasses.replace(m, name=f"clip-{i}") for i, m in enumerate(made)]
rate = loop.learning_rate
def at_step(step, recipe):
    if step == 5:  # five steps done, four of them in the checkpoint
        print("five", flush=True)
        time.sleep(60)
    return rate(step, recipe)
loop.learning_rate = at_step
loop.fit(read_recipe(sys.argv[1]), sys.argv[2], made[:2], made[2:])
"""
    arguments = [str(recipe_file), str(tmp_path / "killed"), str(Path(__file__).parent)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"five"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert torch.load(tmp_path / "killed" / "training.pt", weights_only=True)["step"] == 4

    fit(recipe, tmp_path / "killed", motions[:2], motions[2:])
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert whole.keys() == resumed.keys()
    for key in whole:
        assert torch.equal(whole[key], resumed[key]), key
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "killed")]
    assert logs[0] == logs[1]


def test_the_folder_of_another_recipe_is_refused(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    fit(read_recipe(recipe_file, ["train.steps=2"]), tmp_path / "run", motions[:2], motions[2:])
    with pytest.raises(CheckpointError, match="another recipe"):
        fit(read_recipe(recipe_file), tmp_path / "run", motions[:2], motions[2:])
    (tmp_path / "run" / "training.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="cannot be read"):
        fit(read_recipe(recipe_file), tmp_path / "run", motions[:2], motions[2:])


def test_starts_from_given_weights(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    first = fit(read_recipe(recipe_file), tmp_path / "first", motions[:2], motions[2:])
    frozen = ["train.steps=1", "train.learning_rate=1e-12", "train.warmup=0"]
    second = fit(
        read_recipe(recipe_file, frozen), tmp_path / "second", motions[:2], motions[2:], init=first
    )
    a, b = models.load(first), models.load(second)
    for key, value in a.state_dict().items():
        torch.testing.assert_close(b.state_dict()[key], value, atol=1e-6, rtol=0)
    other = read_recipe(recipe_file, ["model.options.hidden=32"])
    with pytest.raises(CheckpointError, match="does not fit"):
        fit(other, tmp_path / "third", motions[:2], motions[2:], init=first)


def test_learns_one_clip_by_heart(recipe_file: Path, motions: list[Motion], tmp_path: Path) -> None:
    """The error on the clip it learns from falls far below that of the mean pose, 142 mm."""
    overrides = [
        "train.steps=250",
        "train.batch_size=16",
        "train.learning_rate=5e-3",
        "train.validate_every=250",
        "train.ema=0.9",
        "model.options.drop=0.0",
        "model.options.drop_path_first=0.0",
        "model.options.drop_path_last=0.0",
    ]
    seen: list[Progress] = []
    clip = motions[:1]
    same = [dataclasses.replace(clip[0], subject="known by heart")]
    fit(read_recipe(recipe_file, overrides), tmp_path / "run", clip, same, report=seen.append)
    final = seen[-1].validation_mm
    assert final is not None
    assert final[0] < 100


def test_learning_rate_schedule(recipe_file: Path) -> None:
    recipe = read_recipe(recipe_file, ["train.steps=100", "train.warmup=10"])
    rates = [learning_rate(step, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[-1] == pytest.approx(1e-5, rel=0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_subject_in_both_sets_is_refused(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="procedural-0 are in training and in validation"):
        fit(read_recipe(recipe_file), tmp_path / "run", motions, motions[:1])
    assert not (tmp_path / "run").exists()


def test_a_filled_in_text_is_the_same_recipe_and_other_data_is_not(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    recipe = read_recipe(recipe_file)
    fit(recipe, tmp_path / "run", motions[:2], motions[2:])
    told = dataclasses.replace(recipe, about={"expected": "12 mm"})
    fit(told, tmp_path / "run", motions[:2], motions[2:])
    with pytest.raises(CheckpointError, match="other data"):
        fit(recipe, tmp_path / "run", motions[:1], motions[2:])


def test_divergence_is_an_error(recipe_file: Path, motions: list[Motion], tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file, ["data.noise.sigma=1", "train.steps=4"])
    broken = dataclasses.replace(motions[0], joints=motions[0].joints * 1e30)
    with pytest.raises(DataError, match="diverged"):
        fit(recipe, tmp_path / "run", [broken], motions[2:])
