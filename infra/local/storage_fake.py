"""A stand-in for Cloud Storage, for one machine: the JSON interface, and signed URLs as the XML one has them.

It exists because no emulator keeps generations, preconditions, resumable uploads and notifications
as Google does. It routes and answers: requests are read by storage_protocol, objects kept by
storage_objects, signatures checked by storage_signing, changes told by storage_notifications.
Whatever it does not do it answers with 501. The JSON interface asks nobody who he is.

    python -m infra.local.storage_fake --folder DIR [--port N] [--pubsub HOST:PORT] [--key FILE]
"""

from __future__ import annotations

import argparse
import itertools
import re
import signal
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from google.oauth2 import service_account

from infra.local.processes import LOCALHOST
from infra.local.storage_notifications import Notifications
from infra.local.storage_objects import (
    COPIED,
    NO_PRECONDITIONS,
    ObjectStore,
    Preconditions,
    Resource,
    Selection,
    Session,
    Target,
    check_writable,
)
from infra.local.storage_protocol import (
    CONDITIONS,
    Chunk,
    content_headers,
    multipart,
    number,
    object_headers,
    preconditions,
    span,
    target,
    xml_preconditions,
    xml_target,
)
from infra.local.storage_signing import SignatureCheck, make_key, read_or_make_key
from infra.local.web import (
    BLOCK_BYTES,
    FilePart,
    HttpError,
    Request,
    Response,
    dispatch,
    error_response,
    not_implemented,
    route,
    serving,
)

# Parameters that ask for less than the whole answer, or for its looks: a whole answer serves them too.
_HARMLESS = ("alt", "fields", "prettyPrint", "projection")
_SIGNATURE = (
    "X-Goog-Algorithm", "X-Goog-Credential", "X-Goog-Date", "X-Goog-Expires", "X-Goog-SignedHeaders",
    "X-Goog-Signature",
)  # fmt: skip
_XML_HEADERS = frozenset(
    {
        "x-goog-resumable", "x-goog-content-length-range", "x-goog-content-sha256",
        "x-goog-if-generation-match", "x-goog-if-metageneration-match", "x-goog-hash",
    }
)  # fmt: skip


