from __future__ import annotations

import sys

from poselift import motion
from poselift.cli.outputs import FORMATS, ProgressLine
from poselift.cli.parser import BACKENDS
from poselift.runtime import backends


def test_names_that_are_repeated_for_speed_are_the_real_ones():
    assert set(FORMATS) == {*motion.FORMATS, "html", "svg"}
    assert set(BACKENDS) == set(backends.BACKENDS)


def test_progress_is_for_terminals_only(capsys, monkeypatch):
    with ProgressLine("lifting") as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine("lifting") as progress:
        progress(1, 2)
    err = capsys.readouterr().err
    assert "lifting [###############               ] 1/2" in err
    assert err.endswith("\r\x1b[K")
    with ProgressLine("lifting", quiet=True) as progress:
        progress(1, 2)
    assert capsys.readouterr().err == ""
