from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tomllib

import pytest
import torch

from poselift.cli.train import recipe_text
from poselift.data import h36m
from poselift.data.procedural import generate
from poselift.training.recipe import read_recipe


def test_trains_shows_the_recipe_and_continues(command, recipe, capture, tmp_path):
    argv = ["train", recipe, "--data", capture, "-o", tmp_path / "run", "train.steps=4"]
    done = command(*argv)
    assert done.code == 0, done.err
    assert "steps = 4" in done.out
    assert "learning_rate = 0.001" in done.out  # a default that the recipe does not have
    assert done.out.endswith(f"{tmp_path / 'run'}: the checkpoint that validation chose\n")
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
        if getattr(original.train, field.name) is None:
            continue
        assert f"\n{field.name} = " in text


def test_a_recipe_with_a_step_schedule_is_shown_whole(recipe, tmp_path):
    changes = ["data.camera.azimuths=[45, 135]", "poseclr.views=3", "train.epochs=2"]
    original = read_recipe(recipe, changes)
    path = tmp_path / "shown.toml"
    path.write_text(recipe_text(original))
    assert read_recipe(path) == original


@pytest.fixture
def studio(tmp_path):
    """Small files in the layout of Human3.6M: two subjects to train on, one held out, two test."""
    motions = {
        (subject, "Walking"): generate(seconds=0.5, fps=50.0, seed=seed)
        for seed, subject in enumerate((*h36m.TRAIN, *h36m.TEST))
    }
    h36m.write(tmp_path / "h36m", motions)
    return tmp_path / "h36m"


def test_trains_and_evaluates_on_the_layout_of_human36m(command, recipe, studio, tmp_path):
    run = tmp_path / "run"
    recipe.write_text(recipe.read_text() + '[about]\nlicence = "MIT"\nacknowledgement = "CMU"\n')
    done = command("train", recipe, "--data", studio, "-o", run, "data.set=h36m")
    assert done.code == 0, done.err
    assert 'set = "h36m"' in done.out
    about = json.loads((run / "config.json").read_text())
    assert (about["licence"], about["acknowledgement"]) == ("not stated", "")
    assert "val_val_mm" in (run / "log.csv").read_text()
    report = tmp_path / "h36m.json"
    argv = ["evaluate", "--model", run, "--data", studio, "--protocol", "h36m", "--json", report]
    done = command(*argv)
    assert done.code == 0, done.err
    assert json.loads(report.read_text())["protocol"] == "h36m"
    for held_out in ("[]", '["S5"]'):
        out = tmp_path / f"held-out-{len(held_out)}"
        changes = ["data.set=h36m", f"data.paired.hold_out={held_out}"]
        done = command("train", recipe, "--data", studio, "-o", out, *changes)
        assert done.code == 0, done.err
        chosen = "the last weights" if held_out == "[]" else "the checkpoint that validation chose"
        assert done.out.endswith(f"{out}: {chosen}\n")


def test_pretrains_then_trains(command, recipe, capture, tmp_path):
    encoder, run = tmp_path / "encoder", tmp_path / "run"
    changes = ["poseclr.queue=40", "train.steps=4"]
    done = command("pretrain", recipe, "--data", capture, "-o", encoder, *changes)
    assert done.code == 0, done.err
    assert "[poseclr]\ntemperature = 0.07\nqueue = 40" in done.out
    assert "uniformity" in done.err
    again = command("pretrain", recipe, "--data", capture, "-o", encoder, *changes)
    assert (again.code, again.err) == (0, "")
    for changes in ([], ["train.trained=head"]):
        argv = ["train", recipe, "--data", capture, "-o", run, "--init", encoder, *changes]
        done = command(*argv)
        assert done.code == 0, done.err
        run = tmp_path / "probe"
    lifted = command("evaluate", "--model", encoder, "--data", capture / "motions_val.npz")
    assert lifted.code == 1
    assert "missing keys" in lifted.err


def test_verbs_and_recipes_that_do_not_go_together(command, recipe, capture, tmp_path):
    argv = [recipe, "--data", capture, "-o", tmp_path / "run"]
    done = command("pretrain", *argv)
    assert (done.code, "no section poseclr" in done.err) == (2, True), done.err
    done = command("train", *argv, "poseclr.views=2")
    assert (done.code, "a section poseclr" in done.err) == (2, True), done.err
    done = command("pretrain", *argv, "poseclr.views=2", "model.name=martinez", "model.options={}")
    assert (done.code, "no encoder" in done.err) == (2, True), done.err
    assert not (tmp_path / "run").exists()


def test_devices_that_are_not_there(command, recipe, capture, tmp_path):
    argv = ["train", recipe, "--data", capture, "-o", tmp_path / "run"]
    done = command(*argv, "--devices", 0)
    assert done.code == 2
    if not torch.cuda.is_available():
        done = command(*argv, "--accelerator", "cuda")
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err


@pytest.mark.slow
def test_two_processes_speak_with_one_voice(recipe, capture, tmp_path):
    argv = ["--data", capture, "--accelerator", "cpu", "--devices", "2"]

    def run(*more: object) -> subprocess.CompletedProcess[str]:
        words = ["train", recipe, *argv, *more]
        command = [sys.executable, "-m", "poselift", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    done = run("-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[model]") == 1
    assert done.stdout.count("the checkpoint that validation chose") == 1
    assert (tmp_path / "run" / "weights.safetensors").is_file()
    odd = run("-o", tmp_path / "odd", "train.batch_size=3")
    assert odd.returncode == 2
    assert odd.stderr.count("a multiple of 2") == 1


@pytest.mark.parametrize(
    ("environment", "options", "message"),
    [
        ({}, ("--nodes", 2), "nothing that starts processes on them; expected torchrun or SLURM"),
        (
            {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"},
            (),
            "in a run of 2 processes, 2 on each machine; expected as many as torchrun starts",
        ),
        (
            {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"},
            ("--nodes", 2),
            "1 devices on each of 2 machines, in a run of 2 processes, 2 on each machine",
        ),
        (
            {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_STEP_ID": "0"},
            ("--devices", 2),
            "in a run of 4 processes, 4 on each machine; expected as many as srun starts",
        ),
        (
            {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"},
            ("--devices", 4),
            "in a run of 1 processes, 1 on each machine; expected as many as srun starts",
        ),
    ],
)
def test_processes_that_nothing_has_started(
    command, recipe, capture, tmp_path, monkeypatch, environment, options, message
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run = tmp_path / "run"
    argv = ("train", recipe, "--data", capture, "-o", run, "--accelerator", "cpu", *options)
    done = command(*argv)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert message in done.err
    assert not run.exists()


def test_a_script_of_slurm_trains_in_one_process(command, recipe, capture, tmp_path, monkeypatch):
    for name, value in {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"}.items():
        monkeypatch.setenv(name, value)
    argv = ("train", recipe, "--data", capture, "-o", tmp_path / "run", "--accelerator", "cpu")
    done = command(*argv)
    assert done.code == 0, done.err


def test_it_says_where_bfloat16_is_slow(command, recipe, capture, tmp_path, monkeypatch):
    argv = ("train", recipe, "--data", capture, "--accelerator", "cpu", "train.steps=1")
    for capability, precision, slow in (
        ("AVX2", "bf16-mixed", True),
        ("AVX2", "32-true", False),
        ("AVX512", "bf16-mixed", False),
    ):
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda c=capability: c)
        run = tmp_path / f"{capability}-{precision}"
        done = command(*argv, f"train.precision={precision}", "-o", run)
        assert (done.code, "train.precision=32-true" in done.out) == (0, slow)
