"""Iterators that work ahead in threads of their own. Knows nothing of what they yield."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.05  # how soon a thread that waits notices that nobody wants its items any more


@dataclass(frozen=True, slots=True)
class _End:
    """A thread has nothing more to give. ``error`` is what ended it before its time."""

    error: BaseException | None


def side_by_side(sources: Sequence[Callable[[], Generator[T]]], ahead: int) -> Generator[T]:
    """The items of several generators as they come, those of each one in order.

    Each generator is made, run and closed in a thread of its own, and is at most ``ahead`` items
    ahead of the caller. What one raises is raised here. When the caller stops early, or anything is
    raised, all generators are closed before this returns.
    """
    stop = Event()
    queue: Queue[T | _End] = Queue(max(1, ahead * len(sources)))
    threads = [
        Thread(target=_feed, args=(source, queue, stop), name=f"pose-{i}", daemon=True)
        for i, source in enumerate(sources)
    ]
    try:
        for thread in threads:
            thread.start()
        yield from _items(queue, len(threads))
    finally:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


def _items(queue: Queue[T | _End], running: int) -> Iterator[T]:
    while running:
        item = queue.get()
        if not isinstance(item, _End):
            yield item
            continue
        if item.error:
            raise item.error
        running -= 1


def _feed(source: Callable[[], Generator[T]], queue: Queue[T | _End], stop: Event) -> None:
    end = _End(None)
    try:
        with closing(source()) as items:
            for item in items:
                if not _put(queue, item, stop):
                    return
    except BaseException as error:  # noqa: BLE001  handed to the caller, who raises it
        end = _End(error)
    _put(queue, end, stop)


def _put(queue: Queue[T | _End], item: T | _End, stop: Event) -> bool:
    """Whether the item was put before ``stop``."""
    while not stop.is_set():
        try:
            queue.put(item, timeout=POLL_S)
        except Full:
            continue
        return True
    return False
