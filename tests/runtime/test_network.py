from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselift.errors import CheckpointError, DataError
from poselift.runtime.network import PixelNetwork

SIZE = (1000, 500)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_no_numbers(oracle: Callable[..., tuple[Path, Any]], flip: bool, wrong: float) -> None:
    _, backend = oracle()
    network = PixelNetwork(backend, flip)
    pixels = np.full((2, 9, 17, 2), 300, np.float32)
    assert np.isfinite(network(pixels, SIZE)).all()
    backend.noise = wrong
    with pytest.raises(CheckpointError, match="nanohtnet: its weights"):
        network(pixels, SIZE)
    pixels[1, 3, 5, 0] = -1e20  # then it is not the weights' fault
    with pytest.raises(DataError, match="1e\\+20 pixels"):
        network(pixels, SIZE)
