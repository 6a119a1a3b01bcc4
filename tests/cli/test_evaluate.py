from __future__ import annotations

import json

import pytest


@pytest.fixture
def evaluate(command, checkpoint, capture):
    def run(*arguments: object):
        data = capture / "motions_val.npz"
        return command("evaluate", "--model", checkpoint, "--data", data, *arguments)

    return run


def test_prints_the_table_and_keeps_the_report(evaluate, tmp_path, checkpoint):
    done = evaluate("--protocol", "mocap", "--noise", "detector", "--json", tmp_path / "r.json")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("protocol mocap, noise detector, no flip averaging")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["model"] == str(checkpoint)
    assert report["noise"] == "detector"
    assert len(report["sequences"]) == 2
    assert report["all"]["p1_mm"] > 0
    assert f"{report['all']['p1_mm']:.2f}" in done.out


def test_exact_input_without_flip_is_the_default(evaluate):
    assert evaluate("--quiet").out.startswith("protocol mocap, noise gt, no flip averaging")


def test_flip(evaluate):
    done = evaluate("--flip")
    assert done.out.startswith("protocol mocap, noise gt, with flip averaging")
    assert done.out.splitlines()[4] != evaluate().out.splitlines()[4]
