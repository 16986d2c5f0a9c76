"""Jobs and steps in Firestore.

``jobs/{id}``, ``jobs/{id}/steps/{step}`` and ``executors/{slot}``; see docs/schema.md. Instants
that the store itself stamps are Firestore's: many machines write one document, and one clock must
order what they write.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from google.cloud.firestore_v1 import Client, CollectionReference, DocumentReference, FieldFilter, Query

from shared.errors import NotFound, TransientError
from shared.gcp.documents import job_document, job_of, step_document, step_of
from shared.gcp.errors import translated
from shared.gcp.optimistic import Codec, OptimisticDocument
from shared.gcp.watching import snapshots
from shared.job import BACKLOG, SETTLED, Job, State, Step
from shared.measures import note_settled
from shared.ports import Place, utc_now

log = logging.getLogger(__name__)

PACE = timedelta(seconds=1)
"""Firestore sustains one write a second of one document."""


class FirestoreJobStore:
    """``keep`` is how long a step's document is kept; a job's says so itself.

    The emulator is used where FIRESTORE_EMULATOR_HOST is set.
    """

    def __init__(self, project: str, keep: timedelta, pace: timedelta = PACE) -> None:
        self._project = project
        self._keep = keep
        self._pace = pace
        self._offers = _Gate(pace)

    @cached_property
    def client(self) -> Client:
        return Client(project=self._project)

    def create(self, job: Job) -> Job:
        return self._job(job.id).create(job)

    def get(self, job_id: str) -> Job:
        return self._job(job_id).read()

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        seen: list[Job] = []

        def noting(job: Job) -> Job:
            seen.append(job)
            return change(job)

        kept = self._job(job_id).update(noting)
        note_settled(seen[-1], kept)
        return kept

    def offer(self, job_id: str, change: Callable[[Job], Job]) -> None:
        if self._offers.opens(job_id):
            self._job(job_id).offer(change)

    def steps(self, job_id: str) -> Mapping[str, Step]:
        with translated("Firestore"):
            return {found.id: step_of(found.id, _fields(found)) for found in self._steps(job_id).stream()}

    def update_step(self, job_id: str, name: str, change: Callable[[Step], Step]) -> Step:
        def encode(step: Step) -> dict[str, Any]:
            return {**step_document(step), "expireAt": utc_now() + self._keep}

        return self._step(self._steps(job_id).document(name), name, encode).update(change)

    def update_executor(self, slot: int, change: Callable[[Step], Step]) -> Step:
        reference = self.client.collection("executors").document(str(slot))
        return self._step(reference, f"executor-{slot}", step_document).update(change)

    def backlog(self, limit: int) -> list[Job]:
        return self._listed(self._in_states(BACKLOG).order_by("createdAt").limit(limit))

    def stale(self, before: datetime, limit: int) -> list[Job]:
        resting = self._in_states(set(State) - SETTLED).where(filter=FieldFilter("updatedAt", "<", before))
        return self._listed(resting.order_by("updatedAt").limit(limit))

    def of_owner(self, owner: str, limit: int, after: Place | None = None) -> list[Job]:
        query: Any = self._jobs.where(filter=FieldFilter("owner", "==", owner))
        query = query.order_by("createdAt", direction=Query.DESCENDING)
        query = query.order_by("__name__", direction=Query.DESCENDING)
        if after:
            query = query.start_after({"createdAt": after.created_at, "__name__": self._jobs.document(after.job_id)})
        return self._listed(query.limit(limit))

    def delete(self, job_id: str) -> None:
        """The job last: as long as it is there, its owner can ask again."""
        with translated("Firestore"):
            for step in self._steps(job_id).list_documents():
                step.delete()
            self._jobs.document(job_id).delete()

    @contextmanager
    def watch(self, job_id: str) -> Generator[Iterator[Job]]:
        with snapshots(self._jobs.document(job_id)) as found:
            yield _until_settled(job_id, found)

    @property
    def _jobs(self) -> CollectionReference:
        return self.client.collection("jobs")

    def _steps(self, job_id: str) -> CollectionReference:
        return self._jobs.document(job_id).collection("steps")

    def _job(self, job_id: str) -> OptimisticDocument[Job]:
        codec = Codec(lambda fields: _decoded(job_id, fields), job_document)
        return OptimisticDocument(self._jobs.document(job_id), codec, self._pace)

    def _step(
        self, reference: DocumentReference, name: str, encode: Callable[[Step], dict[str, Any]]
    ) -> OptimisticDocument[Step]:
        codec = Codec(lambda fields: step_of(name, fields) if fields else Step(name), encode)
        return OptimisticDocument(reference, codec, self._pace)

    def _in_states(self, states: set[State] | frozenset[State]) -> Any:
        return self._jobs.where(filter=FieldFilter("state", "in", sorted(states)))

    def _listed(self, query: Any) -> list[Job]:
        """Without the jobs that this release cannot read: they must not keep it from the others."""
        with translated("Firestore"):
            read = [_readable(found.id, _fields(found)) for found in query.stream()]
        return [job for job in read if job]


class _Gate:
    """Lets an offer pass once a ``pace``, so that not each costs a reading. Jobs are worked on one by one."""

    def __init__(self, pace: timedelta) -> None:
        self._pace_s = pace.total_seconds()
        self._lock = threading.Lock()
        self._last: tuple[str, float] = ("", 0.0)

    def opens(self, job_id: str) -> bool:
        now = time.monotonic()
        with self._lock:
            last_id, last = self._last
            if last_id == job_id and now < last + self._pace_s:
                return False
            self._last = (job_id, now)
            return True


def _decoded(job_id: str, fields: dict[str, Any] | None) -> Job:
    if fields is None:
        raise NotFound(f"there is no job {job_id}")
    return job_of(job_id, fields)


def _readable(job_id: str, fields: dict[str, Any]) -> Job | None:
    try:
        return job_of(job_id, fields)
    except TransientError as error:
        log.error("passed over: %s", error)
        return None


def _fields(snapshot: Any) -> dict[str, Any]:
    return snapshot.to_dict()


def _until_settled(job_id: str, snapshots: Iterator[dict[str, Any] | None]) -> Iterator[Job]:
    """Raises NotFound where a job that was there is deleted."""
    seen: Job | None = None
    for fields in snapshots:
        if fields is None and seen is None:
            continue
        job = _decoded(job_id, fields)
        if job != seen:
            yield job
        if job.is_settled:
            return
        seen = job
