"""The backlog of the GPU job, which is what the job store holds, and when one more execution is wanted.

A READY job is its own outbox entry: it says that an execution is wanted, in the same write that
sealed it, until a worker takes it up. So starting an execution may fail, or be done twice, at any
time: the next look starts it, and the executors' leases make a surplus one harmless.

An execution is on its way while a slot is reserved, and at work while a slot is leased. Either
promises a look at the backlog that is still to come: whoever holds a slot looks once more after
giving it up, and where it was stopped with work left it fails, so that the platform starts it
again. What the platform calls active promises nothing, for an execution stays so for seconds
after its last look; a job sealed then would wait for nobody.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.errors import StepBusy
from shared.job import INFER, Job, State, Step, StepState
from shared.ports import Ports

log = logging.getLogger(__name__)

LOOK_AT = 100
"""Jobs of the backlog that one look takes in: enough to want every execution that may run."""

JOBS_PER_EXECUTION = 25
"""A second execution is started when a start-up of some 30 s costs less than waiting behind so many jobs."""

START_LEASE = timedelta(seconds=180)
"""For how long a slot is reserved: an execution starts within a minute, unless GPUs are scarce."""

MAX_SURPLUS = 3
"""Executions that hold no slot, because they end or wait long for a GPU: more of them are no help."""


def ensure_execution(ports: Ports) -> None:
    """Start an execution of the GPU job where the backlog wants more than come or are at work."""
    wanted = executions_wanted(ports)
    if not wanted:
        return
    now, held = ports.now(), slots(ports)
    free = [number for number, slot in enumerate(held) if not is_taken(slot, now)]
    if len(held) - len(free) >= wanted:
        return
    if ports.launcher.active() < ports.settings.max_executions + MAX_SURPLUS:
        _launch(free[0], ports)


def executions_wanted(ports: Ports) -> int:
    """As many as the waiting jobs are worth, and there may be."""
    # A READY job that a worker holds is RUNNING a moment later: that is not worth a reading.
    waiting = sum(job.state is State.READY or is_waiting(job, ports) for job in ports.jobs.backlog(LOOK_AT))
    return min(ports.settings.max_executions, math.ceil(waiting / JOBS_PER_EXECUTION))


def is_waiting(job: Job, ports: Ports) -> bool:
    """Whether no worker holds the job."""
    step = ports.jobs.steps(job.id).get(INFER, Step(INFER))
    return not step.is_leased(ports.now())


def slots(ports: Ports) -> Sequence[Step]:
    """The places in which a worker may drain the backlog, as they are."""
    return [ports.jobs.update_executor(number, lambda slot: slot) for number in range(ports.settings.max_executions)]


def is_reserved(slot: Step, now: datetime) -> bool:
    """Whether it waits for an execution that was started: any worker may take it at once."""
    return slot.state is StepState.WAITING and slot.lease_until is not None and now < slot.lease_until


def is_taken(slot: Step, now: datetime) -> bool:
    return slot.is_leased(now) or is_reserved(slot, now)


def reserved(slot: Step, now: datetime) -> Step:
    """Raises StepBusy where another reserved or leased it first."""
    if is_taken(slot, now):
        raise StepBusy(f"{slot.name} is taken until {slot.lease_until}")
    return replace(slot, state=StepState.WAITING, lease_until=now + START_LEASE)


def _launch(number: int, ports: Ports) -> None:
    """Reserve a slot, then start an execution for it; nothing where another was faster, for it does the same."""
    try:
        mine = ports.jobs.update_executor(number, lambda slot: reserved(slot, ports.now()))
    except StepBusy:
        return
    try:
        log.info("started %s", ports.launcher.launch())
    except Exception:
        ports.jobs.update_executor(number, lambda slot: replace(slot, lease_until=None) if slot == mine else slot)
        raise
