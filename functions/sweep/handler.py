"""What nobody else would come back to: stale jobs, an idle GPU job with a backlog, dead letters."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.backlog import ensure_execution
from shared.config import Settings
from shared.errors import DanceBitsError, GaveUp, NotFound
from shared.events import FeaturesReady, Message, StepRequested, Tick, UploadFinalized
from shared.job import BACKLOG, Failure, Job, State, Step, StepState
from shared.logs import bound
from shared.measures import note_backlog, note_dead_letter
from shared.ports import Ports

log = logging.getLogger(__name__)

LOOK_AT = 100


def handle(message: Message, ports: Ports) -> None:
    if isinstance(message, Tick):
        sweep(ports)
    else:
        bury(message, ports)


def sweep(ports: Ports) -> None:
    """Look after every job that rested too long, and see that the GPU job runs where there is a backlog."""
    now = ports.now()
    for job in ports.jobs.stale(now - timedelta(seconds=ports.settings.stale_after_s), LOOK_AT):
        with bound(job=job.id, trace=job.trace):
            _look_after(job, now, ports)
    ensure_execution(ports)
    note_backlog(ports.jobs.backlog(LOOK_AT), ports.now())


def bury(message: Message, ports: Ports) -> None:
    """A message that could not be handled however often it was delivered.

    A step that was truly tried fails its job. One that was only refused (no instance was free, or
    another worker was busy with it) is asked for again: the age of the job sets the end to that.
    An upload is lost for good if its job could not even be kept: it is told of again. A lost word to
    dispatch needs nothing: the sweep looks after the job.
    """
    note_dead_letter(type(message).__name__)
    match message:
        case UploadFinalized():
            with bound(job=message.job_id):
                _bury_upload(message, ports)
        case StepRequested(job_id, step):
            with bound(job=job_id, step=step):
                _bury_step(message, ports)
        case FeaturesReady(job_id):
            log.error("dispatch could not look at job %s; the sweep will", job_id)
        case Tick():
            log.error("a sweep failed again and again")


def _look_after(job: Job, now: datetime, ports: Ports) -> None:
    """What goes wrong with one job costs no other; the next tick tries again."""
    try:
        if now - job.created_at > _patience(job, ports.settings):
            _give_up(job.id, ports)
        else:
            _revive(job, ports)
    except DanceBitsError as error:
        log.error("could not look after the job: %r", error)


def _patience(job: Job, settings: Settings) -> timedelta:
    waits = job.state in BACKLOG
    return timedelta(seconds=settings.give_up_waiting_after_s if waits else settings.give_up_after_s)


def _give_up(job_id: str, ports: Ports) -> None:
    failure = Failure.of(GaveUp())
    ports.jobs.update(job_id, lambda job: job.failed(failure))
    log.error("gave up")


def _revive(job: Job, ports: Ports) -> None:
    """Say again what may have been lost on the way."""
    ports.jobs.update(job.id, Job.revived)
    for message in _unheard(job, ports):
        log.warning("said again: %s", type(message).__name__)
        ports.bus.publish(message)


def _unheard(job: Job, ports: Ports) -> Sequence[Message]:
    """Nothing for a job in the backlog: ensure_execution looks there."""
    match job.state:
        case State.RECEIVED:
            return [UploadFinalized(job.source)]
        case State.EXTRACTING:
            return _unheard_of_steps(job, ports)
        case _:
            return []


def _unheard_of_steps(job: Job, ports: Ports) -> Sequence[Message]:
    """Requests for the steps that nobody works on; or word to dispatch, where all are done."""
    steps, now = ports.jobs.steps(job.id), ports.now()
    open_steps = [
        step for step in (steps.get(name, Step(name)) for name in job.plan) if step.state is not StepState.DONE
    ]
    if not open_steps:
        return [FeaturesReady(job.id)]
    return [StepRequested(job.id, step.name) for step in open_steps if not step.is_leased(now)]


def _bury_upload(message: UploadFinalized, ports: Ports) -> None:
    """Fails a job that nobody could plan. One that came further was told of twice, and lives."""
    failure = Failure.of(GaveUp())
    try:
        ports.jobs.update(message.job_id, lambda job: job.failed(failure) if job.state is State.RECEIVED else job)
    except NotFound:
        log.error("an upload that never became a job is told of again")
        ports.bus.publish(message)


def _bury_step(message: StepRequested, ports: Ports) -> None:
    if ports.jobs.get(message.job_id).is_settled:
        return
    step = ports.jobs.steps(message.job_id).get(message.step, Step(message.step))
    if step.is_settled or step.is_leased(ports.now()):
        return
    if step.attempt >= ports.settings.max_attempts:
        _give_up(message.job_id, ports)
    else:
        ports.bus.publish(message)
