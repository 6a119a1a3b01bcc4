"""Making items in a thread of its own, a few ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_END: Any = object()


def ahead(items: Iterable[T], depth: int = 4) -> Iterator[T]:
    """The same items in the same order, while a thread makes the next ``depth`` of them.

    What making them raises is raised here, where that item is due. When the result is closed, the
    thread ends.

    >>> list(ahead(range(5), depth=2))
    [0, 1, 2, 3, 4]
    """
    iterator = iter(items)
    pool = ThreadPoolExecutor(1, "ahead")
    try:
        waiting = deque(pool.submit(next, iterator, _END) for _ in range(depth))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, iterator, _END))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)
