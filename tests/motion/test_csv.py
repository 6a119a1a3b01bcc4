from __future__ import annotations

import csv as standard
from pathlib import Path

import numpy as np
from motion_examples import example

from poselift.motion import csv
from poselift.skeleton import H36M_17


def test_one_row_for_each_person_and_frame(tmp_path: Path) -> None:
    pose = example(persons=2, frames=3)
    csv.write(pose, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(standard.DictReader(file))
    assert [(row["track_id"], row["frame"]) for row in rows] == [
        ("3", "0"), ("3", "1"), ("3", "2"), ("10", "0"), ("10", "1"), ("10", "2"),
    ]  # fmt: skip
    assert [float(row["time"]) for row in rows] == [*pose.times, *pose.times]

    def column(name: str) -> np.ndarray:
        cells = [np.float32(row[name]) if row[name] else np.nan for row in rows]
        return np.array(cells, dtype=np.float32).reshape(2, 3)

    for j, joint in enumerate(H36M_17.joints):
        for k, axis in enumerate("xyz"):
            np.testing.assert_array_equal(column(f"{joint}_{axis}"), pose.joints[:, :, j, k])
    for k, axis in enumerate("xyz"):
        np.testing.assert_array_equal(column(f"root_{axis}"), pose.root[:, :, k])
    assert len(rows[0]) == 3 + 17 * 3 + 3
    assert rows[0]["pelvis_x"] == ""  # absent
