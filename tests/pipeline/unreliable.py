"""The ports in memory behind a bad line: calls take time, fail or kill their caller, before or after they take effect.

Watches what is written, whoever writes it: see :class:`Watch`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import BinaryIO, TypeVar

from shared.errors import Unavailable
from shared.events import Message
from shared.job import INFER, Job, Source, State, Step, StepState
from shared.memory import MemoryBlobStore, MemoryJobStore
from shared.ports import Blob
from tests.pipeline.clockwork import Clockwork

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = [State.RECEIVED, State.EXTRACTING, State.READY, State.RUNNING]


class Fault(Enum):
    CRASH_BEFORE = "dies before"
    CRASH_AFTER = "dies after"
    ERROR_BEFORE = "fails"
    ERROR_AFTER = "fails after it took effect"


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the line is. Shares are those of calls or deliveries."""

    name: str
    fault_share: float = 0.0
    max_faults: int = 0
    faults_until_s: float = 0.0
    stall_share: float = 0.0
    """Of calls that take minutes, not milliseconds: a pause of the machine."""
    slow_share: float = 0.05
    """Of calls that take seconds."""
    duplicate_share: float = 0.05
    late_share: float = 0.05
    """Of messages that take minutes."""
    refused_share: float = 0.0
    """Of step requests that find no instance free."""
    skew_s: float = 2.0
    """By which a machine's clock may be wrong."""
    ticks: bool = True


class Chance:
    """Every decision of a run, from its seed."""

    def __init__(self, seed: int, weather: Weather, clockwork: Clockwork) -> None:
        self.random = random.Random(seed)
        self.faults = 0
        self._weather = weather
        self._clockwork = clockwork

    def falls(self, share: float) -> bool:
        return self.random.random() < share

    def fault_falls(self, share: float | None = None) -> bool:
        """Whether something goes wrong now: never more often than the weather allows."""
        weather = self._weather
        if self.faults >= weather.max_faults or self._clockwork.now_s > weather.faults_until_s:
            return False
        if not self.falls(weather.fault_share if share is None else share):
            return False
        self.faults += 1
        return True

    def fault(self) -> Fault | None:
        return self.random.choice(list(Fault)) if self.fault_falls() else None

    def latency_s(self) -> float:
        if self.falls(self._weather.stall_share):
            return self.random.uniform(10, 120)
        if self.falls(self._weather.slow_share):
            return self.random.uniform(0.1, 8)
        return self.random.uniform(0.005, 0.1)


@dataclass(slots=True)
class Watch:
    """What must hold at every write. Complaints are kept, for a process could swallow what is raised."""

    clockwork: Clockwork
    is_tracing: bool = False
    trace: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    inferred: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    def tell(self, text: str) -> None:
        if self.is_tracing:
            process = self.clockwork.current
            self.trace.append(f"{self.clockwork.now_s:9.2f}  {process.name if process else '':42} {text}")

    def check(self, holds: bool, complaint: str) -> None:
        if not holds:
            self.tell(f"VIOLATION: {complaint}")
            self.complaints.append(f"at {self.clockwork.now_s:.2f} s: {complaint}")

    def job_written(self, old: Job, new: Job) -> None:
        self.check(new.progress >= old.progress, f"progress went back from {old.progress} to {new.progress}")
        self.check(not old.is_settled or new == old, f"a settled job was changed from {old.state} to {new.state}")
        forward = new.is_settled or ORDER.index(new.state) - ORDER.index(old.state) in (0, 1)
        self.check(forward, f"state jumped from {old.state} to {new.state}")
        if new.state is State.FAILED:
            self.check(new.error is not None, "failed without a reason")

    def step_written(self, job_id: str, old: Step, new: Step) -> None:
        self.check(not old.is_settled or new == old, f"settled step {old.name} was changed to {new}")
        self.check(new.attempt - old.attempt in (0, 1), f"step {old.name} went from attempt {old.attempt} to {new}")
        if new.name == INFER and new.state is StepState.DONE and not old.is_settled:
            self.inferred[job_id] += 1


class Line:
    """Between a process and the ports."""

    def __init__(self, clockwork: Clockwork, chance: Chance, watch: Watch) -> None:
        self._clockwork = clockwork
        self._chance = chance
        self._watch = watch

    def call(self, what: str, effect: Callable[[], T]) -> T:
        process, watch = self._clockwork.current, self._watch
        assert process, f"{what} outside of every process"
        process.sleep(self._chance.latency_s())
        watch.calls += 1
        fault = self._chance.fault()
        watch.tell(what + (f"  {fault.value.upper()}" if fault else ""))
        if fault is Fault.CRASH_BEFORE:
            raise process.crash()
        if fault is Fault.ERROR_BEFORE:
            raise Unavailable
        try:
            return effect()
        except Exception as error:
            watch.tell(f"  raised {error!r}")
            raise
        finally:
            self._answer(fault)

    def _answer(self, fault: Fault | None) -> None:
        process = self._clockwork.current
        assert process
        if fault is Fault.CRASH_AFTER:
            raise process.crash()
        if fault is Fault.ERROR_AFTER:
            raise Unavailable
        if self._chance.falls(0.2):
            process.sleep(self._chance.latency_s())


