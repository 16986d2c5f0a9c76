"""Programs that run at the same time, one at a time, in simulated time.

Each process is an ordinary program in a thread of its own. It runs only while everything else waits,
and hands over only where it sleeps; who goes on is decided by the agenda. So every interleaving is
possible, and one seed always gives the same. Knows nothing of jobs.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Action = Callable[[], None]
OnEnd = Callable[[BaseException | None], None]


class Crash(BaseException):
    """SIGKILL: whatever the program does from here on has no effect, its clean-up included."""


class Clockwork:
    """The agenda, and the time of the event in hand, seconds from the start."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.current: Process | None = None
        self.baton = threading.Semaphore(0)
        self._agenda: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._processes: list[Process] = []
        self._is_closed = False

    def after(self, delay_s: float, action: Action) -> None:
        if not self._is_closed:
            heapq.heappush(self._agenda, (self.now_s + delay_s, next(self._order), action))

    def run(self, is_over: Callable[[], bool], until_s: float) -> None:
        """Do what is on the agenda, in order, until ``is_over`` or nothing is left before ``until_s``."""
        while self._agenda and self._agenda[0][0] <= until_s and not is_over():
            self.now_s, _, action = heapq.heappop(self._agenda)
            action()
        if not is_over():
            self.now_s = until_s

    def skips(self, delay_s: float) -> bool:
        """Move on by ``delay_s`` if nothing else is to happen meanwhile."""
        if self._agenda and self._agenda[0][0] <= self.now_s + delay_s:
            return False
        self.now_s += delay_s
        return True

    def start(self, name: str, program: Action, on_end: OnEnd) -> Process:
        process = Process(self, name, program, on_end, parent=None)
        self._processes = [held for held in self._processes if not held.has_ended] + [process]
        return process

    def close(self) -> None:
        """End every thread, and tell nobody."""
        self._is_closed = True
        for process in self._processes:
            process.put_an_end()


class Process:
    """``on_end`` is told what the program raised, if anything. Its threads die when it is killed."""

    def __init__(self, clockwork: Clockwork, name: str, program: Action, on_end: OnEnd, parent: Process | None) -> None:
        self.name = name
        self.has_ended = False
        self._clockwork = clockwork
        self._program = program
        self._on_end = on_end
        self._parent = parent
        self._is_dead = False
        self._threads: list[Process] = []
        self._waiting: list[Action] = []
        self._turn = threading.Semaphore(0)
        self._parkings = 0
        threading.Thread(target=self._run, name=name, daemon=True).start()
        clockwork.after(0, lambda: self._resume(0))

    @property
    def root(self) -> Process:
        return self._parent.root if self._parent else self

    def thread(self, name: str, program: Action, on_end: OnEnd) -> Process:
        thread = Process(self._clockwork, f"{self.name} {name}", program, on_end, parent=self)
        self._threads.append(thread)
        return thread

    def sleep(self, seconds: float) -> None:
        """Raises Crash if the process was killed meanwhile."""
        self._check()
        if not self._clockwork.skips(seconds):
            self._clockwork.after(seconds, self._waking())
            self._park()

    def join(self, thread: Process) -> None:
        self._check()
        if not thread.has_ended:
            thread._waiting.append(self._waking())
            self._park()

    def wait(self, event: Event, timeout_s: float | None) -> None:
        self._check()
        wake = self._waking()
        event.waiting.append(wake)
        if timeout_s is not None:
            self._clockwork.after(timeout_s, wake)
        self._park()

    def crash(self) -> Crash:
        """To be raised by the program that dies here."""
        self.root.kill()
        return Crash(self.name)

    def kill(self) -> None:
        self._is_dead = True
        for thread in self._threads:
            thread.kill()
        if not self.has_ended and self._clockwork.current is not self:
            parking = self._parkings
            self._clockwork.after(0, lambda: self._resume(parking))

    def put_an_end(self) -> None:
        self.kill()
        for thread in self._threads:
            thread.put_an_end()
        while not self.has_ended:
            self._resume(self._parkings)

    def _waking(self) -> Action:
        """What ends the next time it parks."""
        parking = self._parkings + 1
        return lambda: self._resume(parking)

    def _check(self) -> None:
        if self._is_dead:
            raise Crash(self.name)

    def _park(self) -> None:
        self._parkings += 1
        self._clockwork.baton.release()
        self._turn.acquire()
        self._check()

    def _resume(self, parking: int) -> None:
        """Let it run until it parks or ends; nothing where it has run on since ``parking``."""
        if not self.has_ended and parking == self._parkings:
            self._clockwork.current = self
            self._turn.release()
            self._clockwork.baton.acquire()
            self._clockwork.current = None

    def _run(self) -> None:
        self._turn.acquire()
        error: BaseException | None = None
        try:
            self._check()
            self._program()
        except BaseException as raised:  # noqa: BLE001 - handed to on_end
            error = raised
        self._end(error)
        self._clockwork.baton.release()

    def _end(self, error: BaseException | None) -> None:
        self.has_ended = True
        for wake in [*self._waiting, lambda: self._on_end(error)]:
            self._clockwork.after(0, wake)


class Event:
    """Stands in for threading.Event."""

    def __init__(self, clockwork: Clockwork) -> None:
        self.waiting: list[Action] = []
        self._clockwork = clockwork
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        for wake in self.waiting:
            self._clockwork.after(0, wake)

    def wait(self, timeout: float | None = None) -> bool:
        process = self._clockwork.current
        assert process
        if not self._is_set:
            process.wait(self, timeout)
        return self._is_set


class Thread:
    """Stands in for threading.Thread: a thread of the process that starts it."""

    def __init__(self, clockwork: Clockwork, target: Action, name: str, on_end: OnEnd) -> None:
        self._clockwork = clockwork
        self._target = target
        self._name = name
        self._on_end = on_end
        self._process: Process | None = None

    def start(self) -> None:
        process = self._clockwork.current
        assert process
        self._process = process.thread(self._name, self._target, self._on_end)

    def join(self) -> None:
        process = self._clockwork.current
        assert process
        assert self._process
        process.join(self._process)


class Pool:
    """Stands in for ThreadPoolExecutor: its threads belong to the process that uses it."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, work: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
        """All rows at once; raises what the first bad one raised, when all have ended."""
        process = self._clockwork.current
        assert process
        calls = [_Call(work, row) for row in zip(*columns, strict=True)]
        for thread in [process.thread(f"#{i}", call, lambda _: None) for i, call in enumerate(calls)]:
            process.join(thread)
        return iter([call.outcome() for call in calls])


class _Call:
    def __init__(self, work: Callable[..., Any], row: tuple[Any, ...]) -> None:
        self._work = work
        self._row = row
        self._result: Any = None
        self._error: BaseException | None = None

    def __call__(self) -> None:
        try:
            self._result = self._work(*self._row)
        except BaseException as error:  # noqa: BLE001 - raised by outcome()
            self._error = error

    def outcome(self) -> Any:
        if self._error:
            raise self._error
        return self._result
