"""What the API is given, and one call of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel

from functions.api.settings import ApiSettings
from functions.api.tokens import Issuer
from shared.config import Settings
from shared.errors import NotFound
from shared.job import Job
from shared.ports import BlobKeeper, JobStore, QuotaStore, UrlSigner, utc_now

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Service:
    """``users`` and ``apps`` are believed; ``apps`` None: whichever program asks. ``new_id`` gives 32 random
    hexadecimal digits."""

    settings: Settings
    api: ApiSettings
    jobs: JobStore
    blobs: BlobKeeper
    signer: UrlSigner
    quota: QuotaStore
    users: Issuer
    apps: Issuer | None
    new_id: Callable[[], str]
    now: Callable[[], datetime] = utc_now


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was found good so far. ``user`` is "" where anybody may ask."""

    service: Service
    user: str = ""
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: BaseModel | None = None

    def told(self, model: type[M]) -> M:
        """The body, which is of the route's model."""
        assert isinstance(self.body, model)
        return self.body

    def own_job(self, job_id: str) -> Job:
        """Raises NotFound also where it is another's: that it exists is nobody else's business."""
        job = self.service.jobs.get(job_id)
        if not self.user or job.owner != self.user:
            raise NotFound(f"there is no job {job_id}")
        return job
