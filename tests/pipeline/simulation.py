"""The whole chain on ports in memory, in any weather, from a seed.

The real functions and the real GPU worker handle messages that come late, twice and in any order,
while their calls fail and their processes are killed; only what they extract and infer is invented.
Afterwards every job must have come to its due end. ``python -m tests.pipeline.simulation --help``.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from functions.dispatch.handler import handle as dispatch
from functions.intake import handler as intake
from functions.sweep.handler import handle as sweep
from gpu_job import worker
from shared import backlog, step
from shared.config import Settings
from shared.errors import DamagedFile, NobodyFound, NotAVideo, TransientError, Unavailable
from shared.events import MESSAGE_PUBLISHED, Message, StepRequested, Tick, Topic, UploadFinalized, encode
from shared.job import INFER, Job, Kind, Source, State, Step, features_name, results_name
from shared.media import AudioStream, Media, VideoStream
from shared.memory import MemoryBlobStore, MemoryJobStore
from shared.ports import Ports
from shared.step import Report, deliver, run_step
from tests.pipeline.clockwork import Clockwork, Crash, Event, Pool, Process, Thread
from tests.pipeline.unreliable import (
    START,
    Chance,
    Line,
    SkewedClock,
    UnreliableBlobStore,
    UnreliableBus,
    UnreliableJobStore,
    UnreliableLauncher,
    Watch,
    Weather,
)

MAX_DELIVERIES = 5
FUNCTION_TIMEOUT_S = 540.0
TASK_TIMEOUT_S = 3600.0
TICK_S = 60.0
REST_S = 1800.0
"""Watched on after the last job is settled: late duplicates must change nothing."""

CALM = Weather("calm", ticks=False)
"""Nothing fails: messages alone, without the sweep, must bring every job to its end."""
FOG = replace(CALM, name="fog", slow_share=0.5)
"""Nothing fails, but everything takes long: what is seldom at the same time now is."""
SHOWERS = Weather("showers", 0.01, 2, 1200.0, stall_share=0.002, refused_share=0.1)
"""Fewer faults than a step has attempts: no good job may be given up."""
STORM = Weather("storm", 0.1, 300, 1800.0, stall_share=0.01, duplicate_share=0.2, refused_share=0.3, skew_s=10.0)
WEATHERS = (CALM, FOG, SHOWERS, STORM)


class Bug(Exception):
    """A mistake in the code, as far as the system can tell."""


@dataclass(frozen=True, slots=True)
class Script:
    """An upload, what goes wrong with it, and the ends it may come to: DONE, CANCELLED or an error's code."""

    title: str
    ends: frozenset[str]
    content: Mapping[str, Any] | None = field(default_factory=lambda: {"duration_s": 30.0, "video": True})
    size: int | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: {"owner": "ann", "min_counts": "2"})
    errors: Mapping[str, type[Exception]] = field(default_factory=dict)
    """By the place (a step, or load, infer, record) where it is raised."""
    outages: Mapping[str, float] = field(default_factory=dict)
    """By place: for how many seconds after the first try it fails."""
    detected: int = 9
    cancelled_after_s: float | None = None
    overwritten_after_s: float | None = None
    deleted_after_s: float | None = None
    killing: str = ""
    """The place where the process that works on it dies, as for want of memory."""


def _script(title: str, *ends: str, **details: Any) -> Script:
    return Script(title, frozenset(ends), **details)


