"""A video or song is to be uploaded: what may be, where to, and which job it became."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus

from functions.api.models import CompleteUpload, NewUpload, Upload, UploadRequest
from functions.api.quotas import admitted
from functions.api.service import Call, Service
from functions.api.tokens import USER_ID
from functions.api.web import Response
from shared.errors import BadOption, BadRequest, NotAllowed, NoTeacher, NotFound, TooLarge
from shared.job import FOLDER_OF, FOLDERS, JOB_ID, Kind
from shared.logs import carried
from shared.options import OPTIONS, check_needed, read_options
from shared.ports import Blob, Grant

EXPIRES = timedelta(minutes=15)
"""To begin the upload; it may then take a week, as Cloud Storage has it."""
UPLOAD_NAME = rf"(?:{'|'.join(FOLDERS)})/{USER_ID.pattern}/{JOB_ID.pattern}/[A-Za-z0-9._-]{{1,100}}"
"""``folder/user/random/file``: the user's id makes the name hers, and the random part new."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def create_upload(call: Call) -> Response:
    """Raises BadOption, NoTeacher, NotAllowed, TooLarge and QuotaExceeded."""
    asked, service = call.told(NewUpload), call.service
    _check_allowed(asked, call)
    metadata = {"owner": call.user, **wishes(asked), **carried()}
    check_teacher(metadata.get("teacher"), call)
    name = f"{FOLDER_OF[asked.kind]}/{call.user}/{service.new_id()}/{safe_name(asked.file_name)}"
    grant = Grant(service.settings.uploads_bucket, name, asked.content_type, asked.size, metadata)
    with admitted(call.user, name, service):
        signed = service.signer.upload(grant, EXPIRES)
    request = UploadRequest(
        method=signed.method, url=signed.url, headers=dict(signed.headers), expires_at=service.now() + EXPIRES
    )
    return Response.of(Upload(name=name, request=request), HTTPStatus.CREATED)


def find_upload(call: Call) -> Response:
    """Raises NotFound until it is complete."""
    return Response.of(CompleteUpload(name=call.path["name"], job=own_upload(call.path["name"], call).source.job_id))


def own_upload(name: str, call: Call) -> Blob:
    """Raises NotFound also where it is another's."""
    blob = call.service.blobs.stat(call.service.settings.uploads_bucket, name)
    if not call.user or blob.metadata.get("owner") != call.user:
        raise NotFound("there is no complete upload of that name")
    return blob


def _check_allowed(asked: NewUpload, call: Call) -> None:
    if asked.kind is Kind.LIBRARY and call.user not in call.service.api.teacher_ids:
        raise NotAllowed("Only the studio's teachers add moves to the library.")
    if asked.content_type.startswith("audio/") and asked.kind is not Kind.CHOREOGRAPH:
        raise BadRequest("content_type: a video is needed for this kind of job.")
    if asked.size > (limit := call.service.settings.max_bytes):
        raise TooLarge(f"The file is larger than {limit / 1e9:.1f} GB. Please upload a smaller one.")


def wishes(asked: NewUpload) -> dict[str, str]:
    """The options as metadata, all of which can be read. Raises BadOption, in words that repeat no value."""
    given = {name: str(value) for name, value in asked.options.items()}
    if given.keys() - OPTIONS[asked.kind].keys():
        raise BadOption(f"A job of kind {asked.kind} has the options {', '.join(OPTIONS[asked.kind])}, and no others.")
    for name, text in given.items():
        _check(asked.kind, name, text)
    check_needed(asked.kind, given)
    return given


def _check(kind: Kind, name: str, text: str) -> None:
    try:
        read_options(kind, {name: text})
    except BadOption as error:
        raise BadOption(f"The option {name} is not possible{_reason(error)}") from None


def _reason(error: BadOption) -> str:
    return f": {error.__cause__}." if error.__cause__ else "."


def check_teacher(name: str | None, call: Call) -> None:
    """A user compares with her own videos, and with those of the studio's teachers. Raises NoTeacher."""
    if name is None:
        return
    if _owner_of(name, call.service) not in {call.user, *call.service.api.teacher_ids}:
        raise NoTeacher


def _owner_of(teacher: str, service: Service) -> str:
    """Of an earlier job, or of a video by its own name. Raises NoTeacher; "" where it is nobody's."""
    try:
        if JOB_ID.fullmatch(teacher):
            return service.jobs.get(teacher).owner
        return service.blobs.stat(service.settings.uploads_bucket, teacher).metadata.get("owner", "")
    except NotFound as error:
        raise NoTeacher from error


def safe_name(file_name: str) -> str:
    """Letters, digits, dots and dashes, with the file's ending; of paths only the end."""
    last = re.split(r"[/\\]", file_name)[-1]
    stem, dot, ending = _UNSAFE.sub("_", last).strip("._").rpartition(".")
    short = f"{stem[:80]}{dot}{ending[-16:]}" if dot else ending[:80]
    return short or "upload"
