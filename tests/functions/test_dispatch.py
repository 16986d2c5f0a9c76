"""Word of features seals a job once all are there, and sees that an execution comes; heard twice or too early too."""

from dataclasses import replace

import pytest

from functions.dispatch.handler import handle
from shared.errors import BadMessage, NotFound, Unavailable
from shared.events import FeaturesReady, Tick
from shared.job import Failure, Job, State, Step, StepState
from shared.memory import MemoryPorts
from tests.functions.support import Clock, extracting, failure, finish_steps, new_ports, ready


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock())


def told(ports: MemoryPorts, job: Job) -> Job:
    handle(FeaturesReady(job.id), ports)
    return ports.jobs.get(job.id)


def test_a_job_with_every_step_done_enters_the_backlog_and_an_execution_starts(ports):
    job = extracting(ports)
    finish_steps(ports, job)
    assert told(ports, job).state is State.READY
    assert ports.launcher.launched == 1


def test_a_job_with_a_step_to_come_waits_and_shows_how_far_it_is(ports):
    job = extracting(ports)
    ports.jobs.update_step(job.id, "audio", lambda _: Step("audio", StepState.DONE, 1))
    job = told(ports, job)
    assert (job.state, job.progress) == (State.EXTRACTING, 0.425)
    assert ports.launcher.launched == 0


def test_a_step_at_work_is_not_done(ports):
    job = extracting(ports)
    finish_steps(ports, job)
    ports.jobs.update_step(job.id, "audio", lambda _: Step("audio", StepState.RUNNING, 1))
    assert told(ports, job).state is State.EXTRACTING


def test_word_that_comes_twice_seals_and_starts_once(ports):
    job = extracting(ports)
    finish_steps(ports, job)
    assert told(ports, job) == told(ports, job)
    assert ports.launcher.launched == 1


def test_a_crash_after_the_seal_heals_by_delivery(ports):
    job = ready(ports)
    assert ports.launcher.launched == 0
    told(ports, job)
    assert ports.launcher.launched == 1


def test_a_run_api_that_fails_refuses_the_message_and_the_next_delivery_starts(ports, monkeypatch):
    job = ready(ports)
    with monkeypatch.context() as patched:
        patched.setattr(type(ports.launcher), "launch", _unavailable)
        with pytest.raises(Unavailable):
            told(ports, job)
    told(ports, job)
    assert ports.launcher.launched == 1


def test_a_video_without_a_dancer_fails(ports):
    job = extracting(ports)
    finish_steps(ports, job, detected=7)
    told(ports, job)
    assert failure(ports, job.id) == "NOBODY_FOUND"
    assert ports.launcher.launched == 0


def test_a_dancer_seen_in_a_twentieth_of_the_video_is_enough(ports):
    job = extracting(ports)
    finish_steps(ports, job, detected=8)
    assert told(ports, job).state is State.READY


@pytest.mark.parametrize("settle", [Job.cancelled, lambda job: job.failed(Failure("X", "x"))])
def test_a_settled_job_is_left_alone(ports, settle):
    job = extracting(ports)
    finish_steps(ports, job)
    settled = ports.jobs.update(job.id, settle)
    assert told(ports, job) == settled
    assert ports.launcher.launched == 0


def test_a_cancellation_between_the_look_and_the_seal_wins(ports, monkeypatch):
    job = extracting(ports)
    finish_steps(ports, job)
    looking = ports.jobs.steps

    def steps(job_id):
        ports.jobs.update(job_id, Job.cancelled)
        return looking(job_id)

    monkeypatch.setattr(ports.jobs, "steps", steps)
    assert told(ports, job).state is State.CANCELLED
    assert ports.launcher.launched == 0


def test_an_unknown_job_is_a_permanent_error(ports):
    with pytest.raises(NotFound):
        handle(FeaturesReady("nobody"), ports)


def test_another_kind_of_message_is_bad(ports):
    with pytest.raises(BadMessage):
        handle(Tick(), ports)


def _unavailable(*_):
    raise Unavailable


# A comparison


@pytest.mark.parametrize(("student", "teacher", "code"), [(0, 100, "NOBODY_FOUND"), (100, 0, "TEACHER_UNSEEN")])
def test_in_both_videos_of_a_comparison_somebody_must_be_seen(ports, student, teacher, code):
    span = {"start": 0, "stop": 150}
    job = extracting(ports, plan={"audio": {}, "pose-00": span, "teacher-audio": {}, "teacher-pose-00": span})
    finish_steps(ports, job, detected=student)
    output = {"samples": 150, "detected": teacher}
    ports.jobs.update_step(job.id, "teacher-pose-00", lambda step: replace(step, output=output))
    told(ports, job)
    assert failure(ports, job.id) == code


def test_a_comparison_whose_teacher_was_seen_before_looks_at_the_student_alone(ports):
    job = extracting(ports)
    finish_steps(ports, job)
    assert told(ports, job).state is State.READY
