from __future__ import annotations

import shutil
import sys

import pytest

from poselift import models
from poselift.runtime import store


@pytest.fixture
def weights(checkpoint, tmp_path, monkeypatch):
    """A package in which the small network is the only one shipped."""
    shutil.copytree(checkpoint, tmp_path / "weights" / "tiny")
    monkeypatch.setattr(store, "_SHIPPED", tmp_path / "weights")
    return tmp_path / "weights"


def test_lists_what_is_shipped_and_what_can_be_trained(command, weights):
    done = command("models")
    assert (done.code, done.err) == (0, "")
    row = next(line.split() for line in done.out.splitlines() if line.startswith("  tiny"))
    assert row[:5] == ["tiny", "nanohtnet", "9", "3", "centre"]
    assert row[-1] == "CC0-1.0"
    assert all(f"\n  {name}" in done.out for name in models.list())


def test_without_torch_it_says_how_to_get_the_rest(command, weights, monkeypatch):
    monkeypatch.setattr("poselift.cli.models.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "poselift.models", None)
    done = command("models")
    assert done.code == 0
    assert "tiny" in done.out
    assert 'pip install "poselift[train]"' in done.out


def test_a_damaged_one_does_not_hide_the_others(command, weights):
    shutil.copytree(weights / "tiny", weights / "worn")
    (weights / "worn" / "config.json").write_text("{}")
    done = command("models")
    assert done.code == 0
    assert "worn" in done.out
    assert "unusable" in done.out
    assert "CC0-1.0" in done.out
