"""What is counted, as log records with fields: log-based metrics and alerts are made of them (docs/operations.md).

    {"event": "job_settled", "state", "kind", "code", "seconds_to_result", "gpu_seconds", "cpu_seconds"}
    {"event": "backlog", "waiting", "oldest_seconds"}
    {"event": "execution_ended", "jobs", "seconds", "device"}
    {"event": "dead_letter", "what"}

Their names are promises. Knows no store and no metric.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from shared.job import Job, State
from shared.logs import bound, bound_value

log = logging.getLogger(__name__)

GPU_SECONDS = "gpu_seconds"
"""Bound by the GPU worker while it settles a job: the job's share of the time in which its batch held the GPU."""

CPU_STAGES = ("audio", "pose")


def note_settled(before: Job, after: Job) -> None:
    """Once for each job, by whoever wrote its end: a writer that found it settled tells nothing."""
    if before.is_settled or not after.is_settled:
        return
    ended_at = after.updated_at or after.created_at
    timings_s = after.result.get("timings_s", {})
    measures = {
        "event": "job_settled",
        "state": str(after.state),
        "kind": str(after.kind),
        "code": after.error.code if after.error else "",
        "seconds_to_result": round((ended_at - after.created_at).total_seconds(), 3),
        "gpu_seconds": round(float(bound_value(GPU_SECONDS) or 0.0), 3),
        "cpu_seconds": round(sum(timings_s.get(stage, 0.0) for stage in CPU_STAGES), 3),
    }
    # A cancelled job is nobody's failure, and a failed one mostly the video's.
    with bound(job=after.id, trace=after.trace):
        log.info("the job is %s", after.state, extra={"measures": measures})


def note_backlog(jobs: Sequence[Job], now: datetime) -> None:
    """``jobs`` the backlog, oldest first; those that a worker has taken up are not waiting."""
    waiting = [job for job in jobs if job.state is State.READY]
    oldest_s = max(0.0, (now - waiting[0].created_at).total_seconds()) if waiting else 0.0
    measures = {"event": "backlog", "waiting": len(waiting), "oldest_seconds": round(oldest_s, 3)}
    log.info("%d jobs wait for a GPU", len(waiting), extra={"measures": measures})


def note_execution(jobs: int, seconds: float, device: str) -> None:
    """``device`` is where torch worked: ``cpu`` in the cloud means that a GPU was paid for and not found."""
    measures = {"event": "execution_ended", "jobs": jobs, "seconds": round(seconds, 3), "device": device}
    level = logging.INFO if device != "cpu" else logging.WARNING
    log.log(level, "settled %d jobs on %s", jobs, device, extra={"measures": measures})


def note_dead_letter(what: str) -> None:
    """``what`` the message was that nobody could handle, such as ``StepRequested``."""
    log.error("a dead letter: %s", what, extra={"measures": {"event": "dead_letter", "what": what}})
