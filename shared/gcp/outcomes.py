"""A job's end, told in one record of the log: what the cloud's metrics count and time. Writes nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from shared.job import Job
from shared.logs import bound, tell

log = logging.getLogger(__name__)

SETTLED_EVENT = "job-settled"


def telling(update: Callable[[Callable[[Job], Job]], Job], change: Callable[[Job], Job], now: datetime) -> Job:
    """``update(change)``, and word of the job's end where that is what the change was. Whoever changes a job that has
    ended says nothing, so that each end is told by one; it is not told where that one dies before it can."""
    before: list[Job] = []

    def seen(job: Job) -> Job:
        before[:] = [job]
        return change(job)

    after = update(seen)
    if after.is_settled and not any(job.is_settled for job in before):
        _tell(after, now)
    return after


def _tell(job: Job, now: datetime) -> None:
    code = job.error.code if job.error else ""
    seconds = round((now - job.created_at).total_seconds(), 3)
    with bound(job=job.id):
        tell(log, SETTLED_EVENT, kind=str(job.kind), state=str(job.state), code=code, seconds=seconds)
