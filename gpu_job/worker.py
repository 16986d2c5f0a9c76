"""Lease, infer, record, until the backlog is empty.

At most ``max_executions`` workers drain the backlog at once, each in a slot that it leases. A worker
that gives up its slot looks at the backlog once more, so that a job sealed in between is not left
to nobody. Every job is leased by its step ``infer`` and every record of it is fenced by the attempt.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from gpu_job.fencing import FencedJobs, Held
from shared.backlog import LOOK_AT, is_reserved, is_waiting, slots
from shared.errors import (
    Cancelled,
    DanceBitsError,
    GaveUp,
    Interrupted,
    LostLease,
    PermanentError,
    StepBusy,
    TransientError,
)
from shared.heap import give_memory_back
from shared.job import INFER, Failure, Job, Kind, Step, StepState
from shared.logs import bound
from shared.measures import GPU_SECONDS
from shared.ports import Ports
from shared.step import BEATS_PER_LEASE, heartbeat

log = logging.getLogger(__name__)

NO_LIMIT = 1 << 30

FIRST_REST_S = 10.0
LONGEST_REST_S = 60.0
"""A job that failed for now is left alone for so long, twice as long each time: five attempts outlast an
outage of two minutes, and the GPU idles for less than a cold start costs."""


MAX_REFUSALS = 4
"""Looks at the backlog in a row at which no waiting job could be leased, for a fault of the store: then it ends, and
the next tick of the scheduler starts another. The GPU has idled for two minutes by then."""

MAX_SHARED_ATTEMPTS = 2
"""A job that was begun so often and never ended is worked on alone from then on: it may be what ends its worker,
and would use up the attempts of its whole batch."""


class Inference(Protocol):
    """What a kind of job asks of the GPU, in three parts, so that a batch shares the middle one."""

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> Any:
        """Read a job's features. Raises PermanentError where they can't lead to a result."""
        ...

    def infer(self, loaded: Sequence[Any]) -> Sequence[Any]:
        """One answer for each that was loaded. What it raises is tried again one by one."""
        ...

    def record(self, job: Job, loaded: Any, answer: Any, ports: Ports) -> Mapping[str, Any]:
        """Write the result's objects, each once, and return the summary that the client sees.

        ``ports.jobs`` raises LostLease once another attempt has taken the job over.
        """
        ...


class Worker:
    """One execution of the GPU job. ``stop`` is set when the platform wants it to end."""

    def __init__(self, ports: Ports, inferences: Mapping[Kind, Inference], stop: threading.Event) -> None:
        self._ports = ports
        self._jobs = ports.jobs
        self._settings = ports.settings
        self._inferences = inferences
        self._stop = stop
        self._unfinished: list[tuple[Held, Exception]] = []
        """What of the batch is to be given back."""
        self._rest_s = 0.0
        """For how long what was given back is left alone."""
        self._refusals = 0
        """Looks in a row at which the store let nothing be leased."""

    def run(self) -> int:
        """Drain the backlog and return how many jobs were settled. Ends at once where every slot is taken."""
        settled = 0
        while (slot := self._take_slot()) is not None:
            try:
                settled += self._drain(slot)
            finally:
                self._give_up(slot)
            if self._stop.is_set() or not self._goes_on():
                break
        return settled

    def _take_slot(self) -> Slot | None:
        """A free slot, one that is reserved before others; None where all are leased."""
        now, found = self._ports.now(), slots(self._ports)
        for number in sorted(range(len(found)), key=lambda number: not is_reserved(found[number], now)):
            try:
                held = self._jobs.update_executor(number, self._claim)
            except StepBusy:
                continue
            return Slot(number, held.attempt)
        return None

    def _give_up(self, slot: Slot) -> None:
        self._quietly(lambda: self._jobs.update_executor(slot.number, lambda held: held.released(slot.attempt)))

    def _claim(self, step: Step) -> Step:
        return step.claimed(self._ports.now(), self._settings.infer_lease, NO_LIMIT)

    def _goes_on(self) -> bool:
        """Whether another look at the backlog may find something, after a rest where that is needed."""
        if self._refusals:
            return self._refusals <= MAX_REFUSALS and not self._stop.wait(_rest_s(self._refusals))
        return self.is_work_left() or self._has_rested()

    def is_work_left(self) -> bool:
        """Whether a job waits that no worker holds."""
        return any(is_waiting(job, self._ports) for job in self._jobs.backlog(LOOK_AT))

    def _has_rested(self) -> bool:
        """Wait until every job that was given back may be tried again; False where there is none, or no time."""
        rest_s, self._rest_s = self._rest_s, 0.0
        return rest_s > 0 and not self._stop.wait(rest_s)

    def _drain(self, slot: Slot) -> int:
        settled, every_s = 0, self._settings.infer_lease_s / BEATS_PER_LEASE
        # The slot's heart outlasts batches, which may be shorter than a beat.
        with heartbeat(every_s, partial(self._renew_slot, slot)):
            while not self._stop.is_set() and (batch := self._lease()):
                with heartbeat(every_s, partial(self._renew, batch)):
                    settled += self._work(batch)
                self._give_back()  # no sooner, lest the heartbeat renew it
        return settled

    # --- leasing

    def _lease(self) -> list[Held]:
        """Up to a batch of waiting jobs, now ours."""
        leased: list[Held] = []
        refused = False
        for job in self._jobs.backlog(LOOK_AT):
            if len(leased) == self._settings.batch_size:
                break
            with bound(job=job.id, trace=job.trace):
                try:
                    leased += self._leased(job, alone=not leased)
                except DanceBitsError as error:  # what goes wrong with one costs no other
                    log.info("not leased: %r", error)
                    refused |= isinstance(error, TransientError) and not isinstance(error, StepBusy | LostLease)
            if leased and leased[-1].attempt > MAX_SHARED_ATTEMPTS:
                break
        self._refusals = self._refusals + 1 if refused and not leased else 0
        return leased

    def _leased(self, job: Job, *, alone: bool) -> list[Held]:
        """The job, if it is ours now."""
        step = self._claimed(job, alone=alone)
        if step.is_settled:
            self._conclude(job, step)
            return []
        return [Held(job, step.attempt)]

    def _claimed(self, job: Job, *, alone: bool) -> Step:
        """Raises StepBusy where another holds it, or where it must not share a batch."""
        settings = self._settings

        def claim(step: Step) -> Step:
            if not alone and not step.is_settled and step.attempt >= MAX_SHARED_ATTEMPTS:
                raise StepBusy(f"begun {step.attempt} times: to be worked on alone")
            return step.claimed(self._ports.now(), settings.infer_lease, settings.max_attempts)

        try:
            return self._jobs.update_step(job.id, INFER, claim)
        except GaveUp:
            return self._jobs.update_step(job.id, INFER, Step.abandoned)

    def _renew_slot(self, slot: Slot) -> None:
        now, lease = self._ports.now(), self._settings.infer_lease
        self._quietly(
            lambda: self._jobs.update_executor(slot.number, lambda step: step.renewed(slot.attempt, now, lease))
        )

    def _renew(self, batch: Sequence[Held]) -> None:
        now, lease = self._ports.now(), self._settings.infer_lease
        for held in batch:
            self._quietly(
                lambda held=held: self._jobs.update_step(
                    held.job.id, INFER, lambda step: step.renewed(held.attempt, now, lease)
                )
            )

    @staticmethod
    def _quietly(write: Callable[[], object]) -> None:
        """A lease that can't be written is settled already, or another's, or runs out: nothing hangs on it."""
        try:
            write()
        except TransientError as error:
            log.info("a lease was not written: %r", error)

    def _give_back(self) -> None:
        """What may succeed later; where even that cannot be written, the lease runs out."""
        for held, error in self._unfinished:
            self._quietly(lambda held=held, error=error: self._given_back(held, error))
        self._unfinished.clear()

    def _given_back(self, held: Held, error: Exception) -> Step:
        """At once where this worker must end; otherwise the lease is kept a while, for nobody to take it."""
        if isinstance(error, Interrupted):
            return self._jobs.update_step(held.job.id, INFER, lambda step: step.released(held.attempt))
        rest_s = _rest_s(held.attempt)
        now, rest = self._ports.now(), timedelta(seconds=rest_s)
        step = self._jobs.update_step(held.job.id, INFER, lambda step: step.renewed(held.attempt, now, rest))
        self._rest_s = max(self._rest_s, rest_s)
        return step

    # --- working

    def _work(self, batch: Sequence[Held]) -> int:
        """Load, infer and record a batch; the number of jobs it settled."""
        began_s = time.monotonic()
        with ThreadPoolExecutor(max_workers=len(batch)) as pool:
            loaded = list(pool.map(self._load, batch))
            answers = self._infer(batch, loaded)
            give_memory_back()  # what ten minutes of landmarks took to be smoothed and compared, 100 MB
            record = partial(self._record, lambda: (time.monotonic() - began_s) / len(batch))
            return sum(pool.map(record, batch, loaded, answers))

    def _load(self, held: Held) -> Any:
        def load() -> Any:
            if self._jobs.update(held.job.id, Job.started).is_settled:
                raise Cancelled
            return self._of(held).load(held.job, self._jobs.steps(held.job.id), self._ports)

        with bound(job=held.job.id, trace=held.job.trace):
            return self._guarded(load)

    def _infer(self, batch: Sequence[Held], loaded: Sequence[Any]) -> list[Any]:
        """An answer for each job of the batch; what could not be loaded answers for itself."""
        answers = list(loaded)
        for kind in dict.fromkeys(held.job.kind for held in batch):
            of_kind = [
                i for i, held in enumerate(batch) if held.job.kind is kind and not isinstance(loaded[i], Exception)
            ]
            inferred = self._inferred(kind, [loaded[i] for i in of_kind])
            for i, answer in zip(of_kind, inferred, strict=True):
                answers[i] = answer
        return answers

    def _inferred(self, kind: Kind, loaded: Sequence[Any]) -> Sequence[Any]:
        """The answers of a batch; one by one where the batch as a whole fails, so that each bears its own fault."""
        infer = self._inferences[kind].infer
        together = self._guarded(lambda: infer(loaded)) if loaded else []
        if not isinstance(together, Exception):
            return together
        log.warning("a batch of %d failed: %r", len(loaded), together)
        return [self._guarded(lambda one=one: infer([one])[0]) for one in loaded]

    def _record(self, share_s: Callable[[], float], held: Held, loaded: Any, answer: Any) -> bool:
        """Settle a job; or note it to be given back, where trying again may help. ``share_s`` is its share so far of
        the time in which its batch held the GPU."""
        with bound(job=held.job.id, trace=held.job.trace):
            outcome = answer if isinstance(answer, Exception) else self._recorded(held, loaded, answer)
            with bound(**{GPU_SECONDS: round(share_s(), 3)}):
                error = self._guarded(lambda: self._settle(held, outcome))
            if error:
                level = logging.INFO if isinstance(error, Interrupted) else logging.ERROR
                log.log(level, "not settled: %r", error)
                self._unfinished.append((held, error))
            return not error

    def _recorded(self, held: Held, loaded: Any, answer: Any) -> Any:
        def record() -> Mapping[str, Any]:
            if self._stop.is_set():
                raise Interrupted
            fenced = replace(self._ports, jobs=FencedJobs(self._ports, held, self._stop))
            return self._of(held).record(held.job, loaded, answer, fenced)

        return self._guarded(record)

    def _settle(self, held: Held, outcome: Any) -> None:
        """Write what became of a job. Raises what is no end, and LostLease where another has taken it over."""
        if isinstance(outcome, PermanentError):
            failure = Failure.of(outcome)
            step = self._jobs.update_step(held.job.id, INFER, lambda step: step.failed(held.attempt, failure))
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            step = self._jobs.update_step(held.job.id, INFER, lambda step: step.finished(held.attempt, outcome))
        self._conclude(held.job, step)

    def _conclude(self, job: Job, step: Step) -> None:
        """What follows from the settled step; also where a worker died before it could."""
        if step.state is StepState.FAILED and (failure := step.error):
            self._jobs.update(job.id, lambda now: now.failed(failure))
        else:
            self._jobs.update(job.id, lambda now: now.done(step.output))

    def _of(self, held: Held) -> Inference:
        return self._inferences[held.job.kind]

    @staticmethod
    def _guarded(work: Callable[[], Any]) -> Any:
        """What ``work`` returns or raises: one job's trouble must not cost the batch its other jobs."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - settled by fate in _settle: nothing is swallowed
            return error


def _rest_s(attempt: int) -> float:
    """How long to leave alone what failed for now for the ``attempt``-th time."""
    return min(LONGEST_REST_S, FIRST_REST_S * 2 ** (attempt - 1))


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the places in which a worker may drain the backlog."""

    number: int
    attempt: int