SCRIPTS: Sequence[Script] = (
    _script("empty", "EMPTY_FILE", content=None),
    _script("text", "NOT_A_VIDEO", content={}),
    _script("no picture", "NO_PICTURE", content={"duration_s": 30.0, "video": False}),
    _script("too long", "TOO_LONG", content={"duration_s": 1e4, "video": True}),
    _script("too large", "TOO_LARGE", size=10**10),
    _script("bad option", "BAD_OPTION", metadata={"min_counts": "many"}),
    _script("nobody", "NOBODY_FOUND", detected=0),
    _script("bad sound", "DAMAGED_FILE", errors={"audio": DamagedFile}),
    _script("bad picture", "DAMAGED_FILE", errors={"pose-01": DamagedFile}),
    _script("bug in pose", "GAVE_UP", errors={"pose-00": Bug}),
    _script("unloadable", "NOBODY_FOUND", errors={"load": NobodyFound}),
    _script("uninferable", "DAMAGED_FILE", errors={"infer": DamagedFile}),
    _script("unrecordable", "DAMAGED_FILE", errors={"record": DamagedFile}),
    _script("bug in inference", "GAVE_UP", errors={"infer": Bug}),
    _script("bug in recording", "GAVE_UP", errors={"record": Bug}),
    _script("outage for sound", "DONE", outages={"audio": 25.0}),
    _script("outage for pose", "DONE", outages={"pose-00": 25.0}),
    _script("outage for loading", "DONE", outages={"load": 25.0}),
    _script("outage for recording", "DONE", outages={"record": 25.0}),
    _script("cancelled early", "DONE", "CANCELLED", cancelled_after_s=15.0),
    _script("cancelled late", "DONE", "CANCELLED", cancelled_after_s=90.0),
    _script("overwritten early", "DONE", "SOURCE_GONE", overwritten_after_s=2.0),
    _script("overwritten late", "DONE", "SOURCE_GONE", overwritten_after_s=30.0),
    _script("deleted early", "DONE", "SOURCE_GONE", deleted_after_s=10.0),
    _script("deleted late", "DONE", "SOURCE_GONE", deleted_after_s=60.0),
)
KILLERS: Sequence[Script] = (
    _script("kills pose", "GAVE_UP", killing="pose-00"),
    _script("kills inference", "GAVE_UP", killing="infer"),
)
"""Only where the sweep ticks: nobody else knows of a dead process."""
GOOD = _script("good", "DONE")


@dataclass(frozen=True, slots=True)
class Delivery:
    message: Message
    handle: Callable[[Message, Ports], None]
    number: int = 1
    is_dead_letter: bool = False

    @property
    def name(self) -> str:
        match self.message:
            case UploadFinalized():
                what = f"upload {self.message.job_id[:4]}"
            case StepRequested(job_id, step):
                what = f"{step} {job_id[:4]}"
            case Tick():
                what = "tick"
            case other:
                what = f"features {other.job_id[:4]}"
        return f"{'dead ' * self.is_dead_letter}{what} ({self.number})"


