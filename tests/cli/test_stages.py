from __future__ import annotations

import pytest

from poselift.cli import stages as module
from poselift.cli.stages import STAGES, Stages


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def test_only_work_counts(clock):
    def make():
        for n in range(3):
            clock[0] += 1.0  # making one
            yield n

    stages = Stages()
    seen = []
    for n in stages.each("decode", make()):
        clock[0] += 10.0  # somebody else's time
        seen.append(n)

    def fail():
        with stages("lift"):
            clock[0] += 6.0
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [0, 1, 2]
    assert stages.seconds == {**dict.fromkeys(STAGES, 0.0), "decode": 3.0, "lift": 6.0}
    assert stages.shares["lift"] == pytest.approx(2 / 3)


def test_shares_of_no_work():
    assert set(Stages().shares.values()) == {0.0}
