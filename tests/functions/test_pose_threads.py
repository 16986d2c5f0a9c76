"""Iterators side by side: in order, ahead but not too far, closed whatever happens."""

import threading
import time
from functools import partial

import pytest

from functions.pose.threads import side_by_side

PATIENCE_S = 5


class Counter:
    """A source whose life can be watched."""

    def __init__(self, count: int, fails_at: int | None = None) -> None:
        self.count, self.fails_at = count, fails_at
        self.made, self.is_closed, self.thread = 0, threading.Event(), ""

    def __call__(self):
        self.thread = threading.current_thread().name
        try:
            for i in range(self.count):
                if i == self.fails_at:
                    raise LookupError(f"no {i}")
                self.made += 1
                yield i
        finally:
            self.is_closed.set()


def pose_threads() -> int:
    return sum(thread.name.startswith("pose-") for thread in threading.enumerate())


def test_the_items_of_one_source_come_in_order():
    assert list(side_by_side([Counter(500)], ahead=3)) == list(range(500))


def test_the_items_of_several_come_all_and_each_sources_in_order():
    sources = [partial(lambda k: ((k, i) for i in range(200)), k) for k in range(3)]
    items = list(side_by_side(sources, ahead=2))
    assert sorted(items) == [(k, i) for k in range(3) for i in range(200)]
    for k in range(3):
        assert [i for source, i in items if source == k] == list(range(200))


def test_no_source_is_nothing():
    assert list(side_by_side([], ahead=3)) == []


def test_each_source_runs_in_a_thread_of_its_own():
    sources = [Counter(3), Counter(3)]
    list(side_by_side(sources, ahead=3))
    assert len({threading.current_thread().name, *(source.thread for source in sources)}) == 3


def test_a_source_does_not_run_too_far_ahead():
    source = Counter(10_000)
    items = side_by_side([source], ahead=4)
    next(items)
    time.sleep(0.3)
    assert source.made <= 1 + 4 + 1  # taken, waiting, and the one that finds no room
    items.close()


def test_what_a_source_raises_is_raised_after_what_it_gave():
    failing, endless = Counter(100, fails_at=7), Counter(10**9)
    items = side_by_side([failing], ahead=3)
    assert [next(items) for _ in range(7)] == list(range(7))
    with pytest.raises(LookupError, match="no 7"):
        next(items)
    with pytest.raises(LookupError):
        list(side_by_side([Counter(100, fails_at=7), endless], ahead=3))
    assert endless.is_closed.is_set()
    assert pose_threads() == 0


def test_a_source_that_cannot_be_made_is_an_error():
    def unmade():
        raise PermissionError("not this file")

    with pytest.raises(PermissionError, match="not this file"):
        list(side_by_side([unmade], ahead=3))


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_a_caller_who_stops_early_leaves_no_thread_and_nothing_open(taken):
    sources = [Counter(10**9), Counter(10**9)]
    items = side_by_side(sources, ahead=3)
    for _ in range(taken):
        next(items)
    started = time.monotonic()
    items.close()
    assert time.monotonic() - started < PATIENCE_S
    assert pose_threads() == 0
    assert all(source.is_closed.is_set() for source in sources) or taken == 0


def test_a_caller_who_raises_leaves_no_thread():
    source = Counter(10**9)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for item in side_by_side([source], ahead=3):
            if item == 20:
                raise KeyboardInterrupt
    source.is_closed.wait(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while pose_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert pose_threads() == 0


def test_side_by_side_within_side_by_side_ends_too():
    inner = Counter(10**9)
    items = side_by_side([partial(side_by_side, [inner], 2)], ahead=2)
    assert [next(items) for _ in range(5)] == list(range(5))
    items.close()
    assert inner.is_closed.is_set()
    assert pose_threads() == 0