class UnreliableJobStore:
    """Runs every change twice, as an optimistic store does: changes are pure."""

    def __init__(self, store: MemoryJobStore, line: Line, watch: Watch, chance: Chance) -> None:
        self._store = store
        self._line = line
        self._watch = watch
        self._chance = chance

    def create(self, job: Job) -> Job:
        return self._line.call(f"create {job.id[:4]}", lambda: self._store.create(job))

    def get(self, job_id: str) -> Job:
        return self._line.call(f"get {job_id[:4]}", lambda: self._store.get(job_id))

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        return self._line.call(f"update {job_id[:4]}", lambda: self._changed(job_id, change))

    def offer(self, job_id: str, change: Callable[[Job], Job]) -> None:
        if self._chance.falls(0.7):
            self._line.call(f"offer {job_id[:4]}", lambda: self._changed(job_id, change))

    def steps(self, job_id: str) -> Mapping[str, Step]:
        return self._line.call(f"steps {job_id[:4]}", lambda: self._store.steps(job_id))

    def update_step(self, job_id: str, name: str, change: Callable[[Step], Step]) -> Step:
        def effect() -> Step:
            old = self._store.steps(job_id).get(name, Step(name))
            new = self._store.update_step(job_id, name, self._twice(change))
            if new != old:
                self._watch.tell(f"  {old.state} {old.attempt} → {new.state} {new.attempt}")
                self._watch.step_written(job_id, old, new)
            return new

        return self._line.call(f"step {job_id[:4]} {name}", effect)

    def update_executor(self, slot: int, change: Callable[[Step], Step]) -> Step:
        def effect() -> Step:
            step = self._store.update_executor(slot, self._twice(change))
            self._watch.tell(f"  {step.state} {step.attempt}")
            return step

        return self._line.call(f"executor {slot}", effect)

    def backlog(self, limit: int) -> list[Job]:
        return self._line.call("backlog", lambda: self._store.backlog(limit))

    def stale(self, before: datetime, limit: int) -> list[Job]:
        return self._line.call("stale", lambda: self._store.stale(before, limit))

    def watch(self, job_id: str) -> AbstractContextManager[Iterator[Job]]:
        raise NotImplementedError("no process of the simulation watches")

    def _changed(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        old = self._store.get(job_id)
        new = self._store.update(job_id, self._twice(change))
        if new != old:
            self._watch.tell(f"  {old.state} {old.progress} → {new.state} {new.progress}")
            self._watch.job_written(old, new)
        return new

    def _twice(self, change: Callable[[T], T]) -> Callable[[T], T]:
        def changed(value: T) -> T:
            first, second = change(value), change(value)
            self._watch.check(first == second, f"a change is not pure: {first} and {second}")
            return second

        return changed


class UnreliableBlobStore:
    def __init__(self, store: MemoryBlobStore, line: Line, watch: Watch) -> None:
        self._store = store
        self._line = line
        self._watch = watch

    def stat(self, bucket: str, name: str) -> Blob:
        return self._line.call(f"stat {name}", lambda: self._store.stat(bucket, name))

    def open(self, source: Source) -> BinaryIO:
        return self._line.call(f"open {source.name}", lambda: self._store.open(source))

    def read(self, bucket: str, name: str) -> bytes:
        return self._line.call(f"read {name}", lambda: self._store.read(bucket, name))

    def create(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> bool:
        def effect() -> bool:
            was_there = name in self._store.names(bucket)
            written = self._store.create(bucket, name, content, content_type)
            self._watch.check(written != was_there, f"object {name} was written twice")
            self._watch.check(self._store.read(bucket, name) == content, f"two attempts would write {name} differently")
            return written

        return self._line.call(f"create {name}", effect)


@dataclass(frozen=True, slots=True)
class UnreliableBus:
    line: Line
    send: Callable[[Message], None]

    def publish(self, message: Message) -> None:
        self.line.call(f"publish {message}", lambda: self.send(message))


@dataclass(frozen=True, slots=True)
class UnreliableLauncher:
    line: Line
    start: Callable[[], str]
    count: Callable[[], int]

    def active(self) -> int:
        return self.line.call("active", self.count)

    def launch(self) -> str:
        return self.line.call("LAUNCH", self.start)


@dataclass(frozen=True, slots=True)
class SkewedClock:
    """Each process has a machine of its own, whose clock is wrong by a little."""

    clockwork: Clockwork
    skew_s: float

    def __call__(self) -> datetime:
        return START + timedelta(seconds=self.clockwork.now_s + self._skew_s())

    def _skew_s(self) -> float:
        process = self.clockwork.current
        if process is None:
            return 0.0
        return self.skew_s * (random.Random(process.root.name).random() - 0.5)
