"""A step is done once, whatever is delivered how often, and whoever dies where."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.http import CloudEvent

from shared.config import Settings
from shared.errors import Interrupted, LostLease, NobodyFound, NotFound, StepBusy, Unavailable
from shared.events import STORAGE_FINALIZED, FeaturesReady, Message, StepRequested
from shared.job import Failure, Job, Kind, Source, State, Step, StepState
from shared.logs import JsonFormatter
from shared.memory import MemoryBus, MemoryJobStore, MemoryPorts, memory_ports
from shared.ports import Ports
from shared.step import Report, deliver, run_step

SETTINGS = Settings("demo", "uploads", "features", "results", "library", step_lease_s=600.0, max_attempts=3)
LEASE = SETTINGS.step_lease
SOURCE = Source("uploads", "videos/salsa.mp4", 1)
JOB_ID = SOURCE.job_id
REQUEST = StepRequested(JOB_ID, "audio")
PLAN = {"audio": {}, "pose-00": {}, "pose-01": {}, "pose-02": {}}
READY = FeaturesReady(JOB_ID)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, time: timedelta) -> None:
        self.now += time


@dataclass(slots=True)
class Worked:
    """Work that remembers its calls, and does what it is told: return, raise, or anything else."""

    deed: Callable[[Report], Mapping[str, Any]] = lambda _: {"beats": 64}
    jobs: list[Job] = field(default_factory=list)

    def __call__(self, job: Job, step: str, report: Report) -> Mapping[str, Any]:
        assert step == "audio"
        self.jobs.append(job)
        return self.deed(report)


def raising(error: BaseException) -> Callable[[Report], Mapping[str, Any]]:
    def deed(_: Report) -> Mapping[str, Any]:
        raise error

    return deed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ports(clock: Clock) -> MemoryPorts:
    ports = memory_ports(SETTINGS, clock)
    job = Job(JOB_ID, Kind.SEGMENT, "maria", SOURCE, clock.now, clock.now + timedelta(days=30))
    ports.jobs.create(job.planned(PLAN, {}))
    return ports


def step_of(ports: Ports) -> Step:
    return ports.jobs.steps(JOB_ID)["audio"]


def published(ports: MemoryPorts) -> list[Message]:
    return list(iter(ports.bus.take, None))


def another_claims(ports: Ports) -> None:
    ports.jobs.update_step(JOB_ID, "audio", lambda step: step.claimed(ports.now(), LEASE, 99))


# What should happen


def test_a_step_is_done_and_told(ports: MemoryPorts) -> None:
    run_step(REQUEST, Worked(), ports)
    assert step_of(ports) == Step("audio", StepState.DONE, 1, None, {"beats": 64})
    assert published(ports) == [READY]


def test_progress_counts_the_steps_that_are_done_and_this_ones_share(ports: MemoryPorts) -> None:
    ports.jobs.update_step(JOB_ID, "pose-00", lambda step: replace(step, state=StepState.DONE))
    seen: list[float] = []

    def deed(report: Report) -> Mapping[str, Any]:
        for share in (0.0, 0.5, 1.0):
            report(share)
            seen.append(ports.jobs.get(JOB_ID).progress)
        return {}

    run_step(REQUEST, Worked(deed), ports)
    assert seen == [pytest.approx(0.05 + 0.75 * share, abs=1e-3) for share in (1 / 4, 1.5 / 4, 2 / 4)]


# Duplicates


def test_a_step_that_is_done_is_not_done_again_but_told_again(ports: MemoryPorts) -> None:
    work = Worked()
    for _ in range(3):
        run_step(REQUEST, work, ports)
    assert len(work.jobs) == 1
    assert published(ports) == [READY] * 3


def test_a_duplicate_is_refused_while_the_step_is_being_done(ports: MemoryPorts) -> None:
    duplicate = Worked()

    def deed(_: Report) -> Mapping[str, Any]:
        with pytest.raises(StepBusy):
            run_step(REQUEST, duplicate, ports)
        return {}

    run_step(REQUEST, Worked(deed), ports)
    assert duplicate.jobs == []
    assert step_of(ports).attempt == 1


def test_another_step_of_the_job_is_not_in_the_way(ports: MemoryPorts) -> None:
    ports.jobs.update_step(JOB_ID, "pose-00", lambda step: step.claimed(ports.now(), LEASE, 3))
    run_step(REQUEST, Worked(), ports)
    assert step_of(ports).state is StepState.DONE


@pytest.mark.parametrize("settle", [Job.cancelled, lambda job: job.failed(Failure("X", "x"))])
def test_nothing_is_done_for_a_job_that_is_settled(ports: MemoryPorts, settle: Callable[[Job], Job]) -> None:
    ports.jobs.update(JOB_ID, settle)
    work = Worked()
    run_step(REQUEST, work, ports)
    assert work.jobs == []
    assert ports.jobs.steps(JOB_ID) == {}
    assert published(ports) == []


def test_a_step_of_a_job_that_waits_for_the_gpu_is_told_again(ports: MemoryPorts) -> None:
    run_step(REQUEST, Worked(), ports)
    ports.jobs.update(JOB_ID, Job.sealed)
    run_step(REQUEST, Worked(), ports)
    assert published(ports) == [READY] * 2
    assert ports.jobs.get(JOB_ID).state is State.READY


# Errors


def test_a_permanent_error_fails_step_and_job_and_is_not_raised(ports: MemoryPorts) -> None:
    work = Worked(raising(NobodyFound()))
    run_step(REQUEST, work, ports)
    assert step_of(ports).state is StepState.FAILED
    job = ports.jobs.get(JOB_ID)
    assert (job.state, job.error) == (State.FAILED, Failure.of(NobodyFound()))
    run_step(REQUEST, work, ports)
    assert len(work.jobs) == 1
    assert published(ports) == []


@pytest.mark.parametrize("error", [Unavailable(), Interrupted(), ValueError("a fault of ours"), SystemExit(1)])
def test_any_other_error_gives_the_lease_back_and_is_raised(ports: MemoryPorts, error: BaseException) -> None:
    with pytest.raises(type(error)):
        run_step(REQUEST, Worked(raising(error)), ports)
    assert step_of(ports) == Step("audio", StepState.WAITING, attempt=1)
    assert ports.jobs.get(JOB_ID).state is State.EXTRACTING
    run_step(REQUEST, Worked(), ports)
    assert step_of(ports) == Step("audio", StepState.DONE, 2, None, {"beats": 64})


def test_what_fails_too_often_is_given_up(ports: MemoryPorts) -> None:
    work = Worked(raising(ValueError("a fault of ours")))
    for _ in range(SETTINGS.max_attempts):
        with pytest.raises(ValueError, match="ours"):
            run_step(REQUEST, work, ports)
    run_step(REQUEST, work, ports)
    assert len(work.jobs) == SETTINGS.max_attempts
    assert step_of(ports).state is StepState.FAILED
    error = ports.jobs.get(JOB_ID).error
    assert error is not None
    assert error.code == "GAVE_UP"


# Death


def test_a_dead_workers_step_is_free_when_its_lease_has_run_out(ports: MemoryPorts, clock: Clock) -> None:
    another_claims(ports)
    clock.passes(LEASE - timedelta(seconds=1))
    with pytest.raises(StepBusy):
        run_step(REQUEST, Worked(), ports)
    clock.passes(timedelta(seconds=1))
    run_step(REQUEST, Worked(), ports)
    assert step_of(ports).attempt == 2
    assert published(ports) == [READY]


def test_a_step_that_kills_every_worker_is_given_up(ports: MemoryPorts, clock: Clock) -> None:
    for _ in range(SETTINGS.max_attempts):
        another_claims(ports)
        clock.passes(LEASE)
    work = Worked()
    run_step(REQUEST, work, ports)
    assert work.jobs == []
    assert ports.jobs.get(JOB_ID).state is State.FAILED


def overtaken(ports: MemoryPorts, clock: Clock, end: Callable[[Report], Mapping[str, Any]]) -> Worked:
    """Work that lasts longer than its lease; another takes the step over meanwhile."""

    def deed(report: Report) -> Mapping[str, Any]:
        clock.passes(LEASE)
        another_claims(ports)
        return end(report)

    return Worked(deed)


@pytest.mark.parametrize("end", [lambda _: {"beats": 1}, raising(NobodyFound()), raising(ValueError())])
def test_an_overtaken_worker_changes_nothing(
    ports: MemoryPorts, clock: Clock, end: Callable[[Report], Mapping[str, Any]]
) -> None:
    with pytest.raises(LostLease):
        run_step(REQUEST, overtaken(ports, clock, end), ports)
    assert (step_of(ports).state, step_of(ports).attempt) == (StepState.RUNNING, 2)
    assert ports.jobs.get(JOB_ID).state is State.EXTRACTING
    assert published(ports) == []


def test_the_worker_that_overtook_has_the_last_word(ports: MemoryPorts, clock: Clock) -> None:
    def meanwhile(_: Report) -> Mapping[str, Any]:
        clock.passes(LEASE)
        run_step(REQUEST, Worked(), ports)
        return {"beats": 1}

    with pytest.raises(LostLease):
        run_step(REQUEST, Worked(meanwhile), ports)
    assert step_of(ports).output == {"beats": 64}
    assert published(ports) == [READY]


# Deaths between recording and telling


class BusThatDropsTheFirst(MemoryBus):
    dropped = False

    def publish(self, message: Message) -> None:
        if not self.dropped:
            self.dropped = True
            raise Unavailable
        super().publish(message)


def test_a_death_between_the_steps_end_and_its_message_heals(ports: MemoryPorts) -> None:
    ports = replace(ports, bus=BusThatDropsTheFirst())
    work = Worked()
    with pytest.raises(Unavailable):
        run_step(REQUEST, work, ports)
    assert step_of(ports).state is StepState.DONE
    assert published(ports) == []
    run_step(REQUEST, work, ports)
    assert published(ports) == [READY]
    assert len(work.jobs) == 1


def test_a_death_between_the_steps_failure_and_the_jobs_heals(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> Job:
        raise Unavailable

    work = Worked(raising(NobodyFound()))
    with monkeypatch.context() as patch:
        patch.setattr(MemoryJobStore, "update", down)
        with pytest.raises(Unavailable):
            run_step(REQUEST, work, ports)
    assert ports.jobs.get(JOB_ID).state is State.EXTRACTING
    run_step(REQUEST, work, ports)
    assert ports.jobs.get(JOB_ID).error == Failure.of(NobodyFound())
    assert len(work.jobs) == 1


# Delivery


def upload(name: str = "videos/salsa.mp4") -> CloudEvent:
    data = {"bucket": "uploads", "name": name, "generation": "7"}
    return CloudEvent({"type": STORAGE_FINALIZED, "source": "//tests"}, data)


def test_a_handler_is_given_the_message_and_the_ports(ports: MemoryPorts) -> None:
    given: list[Any] = []
    deliver(upload(), lambda *arguments: given.extend(arguments), ports)
    assert given[0].source == Source("uploads", "videos/salsa.mp4", 7)
    assert given[1] is ports


def test_an_unreadable_event_is_acknowledged_and_logged(ports: MemoryPorts, caplog: pytest.LogCaptureFixture) -> None:
    deliver(upload(name=""), lambda *_: pytest.fail("nothing to handle"), ports)
    assert "BAD_MESSAGE" in caplog.text


def test_a_step_of_a_job_that_is_unknown_is_acknowledged_and_logged(
    ports: MemoryPorts, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotFound):
        run_step(StepRequested("unknown", "audio"), Worked(), ports)
    deliver(upload(), lambda *_: run_step(StepRequested("unknown", "audio"), Worked(), ports), ports)
    assert "NOT_FOUND" in caplog.text


@pytest.mark.parametrize("error", [Unavailable(), StepBusy(), ValueError("a fault of ours")])
def test_everything_else_goes_on_to_the_framework(ports: MemoryPorts, error: Exception) -> None:
    def handle(*_: object) -> None:
        raise error

    with pytest.raises(type(error)):
        deliver(upload(), handle, ports)


def test_what_is_logged_while_working_names_job_and_step(ports: MemoryPorts) -> None:
    lines: list[str] = []

    def deed(_: Report) -> Mapping[str, Any]:
        record = logging.LogRecord("work", logging.INFO, "", 0, "hello", None, None)
        lines.append(JsonFormatter("demo").format(record))
        return {}

    run_step(REQUEST, Worked(deed), ports)
    entry = json.loads(lines[0])
    assert (entry["job"], entry["step"]) == (JOB_ID, "audio")
