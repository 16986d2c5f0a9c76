"""The endpoints of the older API, for clients that know its answers: ``/predict/`` and ``/compare/``.

The older API took a video and kept its caller waiting for the result. Here the video is uploaded first
(``/v1/uploads``) and these are asked for its job: 202 as long as there is no result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from functions.api.models import JobName, OldComparison, OldPrediction, Waiting
from functions.api.service import Call
from functions.api.uploads import own_upload
from functions.api.web import Response
from shared.errors import NotFound, WrongState
from shared.job import JOB_ID, Job, Kind, State, results_name


def predict(call: Call) -> Response:
    return _answer(call, Kind.SEGMENT, OldPrediction)


def compare(call: Call) -> Response:
    return _answer(call, Kind.COMPARE, OldComparison)


def _answer(call: Call, kind: Kind, model: type[BaseModel]) -> Response:
    """Raises NotFound, and WrongState for a job of another kind or one without a result."""
    job = _asked(call)
    if isinstance(job, str):
        return _waiting(job, State.RECEIVED, 0.0)
    if job.kind is not kind:
        raise WrongState(f"The job is of kind {job.kind}, not {kind}.")
    if job.error or job.state is State.CANCELLED:
        raise WrongState(job.error.message if job.error else "The job was cancelled.")
    if job.state is not State.DONE:
        return _waiting(job.id, job.state, job.progress)
    return Response.of(model.model_validate(_result(call, job)))


def _asked(call: Call) -> Job | str:
    """The job, or its id where the upload is there and nobody has looked at it yet. Raises NotFound."""
    named = call.told(JobName).job
    if JOB_ID.fullmatch(named):
        return call.own_job(named)
    job_id = own_upload(named, call).source.job_id
    try:
        return call.own_job(job_id)
    except NotFound:
        return job_id


def _waiting(job_id: str, state: State, progress: float) -> Response:
    return Response.of(Waiting(job=job_id, state=state, progress=progress), HTTPStatus.ACCEPTED)


def _result(call: Call, job: Job) -> Mapping[str, Any]:
    name = job.result.get("objects", {}).get("result") or results_name(job, "result.json")
    return json.loads(call.service.blobs.read(call.service.settings.results_bucket, name))
