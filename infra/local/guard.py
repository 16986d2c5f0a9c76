"""Ends process groups when whoever asked for it is gone, however it went: even by SIGKILL.

Standard input brings lines, ``+PID`` to look after a group and ``-PID`` to leave it alone; its end
means that the other side is gone. A pipe ends on every POSIX system. Linux's parent-death signal
was the alternative: it reaches only the child itself and not its children, and it also fires when
the mere thread that started the child ends.

Runs as a program of its own, and imports nothing of the project so that it starts in no time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


def guard(lines: Iterable[str]) -> None:
    """Follow the lines to their end, then kill every group that is still looked after."""
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # meant for those it guards
        signal.signal(number, signal.SIG_IGN)
    guard(sys.stdin)
