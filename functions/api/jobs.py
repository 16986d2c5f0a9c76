"""A user's jobs: look, cancel, delete, try again, fetch files."""

from __future__ import annotations

import posixpath
from datetime import datetime, timedelta
from http import HTTPStatus

from functions.api.models import CompleteUpload, Download, FileList, JobList, JobView
from functions.api.quotas import admitted, leave
from functions.api.service import Call, Service
from functions.api.uploads import safe_name
from functions.api.web import Response
from shared.errors import BadRequest, NotFound, WrongState
from shared.job import FOLDER_OF, Job, State, results_name
from shared.ports import Place

PAGE = 20
MOST = 100
READ_FOR = timedelta(minutes=10)
"""Long enough to begin to play a video; a player that seeks later asks anew."""
AGAIN = frozenset({State.FAILED, State.CANCELLED})


def list_jobs(call: Call) -> Response:
    """Raises BadRequest for a place that no answer has named."""
    limit = min(int(call.query.get("limit", PAGE)), MOST)
    after = _place(call.query["after"]) if "after" in call.query else None
    jobs = call.service.jobs.of_owner(call.user, limit + 1, after)
    following = _told(jobs[limit - 1]) if len(jobs) > limit else None
    return Response.of(JobList(jobs=[JobView.of(job) for job in jobs[:limit]], next=following))


def get_job(call: Call) -> Response:
    return Response.of(JobView.of(call.own_job(call.path["id"])))


def cancel_job(call: Call) -> Response:
    """One that is settled stays as it is."""
    job = call.own_job(call.path["id"])
    return Response.of(JobView.of(call.service.jobs.update(job.id, Job.cancelled)))


def delete_job(call: Call) -> Response:
    """With its files, features and upload; but a move that was added to the library stays there.

    A worker that is at it leaves it at its next look; what it still writes goes when its bucket's time is up. The
    document is the last to go, so that who was interrupted can ask again.
    """
    job, service = call.own_job(call.path["id"]), call.service
    service.jobs.update(job.id, Job.cancelled)
    service.blobs.delete_all(service.settings.results_bucket, f"{job.id}/")
    service.blobs.delete_all(service.settings.features_bucket, f"{job.id}/")
    service.blobs.delete(job.source)
    leave(call.user, job.source.name, service)
    service.jobs.delete(job.id)
    return Response(HTTPStatus.NO_CONTENT)


def retry_job(call: Call) -> Response:
    """A job's id is of its upload's generation, and its end is final: so the upload is copied, which makes a new
    generation, of which the bucket tells as of any upload. The copy's name is of the old job: who asks twice gets one
    new job. Raises WrongState, SourceGone and QuotaExceeded."""
    job, service = call.own_job(call.path["id"]), call.service
    if job.state not in AGAIN:
        raise WrongState(f"The job is {job.state}: only one that failed or was cancelled can be tried again.")
    name = f"{FOLDER_OF[job.kind]}/{call.user}/{job.id}/{safe_name(job.source.name)}"
    return Response.of(CompleteUpload(name=name, job=_copied(job, name, service)), HTTPStatus.ACCEPTED)


def _copied(job: Job, name: str, service: Service) -> str:
    """The new job's id."""
    try:
        return service.blobs.stat(job.source.bucket, name).source.job_id
    except NotFound:
        with admitted(job.owner, name, service):
            return service.blobs.copy(job.source, name).job_id


def list_files(call: Call) -> Response:
    job, service = call.own_job(call.path["id"]), call.service
    folder = results_name(job, "")
    names = service.blobs.names(service.settings.results_bucket, folder)
    return Response.of(FileList(files=[posixpath.relpath(name, folder) for name in names]))


def get_file(call: Call) -> Response:
    """Raises NotFound."""
    job, service = call.own_job(call.path["id"]), call.service
    source = service.blobs.stat(service.settings.results_bucket, results_name(job, call.path["name"])).source
    signed = service.signer.download(source, READ_FOR)
    return Response.of(Download(url=signed.url, expires_at=service.now() + READ_FOR))


def _told(job: Job) -> str:
    return f"{job.created_at:%Y-%m-%dT%H:%M:%S.%fZ}~{job.id}"


def _place(text: str) -> Place:
    stamp, _, job_id = text.partition("~")
    try:
        return Place(datetime.fromisoformat(stamp), job_id)
    except ValueError as error:
        raise BadRequest("The parameter after is not one that an answer has named.") from error
