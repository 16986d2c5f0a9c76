"""Everything that can be asked for: the one table of which the service and its description are made."""

from __future__ import annotations

from http import HTTPStatus

from functions.api import jobs, older, uploads
from functions.api.models import (
    CompleteUpload,
    Download,
    FileList,
    JobList,
    JobName,
    JobView,
    NewUpload,
    OldComparison,
    OldPrediction,
    Upload,
    Waiting,
)
from functions.api.web import Parameter, Route
from shared.job import JOB_ID

JOB = Parameter("id", "32 hexadecimal digits", JOB_ID.pattern, is_in_path=True)
UPLOAD = Parameter("name", "an upload's name", uploads.UPLOAD_NAME, is_in_path=True)
FILE = Parameter(
    "name", "a file's name", r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", is_in_path=True
)
LIMIT = Parameter("limit", "a number from 1 to 100", "[1-9][0-9]?|100")
AFTER = Parameter("after", "what the answer before named as next", rf"[0-9T:.Z-]{{20,30}}~{JOB_ID.pattern}")
OK = HTTPStatus.OK

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/v1/uploads", uploads.create_upload, "Ask where to upload a video or song, and for what.",
        {HTTPStatus.CREATED: Upload}, NewUpload, refusals=(HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY),
    ),
    Route(
        "GET", "/v1/uploads/{name}", uploads.find_upload, "The job of a complete upload; 404 until then.",
        {OK: CompleteUpload}, parameters=(UPLOAD,),
    ),
    Route("GET", "/v1/jobs", jobs.list_jobs, "Your jobs, the latest first.", {OK: JobList}, parameters=(LIMIT, AFTER)),
    Route("GET", "/v1/jobs/{id}", jobs.get_job, "One of your jobs.", {OK: JobView}, parameters=(JOB,)),
    Route(
        "DELETE", "/v1/jobs/{id}", jobs.delete_job, "Delete a job with its upload, features and files.",
        {HTTPStatus.NO_CONTENT: ""}, parameters=(JOB,),
    ),
    Route(
        "POST", "/v1/jobs/{id}/cancel", jobs.cancel_job, "Stop a job; one that is settled stays as it is.",
        {OK: JobView}, parameters=(JOB,),
    ),
    Route(
        "POST", "/v1/jobs/{id}/retry", jobs.retry_job, "Try a failed or cancelled job again, as a new one.",
        {HTTPStatus.ACCEPTED: CompleteUpload}, parameters=(JOB,), refusals=(HTTPStatus.CONFLICT, HTTPStatus.GONE),
    ),
    Route(
        "GET", "/v1/jobs/{id}/files", jobs.list_files, "The files of a job's result.",
        {OK: FileList}, parameters=(JOB,),
    ),
    Route(
        "GET", "/v1/jobs/{id}/files/{name}", jobs.get_file, "Where to read one of them, for ten minutes.",
        {OK: Download}, parameters=(JOB, FILE),
    ),
    Route(
        "POST", "/predict/", older.predict, "The boundaries between moves, as the older API told them.",
        {OK: OldPrediction, HTTPStatus.ACCEPTED: Waiting}, JobName, refusals=(HTTPStatus.CONFLICT,),
    ),
    Route(
        "POST", "/compare/", older.compare, "The similarity of two dances, as the older API told it.",
        {OK: OldComparison, HTTPStatus.ACCEPTED: Waiting}, JobName, refusals=(HTTPStatus.CONFLICT,),
    ),
)  # fmt: skip
