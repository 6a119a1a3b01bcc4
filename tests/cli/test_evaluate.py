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
    assert done.out.splitlines()[5] != evaluate().out.splitlines()[5]


@pytest.mark.parametrize(("protocol", "file"), [("3dhp", "data_test_3dhp.npz"), ("h36m", "a.pkl")])
def test_the_report_never_replaces_what_is_read(command, checkpoint, tmp_path, protocol, file):
    inside = tmp_path / file
    inside.write_bytes(b"data")
    for place in (inside, checkpoint / "config.json"):
        before = place.read_bytes()
        done = command(
            *("evaluate", "--model", checkpoint, "--protocol", protocol),
            *("--data", tmp_path, "--json", place),
        )
        assert done.code == 2
        assert "would replace the input" in done.err
        assert place.read_bytes() == before