@dataclass(frozen=True, slots=True)
class Push:
    """A Pub/Sub push, as a function is given it."""

    data: Any

    @classmethod
    def of(cls, message: Message) -> Push:
        data, attributes = encode(message)
        return cls({"message": {"data": base64.b64encode(data).decode(), "attributes": attributes}})

    def __getitem__(self, key: str, /) -> str:
        return {"type": MESSAGE_PUBLISHED}[key]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. ``waits_s``: from READY to RUNNING, of the jobs that got so far."""

    seed: int
    weather: Weather
    complaints: Sequence[str]
    trace: Sequence[str]
    faults: int
    calls: int
    jobs: int
    ends: Mapping[str, int]
    settled_s: float
    launched: int


class World:
    """The cloud: it delivers messages, runs executions, ticks, and kills."""

    def __init__(self, seed: int, weather: Weather, *, tracing: bool = False) -> None:
        self.weather = weather
        self.clockwork = Clockwork()
        self.chance = Chance(seed, weather, self.clockwork)
        self.watch = Watch(self.clockwork, tracing)
        self.scripts: dict[str, Script] = {}
        self.launched = 0
        self.active = 0
        self._running = 0
        self._names: Counter[str] = Counter()
        self._first_tries: dict[tuple[str, str], float] = {}
        self.deleted: set[str] = set()
        line = Line(self.clockwork, self.chance, self.watch)
        self.jobs = MemoryJobStore(lambda: START + timedelta(seconds=self.clockwork.now_s))
        self.blobs = MemoryBlobStore()
        self.ports = Ports(
            self._settings(),
            UnreliableJobStore(self.jobs, line, self.watch, self.chance),
            UnreliableBlobStore(self.blobs, line, self.watch),
            UnreliableBus(line, self.send),
            UnreliableLauncher(line, self.launch, lambda: self.active),
            SkewedClock(self.clockwork, weather.skew_s),
        )
        self.handlers: Mapping[Topic, Callable[[Message, Ports], None]] = {
            Topic.UPLOADS: intake.handle,
            Topic.AUDIO_REQUESTS: self.extract,
            Topic.POSE_REQUESTS: self.extract,
            Topic.FEATURES: dispatch,
            Topic.TICKS: sweep,
        }

    def _settings(self) -> Settings:
        pick = self.chance.random.choice
        return Settings(
            "p",
            "uploads",
            "features",
            "results",
            "library",
            batch_size=pick([1, 2, 8]),
            max_executions=pick([1, 2, 3]),
        )

    # --- messages

    def send(self, message: Message) -> None:
        for _ in range(1 + self.chance.falls(self.weather.duplicate_share)):
            self._post(Delivery(message, self.handlers[message.topic]), self._delay_s())

    def _delay_s(self) -> float:
        late = self.chance.falls(self.weather.late_share)
        return self.chance.random.uniform(10, 200) if late else self.chance.random.expovariate(3)

    def _post(self, delivery: Delivery, delay_s: float) -> None:
        self.clockwork.after(delay_s, lambda: self._deliver(delivery))

    def _deliver(self, delivery: Delivery) -> None:
        if isinstance(delivery.message, StepRequested) and self.chance.falls(self.weather.refused_share):
            self.watch.tell(f"{delivery.name}: no instance is free")
            self._again(delivery)
            return

        def program() -> None:
            deliver(Push.of(delivery.message), delivery.handle, self.ports)

        def ended(error: BaseException | None) -> None:
            self.watch.tell(f"{delivery.name}: {error!r}" if error else f"{delivery.name}: acknowledged")
            self._expect(error, delivery.name)
            if error:
                self._again(delivery)
            elif self.chance.falls(self.weather.duplicate_share / 5):
                self._post(delivery, self._delay_s())

        process = self.clockwork.start(self._named(delivery.name), program, ended)
        self.clockwork.after(FUNCTION_TIMEOUT_S, process.kill)

    def _again(self, delivery: Delivery) -> None:
        """Delivered again after a pause; after too many deliveries, to the sweep."""
        pause_s = min(600.0, 10.0 * 2 ** (delivery.number - 1)) * self.chance.random.uniform(0.8, 1.2)
        if delivery.number >= MAX_DELIVERIES and not delivery.is_dead_letter and delivery.handle is not sweep:
            self._post(Delivery(delivery.message, sweep, is_dead_letter=True), self._delay_s())
        else:
            self._post(replace(delivery, number=delivery.number + 1), pause_s)

    def _expect(self, error: BaseException | None, where: str) -> None:
        expected = error is None or isinstance(error, TransientError | Crash | Bug)
        self.watch.check(expected, f"{where} ended with {error!r}")

    def _named(self, name: str) -> str:
        self._names[name] += 1
        return f"{name} #{self._names[name]}"

    def tick(self) -> None:
        self._post(Delivery(Tick(), sweep), self.chance.random.uniform(0, 2))
        self.clockwork.after(TICK_S, self.tick)

    # --- executions

    def launch(self) -> str:
        self.launched += 1
        self.active += 1
        name = f"execution {self.launched}"
        if self.chance.fault_falls(0.05):
            self.clockwork.after(30, self._gone)
        else:
            self.clockwork.after(5 + self.chance.random.expovariate(1 / 20), lambda: self._execute(name))
        return name

    def _execute(self, name: str) -> None:
        stop: Any = Event(self.clockwork)

        def ended(error: BaseException | None) -> None:
            self.watch.tell(f"{name} ended: {error!r}")
            self._expect(error, name)
            self._running -= 1
            self.clockwork.after(self.chance.random.uniform(1, 15), self._gone)

        self._running += 1
        process = self.clockwork.start(name, lambda: self._drain(stop), ended)
        if self.chance.fault_falls(0.1):
            after_s = self.chance.random.uniform(0, 60)
            self.clockwork.after(after_s, stop.set)
            self.clockwork.after(after_s + 10, process.kill)
        self.clockwork.after(TASK_TIMEOUT_S, process.kill)

    def _drain(self, stop: Any) -> None:
        worker.Worker(self.ports, {Kind.SEGMENT: self}, stop).run()

    def _gone(self) -> None:
        self.active -= 1

    # --- work

    def probe(self, file: Any) -> Media:
        content = json.loads(file.read())
        if not content:
            raise NotAVideo
        video = VideoStream("h264", 640, 360, 0, 30.0) if content["video"] else None
        return Media("mov", content["duration_s"], video, AudioStream("aac", 48000, 2))

    def extract(self, message: Message, ports: Ports) -> None:
        assert isinstance(message, StepRequested)
        run_step(message, self._extracted, ports)

    def _extracted(self, job: Job, step: str, report: Report) -> Mapping[str, Any]:
        with self.ports.blobs.open(job.source) as file:
            assert file.read()
        report(0.1)
        self._take(self.chance.random.uniform(1, 150))
        self._stumble(job, step)
        report(0.9)
        name = features_name(job, step)
        self.ports.blobs.create(self.ports.settings.features_bucket, name, _features(job, step), "text/plain")
        return {"object": name, "samples": 10, "detected": self.scripts[job.id].detected}

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> tuple[Job, list[bytes]]:
        self._stumble(job, "load")
        names = [steps[name].output["object"] for name in job.plan]
        return job, [ports.blobs.read(ports.settings.features_bucket, name) for name in names]

    def infer(self, loaded: Sequence[tuple[Job, list[bytes]]]) -> list[str]:
        self._take(self.chance.random.uniform(1, 150))
        for job, _ in loaded:
            self._stumble(job, "infer")
        return [_answer(job) if features == _all_features(job) else "features are missing" for job, features in loaded]

    def record(self, job: Job, loaded: Any, answer: str, ports: Ports) -> Mapping[str, Any]:
        assert loaded[0].id == job.id, "another job's features"
        for part in ("curves", "clips"):
            name = results_name(job, part)
            ports.blobs.create(ports.settings.results_bucket, name, f"{part}: {answer}".encode(), "text/plain")
        self._stumble(job, "record")
        return {"answer": answer}

    @property
    def _process(self) -> Process:
        assert self.clockwork.current
        return self.clockwork.current

    def _take(self, seconds: float) -> None:
        self._process.sleep(seconds)
        if self.chance.fault_falls():
            self.watch.tell("DIES AT WORK")
            raise self._process.crash()

    def _stumble(self, job: Job, place: str) -> None:
        script = self.scripts[job.id]
        since = self._first_tries.setdefault((job.id, place), self.clockwork.now_s)
        if place in script.errors:
            raise script.errors[place]
        if self.clockwork.now_s < since + script.outages.get(place, 0):
            raise Unavailable
        if place == script.killing:
            raise self._process.crash()

    # --- the clients

    def upload(self, name: str, script: Script) -> None:
        content = b"" if script.content is None else json.dumps(script.content).encode()
        source = self.blobs.put("uploads", f"videos/{name}.mp4", content, metadata=script.metadata)
        if script.size:
            source = replace(source, size=script.size)
        self.scripts[source.job_id] = script
        self.watch.tell(f"upload {source.job_id[:4]}: {script.title}")
        self.send(UploadFinalized(source, script.metadata))
        if script.cancelled_after_s is not None:
            self.clockwork.after(script.cancelled_after_s, lambda: self._cancel(source))
        if script.overwritten_after_s is not None:
            self.clockwork.after(script.overwritten_after_s, lambda: self.upload(name, GOOD))
        if script.deleted_after_s is not None:
            self.clockwork.after(script.deleted_after_s, lambda: self._delete(source))

    def _cancel(self, source: Source) -> None:
        if self._job(source.job_id):
            self.watch.tell(f"cancelled {source.job_id[:4]}")
            self.jobs.update(source.job_id, Job.cancelled)

    def _delete(self, source: Source) -> None:
        """The job and its upload: a late message about it may bring back the job, but only to fail it."""
        if self._job(source.job_id):
            self.watch.tell(f"deleted {source.job_id[:4]}")
            self.deleted.add(source.job_id)
            del self.jobs._jobs[source.job_id]
            del self.blobs._objects[source.bucket, source.name]

    def _job(self, job_id: str) -> Job | None:
        return self.jobs._jobs.get(job_id)

    # --- judging

    def is_settled(self) -> bool:
        return all(self._is_over(job_id) for job_id in self.scripts)

    def _is_over(self, job_id: str) -> bool:
        job = self._job(job_id)
        return job.is_settled if job else job_id in self.deleted

    def judge(self) -> None:
        for job_id, script in self.scripts.items():
            if self._job(job_id) or job_id not in self.deleted:
                self._judge(job_id, script)
        if self.weather in (CALM, FOG):
            self._judge_thrift()
        self.watch.check(self._running == 0, f"{self._running} executions still run with nothing to do")
        self.watch.check(self.active == 0, f"{self.active} executions are still active")

    def _judge(self, job_id: str, script: Script) -> None:
        job, check, where = self._job(job_id), self.watch.check, f"{script.title} ({job_id[:4]})"
        if not job or not job.is_settled:
            check(False, f"{where} rests in {job.state if job else 'nothing'}")
            return
        end = end_of(job)
        check(end in script.ends or (end == "GAVE_UP" and self._may_give_up(job)), f"{where} ended as {end}: {job}")
        check(self.watch.inferred[job_id] <= 1, f"{where} was inferred {self.watch.inferred[job_id]} times")
        if job.state is State.DONE:
            self._judge_result(job, where)

    def _judge_result(self, job: Job, where: str) -> None:
        check, answer = self.watch.check, _answer(job)
        check(self.watch.inferred[job.id] == 1, f"{where} is done without inference")
        check(job.result == {"answer": answer}, f"{where} has the result {job.result}")
        check(job.options == {"min_counts": 2}, f"{where} has the options {job.options}")
        check(job.progress == 1.0, f"{where} is done at {job.progress}")
        for part in ("curves", "clips"):
            content = self.blobs.read("results", results_name(job, part))
            check(content == f"{part}: {answer}".encode(), f"{where}: {part} is {content!r}")

    def _judge_thrift(self) -> None:
        """Where nothing fails, nothing is begun twice, and executions are hardly ever started for nothing.

        One may be: for a job that was done between a look at the backlog and the start.
        """
        worth = 1
        for job_id, script in self.scripts.items():
            attempts = {name: step.attempt for name, step in self.jobs.steps(job_id).items()}
            was_withdrawn = bool(script.cancelled_after_s or script.deleted_after_s)
            worth += attempts.get(INFER, 0) + was_withdrawn
            if script is GOOD:
                self.watch.check(set(attempts.values()) <= {1}, f"{job_id[:4]} took the attempts {attempts}")
        self.watch.check(self.launched <= worth, f"{self.launched} executions, of which {worth} were worth it")

    def _may_give_up(self, job: Job) -> bool:
        """Whether every attempt was used up, or the time: in a storm that is nobody's fault."""
        if self.weather is not STORM:
            return False
        attempts = [step.attempt for step in self.jobs.steps(job.id).values()]
        return not job.plan or max(attempts, default=0) >= self.ports.settings.max_attempts

    def bound_s(self) -> float:
        """By when every job must be settled: five attempts and their pauses, and for each fault a lease and a tick."""
        return 3600.0 + 600.0 * min(self.chance.faults, 8)


