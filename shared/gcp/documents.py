"""Jobs and steps as documents of Firestore, and back; docs/schema.md describes them.

Knows the names of the fields, and no database. ``updatedAt`` and the other stamps are the store's.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from shared.errors import TransientError
from shared.job import SCHEMA, Failure, Job, Kind, Recording, Source, State, Step, StepState

Document = Mapping[str, Any]


def job_document(job: Job) -> dict[str, Any]:
    """Every field but ``updatedAt``."""
    return {
        "schema": SCHEMA,
        "kind": str(job.kind),
        "owner": job.owner,
        "source": _source_document(job.source),
        "teacher": _recording_document(job.teacher),
        "options": plain(job.options),
        "state": str(job.state),
        "stage": job.stage,
        "progress": job.progress,
        "media": plain(job.media),
        "plan": plain(job.plan),
        "error": _failure_document(job.error),
        "result": plain(job.result),
        "trace": job.trace,
        "lookedAfter": job.looked_after,
        "createdAt": job.created_at,
        "expireAt": job.expire_at,
    }


def job_of(job_id: str, document: Document) -> Job:
    """The inverse of :func:`job_document`. Raises TransientError for what a later release wrote."""
    _check(document, job_id)
    with _later_names(job_id):
        kind, state = Kind(document["kind"]), State(document["state"])
    return Job(
        id=job_id,
        kind=kind,
        owner=document["owner"],
        source=_source_of(document["source"]),
        teacher=_recording_of(document.get("teacher")),
        options=document["options"],
        state=state,
        stage=document["stage"],
        progress=document["progress"],
        media=document["media"],
        plan=document["plan"],
        error=_failure_of(document["error"]),
        result=document["result"],
        created_at=instant(document["createdAt"]),
        expire_at=instant(document["expireAt"]),
        trace=document.get("trace", ""),  # not in those of earlier releases
        looked_after=document["lookedAfter"],
        updated_at=instant(document["updatedAt"]),
    )


def step_document(step: Step) -> dict[str, Any]:
    """Every field but ``updatedAt`` and ``expireAt``. The name is the document's."""
    return {
        "schema": SCHEMA,
        "state": str(step.state),
        "attempt": step.attempt,
        "leaseUntil": step.lease_until,
        "output": plain(step.output),
        "error": _failure_document(step.error),
    }


def step_of(name: str, document: Document) -> Step:
    """The inverse of :func:`step_document`. Raises TransientError for a later schema."""
    _check(document, name)
    lease_until = document["leaseUntil"]
    return Step(
        name=name,
        state=StepState(document["state"]),
        attempt=document["attempt"],
        lease_until=lease_until and instant(lease_until),
        output=document["output"],
        error=_failure_of(document["error"]),
    )


def instant(stamp: datetime) -> datetime:
    """Firestore's own kind of datetime as an ordinary one; both count microseconds, in UTC."""
    return datetime.combine(stamp.date(), stamp.timetz())


def plain(value: Any) -> Any:
    """Mappings as the dictionaries and sequences as the lists that the client insists on."""
    if isinstance(value, Mapping):
        return {str(key): plain(held) for key, held in value.items()}  # pyright: ignore[reportUnknownArgumentType]
    return [plain(held) for held in value] if isinstance(value, list | tuple) else value


def _check(document: Document, name: str) -> None:
    if document["schema"] > SCHEMA:
        raise TransientError(f"{name} was written by a release later than this one: schema {document['schema']}")


@contextmanager
def _later_names(name: str) -> Generator[None]:
    """A release may know more kinds and states than this one."""
    try:
        yield
    except ValueError as error:
        raise TransientError(f"{name} was written by a release later than this one: {error}") from error


def _source_document(source: Source) -> dict[str, Any]:
    return {
        "bucket": source.bucket,
        "name": source.name,
        "generation": source.generation,
        "size": source.size,
        "contentType": source.content_type,
    }


def _source_of(document: Document) -> Source:
    return Source(
        document["bucket"], document["name"], document["generation"], document["size"], document["contentType"]
    )


def _recording_document(recording: Recording | None) -> dict[str, Any] | None:
    if recording is None:
        return None
    return {
        "source": _source_document(recording.source),
        "media": plain(recording.media),
        "job": recording.job,
    }


def _recording_of(document: Document | None) -> Recording | None:
    return Recording(_source_of(document["source"]), document["media"], document["job"]) if document else None


def _failure_document(failure: Failure | None) -> dict[str, str] | None:
    return {"code": failure.code, "message": failure.message} if failure else None


def _failure_of(document: Mapping[str, str] | None) -> Failure | None:
    return Failure(document["code"], document["message"]) if document else None
