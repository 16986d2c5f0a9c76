"""Claim, work, record: idempotency and status, once for every step of every job.

Delivery is at least once and a worker can die at any line; so whatever follows from a settled step
is done again whenever the step is met again, and a crash in between heals by redelivery.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from shared.errors import GaveUp, PermanentError, TransientError
from shared.events import Event, FeaturesReady, Message, StepRequested, read, trace_of
from shared.job import Job, Step, StepState, failure_in
from shared.logs import bound
from shared.ports import Ports

log = logging.getLogger(__name__)

Report = Callable[[float], None]
"""Told the share 0 … 1 of a step's work that is done."""

Work = Callable[[Job, str, Report], Mapping[str, Any]]
"""Does the step of that name of a job, and returns its output, a small mapping."""


BEATS_PER_LEASE = 3
"""One beat may be late and one may fail before the lease of a living worker runs out."""


@contextmanager
def heartbeat(every_s: float, beat: Callable[[], None]) -> Generator[None]:
    """Calls ``beat`` meanwhile, from a thread. One that fails for now is passed over: the next may succeed."""
    done = threading.Event()

    def keep_beating() -> None:
        while not done.wait(every_s):
            try:
                beat()
            except Exception as error:  # noqa: BLE001 - a lease that is not renewed runs out; the next beat may renew it
                log.warning("no heartbeat: %r", error)

    thread = threading.Thread(target=keep_beating, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def deliver(event: Event, handle: Callable[[Message, Ports], None], ports: Ports) -> None:
    """Hand an event's message to its handler.

    A message that can never be handled is logged and acknowledged. Everything else that is raised
    goes on to the framework, which refuses the message, so that it is delivered again.
    """
    with bound(trace=trace_of(event)):
        try:
            handle(read(event), ports)
        except PermanentError as error:
            log.error("acknowledged without effect: %s: %s", error.code, error.message)


def run_step(request: StepRequested, work: Work, ports: Ports) -> None:
    """Do one step at most once at a time, and never again once it is settled."""
    with bound(job=request.job_id, step=request.step):
        job = ports.jobs.get(request.job_id)
        if job.is_settled:
            log.info("nothing to do: the job is %s", job.state)
            return
        step = _claimed(request, ports)
        if not step.is_settled:
            step = _worked(job, step, work, ports)
        _conclude(request.job_id, step, ports)


def _claimed(request: StepRequested, ports: Ports) -> Step:
    settings = ports.settings
    try:
        return ports.jobs.update_step(
            request.job_id,
            request.step,
            lambda step: step.claimed(ports.now(), settings.step_lease, settings.max_attempts),
        )
    except GaveUp:
        return ports.jobs.update_step(request.job_id, request.step, Step.abandoned)


def _worked(job: Job, step: Step, work: Work, ports: Ports) -> Step:
    """The step after its work. What may succeed later is raised, and the lease given back."""

    def record(change: Callable[[Step], Step]) -> Step:
        return ports.jobs.update_step(job.id, step.name, change)

    def renew() -> None:
        now, lease = ports.now(), ports.settings.step_lease
        record(lambda held: held.renewed(step.attempt, now, lease))

    try:
        with heartbeat(ports.settings.step_lease_s / BEATS_PER_LEASE, renew):
            output = work(job, step.name, _reporter(job, step, ports))
    except PermanentError as error:
        failure = failure_in(step.name, error)
        return record(lambda held: held.failed(step.attempt, failure))
    except BaseException:
        record(lambda held: held.released(step.attempt))
        raise
    return record(lambda held: held.finished(step.attempt, output))


def _conclude(job_id: str, step: Step, ports: Ports) -> None:
    """What follows from a settled step. Harmless when done twice."""
    if step.state is StepState.FAILED and (failure := step.error):
        ports.jobs.update(job_id, lambda job: job.failed(failure))
    else:
        ports.bus.publish(FeaturesReady(job_id))


def _reporter(job: Job, step: Step, ports: Ports) -> Report:
    """Offers the job's progress: the steps that were done when this one began, and its own share."""
    done = sum(other.state is StepState.DONE for other in ports.jobs.steps(job.id).values())

    def report(share: float) -> None:
        log.debug("%s: %.0f %%", step.name, 100 * share)
        try:
            ports.jobs.offer(job.id, lambda now: now.extracted((done + share) / max(1, len(now.plan))))
        except TransientError as error:
            log.info("progress was not told: %s", error)  # the next report tells more

    return report
