"""A program that is asked to end does so as one that fails: what it has begun is put away, children included."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # Ctrl-C unwinds by itself


@contextmanager
def stopped_by_signals() -> Generator[None]:
    """Inside, SIGTERM and SIGHUP raise SystemExit in the main thread, whose status is a shell's for that signal.

    Only the first one does: what unwinds is not interrupted by another.
    """

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
