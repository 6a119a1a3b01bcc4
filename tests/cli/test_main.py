"""The command as a whole, some of it in a process of its own as a user runs it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from poselift import __version__
from poselift.cli import main as entry
from poselift.cli.main import VERBS
from poselift.errors import DataError, UsageError


def poselift(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "poselift", *map(str, arguments)], capture_output=True, text=True
    )


def test_version():
    done = poselift("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"poselift {__version__}\n", "")


def test_nothing_shows_the_verbs():
    done = poselift()
    assert done.returncode == 0
    assert all(f"  {verb} " in done.stdout for verb in VERBS)


def test_data_errors_are_one_line_and_code_1(tmp_path):
    done = poselift("lift", tmp_path / "none.npz", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("poselift: error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_usage_errors_are_one_line_and_code_2():
    done = poselift("lift", "a.npz", "-o", "out", "--speed", "3")
    assert done.returncode == 2
    assert done.stderr == (
        "poselift: error: unrecognized arguments: --speed 3; see poselift lift --help\n"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example(verb, command):
    done = command(verb, "--help")
    assert done.code == 0
    assert "example" in done.out
    assert f"  poselift {verb}" in done.out.partition("example")[2]
    assert max(map(len, done.out.splitlines())) <= 110


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from poselift.cli.main import main, VERBS\n"
        "for verb in VERBS: main([verb, '--help'])\n"
        "print('loaded:', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split()[1:])
    assert "poselift" in loaded
    assert not loaded & {"numpy", "torch", "onnxruntime", "rich", "scipy"}


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("a.npz: empty", "keypoints"), 1, "a.npz: empty; expected keypoints"),
        (UsageError("no such thing"), 2, "no such thing"),
        (FileNotFoundError(2, "No such file or directory", "b"), 1, "b: No such file or directory"),
        (OSError("disk\nfull"), 1, "disk full"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory; lift fewer or shorter files at a time"),
    ],
)
def test_every_error_has_its_code(monkeypatch, command, error, code, line):
    def fail(arguments):
        raise error

    monkeypatch.setattr(entry, "_run", fail)
    assert command("lift") == (code, "", f"poselift: error: {line}\n")


def test_a_bug_is_not_hidden(monkeypatch, command):
    def fail(arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(entry, "_run", fail)
    with pytest.raises(ZeroDivisionError):
        command("lift")


@pytest.mark.parametrize(("verb", "extra"), [("train", "train"), ("export", "export")])
def test_a_missing_extra_names_its_installation(monkeypatch, command, verb, extra):
    def fail(args):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    module = importlib.import_module(f"poselift.cli.{verb}")
    monkeypatch.setattr(module, "run", fail)
    arguments = {"train": ["r.toml", "--data", "d"], "export": ["m", "-o", "m.onnx"]}[verb]
    done = command(verb, *arguments)
    assert done.code == 1
    assert done.err == (
        f"poselift: error: poselift {verb} needs torch, which is not installed; "
        f'pip install "poselift[{extra}]"\n'
    )


def test_a_closed_pipe_is_quiet():
    code = f"{sys.executable} -m poselift lift --help | true"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
