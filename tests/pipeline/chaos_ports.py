"""Real ports for processes that are to die: SIGKILL before or after a write, as the job's seed has it.

Messages are published late or twice, too. Whatever is written, or kills, is noted in one journal,
that all processes append to.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from fcntl import LOCK_EX, flock
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, TypeVar

from shared.errors import LostLease, StepBusy, TransientError
from shared.events import Message, StepRequested, Tick, UploadFinalized
from shared.job import Job, Source, Step, StepState
from shared.ports import Blob, JobLauncher, JobStore, MessageBus, Ports
from tests.pipeline.chaos_inferences import FAILED_FOR_NOW
from tests.pipeline.chaos_plan import SHARED, Kill, Script, When, script_of, seed_of, shared_kill

T = TypeVar("T")

FOLDER = "CHAOS_FOLDER"
"""The setting that names the folder of the journal and of what is counted."""

LATE_SHARE, LATE_S = 0.2, 0.8
TWICE_SHARE, TWICE_S = 0.2, 6.0


@dataclass(frozen=True, slots=True)
class Journal:
    """Lines of JSON in a file, from many processes; and what is counted among them."""

    folder: Path

    def note(self, kind: str, seed: int | None, what: str, **more: Any) -> None:
        line = {"at": time.time(), "pid": os.getpid(), "kind": kind, "seed": seed, "what": what, **more}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def notes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()] if self._path.exists() else []

    def is_within(self, times: int, name: str) -> bool:
        """Whether that name has been asked for no oftener than so."""
        return self.counted(name) <= times

    def counted(self, name: str) -> int:
        """For the how many-th time that name is counted."""
        with (self.folder / "counts" / name.replace(" ", "-")).open("a") as file:
            flock(file, LOCK_EX)
            file.write(".")
            file.flush()
            return file.tell()

    def prepare(self) -> None:
        (self.folder / "counts").mkdir(parents=True)

    @property
    def _path(self) -> Path:
        return self.folder / "journal"


def stumble(script: Script, place: str, journal: Journal) -> None:
    """Raise what the script has for that place."""
    fate = script.fate
    if fate.error and fate.place == place and journal.is_within(fate.tries, f"{script.seed} {place}"):
        journal.note(
            place, script.seed, FAILED_FOR_NOW if issubclass(fate.error, TransientError) else "failed for good"
        )
        raise fate.error


def tempo_of(script: Script) -> float:
    """By which a job's audio features are known to be its own."""
    return 1000.0 + script.seed


class Scene:
    """A process of a kind, the scripts of the jobs that it works for, and its death."""

    def __init__(self, kind: str, journal: Journal, jobs: JobStore) -> None:
        self.kind = kind
        self.journal = journal
        self._jobs = jobs
        self._names: dict[str, str] = {}

    def script(self, job_id: str) -> Script | None:
        if job_id not in self._names:
            self._names[job_id] = self._jobs.get(job_id).source.name
        return self.script_of_upload(self._names[job_id])

    def script_of_message(self, message: Message) -> Script | None:
        match message:
            case Tick():
                return None
            case UploadFinalized(source):
                return self.script_of_upload(source.name)
            case other:
                return self.script(other.job_id)

    def script_of_upload(self, name: str) -> Script | None:
        seed = seed_of(name)
        return None if seed is None else script_of(seed)

    @contextmanager
    def write(self, script: Script | None, label: str) -> Generator[None]:
        self.live_through(script, label, When.BEFORE)
        try:
            yield
        except Exception as error:
            self.failed(script, label, error)
            raise
        self.live_through(script, label, When.AFTER)

    def failed(self, script: Script | None, label: str, error: Exception) -> None:
        self.journal.note(self.kind, script and script.seed, label, when="failed", error=repr(error))

    def live_through(self, script: Script | None, label: str, when: When) -> None:
        seed = script and script.seed
        self.journal.note(self.kind, seed, label, when=when)
        if kill := self._kill(script, label, when):
            self.journal.note(self.kind, seed, label, when=when, died=True, whole=kill.whole)
            os.killpg(0, signal.SIGKILL) if kill.whole else os.kill(os.getpid(), signal.SIGKILL)

    def _kill(self, script: Script | None, label: str, when: When) -> Kill | None:
        """What many jobs have in common, and whatever the sweep writes, is deadly by its number."""
        if script is None or self.kind == "sweep" or (self.kind, label) in SHARED:
            count = self.journal.counted(f"{self.kind} {label} {when}")
            return Kill(self.kind, label, when) if shared_kill(self.kind, count) else None
        kill = script.kill_at(self.kind, label, when)
        if kill and self.journal.is_within(kill.times, f"kill {script.seed} {self.kind} {label} {when}"):
            return kill
        return None


class _Change:
    """A pure change, watched: what it would write is known before it is written."""

    def __init__(
        self, scene: Scene, script: Script | None, change: Callable[[T], T], label: Callable[[T, T], str]
    ) -> None:
        self._scene = scene
        self._script = script
        self._change = change
        self._label = label
        self._pending: str | None = None

    def __call__(self, old: Any) -> Any:
        new = self._change(old)
        label = self._label(old, new) if new != old else None
        if label and label != self._pending:
            self._scene.live_through(self._script, label, When.BEFORE)
        self._pending = label
        return new

    def failed(self, error: Exception) -> None:
        """Not where the change itself refused."""
        if not isinstance(error, StepBusy | LostLease):
            self._scene.failed(self._script, self._pending or "write", error)

    def done(self) -> None:
        if self._pending:
            self._scene.live_through(self._script, self._pending, When.AFTER)


