"""Writes small files, and makes `keypoint_examples` importable under any import mode of pytest."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from keypoint_examples import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write JSON (or text, or bytes, or an npz from a dictionary of arrays) under tmp_path."""

    def put(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npz" and isinstance(content, dict):
            np.savez(path, **content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return put