class StorageFake:
    """Answers requests. There is one project: whoever asks is told of every bucket."""

    def __init__(self, store: ObjectStore, notifications: Notifications, check: SignatureCheck) -> None:
        self._store = store
        self._notifications = notifications
        self._check = check
        bucket, objects = "/storage/v1/b/{}", "/storage/v1/b/{}/o"
        upload = "(?:/resumable)?/upload/storage/v1/b/{}/o"
        self._json_routes = [
            route("POST", "/storage/v1/b", self._create_bucket),
            route("GET", "/storage/v1/b", self._list_buckets),
            route("GET", bucket, self._get_bucket),
            route("DELETE", bucket, self._delete_bucket),
            route("POST", f"{bucket}/notificationConfigs", self._create_notification),
            route("GET", f"{bucket}/notificationConfigs", self._list_notifications),
            route("GET", f"{bucket}/notificationConfigs/{{}}", self._get_notification),
            route("DELETE", f"{bucket}/notificationConfigs/{{}}", self._delete_notification),
            route("GET", objects, self._list),
            route("GET", f"(?:/download)?{objects}/{{}}", self._get),
            route("PATCH", f"{objects}/{{}}", self._patch),
            route("POST", f"{objects}/{{}}/rewriteTo/b/{{}}/o/{{}}", self._rewrite),
            route("DELETE", f"{objects}/{{}}", self._delete),
            route("POST", upload, self._upload),
            route("PUT", upload, self._continue),
            route("DELETE", upload, self._cancel),
        ]
        self._xml_routes = [
            route("GET", "/{}/{/}", self._signed_get),
            route("HEAD", "/{}/{/}", self._signed_get),
            route("PUT", "/{}/{/}", self._signed_put),
            route("POST", "/{}/{/}", self._signed_post),
            route("DELETE", "/{}/{/}", self._signed_delete),
        ]

    def answer(self, request: Request) -> Response:
        if re.match(r"/(storage|upload|download|batch|resumable)/", request.path):
            return dispatch(self._json_routes, request)
        try:
            return dispatch(self._xml_routes, request)
        except HttpError as error:
            return _xml_error(error)

    # Buckets

    def _create_bucket(self, request: Request) -> Response:
        request.allow("project", *_HARMLESS)
        return Response.json(self._store.create_bucket(request.json()))

    def _list_buckets(self, request: Request) -> Response:
        request.allow("project", "maxResults", *_HARMLESS)
        return Response.json({"kind": "storage#buckets", "items": self._store.buckets()})

    def _get_bucket(self, request: Request, bucket: str) -> Response:
        request.allow(*_HARMLESS)
        return Response.json(self._store.bucket(bucket))

    def _delete_bucket(self, request: Request, bucket: str) -> Response:
        request.allow(*_HARMLESS)
        self._store.delete_bucket(bucket)
        return Response(HTTPStatus.NO_CONTENT)

    def _create_notification(self, request: Request, bucket: str) -> Response:
        request.allow(*_HARMLESS)
        self._store.bucket(bucket)
        return Response.json(self._notifications.create(bucket, request.json()))

    def _list_notifications(self, request: Request, bucket: str) -> Response:
        request.allow(*_HARMLESS)
        self._store.bucket(bucket)
        return Response.json({"kind": "storage#notifications", "items": self._notifications.list(bucket)})

    def _get_notification(self, request: Request, bucket: str, number: str) -> Response:
        request.allow(*_HARMLESS)
        return Response.json(self._notifications.get(bucket, number))

    def _delete_notification(self, request: Request, bucket: str, number: str) -> Response:
        request.allow(*_HARMLESS)
        self._notifications.delete(bucket, number)
        return Response(HTTPStatus.NO_CONTENT)

    # Objects

    def _list(self, request: Request, bucket: str) -> Response:
        request.allow("prefix", "delimiter", "startOffset", "endOffset", "pageToken", "maxResults", *_HARMLESS)
        query = request.query
        selection = Selection(
            query.get("prefix", ""), query.get("delimiter", ""), query.get("startOffset", ""),
            query.get("endOffset", ""), query.get("pageToken", ""), min(number(query, "maxResults") or 1000, 1000),
        )  # fmt: skip
        page = self._store.list(bucket, selection)
        token = {"nextPageToken": page.next_token} if page.next_token else {}
        return Response.json({"kind": "storage#objects", "items": page.items, "prefixes": page.prefixes, **token})

    def _get(self, request: Request, bucket: str, name: str) -> Response:
        request.allow("generation", *CONDITIONS, *_HARMLESS)
        generation, unless = number(request.query, "generation"), preconditions(request)
        if request.query.get("alt") == "media":
            return self._content(request, bucket, name, generation, unless)
        return _resource(self._store.get(bucket, name, generation, unless))

    def _patch(self, request: Request, bucket: str, name: str) -> Response:
        request.allow("generation", *CONDITIONS, *_HARMLESS)
        generation, unless = number(request.query, "generation"), preconditions(request)
        return _resource(self._store.patch(bucket, name, request.json(), generation, unless))

    def _rewrite(self, request: Request, bucket: str, name: str, to_bucket: str, to_name: str) -> Response:
        """In one go, however large it is. What is told of the copy takes the place of what is known of the original."""
        request.allow("sourceGeneration", *CONDITIONS, *_HARMLESS)
        told = {**request.json(), "name": to_name}
        source, file = self._store.open(bucket, name, number(request.query, "sourceGeneration"), NO_PRECONDITIONS)
        if not told.keys() - {"name"}:
            told = {**{key: source[key] for key in COPIED if key in source}, **told}
        with file:
            stored = self._insert_now(target(request, to_bucket, told), iter(partial(file.read, BLOCK_BYTES), b""))
        size = {"totalBytesRewritten": stored["size"], "objectSize": stored["size"]}
        return Response.json({"kind": "storage#rewriteResponse", **size, "done": True, "resource": stored})

    def _delete(self, request: Request, bucket: str, name: str) -> Response:
        request.allow("generation", *CONDITIONS, *_HARMLESS)
        self._store.delete(bucket, name, number(request.query, "generation"), preconditions(request))
        return Response(HTTPStatus.NO_CONTENT)

    def _content(
        self, request: Request, bucket: str, name: str, generation: int | None, unless: Preconditions
    ) -> Response:
        resource, file = self._store.open(bucket, name, generation, unless)
        try:
            return _part(request, resource, file)
        except HttpError:
            file.close()
            raise

    # Uploads

    def _upload(self, request: Request, bucket: str) -> Response:
        request.allow("uploadType", "name", *CONDITIONS, *_HARMLESS)
        match request.query.get("uploadType"):
            case "media":
                resource = {"name": request.query.get("name"), "contentType": request.headers.get("Content-Type")}
                return self._insert(target(request, bucket, resource), request.body.blocks())
            case "multipart":
                resource, blocks = multipart(request)
                return self._insert(target(request, bucket, resource), blocks)
            case "resumable":
                return self._start(request, bucket)
            case other:
                raise not_implemented(f"uploads of type {other}")

    def _insert(self, target: Target, blocks: Iterator[bytes]) -> Response:
        return _resource(self._insert_now(target, blocks))

    def _insert_now(self, target: Target, blocks: Iterator[bytes]) -> Resource:
        check_writable(target.resource)
        draft = self._store.draft()
        try:
            draft.append(blocks)
            return self._store.insert(target, draft)
        finally:
            draft.path.unlink(missing_ok=True)

    def _start(self, request: Request, bucket: str) -> Response:
        content_type = request.headers.get("X-Upload-Content-Type")
        session = self._store.start_session(target(request, bucket, {"contentType": content_type} | request.json()))
        query = f"uploadType=resumable&upload_id={session.id}"
        return _started(session, f"{request.origin}{request.path}?{query}", HTTPStatus.OK)

    def _continue(self, request: Request, _bucket: str) -> Response:
        stored = self._advance(request)
        return _resource(stored) if isinstance(stored, dict) else stored

    def _advance(self, request: Request) -> Resource | Response:
        """Take a chunk, or the question how far the upload is. The resource where it is complete."""
        session = self._store.session(request.query.get("upload_id", ""))
        if session.stored is not None:
            return session.stored
        chunk = Chunk.of(request)
        session.target = chunk.announced_in(session.target)
        if chunk.start is not None:
            self._store.extend(session, chunk.start, request.body.blocks())
        if chunk.total is None or session.draft.size < chunk.total:
            return _incomplete(session)
        return self._store.complete(session)

    def _cancel(self, request: Request, _bucket: str) -> Response:
        self._store.cancel(self._store.session(request.query.get("upload_id", "")))
        return Response(499)

    # Signed URLs

    def _signed_get(self, request: Request, bucket: str, name: str) -> Response:
        self._admit(request, "generation", "response-content-type", "response-content-disposition")
        generation = number(request.query, "generation")
        response = self._content(request, bucket, name, generation, xml_preconditions(request.headers))
        names = {"response-content-type": "Content-Type", "response-content-disposition": "Content-Disposition"}
        instead = {header: request.query[name] for name, header in names.items() if name in request.query}
        return Response(response.status, response.body, {**response.headers, **instead})

    def _signed_put(self, request: Request, bucket: str, name: str) -> Response:
        if "upload_id" in request.query:
            stored = self._advance(request)
        else:
            self._admit(request)
            stored = self._insert_now(xml_target(request, bucket, name), request.body.blocks())
        return Response(HTTPStatus.OK, b"", object_headers(stored)) if isinstance(stored, dict) else stored

    def _signed_post(self, request: Request, bucket: str, name: str) -> Response:
        self._admit(request)
        if request.headers.get("x-goog-resumable") != "start":
            raise not_implemented("POST but to start a resumable upload")
        session = self._store.start_session(xml_target(request, bucket, name))
        return _started(session, f"{request.origin}{request.path}?upload_id={session.id}", HTTPStatus.CREATED)

    def _signed_delete(self, request: Request, bucket: str, name: str) -> Response:
        if "upload_id" in request.query:
            return self._cancel(request, bucket)
        self._admit(request)
        self._store.delete(bucket, name, None, xml_preconditions(request.headers))
        return Response(HTTPStatus.NO_CONTENT)

    def _admit(self, request: Request, *parameters: str) -> None:
        self._check.check(request, datetime.now(UTC))
        request.allow(*_SIGNATURE, *parameters)
        ours = {name.lower() for name in request.headers if name.lower().startswith("x-goog-")}
        if unknown := {name for name in ours - _XML_HEADERS if not name.startswith("x-goog-meta-")}:
            raise not_implemented(f"the header {', '.join(sorted(unknown))}")


