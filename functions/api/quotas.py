"""What one user may ask for: requests a minute, uploads a day, jobs at the same time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from functions.api.service import Service
from shared.errors import NotFound, QuotaExceeded
from shared.job import Source
from shared.ports import Held

GRACE = timedelta(hours=1)
"""A place is kept so long for an upload that does not come."""


def check_rate(user: str, service: Service) -> None:
    """By the minutes of the clock: so that around their change twice as much may pass. Raises QuotaExceeded."""
    minute = service.now().replace(second=0, microsecond=0)
    counter = f"{user}~requests~{minute:%Y%m%d%H%M}"
    if not service.quota.spend(counter, service.api.requests_a_minute, minute + timedelta(minutes=2)):
        raise QuotaExceeded(f"More than {service.api.requests_a_minute} requests a minute. Please wait a moment.")


@contextmanager
def admitted(user: str, upload: str, service: Service) -> Generator[None]:
    """Counts an upload, and keeps a place among the jobs at work for it; the place is given back where it comes to
    nothing inside. Raises QuotaExceeded."""
    places, now = _places(user), service.now()
    limit, is_over = service.api.jobs_in_flight, partial(_is_over, service, now)
    if not service.quota.hold(places, limit, Held(upload, now), is_over):
        raise QuotaExceeded(f"{limit} of your uploads are being worked on. Please wait until one is done.")
    try:
        _spend_upload(user, now, service)
        yield
    except BaseException:
        service.quota.release(places, upload)
        raise


def leave(user: str, upload: str, service: Service) -> None:
    """What was deleted is not worked on any more."""
    service.quota.release(_places(user), upload)


def _spend_upload(user: str, now: datetime, service: Service) -> None:
    counter, limit = f"{user}~uploads~{now:%Y%m%d}", service.api.uploads_a_day
    if not service.quota.spend(counter, limit, now + timedelta(days=2)):
        raise QuotaExceeded(f"More than {limit} uploads a day. Please come back tomorrow.")


def _places(user: str) -> str:
    return f"{user}~jobs"


def _is_over(service: Service, now: datetime, held: Held) -> bool:
    """Whether the upload never came, or its job is settled. A job that nobody has looked at yet is at work."""
    try:
        source: Source = service.blobs.stat(service.settings.uploads_bucket, held.holder).source
    except NotFound:
        return now > held.since + GRACE
    try:
        return service.jobs.get(source.job_id).is_settled
    except NotFound:
        return now > held.since + timedelta(days=service.settings.keep_days)
