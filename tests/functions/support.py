"""What the tests of functions and worker share: a clock that stands still, ports in memory, jobs on their way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.config import Settings
from shared.events import Message
from shared.job import Job, Kind, Source, State, Step, StepState
from shared.memory import MemoryPorts, memory_ports
from shared.ports import Ports

SETTINGS = Settings("demo", "uploads", "features", "results", "library")
PLAN: Mapping[str, Mapping[str, int]] = {"audio": {}, "pose-00": {"start": 0, "stop": 150}}


@dataclass(slots=True)
class Clock:
    now: datetime = field(default_factory=lambda: datetime(2026, 3, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def new_ports(clock: Clock, settings: Settings = SETTINGS) -> MemoryPorts:
    return memory_ports(settings, clock)


def received(ports: Ports, number: int = 1) -> Job:
    """A job that nobody has looked at."""
    source, now = Source("uploads", f"videos/{number}.mp4", number, size=1000), ports.now()
    return ports.jobs.create(Job(source.job_id, Kind.SEGMENT, "maria", source, now, now + timedelta(days=30)))


def extracting(ports: Ports, number: int = 1, plan: Mapping[str, Mapping[str, int]] = PLAN) -> Job:
    """A job whose steps were asked for."""
    job = received(ports, number)
    return ports.jobs.update(job.id, lambda job: job.planned(plan, {"rate_hz": 15.0, "samples": 150}))


def finish_steps(ports: Ports, job: Job, detected: int = 100) -> None:
    """Every step of its plan is done, and nobody was told."""
    output = {"samples": 150, "detected": detected}
    for name in job.plan:
        done = Step(name, StepState.DONE, 1, output=output)
        ports.jobs.update_step(job.id, name, lambda _, done=done: done)


def ready(ports: Ports, number: int = 1) -> Job:
    """A job in the backlog."""
    job = extracting(ports, number)
    finish_steps(ports, job)
    return ports.jobs.update(job.id, Job.sealed)


def published(ports: MemoryPorts) -> list[Message]:
    return list(iter(ports.bus.take, None))


def failure(ports: Ports, job_id: str) -> str:
    """The code with which the job failed."""
    job = ports.jobs.get(job_id)
    assert job.state is State.FAILED, job
    assert job.error
    assert job.error.message
    return job.error.code