def _part(request: Request, resource: Resource, file: BinaryIO) -> Response:
    """As it is kept. Google unpacks what is compressed with gzip for those who cannot."""
    if (encoding := resource.get("contentEncoding")) and encoding not in request.headers.get("Accept-Encoding", ""):
        raise not_implemented(f"to unpack {encoding}")
    headers, size = content_headers(resource), int(resource["size"])
    if (asked := request.headers.get("Range")) is None:
        return Response(HTTPStatus.OK, FilePart(file, 0, size), headers)
    if (found := span(asked, size)) is None:
        headers = {"Content-Range": f"bytes */{size}"}
        return Response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, FilePart(file, 0, 0), headers)
    start, stop = found
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return Response(HTTPStatus.PARTIAL_CONTENT, FilePart(file, start, stop - start), headers)


def _resource(resource: Resource) -> Response:
    return Response.json(resource, {"ETag": resource["etag"]})


def _started(session: Session, location: str, status: int) -> Response:
    return Response(status, b"", {"Location": location, "X-GUploader-UploadID": session.id})


def _incomplete(session: Session) -> Response:
    size = session.draft.size
    return Response(HTTPStatus.PERMANENT_REDIRECT, b"", {"Range": f"bytes=0-{size - 1}"} if size else {})


_XML_CODES = {"notFound": "NoSuchKey", "conditionNotMet": "PreconditionFailed", "notImplemented": "NotImplemented"}


