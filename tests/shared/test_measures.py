"""What is counted is told once, with the fields that metrics are made of."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.job import Failure, Job, State
from shared.logs import bound
from shared.measures import GPU_SECONDS, note_backlog, note_execution
from tests.contracts.makers import CREATED, a_job
from tests.functions.support import Clock, new_ports, ready

FIELDS = {"event", "state", "kind", "code", "seconds_to_result", "gpu_seconds", "cpu_seconds"}


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)

    def measures(event: str) -> list[Mapping[str, Any]]:
        found = (getattr(record, "measures", {}) for record in caplog.records)
        return [each for each in found if each.get("event") == event]

    return measures


def test_a_job_that_is_done_is_told_with_its_seconds(told):
    clock = Clock()
    ports = new_ports(clock)
    job = ready(ports)
    clock.passes(42.5)
    result = {"timings_s": {"audio": 1.5, "pose": 20.25, "infer": 0.5}}
    with bound(**{GPU_SECONDS: 3.25}):
        ports.jobs.update(job.id, lambda now: now.done(result))
    (settled,) = told("job_settled")
    assert set(settled) == FIELDS
    assert settled == {
        "event": "job_settled", "state": "DONE", "kind": "segment", "code": "",
        "seconds_to_result": 42.5, "gpu_seconds": 3.25, "cpu_seconds": 21.75,
    }  # fmt: skip


def test_a_job_that_fails_is_told_with_its_code_and_whoever_comes_later_tells_nothing(told):
    ports = new_ports(Clock())
    job = ready(ports)
    fail = lambda now: now.failed(Failure("TOO_LONG", "The video is too long."))  # noqa: E731
    ports.jobs.update(job.id, fail)
    ports.jobs.update(job.id, fail)
    ports.jobs.update(job.id, Job.cancelled)
    (settled,) = told("job_settled")
    assert (settled["state"], settled["code"], settled["gpu_seconds"]) == ("FAILED", "TOO_LONG", 0.0)


def test_a_job_that_goes_on_is_not_told(told):
    ports = new_ports(Clock())
    ports.jobs.update(ready(ports).id, Job.started)
    assert told("job_settled") == []


def test_the_backlog_is_told_by_who_waits_and_for_how_long(told):
    waiting = [replace(a_job(state=State.READY), created_at=CREATED + timedelta(seconds=second)) for second in (0, 9)]
    note_backlog([a_job(state=State.RUNNING), *waiting], CREATED + timedelta(seconds=10))
    note_backlog([], CREATED)
    assert told("backlog") == [
        {"event": "backlog", "waiting": 2, "oldest_seconds": 10.0},
        {"event": "backlog", "waiting": 0, "oldest_seconds": 0.0},
    ]


@pytest.mark.parametrize(("device", "level"), [("cuda", "INFO"), ("cpu", "WARNING")])
def test_an_execution_that_found_no_gpu_is_warned_of(told, caplog, device, level):
    note_execution(3, 61.2345, device)
    assert told("execution_ended") == [{"event": "execution_ended", "jobs": 3, "seconds": 61.234, "device": device}]
    assert caplog.records[-1].levelname == level
