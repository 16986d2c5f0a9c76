"""What an inference writes counts only while its attempt holds the job."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from gpu_job.fencing import FencedJobs, Held
from shared.errors import Interrupted, LostLease, Unavailable
from shared.job import INFER, Job, Step
from shared.memory import MemoryPorts
from tests.functions.support import SETTINGS, Clock, new_ports, ready

PLAN = {"plan": "of this attempt"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ports(clock: Clock) -> MemoryPorts:
    return new_ports(clock)


@pytest.fixture
def job(ports: MemoryPorts) -> Job:
    return ports.jobs.update(ready(ports).id, Job.started)


def claimed(ports: MemoryPorts, job: Job, stop: threading.Event | None = None) -> FencedJobs:
    step = ports.jobs.update_step(job.id, INFER, lambda step: step.claimed(ports.now(), SETTINGS.infer_lease, 9))
    return FencedJobs(ports, Held(job, step.attempt), stop or threading.Event())


def telling(job: Job) -> Job:
    return job.advanced("At it", 0.5, PLAN)


@pytest.mark.parametrize("write", [FencedJobs.update, FencedJobs.offer])
def test_what_the_attempt_that_holds_the_job_tells_is_written(ports, job, write):
    write(claimed(ports, job), job.id, telling)
    assert ports.jobs.get(job.id).result == PLAN


@pytest.mark.parametrize("write", [FencedJobs.update, FencedJobs.offer])
@pytest.mark.parametrize("end", [lambda step: step.finished(2, {}), lambda step: step.released(2), lambda step: step])
def test_what_an_overtaken_attempt_tells_is_not(ports, job, clock, write, end):
    stale = claimed(ports, job)
    clock.passes(SETTINGS.infer_lease_s + 1)
    claimed(ports, job)
    ports.jobs.update_step(job.id, INFER, end)
    with pytest.raises(LostLease):
        write(stale, job.id, telling)
    assert ports.jobs.get(job.id).result == {}


def test_whoever_writes_in_time_cannot_be_overtaken_meanwhile(ports, job, clock):
    fenced = claimed(ports, job)
    clock.passes(SETTINGS.infer_lease_s + 1)

    def while_written(job: Job) -> Job:
        assert ports.jobs.steps(job.id)[INFER].is_leased(ports.now())
        return telling(job)

    fenced.update(job.id, while_written)
    assert ports.jobs.get(job.id).result == PLAN


def test_a_store_that_does_not_answer_costs_progress_and_no_work(ports, job):
    fenced = claimed(ports, job)

    def refusing(job_id: str, name: str, change: Callable[[Step], Step]) -> Step:
        raise Unavailable

    ports.jobs.update_step = refusing
    fenced.offer(job.id, telling)
    assert ports.jobs.get(job.id).result == {}
    with pytest.raises(Unavailable):
        fenced.update(job.id, telling)


def test_all_else_is_the_stores(ports, job):
    fenced = claimed(ports, job)
    assert fenced.get(job.id) == ports.jobs.get(job.id)
    assert fenced.steps(job.id) == ports.jobs.steps(job.id)
    assert fenced.create(job) == ports.jobs.get(job.id)
    assert fenced.backlog(9) == fenced.of_owner("maria", 9) == [ports.jobs.get(job.id)]
    assert fenced.stale(ports.now(), 9) == []
    assert fenced.update_step(job.id, "audio", lambda step: step) == ports.jobs.steps(job.id)["audio"]
    assert fenced.update_executor(0, lambda step: step).name == "executor-0"
    with fenced.watch(job.id) as changes:
        assert next(iter(changes)) == ports.jobs.get(job.id)
    fenced.delete(job.id)
    assert ports.jobs.backlog(9) == []


@pytest.mark.parametrize("write", [FencedJobs.update, FencedJobs.offer])
def test_a_worker_that_has_to_stop_tells_no_more(ports, write):
    stop = threading.Event()
    job = ready(ports)
    jobs = claimed(ports, job, stop)
    stop.set()
    with pytest.raises(Interrupted):
        write(jobs, job.id, Job.started)
