from __future__ import annotations

from pathlib import Path

import pytest

from poselift.errors import CheckpointError, UsageError
from poselift.runtime import store


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("nanohtnet", "htnet"):
        (tmp_path / "weights" / name).mkdir(parents=True)
        (tmp_path / "weights" / name / "config.json").write_text("{}")
    (tmp_path / "weights" / "htnet" / "model.onnx").write_bytes(b"")
    monkeypatch.setattr(store, "_SHIPPED", tmp_path / "weights")
    return tmp_path


def test_by_name(package: Path) -> None:
    assert store.shipped() == ("htnet", "nanohtnet")
    found = store.find("htnet")
    assert found == store.Stored(
        "htnet", package / "weights/htnet", package / "weights/htnet/model.onnx"
    )
    assert store.find("nanohtnet").graph is None


def test_by_path(package: Path) -> None:
    folder = package / "weights" / "htnet"
    assert store.find(folder).folder == folder
    assert store.find(str(folder)).folder == folder
    assert store.find(folder / "model.onnx") == store.Stored(
        str(folder / "model.onnx"), None, folder / "model.onnx"
    )


def test_a_name_wins_over_a_folder(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "htnet").mkdir()
    (package / "htnet" / "config.json").write_text("{}")
    monkeypatch.chdir(package)
    assert store.find("htnet").folder == package / "weights" / "htnet"
    assert store.find("./htnet").folder == Path("htnet")
    assert store.find(Path("htnet")).folder == Path("htnet")


def test_unknown(package: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'nanohtnet'"):
        store.find("nanohtne")
    for wrong in ("x" * 5000, "a\0b", "", 3, None):
        with pytest.raises((UsageError, CheckpointError)):
            store.find(wrong)  # type: ignore[arg-type]  # on purpose


def test_no_checkpoint(package: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        store.find(package)
    with pytest.raises(CheckpointError, match="a file"):
        store.find(package / "weights" / "htnet" / "config.json")
