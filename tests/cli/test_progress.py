from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from poselift.cli import progress as module
from poselift.cli.progress import ProgressLine


class Terminal(io.StringIO):
    """A screen, and a clock that is set by hand."""

    now = 100.0

    def isatty(self) -> bool:
        return True

    @property
    def line(self) -> str:
        """What was drawn last."""
        return self.getvalue().split("\r")[-1]


@pytest.fixture
def terminal(monkeypatch) -> Terminal:
    screen = Terminal()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=screen))
    monkeypatch.setattr(module, "monotonic", lambda: screen.now)
    return screen


def test_nothing_where_nobody_looks(capsys):
    assert not sys.stderr.isatty()
    with ProgressLine("lifting") as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")


def test_nothing_when_it_shall_be_quiet(terminal):
    with ProgressLine("lifting", quiet=True) as progress:
        progress(1, 2)
    assert terminal.getvalue() == ""


def test_a_bar_that_goes_away(terminal):
    with ProgressLine("lifting") as progress:
        progress(1, 2)
        assert terminal.line == "lifting [############            ] 1/2\x1b[K"
    assert terminal.line == "\x1b[K"


def test_rate_and_time_left(terminal):
    progress = ProgressLine("detecting", unit="fps")
    progress(100, 3000)  # 100 were known before: they say nothing of the speed
    terminal.now += 20
    progress(300, 3000)
    assert terminal.line.endswith("300/3000  10.0 fps, 04:30 left\x1b[K")
    terminal.now += 270
    progress(3000, 3000)
    assert terminal.line.endswith("3000/3000  10.0 fps\x1b[K")


def test_an_unknown_end(terminal):
    progress = ProgressLine("detecting", unit="fps")
    progress(0, None)
    terminal.now += 2
    progress(50, None)
    assert terminal.line == "detecting 50  25.0 fps\x1b[K"


def test_more_than_was_expected(terminal):
    ProgressLine("detecting")(12, 10)
    assert terminal.line == "detecting [########################] 12/10\x1b[K"


def test_a_terminal_is_not_flooded(terminal):
    progress = ProgressLine("detecting")
    for done in range(1, 51):
        terminal.now += 0.01
        progress(done, 50)
    assert 4 <= terminal.getvalue().count("\r") <= 7


def test_a_line_never_wraps(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    ProgressLine("detecting in " + 40 * "x" + ".mp4")(1, 2)
    assert terminal.line == "detecting in " + 16 * "x" + "\x1b[K"