def end_of(job: Job) -> str:
    return job.error.code if job.error else str(job.state)


def _features(job: Job, step: str) -> bytes:
    return f"{step} of {job.source.generation}".encode()


def _all_features(job: Job) -> list[bytes]:
    return [_features(job, step) for step in job.plan]


def _answer(job: Job) -> str:
    return f"answer to {job.source.generation}"


@contextmanager
def _patched(world: World) -> Iterator[None]:
    """The worker's threads are the clockwork's, the probe is ours, and a second execution is soon worth while."""
    clockwork = world.clockwork

    def thread(target: Callable[[], None], name: str, daemon: bool) -> Thread:
        return Thread(clockwork, target, name, lambda error: world._expect(error, name))

    threads = SimpleNamespace(Event=lambda: Event(clockwork), Thread=thread)
    with ExitStack() as stack:
        stack.enter_context(patch.object(step, "threading", threads))
        stack.enter_context(patch.object(worker, "ThreadPoolExecutor", lambda **_: Pool(clockwork)))
        stack.enter_context(patch.object(intake, "probe", world.probe))
        stack.enter_context(patch.object(backlog, "JOBS_PER_EXECUTION", world.chance.random.choice([1, 2, 25])))
        yield


def weather_of(seed: int) -> Weather:
    return WEATHERS[seed % len(WEATHERS)]


