"""Function ``api``: HTTP for the app."""

import os
import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import cache, partial

import flask
import functions_framework

from functions.api.handler import MAX_BODY_BYTES, answer, refusal
from functions.api.service import Service
from functions.api.settings import ApiSettings, is_emulated
from functions.api.tokens import Signed, Unsigned, app_check_issuer, firebase_issuer
from functions.api.web import Request, Response
from shared import logs
from shared.config import Settings
from shared.gcp.firestore import FirestoreJobStore
from shared.gcp.keys import APP_CHECK_KEYS, FIREBASE_KEYS, GoogleKeys
from shared.gcp.quota import FirestoreQuota
from shared.gcp.signing import CloudUrlSigner
from shared.gcp.storage import CloudBlobStore


def connected(environment: Mapping[str, str]) -> Service:
    """Nothing is contacted yet."""
    settings, api = Settings.read(environment), ApiSettings.read(environment)
    logs.setup(settings.project)
    keep = timedelta(days=settings.keep_days)
    emulated = is_emulated(environment, settings.project)
    users = Unsigned() if emulated else Signed(GoogleKeys(FIREBASE_KEYS))
    apps = app_check_issuer(api.project_number, Signed(GoogleKeys(APP_CHECK_KEYS)))
    return Service(
        settings=settings,
        api=api,
        jobs=FirestoreJobStore(settings.project, keep=keep),
        blobs=CloudBlobStore(settings.project),
        signer=CloudUrlSigner(settings.project, api.signer, api.signing_key),
        quota=FirestoreQuota(settings.project, keep),
        users=firebase_issuer(settings.project, users),
        apps=apps if api.app_check == "required" else None,
        new_id=lambda: uuid.uuid4().hex,
    )


service = cache(partial(connected, os.environ))


@functions_framework.http
def on_api_request(request: flask.Request) -> flask.Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    asked = Request(request.method, request.path, request.args, headers, _body(request))
    return _told(answer(asked, service()))


@functions_framework.errorhandler(Exception)
def on_refused_request(error: Exception) -> flask.Response:
    """Of the framework itself, which does not pass every address on, or of settings that are missing: its own answer
    would be a page, with what went wrong."""
    return _told(refusal(error))


def _body(request: flask.Request) -> bytes:
    """As much as may be; the rest is read and forgotten, as the framework would keep it."""
    body = request.stream.read(MAX_BODY_BYTES + 1)
    while request.stream.read(MAX_BODY_BYTES):
        pass
    return body


def _told(response: Response) -> flask.Response:
    return flask.Response(response.body, response.status, dict(response.headers))
