"""Curves of a run: ``log.csv`` and TensorBoard's events."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from poselift.files import atomic_path

LOG_FILE = "log.csv"


class Curves:
    """Writes a row for each checkpoint.

    Args:
        folder: of the run.
        names: of the columns after ``step``.
        first: steps done; rows after that are of a run that was stopped, and go.
    """

    def __init__(self, folder: Path, names: Sequence[str], first: int) -> None:
        self.path = folder / LOG_FILE
        self.names = tuple(names)
        rows = []
        if self.path.exists():
            with self.path.open(newline="") as file:
                rows = [row for row in list(csv.reader(file))[1:] if row and int(row[0]) <= first]
        with atomic_path(self.path) as path, path.open("w", newline="") as file:
            csv.writer(file).writerows([("step", *self.names), *rows])
        self.board = SummaryWriter(str(folder), purge_step=first + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add a row; ``values`` has every name."""
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([step, *(f"{values[name]:.6g}" for name in self.names)])
        for name in self.names:
            self.board.add_scalar(name, values[name], step)
        self.board.flush()

    def close(self) -> None:
        """End TensorBoard's file."""
        self.board.close()
