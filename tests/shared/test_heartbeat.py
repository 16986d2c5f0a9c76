"""A step's lease lives as long as its worker, and no longer."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import StepBusy, Unavailable
from shared.events import StepRequested
from shared.job import Job, Step, StepState
from shared.memory import MemoryPorts
from shared.step import heartbeat, run_step
from tests.functions.support import SETTINGS, Clock, extracting, new_ports

LEASE_S = 0.03


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock(), replace(SETTINGS, step_lease_s=LEASE_S))


@pytest.fixture
def job(ports) -> Job:
    return extracting(ports)


def audio(ports: MemoryPorts, job: Job) -> Step:
    return ports.jobs.steps(job.id)["audio"]


def test_the_lease_is_renewed_while_the_step_is_worked_on(ports, job):
    request = StepRequested(job.id, "audio")

    def take_long(*_):
        ports.now.passes(5)
        wait_until(lambda: audio(ports, job).lease_until == ports.now() + timedelta(seconds=LEASE_S))
        with pytest.raises(StepBusy):
            run_step(request, take_long, ports)
        return {}

    run_step(request, take_long, ports)
    assert (audio(ports, job).state, audio(ports, job).attempt) == (StepState.DONE, 1)


def test_a_beat_that_fails_does_not_stop_the_heart():
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 1:
            raise Unavailable

    with heartbeat(0.005, beat):
        wait_until(lambda: len(beats) > 2)


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_the_heart_stops_with_the_work_however_it_ends(error):
    with pytest.raises(error), heartbeat(0.005, lambda: None):
        raise error
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_the_work_waits_for_a_beat_under_way_so_none_comes_after_it():
    order: list[str] = []
    begun = threading.Event()

    def beat() -> None:
        begun.set()
        time.sleep(0.05)
        order.append("beat")

    with heartbeat(0.005, beat):
        begun.wait(10)
    order.append("end")
    assert order == ["beat", "end"]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline_s, "it never came so"
        time.sleep(0.005)
