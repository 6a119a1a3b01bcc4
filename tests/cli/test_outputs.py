from __future__ import annotations

import pytest

from poselift import motion
from poselift.cli import outputs
from poselift.cli.outputs import DRAWN, FORMATS, check_formats
from poselift.cli.parser import BACKENDS
from poselift.errors import MissingExtraError
from poselift.runtime import backends


def test_names_that_are_repeated_for_speed_are_the_real_ones():
    assert set(FORMATS) == {*motion.FORMATS, *DRAWN}
    assert set(BACKENDS) == set(backends.BACKENDS)


@pytest.mark.parametrize(("name", "extra"), [("c3d", "formats"), ("mp4", "video")])
def test_a_missing_library_is_told_before_any_work(monkeypatch, name, extra):
    check_formats(FORMATS)
    monkeypatch.setattr(outputs, "find_spec", lambda module: None)
    check_formats(["npz", "html", "bvh"])
    with pytest.raises(MissingExtraError, match=rf"{name} needs .*pip install .*{extra}"):
        check_formats(["npz", name])
