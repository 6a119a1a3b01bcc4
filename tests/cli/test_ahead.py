from __future__ import annotations

import threading

import pytest

from poselift.cli.ahead import ahead


def test_the_same_items():
    assert list(ahead(range(100), depth=3)) == list(range(100))
    assert list(ahead([])) == []
    assert list(ahead([None, 0])) == [None, 0]


def test_made_elsewhere_and_not_too_far_ahead():
    made, used, threads = [], 0, set()

    def make():
        for n in range(50):
            threads.add(threading.get_ident())
            made.append(n)
            assert n <= used + 4
            yield n

    for item in ahead(make(), depth=3):
        assert item == used
        used += 1
    assert (made, used) == (list(range(50)), 50)
    assert threading.get_ident() not in threads


def test_errors_come_where_they_are_due():
    def make():
        yield 1
        raise ValueError("two")

    items = ahead(make())
    assert next(items) == 1
    with pytest.raises(ValueError, match="two"):
        next(items)


def test_the_thread_ends_with_its_user():
    before = threading.active_count()
    items = ahead(iter(int, 1))  # without end
    assert next(items) == 0
    assert threading.active_count() == before + 1
    items.close()
    assert threading.active_count() == before
