"""The examples in docstrings are true: one case for each module that has any."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import poselift


def modules_with_examples() -> list[str]:
    names = ["poselift"]
    names += [found.name for found in pkgutil.walk_packages(poselift.__path__, "poselift.")]
    found = []
    for name in names:
        spec = importlib.util.find_spec(name)
        source = spec.loader.get_source(name) if spec and spec.loader else ""  # type: ignore[attr-defined]
        if source and ">>> " in source:
            found.append(name)
    return found


MODULES = modules_with_examples()


def test_there_are_examples():
    assert len(MODULES) > 10


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    tests = doctest.DocTestFinder(exclude_empty=True).find(module, name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
