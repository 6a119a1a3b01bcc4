"""What many tests need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the golden vectors and the motion capture; a user does not have it, CI does."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        message = "needs the folder `shared` beside the project (golden vectors, motion capture)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder
