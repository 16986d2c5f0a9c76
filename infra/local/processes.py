"""Child processes that surely end: each in a group of its own, its output in a file.

A child is ended with everything it started. It cannot outlive this process either: a guard (see
guard.py) kills the groups of whoever dies without ending them. Needs a POSIX system.
Nothing here knows what the programs do.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from shared.errors import Unavailable

LOCALHOST = "127.0.0.1"

_POLL_S = 0.02
_TAIL_BYTES = 2_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. ``environment`` is all of it; ``grace_s`` is the time between SIGTERM and SIGKILL."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path | None = None
    grace_s: float = 10.0


class Process:
    """A running program, the leader of its process group. Its output is appended to ``log``."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self._ending = threading.Lock()
        self._ended = False
        self._popen = _start(program, log)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number where one ended it."""
        return self._popen.poll()

    @property
    def tail(self) -> str:
        """The end of what it said."""
        return self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit code, or None where it still runs after ``timeout_s``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout_s)
        return self.exit_code

    def signal(self, number: signal.Signals) -> None:
        """To the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def end(self) -> None:
        """SIGTERM to the program; once it has gone, or its grace is over, SIGKILL to what is left of its group."""
        with self._ending:
            if self._ended:  # its number may be another's by now
                return
            if self.exit_code is None:
                self._popen.terminate()
                self.wait(self.program.grace_s)
            self.signal(signal.SIGKILL)
            self._popen.wait()
            _guard().release(self.pid)
            self._ended = True


def _start(program: Program, log: Path) -> subprocess.Popen[bytes]:
    """Start it behind a gate: the shell becomes the program only when the guard knows of it.

    So there is no moment at which this process could die and leave the program running: without
    the line the shell finds its input at an end, and exits.
    """
    with log.open("ab") as output:
        popen = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _ && exec "$@" </dev/null', program.name, *program.command],
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            env=dict(program.environment), cwd=program.folder, start_new_session=True,
        )  # fmt: skip
    _guard().watch(popen.pid)
    assert popen.stdin is not None
    with popen.stdin as gate:
        gate.write(b"go\n")
    return popen


class _Guard:
    def __init__(self) -> None:
        script = Path(__file__).with_name("guard.py")
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)], stdin=subprocess.PIPE, start_new_session=True
        )

    def watch(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def close(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait()

    def _tell(self, line: str) -> None:
        # One short write to a pipe is atomic, so threads need no lock.
        assert self._popen.stdin is not None
        os.write(self._popen.stdin.fileno(), line.encode())


@functools.cache
def _guard() -> _Guard:
    """One for this process, started with the first child."""
    guard = _Guard()
    atexit.register(guard.close)
    return guard


@contextmanager
def running(program: Program, log: Path) -> Generator[Process]:
    """The program runs inside."""
    process = Process(program, log)
    try:
        yield process
    finally:
        process.end()


def free_port() -> int:
    """A port that was free a moment ago, and that nobody is likely to take soon."""
    return next(port for port in _ports if _is_free(port))


# Below those that an operating system gives to outgoing connections: such a one could take a port between its choice
# and its use. In an order of our own, for others choose at the same time.
_ports = itertools.cycle(random.sample(range(20_000, 32_000), 12_000))


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind((LOCALHOST, port))
        except OSError:
            return False
        return True


def answers_http(port: int) -> bool:
    """Whether anything that speaks HTTP listens there, whatever it says."""
    try:
        with urlopen(f"http://{LOCALHOST}:{port}/", timeout=5):
            return True
    except HTTPError:
        return True
    except (URLError, OSError):
        return False


def wait_until(ready: Callable[[], bool], process: Process, timeout_s: float) -> None:
    """Raises Unavailable where the process exits or ``timeout_s`` goes by before it is ready."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.exit_code is not None:
            raise Unavailable(f"{process.program.name} exited with {process.exit_code} at its start:\n{process.tail}")
        if time.monotonic() > deadline:
            raise Unavailable(f"{process.program.name} does not answer after {timeout_s:g} s:\n{process.tail}")
        time.sleep(_POLL_S)
