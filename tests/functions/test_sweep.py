"""What rested too long is told of again or given up; a dead letter fails what was truly tried, and nothing else."""

import pytest

from functions.sweep.handler import handle
from shared.errors import Unavailable
from shared.events import FeaturesReady, StepRequested, Tick, UploadFinalized
from shared.job import Job, Source, State, Step, StepState
from shared.memory import MemoryPorts
from tests.functions.support import (
    SETTINGS,
    Clock,
    extracting,
    failure,
    finish_steps,
    new_ports,
    published,
    ready,
    received,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ports(clock: Clock) -> MemoryPorts:
    return new_ports(clock)


def claim(ports: MemoryPorts, job: Job, name: str = "audio", attempts: int = 1) -> None:
    for _ in range(attempts - 1):
        step = ports.jobs.update_step(job.id, name, lambda step: step.claimed(ports.now(), SETTINGS.step_lease, 99))
        ports.jobs.update_step(job.id, name, lambda held, step=step: held.released(step.attempt))
    ports.jobs.update_step(job.id, name, lambda step: step.claimed(ports.now(), SETTINGS.step_lease, 99))


def release(ports: MemoryPorts, job: Job, name: str = "audio") -> None:
    ports.jobs.update_step(job.id, name, lambda step: step.released(step.attempt))


# The tick


def test_a_tick_with_nothing_to_do_does_nothing(ports):
    handle(Tick(), ports)
    assert published(ports) == []
    assert ports.launcher.launched == 0


def test_a_job_that_was_written_a_moment_ago_is_left_alone(ports, clock):
    extracting(ports)
    clock.passes(119)
    handle(Tick(), ports)
    assert published(ports) == []


def test_an_upload_that_rests_is_told_of_again(ports, clock):
    job = received(ports)
    clock.passes(121)
    handle(Tick(), ports)
    assert published(ports) == [UploadFinalized(job.source)]


def test_steps_that_nobody_works_on_are_asked_for_again(ports, clock):
    job = extracting(ports, plan={"audio": {}, "pose-00": {}, "pose-01": {}, "pose-02": {}})
    ports.jobs.update_step(job.id, "pose-01", lambda _: Step("pose-01", StepState.DONE, 1))
    clock.passes(121)
    claim(ports, job, "pose-00")
    handle(Tick(), ports)
    assert published(ports) == [StepRequested(job.id, "audio"), StepRequested(job.id, "pose-02")]


def test_a_step_whose_worker_died_is_asked_for_when_its_lease_has_run_out(ports, clock):
    job = extracting(ports, plan={"audio": {}})
    claim(ports, job)
    clock.passes(601)
    handle(Tick(), ports)
    assert published(ports) == [StepRequested(job.id, "audio")]


def test_a_step_that_failed_without_failing_its_job_is_met_again(ports, clock):
    job = extracting(ports, plan={"audio": {}})
    ports.jobs.update_step(job.id, "audio", Step.abandoned)
    clock.passes(121)
    handle(Tick(), ports)
    assert published(ports) == [StepRequested(job.id, "audio")]


def test_a_job_with_all_steps_done_that_dispatch_never_heard_of_is_told_once(ports, clock):
    job = extracting(ports)
    finish_steps(ports, job)
    clock.passes(121)
    handle(Tick(), ports)
    assert published(ports) == [FeaturesReady(job.id)]


def test_the_next_tick_does_not_ask_again_so_soon(ports, clock):
    extracting(ports)
    clock.passes(121)
    handle(Tick(), ports)
    assert len(published(ports)) == 2
    clock.passes(60)
    handle(Tick(), ports)
    assert published(ports) == []


def test_a_ready_job_gets_an_execution_at_the_first_tick(ports):
    ready(ports)
    handle(Tick(), ports)
    assert ports.launcher.launched == 1
    assert published(ports) == []


def test_a_job_that_is_too_old_is_given_up(ports, clock):
    job = extracting(ports)
    clock.passes(7201)
    handle(Tick(), ports)
    assert failure(ports, job.id) == "GAVE_UP"


def test_an_old_job_that_still_moves_is_not(ports, clock):
    job = extracting(ports)
    clock.passes(7201)
    ports.jobs.update(job.id, lambda job: job.extracted(0.5))
    handle(Tick(), ports)
    assert ports.jobs.get(job.id).state is State.EXTRACTING


def test_trouble_with_one_job_costs_no_other_and_no_execution(ports, clock, monkeypatch):
    sick, sound, waiting = extracting(ports, 1), extracting(ports, 2), ready(ports, 3)
    clock.passes(121)
    reading = ports.jobs.steps

    def steps(job_id):
        if job_id == sick.id:
            raise Unavailable
        return reading(job_id)

    monkeypatch.setattr(ports.jobs, "steps", steps)
    handle(Tick(), ports)
    assert {message.job_id for message in published(ports)} == {sound.id}
    assert ports.jobs.get(waiting.id).state is State.READY
    assert ports.launcher.launched == 1


# Dead letters


def test_an_upload_that_could_never_be_looked_at_fails_its_job(ports):
    job = received(ports)
    handle(UploadFinalized(job.source), ports)
    assert failure(ports, job.id) == "GAVE_UP"


def test_each_dead_letter_is_told_whatever_becomes_of_it(ports, caplog):
    job = extracting(ports)
    for message in (FeaturesReady(job.id), StepRequested(job.id, "audio"), UploadFinalized(job.source)):
        handle(message, ports)
    told = [record.measures for record in caplog.records if hasattr(record, "measures")]
    assert [measures["what"] for measures in told if measures["event"] == "dead_letter"] == [
        "FeaturesReady", "StepRequested", "UploadFinalized",
    ]  # fmt: skip


def test_a_late_dead_letter_of_an_upload_does_not_fail_a_job_at_work(ports):
    for job in (extracting(ports, 1), ready(ports, 2)):
        handle(UploadFinalized(job.source), ports)
        assert ports.jobs.get(job.id) == job


def test_an_upload_that_never_became_a_job_is_told_of_again(ports):
    message = UploadFinalized(Source("uploads", "videos/new.mp4", 5), {"owner": "maria"})
    handle(message, ports)
    assert published(ports) == [message]


def test_a_step_that_used_up_its_attempts_fails_its_job(ports):
    job = extracting(ports)
    claim(ports, job, attempts=5)
    release(ports, job)
    handle(StepRequested(job.id, "audio"), ports)
    assert failure(ports, job.id) == "GAVE_UP"


@pytest.mark.parametrize("attempts", [1, 4])
def test_a_step_that_has_attempts_left_is_asked_for_again(ports, attempts):
    job = extracting(ports)
    claim(ports, job, attempts=attempts)
    release(ports, job)
    handle(StepRequested(job.id, "audio"), ports)
    assert published(ports) == [StepRequested(job.id, "audio")]
    assert ports.jobs.get(job.id).state is State.EXTRACTING


def test_a_step_that_found_no_instance_is_asked_for_again(ports):
    job = extracting(ports)
    handle(StepRequested(job.id, "pose-00"), ports)
    assert published(ports) == [StepRequested(job.id, "pose-00")]


@pytest.mark.parametrize("attempts", [1, 5])
def test_a_duplicate_that_was_refused_while_the_first_works_is_forgotten(ports, attempts):
    job = extracting(ports)
    claim(ports, job, attempts=attempts)
    handle(StepRequested(job.id, "audio"), ports)
    assert published(ports) == []
    assert ports.jobs.get(job.id).state is State.EXTRACTING


def test_a_dead_letter_of_a_step_that_is_done_is_forgotten(ports):
    job = ready(ports)
    handle(StepRequested(job.id, "audio"), ports)
    assert published(ports) == []
    assert ports.jobs.get(job.id) == job


@pytest.mark.parametrize("message", [FeaturesReady("somebody"), Tick()])
def test_lost_word_to_dispatch_and_lost_ticks_change_nothing(ports, message):
    job = ready(ports)
    handle(message, ports)
    assert ports.jobs.get(job.id) == job