def _xml_error(error: HttpError) -> Response:
    if error.status == HTTPStatus.NOT_MODIFIED:
        return error_response(error)
    code, message = _XML_CODES.get(error.reason, error.reason), escape(error.message)
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(error.status, body.encode(), {"Content-Type": "application/xml; charset=UTF-8"})


@dataclass(frozen=True, slots=True)
class RunningFake:
    """``key`` is a service account's, whose signatures are accepted."""

    host: str
    key: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def credentials(self) -> service_account.Credentials:
        """To sign URLs with."""
        return service_account.Credentials.from_service_account_info(self.key)


@contextmanager
def storage_fake(
    folder: Path, pubsub: str = "", port: int = 0, key: Mapping[str, str] | None = None
) -> Generator[RunningFake]:
    """Serve an empty Cloud Storage, in threads of this process. ``pubsub``: where notifications go, host and port.

    ``folder`` is the fake's own: what is left there is deleted, before and after.
    """
    _clear(folder)
    notifications = Notifications(pubsub)
    known = key or make_key("local")
    fake = StorageFake(ObjectStore(folder, notifications.tell), notifications, SignatureCheck.of_key(known))
    with serving(fake.answer, port) as chosen:
        try:
            yield RunningFake(f"{LOCALHOST}:{chosen}", known)
        finally:
            notifications.close()
            _clear(folder)


def _clear(folder: Path) -> None:
    for content in itertools.chain(folder.glob("content-*"), folder.glob("draft-*")):
        content.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.local.storage_fake", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, help="where contents lie; a folder that is deleted afterwards if not given"
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pubsub", default="", help="host and port of the Pub/Sub emulator")
    parser.add_argument("--key", type=Path, help="a service account's key file, made where there is none")
    parser.add_argument("--project", default="local", help="the project of a key that is made")
    options = parser.parse_args()
    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda _number, _frame: stop.set())
    with tempfile.TemporaryDirectory(prefix="dancebits-") as temporary:
        key = read_or_make_key(options.key or Path(temporary, "key.json"), options.project)
        with storage_fake(options.folder or Path(temporary), options.pubsub, options.port, key) as fake:
            print(fake.url, flush=True)
            stop.wait()


if __name__ == "__main__":
    main()