def simulate(seed: int, weather: Weather | None = None, *, tracing: bool = False) -> Outcome:
    world = World(seed, weather or weather_of(seed), tracing=tracing)
    logging.disable(logging.CRITICAL)
    try:
        with _patched(world):
            settled_s = _lived(world)
    finally:
        logging.disable(logging.NOTSET)
    ends = Counter(end_of(job) for job in world.jobs._jobs.values())
    watch, chance = world.watch, world.chance
    return Outcome(
        seed, world.weather, watch.complaints, watch.trace, chance.faults, watch.calls, len(world.scripts), ends,
        settled_s, world.launched,
    )  # fmt: skip


def _lived(world: World) -> float:
    """Uploads over the first minutes, then until all is settled, then a rest; the time when all was settled."""
    chance, clockwork = world.chance, world.clockwork
    scripts = [*SCRIPTS, *KILLERS] if world.weather.ticks else SCRIPTS
    for i in range(chance.random.choice([1, 2, 4, 8])):
        script = chance.random.choice(scripts) if chance.falls(0.5) else GOOD
        clockwork.after(chance.random.uniform(0, 300), lambda i=i, script=script: world.upload(f"v{i}", script))
    if world.weather.ticks:
        world.tick()
    clockwork.run(lambda: False, until_s=400)
    while not world.is_settled() and clockwork.now_s < world.bound_s():
        clockwork.run(world.is_settled, until_s=clockwork.now_s + 60)
    settled_s = clockwork.now_s
    world.watch.check(world.is_settled(), f"not settled within {world.bound_s():.0f} s")
    clockwork.run(lambda: False, until_s=settled_s + REST_S)
    world.judge()
    clockwork.close()
    return settled_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay one and print what happened")
    parser.add_argument("--weather", choices=[weather.name for weather in WEATHERS], help="instead of the seed's")
    arguments = parser.parse_args()
    weather = next((weather for weather in WEATHERS if weather.name == arguments.weather), None)
    if arguments.seed is not None:
        return _replay(arguments.seed, weather)
    return _run_many(range(arguments.first, arguments.first + arguments.seeds), weather)


def _replay(seed: int, weather: Weather | None) -> int:
    outcome = simulate(seed, weather, tracing=True)
    print("\n".join(outcome.trace))
    print(f"seed {seed}, {outcome.weather.name}: {dict(outcome.ends)}, settled after {outcome.settled_s:.0f} s")
    print("\n".join(outcome.complaints) or "nothing to complain of")
    return bool(outcome.complaints)


def _run_many(seeds: range, weather: Weather | None) -> int:
    started, bad, totals = time.process_time(), 0, Counter[str]()
    for seed in seeds:
        outcome = simulate(seed, weather)
        totals.update(outcome.ends)
        totals.update(calls=outcome.calls, faults=outcome.faults, jobs=outcome.jobs, executions=outcome.launched)
        if outcome.complaints:
            bad += 1
            print(f"seed {seed} ({outcome.weather.name}): {outcome.complaints[0]}")
    print(f"{len(seeds)} seeds, {bad} bad, {time.process_time() - started:.1f} s of CPU: {dict(totals)}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
