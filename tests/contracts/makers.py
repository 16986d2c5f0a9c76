"""Jobs to keep, and threads to race."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any, TypeVar

from shared.job import Job, Kind, Source

T = TypeVar("T")

CREATED = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)
GENERATION = 1_741_000_000_123_456


def a_job(generation: int = GENERATION, **fields: Any) -> Job:
    source = Source("uploads", "videos/salsa bachata ü.mp4", generation, 31_415_926, "video/mp4")
    job = Job(
        id=source.job_id,
        kind=Kind.SEGMENT,
        owner="maria",
        source=source,
        created_at=CREATED,
        expire_at=CREATED + timedelta(days=30),
    )
    return replace(job, **fields)


def counted(job: Job) -> Job:
    """One more; a change that must not be applied twice."""
    return replace(job, result={"count": job.result.get("count", 0) + 1})


def at_once(*calls: Callable[[], T]) -> Sequence[T]:
    """What they return, all begun at the same moment, each in a thread. Raises what one raises."""
    start = Barrier(len(calls))

    def called(call: Callable[[], T]) -> T:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(called, calls))
