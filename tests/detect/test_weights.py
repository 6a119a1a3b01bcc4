"""Where weights are looked for, and how they get there; nothing here needs a network."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from poselift.detect import weights as module
from poselift.detect.weights import cache_folder, find, setup
from poselift.errors import CheckpointError, DataError


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("POSELIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small(monkeypatch):
    """Files of a few bytes in place of the real ones."""
    contents = {"a.tflite": b"detector", "b.tflite": b"landmarks"}
    files = tuple(
        module._File(name, f"inside/{name}", len(data), hashlib.sha256(data).hexdigest())
        for name, data in contents.items()
    )
    monkeypatch.setattr(module, "FILES", files)
    monkeypatch.setattr(module, "_DETECTOR", files[0])
    monkeypatch.setattr(module, "_LANDMARKS", files[1])
    return contents


def wheel(path, contents):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(f"inside/{name}", data)
    return path


def test_the_cache_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.delenv("POSELIFT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == tmp_path / ".cache" / "poselift"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "poselift"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "poselift" / "Cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "poselift"
    monkeypatch.setenv("POSELIFT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_absent_weights_name_the_command(cache):
    with pytest.raises(CheckpointError, match="poselift setup"):
        find()
    assert not cache.exists()


def test_a_wheel_at_hand_is_unpacked_checked_and_told(cache, small, tmp_path):
    said = []
    found = setup(said.append, wheel=wheel(tmp_path / "m.whl", small))
    assert found == find()
    assert found.detector.read_bytes() == b"detector"
    assert found.landmarks.read_bytes() == b"landmarks"
    assert "sha256 checked" in said[0]


def test_what_is_there_is_not_got_again(cache, small, tmp_path, monkeypatch):
    setup(wheel=wheel(tmp_path / "m.whl", small))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("used the network"))
    assert setup() == find()


def test_pip_gets_the_wheel_of_the_platform_that_has_one(cache, small, monkeypatch):
    asked = []

    def pip(command, **_):
        asked.append(command[command.index("--platform") + 1])
        if len(asked) < 2:
            said = b"ERROR: No matching distribution found for mediapipe==0.10.21"
            return subprocess.CompletedProcess(command, 1, b"", said)
        wheel(Path(command[command.index("-d") + 1]) / "m.whl", small)
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(subprocess, "run", pip)
    assert setup().detector.read_bytes() == b"detector"
    assert len(set(asked)) == 2


@pytest.mark.parametrize(
    ("said", "reason"),
    [(b"ERROR: connection refused", "connection refused"), (b"No module named pip", "pip is not")],
)
def test_without_a_network_it_is_one_clear_error(cache, small, monkeypatch, said, reason):
    calls = []

    def pip(command, **_):
        calls.append(command)
        return subprocess.CompletedProcess(command, 1, b"", said)

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(DataError, match=reason):
        setup()
    assert len(calls) == 1  # other platforms would fail alike
    assert not cache.exists()


def test_other_contents_are_refused(cache, small, tmp_path):
    changed = {**small, "b.tflite": b"LANDMARKS"}
    with pytest.raises(DataError, match="another sha256"):
        setup(wheel=wheel(tmp_path / "m.whl", changed))
    with pytest.raises(DataError, match="another size"):
        setup(wheel=wheel(tmp_path / "m.whl", {**small, "b.tflite": b"long" * 100}))
    (tmp_path / "no.whl").write_text("no archive")
    for name in ("no.whl", "absent.whl"):
        with pytest.raises(DataError, match="cannot be used"):
            setup(wheel=tmp_path / name)
    assert not cache.exists()


def test_an_explicit_folder_wins_and_a_cut_off_file_is_seen(cache, small, tmp_path):
    setup(wheel=wheel(tmp_path / "m.whl", small))
    own = tmp_path / "own"
    own.mkdir()
    for name in small:
        (own / name).write_bytes(b"my own network")
    assert find(own).detector == own / "a.tflite"
    find().detector.write_bytes(b"det")
    with pytest.raises(CheckpointError, match="3 bytes"):
        find()


def test_the_real_files_are_the_published_ones(weights):
    for file, path in zip(module.FILES, (weights.detector, weights.landmarks), strict=True):
        assert module._is_right(file, path.read_bytes())
