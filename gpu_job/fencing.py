"""The store of jobs as an inference is given it: it writes only while the attempt that it works for holds the job.

A worker that stood still for longer than its lease would else put its plan in the place of the newer attempt's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from shared.errors import Interrupted, LostLease, TransientError
from shared.job import INFER, Job, Step
from shared.ports import Place, Ports

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A job in a worker's hands, and the fencing token of its lease."""

    job: Job
    attempt: int


class FencedJobs:
    """What writes a job raises LostLease once another attempt has taken over the one that is held, and Interrupted once
    the worker has to ``stop``: minutes of work end where they tell how far they are."""

    def __init__(self, ports: Ports, held: Held, stop: threading.Event) -> None:
        self._ports = ports
        self._jobs = ports.jobs
        self._held = held
        self._stop = stop

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """For a whole lease from now on nobody can take the job over: so none does before this is written."""
        now, lease = self._ports.now(), self._ports.settings.infer_lease
        self._fence(lambda step: step.renewed(self._held.attempt, now, lease))
        return self._jobs.update(job_id, change)

    def offer(self, job_id: str, change: Callable[[Job], Job]) -> None:
        """Where the store does not answer, it is forgone as well: minutes of work must not hang on a bar that grows."""
        try:
            self._fence(lambda step: step.held(self._held.attempt))
            self._jobs.offer(job_id, change)
        except (LostLease, Interrupted):
            raise
        except TransientError as error:
            log.info("progress was not told: %r", error)

    def _fence(self, change: Callable[[Step], Step]) -> None:
        if self._stop.is_set():
            raise Interrupted
        self._jobs.update_step(self._held.job.id, INFER, change)

    def create(self, job: Job) -> Job:
        return self._jobs.create(job)

    def get(self, job_id: str) -> Job:
        return self._jobs.get(job_id)

    def steps(self, job_id: str) -> Mapping[str, Step]:
        return self._jobs.steps(job_id)

    def update_step(self, job_id: str, name: str, change: Callable[[Step], Step]) -> Step:
        return self._jobs.update_step(job_id, name, change)

    def update_executor(self, slot: int, change: Callable[[Step], Step]) -> Step:
        return self._jobs.update_executor(slot, change)

    def backlog(self, limit: int) -> list[Job]:
        return self._jobs.backlog(limit)

    def stale(self, before: datetime, limit: int) -> list[Job]:
        return self._jobs.stale(before, limit)

    def of_owner(self, owner: str, limit: int, after: Place | None = None) -> list[Job]:
        return self._jobs.of_owner(owner, limit, after)

    def delete(self, job_id: str) -> None:
        self._jobs.delete(job_id)

    def watch(self, job_id: str) -> AbstractContextManager[Iterator[Job]]:
        return self._jobs.watch(job_id)
