from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from poselift.checkpoints import About, read_config
from poselift.errors import CheckpointError

GOOD: dict[str, Any] = {
    "model": "nanohtnet",
    "config": {"num_frames": 243, "num_out_frames": 9},
    "skeleton": "h36m-17",
    "fps": 50.0,
    "normalisation": "person",
    "target": "newest",
    "licence": "CC-BY-4.0",
}


def test_good(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GOOD))
    about = About.parse(read_config(tmp_path), "c")
    assert (about.window, about.num_out, about.fps) == (243, 9, 50.0)
    assert about.licence == "CC-BY-4.0"
    assert about.content == GOOD


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"config": []},
        {"config": {"num_frames": 243}},
        {"config": {"num_frames": 9, "num_out_frames": 10}},
        {"config": {"num_frames": True, "num_out_frames": 1}},
        {"skeleton": "coco-17"},
        {"unit": "feet"},
        {"fps": 0},
        {"fps": float("inf")},
        {"fps": "50"},
        {"normalisation": "screens"},
        {"normalisation": ["person"]},
        {"target": None},
    ],
)
def test_wrong_values_are_named(change: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=next(iter(change)) + "|num_|frames"):
        About.parse({**GOOD, **change}, "config.json")


@pytest.mark.parametrize("key", [key for key in GOOD if key != "licence"])
def test_missing_keys_are_named(key: str) -> None:
    with pytest.raises(CheckpointError, match=key):
        About.parse({k: v for k, v in GOOD.items() if k != key}, "config.json")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
def test_no_config(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(CheckpointError):
        read_config(tmp_path)
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(CheckpointError):
        read_config(tmp_path)
