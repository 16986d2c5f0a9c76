"""How a program that is asked to end does so: as one that fails, so that what it has begun is put away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Generator[threading.Event]:
    """Inside, SIGTERM and SIGHUP unwind the main thread as Ctrl-C does: with SystemExit.

    Only the first signal counts: what unwinds is not interrupted a second time. Other threads, which the main one may
    have to wait for, learn of it by the event.
    """
    stopped = threading.Event()

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        for each in _ENDING_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        stopped.set()
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in _ENDING_SIGNALS}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
