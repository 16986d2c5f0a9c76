"""Keeps child processes running. Nothing here knows what they do."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from infra.local.processes import Process, Program
from shared.errors import Unavailable

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0
_LIVED_LONG_S = 10.0
"""Who dies sooner after its start is started again less and less often."""

logger = logging.getLogger(__name__)


class Supervisor:
    """Children by name. One that ends by itself is logged, and started again where that helps."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: dict[str, Process] = {}
        self._keepers: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._loss = ""

    def start(self, program: Program, *, restart: bool) -> Process:
        """Without ``restart``, its end is a loss that ``wait`` tells of."""
        process = self._start(program)
        keeper = threading.Thread(target=self._keep, args=(process, restart), name=f"keep {program.name}", daemon=True)
        self._keepers.append(keeper)
        keeper.start()
        return process

    @property
    def children(self) -> Mapping[str, Process]:
        with self._lock:
            return dict(self._children)

    def kill(self, name: str) -> None:
        """SIGKILL to a child and whatever it started, as a crash would have it."""
        self.children[name].signal(signal.SIGKILL)

    def wait(self, timeout_s: float | None = None) -> None:
        """Until a child is lost that cannot be started again. Then raises Unavailable."""
        if self._lost.wait(timeout_s):
            raise Unavailable(self._loss)

    def close(self) -> None:
        """End all, at the same time."""
        with self._lock:
            self._stop.set()
        with ThreadPoolExecutor(len(self._children) or 1) as pool:
            list(pool.map(Process.end, self._children.values()))
        for keeper in self._keepers:
            keeper.join()

    def _start(self, program: Program) -> Process:
        with self._lock:
            if self._stop.is_set():
                raise Unavailable("the system is being stopped")
            process = Process(program, self._logs / f"{program.name}.log")
            self._children[program.name] = process
            return process

    def _keep(self, process: Process, restart: bool) -> None:  # noqa: FBT001 - a thread's arguments have no names
        pause_s = _FIRST_PAUSE_S
        started_at = time.monotonic()
        while self._died(process):
            if not restart:
                self._give_up(process)
                return
            pause_s = _FIRST_PAUSE_S if time.monotonic() - started_at > _LIVED_LONG_S else 2 * pause_s
            if self._stop.wait(min(pause_s, _LONGEST_PAUSE_S)):
                return
            process, started_at = self._start(process.program), time.monotonic()

    def _died(self, process: Process) -> bool:
        """Wait for its end. False where we ended it ourselves."""
        exit_code = process.wait()
        if self._stop.is_set():
            return False
        logger.error("%s ended with %s; see %s", process.program.name, exit_code, process.log)
        process.end()
        return True

    def _give_up(self, process: Process) -> None:
        self._loss = f"{process.program.name} ended with {process.exit_code}:\n{process.tail}"
        self._lost.set()


@contextmanager
def supervised(logs: Path) -> Generator[Supervisor]:
    """Its children run inside, at the longest."""
    supervisor = Supervisor(logs)
    try:
        yield supervisor
    finally:
        supervisor.close()
