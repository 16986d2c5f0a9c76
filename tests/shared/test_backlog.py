"""As many executions as the backlog is worth: none twice, none for nothing, and no job left to one that ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import backlog
from shared.backlog import (
    JOBS_PER_EXECUTION,
    MAX_SURPLUS,
    START_LEASE,
    ensure_execution,
    is_reserved,
    is_waiting,
    slots,
)
from shared.errors import Unavailable
from shared.job import INFER, Job, Step
from shared.memory import MemoryPorts
from tests.functions.support import SETTINGS, Clock, new_ports, ready

LEASE = timedelta(seconds=60)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ports(clock: Clock) -> MemoryPorts:
    return new_ports(clock)


def fill(ports: MemoryPorts, count: int) -> None:
    for number in range(count):
        ready(ports, number + 1)


def claim_slot(ports: MemoryPorts, number: int) -> Step:
    return ports.jobs.update_executor(number, lambda slot: slot.claimed(ports.now(), LEASE, 99))


def claim_job(ports: MemoryPorts, job: Job) -> Step:
    return ports.jobs.update_step(job.id, INFER, lambda step: step.claimed(ports.now(), LEASE, 99))


# How many


@pytest.mark.parametrize(
    ("jobs", "executions"), [(0, 0), (1, 1), (JOBS_PER_EXECUTION, 1), (JOBS_PER_EXECUTION + 1, 2), (99, 3)]
)
def test_executions_come_by_the_number_of_waiting_jobs_up_to_the_quota(ports, jobs, executions):
    fill(ports, jobs)
    for _ in range(5):
        ensure_execution(ports)
    assert ports.launcher.launched == executions


def test_a_job_in_a_workers_hands_needs_no_execution(ports):
    job = ready(ports)
    claim_job(ports, job)
    ports.jobs.update(job.id, Job.started)
    ensure_execution(ports)
    assert ports.launcher.launched == 0


def test_a_job_whose_worker_died_needs_one_when_the_lease_has_run_out(ports, clock):
    job = ready(ports)
    claim_job(ports, job)
    ports.jobs.update(job.id, Job.started)
    clock.passes(61)
    ensure_execution(ports)
    assert ports.launcher.launched == 1


@pytest.mark.parametrize("after_s", [0, 59, 61])
def test_a_job_waits_while_nobody_holds_it(ports, clock, after_s):
    job = ready(ports)
    assert is_waiting(job, ports)
    claim_job(ports, job)
    clock.passes(after_s)
    assert is_waiting(job, ports) == (after_s > 60)


# Slots


def test_an_execution_that_starts_has_a_slot_reserved(ports):
    fill(ports, 1)
    ensure_execution(ports)
    assert [is_reserved(slot, ports.now()) for slot in slots(ports)] == [True, False, False]


def test_a_worker_may_take_a_reserved_slot_at_once(ports):
    fill(ports, 1)
    ensure_execution(ports)
    assert claim_slot(ports, 0).is_leased(ports.now())
    assert not is_reserved(slots(ports)[0], ports.now())


def test_a_worker_that_holds_a_slot_will_look_again_so_none_is_started(ports):
    claim_slot(ports, 2)
    fill(ports, 1)
    ensure_execution(ports)
    assert ports.launcher.launched == 0


def test_an_execution_that_gave_up_its_slot_looks_no_more_though_it_is_still_active(ports):
    fill(ports, 1)
    ensure_execution(ports)
    attempt = claim_slot(ports, 0).attempt
    ports.jobs.update_executor(0, lambda slot: slot.released(attempt))
    assert ports.launcher.active() == 1
    ensure_execution(ports)
    assert ports.launcher.launched == 2


def test_an_execution_that_never_starts_is_replaced_when_its_reservation_has_run_out(ports, clock):
    fill(ports, 1)
    ensure_execution(ports)
    clock.passes(START_LEASE.total_seconds() - 1)
    ensure_execution(ports)
    assert ports.launcher.launched == 1
    clock.passes(1)
    ensure_execution(ports)
    assert ports.launcher.launched == 2


def test_executions_that_wait_for_scarce_gpus_do_not_pile_up(ports, clock):
    fill(ports, 1)
    for _ in range(50):
        clock.passes(START_LEASE.total_seconds())
        ensure_execution(ports)
    assert ports.launcher.launched == SETTINGS.max_executions + MAX_SURPLUS


def test_of_two_who_see_the_same_need_one_starts(ports, monkeypatch):
    fill(ports, 1)
    looking = backlog.slots

    def slots_seen_late(ports):
        """Another dispatch looks, reserves and starts, between this one's look and its reservation."""
        monkeypatch.setattr(backlog, "slots", looking)
        found = looking(ports)
        ensure_execution(ports)
        return found

    monkeypatch.setattr(backlog, "slots", slots_seen_late)
    ensure_execution(ports)
    assert ports.launcher.launched == 1


# Trouble with the run API


def test_a_start_that_failed_frees_its_slot_for_the_next_try(ports, monkeypatch):
    fill(ports, 1)
    with monkeypatch.context() as patched:
        patched.setattr(type(ports.launcher), "launch", _unavailable)
        with pytest.raises(Unavailable):
            ensure_execution(ports)
    ensure_execution(ports)
    assert ports.launcher.launched == 1


def test_a_start_that_failed_after_a_worker_took_the_slot_leaves_it_to_the_worker(ports, monkeypatch):
    fill(ports, 1)

    def launch(_):
        claim_slot(ports, 0)
        raise Unavailable

    monkeypatch.setattr(type(ports.launcher), "launch", launch)
    with pytest.raises(Unavailable):
        ensure_execution(ports)
    assert slots(ports)[0].is_leased(ports.now())


def test_a_quota_of_one_is_heeded(clock):
    ports = new_ports(clock, replace(SETTINGS, max_executions=1))
    fill(ports, 99)
    for _ in range(5):
        ensure_execution(ports)
    assert ports.launcher.launched == 1


def _unavailable(*_):
    raise Unavailable
