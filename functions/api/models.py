"""What clients send and are sent. The OpenAPI document is made of these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from shared.job import JOB_ID, Job, Kind, State
from shared.options import OPTIONS

JobId = Annotated[str, Field(pattern=f"^{JOB_ID.pattern}$", description="32 hexadecimal digits.")]
CONTENT_TYPE = r"^(video|audio)/[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$"
PRINTABLE = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"
"""What a header can carry unchanged."""


_WISHES = "; ".join(f"`{kind}`: {', '.join(names)}" for kind, names in OPTIONS.items())


class _Sent(BaseModel):
    """What nobody knows is refused: it may be a wish that was misspelt."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewUpload(_Sent):
    """What is to be uploaded, and what for."""

    kind: Annotated[Kind, Field(strict=False)]
    file_name: Annotated[str, Field(min_length=1, max_length=255, description="Its own name, to recognise it by.")]
    content_type: Annotated[str, Field(pattern=CONTENT_TYPE, description="video/… or, of a song, audio/….")]
    size: Annotated[int, Field(ge=1, le=2**53 - 1, description="Bytes, exactly.")]
    options: Annotated[
        dict[str, Annotated[str, Field(max_length=1024, pattern=PRINTABLE)] | int | float],
        Field(max_length=16, description=f"{_WISHES}. What they mean is in docs/schema.md."),
    ] = {}


class JobName(_Sent):
    """Which job, by its id or by the name of its upload."""

    job: Annotated[str, Field(min_length=1, max_length=1024)]


class UploadRequest(BaseModel):
    """The request that begins the upload. It is made without a body, with just these headers, before it expires; its
    answer's ``Location`` is where the content then goes, in one PUT or in chunks (a resumable upload)."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class Upload(BaseModel):
    """An upload that may be made."""

    name: Annotated[str, Field(description="The object's; ask for the job by it, once it is complete.")]
    request: UploadRequest


class CompleteUpload(BaseModel):
    """An upload that is there."""

    name: str
    job: JobId


class Error(BaseModel):
    code: str
    message: str


class Problem(BaseModel):
    """Every answer that is not what was asked for."""

    error: Error


class JobView(BaseModel):
    """A job, as in Firestore (docs/schema.md), in snake_case."""

    id: JobId
    kind: Kind
    state: State
    stage: str
    progress: Annotated[float, Field(ge=0, le=1)]
    upload: Annotated[str, Field(description="Its name.")]
    options: dict[str, float | str]
    media: dict[str, Any]
    error: Error | None
    result: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None
    expire_at: datetime

    @classmethod
    def of(cls, job: Job) -> JobView:
        error = job.error and Error(code=job.error.code, message=job.error.message)
        return cls(
            id=job.id, kind=job.kind, state=job.state, stage=job.stage, progress=job.progress,
            upload=job.source.name, options=dict(job.options), media=dict(job.media), error=error,
            result=dict(job.result), created_at=job.created_at, updated_at=job.updated_at, expire_at=job.expire_at,
        )  # fmt: skip


class JobList(BaseModel):
    """The latest first."""

    jobs: list[JobView]
    next: Annotated[str | None, Field(description="The parameter ``after`` for those that follow; null at the end.")]


class FileList(BaseModel):
    files: Annotated[list[str], Field(description="Names below the result's folder.")]


class Download(BaseModel):
    """A file of a result: whoever has the address can read it until it expires."""

    url: str
    expires_at: datetime


class OldPrediction(BaseModel):
    """What the older API told of a video."""

    segmented_probs: Annotated[list[float], Field(description="The probability of a boundary, of every sample.")]
    segmented_percentages: Annotated[list[float], Field(description="Boundaries, 0 … 1 of the duration.")]


class OldComparison(BaseModel):
    """What the older API told of two videos."""

    similarity_score: Annotated[float | None, Field(description="0 … 100; null where too little was seen.")]


class Waiting(BaseModel):
    """The result is not there yet: ask again."""

    job: JobId
    state: Annotated[str, Field(description="The job's; RECEIVED also where it was not looked at yet.")]
    progress: float