@dataclass(frozen=True, slots=True)
class DeadlyJobStore:
    inner: JobStore
    scene: Scene

    def create(self, job: Job) -> Job:
        with self.scene.write(self.scene.script_of_upload(job.source.name), "job RECEIVED"):
            return self.inner.create(job)

    def get(self, job_id: str) -> Job:
        return self.inner.get(job_id)

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        return self._changed(self.scene.script(job_id), change, _job_label, lambda c: self.inner.update(job_id, c))

    def offer(self, job_id: str, change: Callable[[Job], Job]) -> None:
        script = self.scene.script(job_id)
        self._changed(script, change, lambda _old, _new: "progress", lambda c: self.inner.offer(job_id, c))

    def steps(self, job_id: str) -> Mapping[str, Step]:
        return self.inner.steps(job_id)

    def update_step(self, job_id: str, name: str, change: Callable[[Step], Step]) -> Step:
        script = self.scene.script(job_id)
        return self._changed(script, change, _step_label, lambda c: self.inner.update_step(job_id, name, c))

    def update_executor(self, slot: int, change: Callable[[Step], Step]) -> Step:
        return self._changed(None, change, _slot_label, lambda c: self.inner.update_executor(slot, c))

    def backlog(self, limit: int) -> list[Job]:
        return self.inner.backlog(limit)

    def stale(self, before: datetime, limit: int) -> list[Job]:
        return self.inner.stale(before, limit)

    def watch(self, job_id: str) -> AbstractContextManager[Iterator[Job]]:
        return self.inner.watch(job_id)

    def _changed(self, script: Script | None, change: Any, label: Any, write: Callable[[Any], T]) -> T:
        watched = _Change(self.scene, script, change, label)
        try:
            written = write(watched)
        except TransientError as error:
            watched.failed(error)
            raise
        watched.done()
        return written


def _job_label(old: Job, new: Job) -> str:
    return "job looked after" if new.state is old.state else f"job {new.state}"


def _step_label(old: Step, new: Step) -> str:
    name = new.name.partition("-")[0]
    if not (new.state is old.state is StepState.RUNNING and new.attempt == old.attempt):
        return f"{name} {new.state}"
    assert new.lease_until
    assert old.lease_until
    # A job that failed for now keeps its lease for a rest, shorter than the lease of one that is worked on.
    return f"{name} rested" if new.lease_until < old.lease_until else f"{name} renewed"


def _slot_label(old: Step, new: Step) -> str:
    if new.state is old.state is StepState.RUNNING and new.attempt == old.attempt:
        return "slot renewed"
    if new.state is StepState.WAITING and new.lease_until:
        return "slot reserved"
    return "slot unreserved" if new.state is old.state else f"slot {new.state}"


@dataclass(frozen=True, slots=True)
class DeadlyBlobStore:
    inner: Any
    scene: Scene

    def stat(self, bucket: str, name: str) -> Blob:
        return self.inner.stat(bucket, name)

    def open(self, source: Source) -> BinaryIO:
        return self.inner.open(source)

    def read(self, bucket: str, name: str) -> bytes:
        return self.inner.read(bucket, name)

    def create(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> bool:
        job_id, _, rest = name.partition("/")
        label = f"object {Path(rest).stem.partition('-')[0]}"
        with self.scene.write(self.scene.script(job_id), label):
            return self.inner.create(bucket, name, content, content_type)


@dataclass(frozen=True, slots=True)
class UnrulyBus:
    """Holds some messages back, so that others overtake them, and publishes some twice."""

    inner: MessageBus
    scene: Scene

    def publish(self, message: Message) -> None:
        script, label = self.scene.script_of_message(message), _message_label(message)
        random = Random(f"{script and script.seed} {self.scene.kind} {label}")
        if random.random() < LATE_SHARE:
            self._note(script, label, "late")
            time.sleep(random.uniform(0, LATE_S))
        if random.random() < TWICE_SHARE:
            self._note(script, label, "twice")
            self._later(message, random.uniform(0, TWICE_S))
        with self.scene.write(script, label):
            self.inner.publish(message)

    def _note(self, script: Script | None, label: str, what: str) -> None:
        self.scene.journal.note(self.scene.kind, script and script.seed, label, when=what)

    def _later(self, message: Message, after_s: float) -> None:
        timer = threading.Timer(after_s, self.inner.publish, [message])
        timer.daemon = True
        timer.start()


def _message_label(message: Message) -> str:
    match message:
        case UploadFinalized():
            return "publish upload"
        case StepRequested(_, step):
            return f"publish {step.partition('-')[0]}"
        case other:
            return f"publish {other.topic}"


@dataclass(frozen=True, slots=True)
class DeadlyLauncher:
    inner: JobLauncher
    scene: Scene

    def active(self) -> int:
        return self.inner.active()

    def launch(self) -> str:
        with self.scene.write(None, "launch"):
            return self.inner.launch()


def deadly(ports: Ports, scene: Scene) -> Ports:
    """The ports, every write of which may be the process's last."""
    return replace(
        ports,
        jobs=DeadlyJobStore(ports.jobs, scene),
        blobs=DeadlyBlobStore(ports.blobs, scene),
        bus=UnrulyBus(ports.bus, scene),
        launcher=DeadlyLauncher(ports.launcher, scene),
    )
