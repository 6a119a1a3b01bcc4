"""A person in the form that most tools write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Write = Callable[[str, Any], Path]


def person(count: int = 17, x: float = 300.0, size: float = 100.0) -> np.ndarray:
    """(count, 3) a person around x: pixels and score."""
    rng = np.random.default_rng(5)
    xy = rng.uniform(0, size, size=(count, 2)) + np.array([x, 200])
    return np.column_stack([xy, np.full(count, 0.9)])


def flat(array: np.ndarray) -> list[float]:
    return [float(v) for v in array.reshape(-1)]
