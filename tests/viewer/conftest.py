"""The browser, and a person who walks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # under any import mode of pytest

import browser as browsers

if TYPE_CHECKING:
    from browser import Browser


@pytest.fixture(scope="module")
def start_browser() -> Iterator[Callable[..., Browser]]:
    """Starts browsers that end with the module; skips where there is none, fails in CI."""
    if browsers.find() is None:
        message = "needs chromium and chromedriver (Debian: chromium chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with ExitStack() as stack:

        def start(**options: Any) -> Browser:
            return stack.enter_context(browsers.Browser(**options))

        yield start
