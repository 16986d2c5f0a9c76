"""What processes that come and go take of the machine (Linux)."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.machine import peak_resident_mb

EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, since its start."""

    peak_mb: float
    processor_s: float


Usages = dict[str, dict[int, Usage]]
"""By name, the usages of the processes of that name and of their children, by pid."""


def descendants(pid: int) -> list[int]:
    """Its children, and theirs."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        return [*children, *(one for child in children for one in descendants(child))]
    return []


@contextmanager
def usages_of(pids: Callable[[], Mapping[str, int]]) -> Generator[Usages]:
    """Looked at twice a second inside: what a process takes in its last moments is missed."""
    usages: Usages = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(EVERY_S):
            for name, pid in pids().items():
                usages.setdefault(name, {}).update(_usages(pid))

    thread = threading.Thread(target=look, name="usages", daemon=True)
    thread.start()
    try:
        yield usages
    finally:
        stop.set()
        thread.join()


def _usages(pid: int) -> dict[int, Usage]:
    found: dict[int, Usage] = {}
    for one in (pid, *descendants(pid)):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, LookupError):
            found[one] = Usage(peak_resident_mb(one), _processor_s(one))
    return found


def _processor_s(pid: int) -> float:
    """User and system time; the fields after the name, which may hold spaces."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
