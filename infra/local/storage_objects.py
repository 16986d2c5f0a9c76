"""Buckets and objects as Cloud Storage keeps them: generations, preconditions, resumable uploads.

Contents lie in files and are never held in memory; what is known of them is, and is forgotten at
the end. Object versioning is off: a new generation replaces the one before. Nothing here knows how
clients speak.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c

from infra.local.web import BLOCK_BYTES, HttpError, not_implemented

Resource = dict[str, Any]
"""What the JSON interface tells of an object or a bucket."""

CHUNK_BYTES = BLOCK_BYTES
"""Every chunk of a resumable upload but the last is a multiple of this."""

_WRITABLE = frozenset({
    "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType", "customTime",
    "metadata", "storageClass",
})  # fmt: skip
COPIED = _WRITABLE - {"customTime", "storageClass"}
"""What a copy has of its original."""
_CHECKED = frozenset({"md5Hash", "crc32c", "size"})
_GIVEN = frozenset({"name", "bucket"})


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must hold for a request to be carried out. Generation 0 is the absence of an object."""

    generation: int | None = None
    not_generation: int | None = None
    metageneration: int | None = None
    not_metageneration: int | None = None

    def check(self, found: Resource | None, *, reading: bool = False) -> None:
        """Raises HttpError 412; 304 where a reader holds just what it asks for."""
        generation = int(found["generation"]) if found else 0
        metageneration = int(found["metageneration"]) if found else None
        if self.generation not in (None, generation) or self.metageneration not in (None, metageneration):
            raise _failed(HTTPStatus.PRECONDITION_FAILED)
        if generation == self.not_generation or (metageneration and metageneration == self.not_metageneration):
            raise _failed(HTTPStatus.NOT_MODIFIED if reading else HTTPStatus.PRECONDITION_FAILED)


def _failed(status: HTTPStatus) -> HttpError:
    return HttpError(status, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")


NO_PRECONDITIONS = Preconditions()


class Draft:
    """Content on its way in: a file that grows, with its checksums."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc32c = google_crc32c.Checksum()

    def append(self, blocks: Iterable[bytes]) -> None:
        with self.path.open("ab") as file:
            for block in blocks:
                file.write(block)
                file.flush()
                self._md5.update(block)
                self._crc32c.update(block)
                self.size += len(block)

    def checksums(self) -> dict[str, str]:
        md5, crc32c = self._md5.digest(), self._crc32c.digest()
        return {"md5Hash": base64.b64encode(md5).decode(), "crc32c": base64.b64encode(crc32c).decode()}


@dataclass(frozen=True, slots=True)
class Target:
    """What an upload is to become. ``limits``: the fewest and most bytes that it may have."""

    bucket: str
    name: str
    resource: Resource
    preconditions: Preconditions = NO_PRECONDITIONS
    size: int | None = None
    limits: tuple[int, int] | None = None


@dataclass(slots=True)
class Session:
    """A resumable upload. ``stored`` is its outcome, once it is complete."""

    id: str
    target: Target
    draft: Draft
    lock: threading.Lock = field(default_factory=threading.Lock)
    writer: object = None
    stored: Resource | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an object, as a bucket tells it."""

    event: str
    resource: Resource
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Resource]
    prefixes: list[str]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a bucket to list, by the beginning of their names."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    after: str = ""
    limit: int = 1000


class ObjectStore:
    """``tell`` is called after each change, and returns when the change is sure to become known."""

    def __init__(self, folder: Path, tell: Callable[[Change], None] = lambda _: None) -> None:
        self._folder = folder
        self._tell = tell
        self._lock = threading.Lock()
        self._buckets: dict[str, Resource] = {}
        self._objects: dict[str, dict[str, Resource]] = {}
        self._sessions: dict[str, Session] = {}
        self._generation = 0
        folder.mkdir(parents=True, exist_ok=True)

    # Buckets

    def create_bucket(self, resource: Resource) -> Resource:
        name = str(resource["name"])
        with self._lock:
            if name in self._buckets:
                raise HttpError(HTTPStatus.CONFLICT, "conflict", f"The bucket {name} exists already.")
            self._buckets[name] = created = _bucket(name, resource)
            self._objects[name] = {}
        return created

    def bucket(self, name: str) -> Resource:
        try:
            return self._buckets[name]
        except KeyError:
            raise _missing("The specified bucket does not exist.") from None

    def buckets(self) -> list[Resource]:
        return list(self._buckets.values())

    def delete_bucket(self, name: str) -> None:
        with self._lock:
            self.bucket(name)
            if self._objects[name]:
                raise HttpError(HTTPStatus.CONFLICT, "conflict", "The bucket you tried to delete is not empty.")
            del self._buckets[name], self._objects[name]

    # Objects

    def get(
        self, bucket: str, name: str, generation: int | None = None, unless: Preconditions = NO_PRECONDITIONS
    ) -> Resource:
        with self._lock:
            return self._found(bucket, name, generation, unless, reading=True)

    def open(self, bucket: str, name: str, generation: int | None, unless: Preconditions) -> tuple[Resource, BinaryIO]:
        """The file stays readable after the object is gone."""
        with self._lock:
            found = self._found(bucket, name, generation, unless, reading=True)
            return found, self._content(found).open("rb")

    def patch(
        self, bucket: str, name: str, changes: Resource, generation: int | None, unless: Preconditions
    ) -> Resource:
        check_writable(changes)
        with self._lock:
            found = self._found(bucket, name, generation, unless)
            counted = {"metageneration": str(int(found["metageneration"]) + 1), "updated": _now()}
            patched = _tagged(_merged(found, changes) | counted)
            self._objects[bucket][name] = patched
        self._tell(Change("OBJECT_METADATA_UPDATE", patched))
        return patched

    def delete(self, bucket: str, name: str, generation: int | None, unless: Preconditions) -> None:
        with self._lock:
            found = self._found(bucket, name, generation, unless)
            del self._objects[bucket][name]
            self._content(found).unlink()
        self._tell(Change("OBJECT_DELETE", found))

    def list(self, bucket: str, selection: Selection) -> Page:
        with self._lock:
            self.bucket(bucket)
            return _page(self._objects[bucket], selection)

    # Uploads

    def draft(self) -> Draft:
        return Draft(self._folder / f"draft-{secrets.token_hex(16)}")

    def insert(self, target: Target, draft: Draft) -> Resource:
        """The draft becomes the object's newest generation, if the preconditions hold at that moment."""
        check_size(target, draft.size)
        check_sums(target.resource, draft)
        with self._lock:
            self.bucket(target.bucket)
            before = self._objects[target.bucket].get(target.name)
            target.preconditions.check(before)
            after = self._resource(target, draft)
            draft.path.rename(self._content(after))
            self._objects[target.bucket][target.name] = after
            if before:
                self._content(before).unlink()
        self._tell_of_insertion(before, after)
        return after

    def start_session(self, target: Target) -> Session:
        """Hopeless uploads are refused at once, and not only at their end."""
        check_writable(target.resource)
        if target.size is not None:
            check_size(target, target.size)
        with self._lock:
            self.bucket(target.bucket)
            target.preconditions.check(self._objects[target.bucket].get(target.name))
            session = Session(secrets.token_urlsafe(24), target, self.draft())
            self._sessions[session.id] = session
        return session

    def session(self, session_id: str) -> Session:
        if not (session := self._sessions.get(session_id)):
            raise _missing("There is no such upload.")
        if session.cancelled:
            raise HttpError(499, "cancelled", "This upload was cancelled.")
        return session

    def extend(self, session: Session, start: int, blocks: Iterable[bytes]) -> None:
        """Append what is new in ``blocks``, the first of which belongs at ``start``.

        A client that lost its connection may come back while its old one is still being read: the
        newcomer takes over, and the old one is refused. Raises HttpError 503 for a gap.
        """
        me = session.writer = object()
        for block in blocks:
            with session.lock:
                if session.writer is not me:
                    raise HttpError(HTTPStatus.CONFLICT, "conflict", "Another request continues this upload.")
                if start > session.draft.size:
                    raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "backendError", "Bytes before these are missing.")
                new = block[session.draft.size - start :]
                session.draft.append([new] if new else [])
                start += len(block)

    def complete(self, session: Session) -> Resource:
        """Once; whoever asks again gets the same answer."""
        with session.lock:
            if session.stored is None:
                session.draft.append([])
                session.stored = self.insert(session.target, session.draft)
            return session.stored

    def cancel(self, session: Session) -> None:
        with session.lock:
            session.cancelled = True
            session.writer = None
            session.draft.path.unlink(missing_ok=True)

    # Inside

    def _found(
        self, bucket: str, name: str, generation: int | None, unless: Preconditions, *, reading: bool = False
    ) -> Resource:
        self.bucket(bucket)
        found = self._objects[bucket].get(name)
        if found and generation not in (None, int(found["generation"])):
            found = None
        if found is None:
            unless.check(None, reading=reading)
            raise _missing(f"No such object: {bucket}/{name}")
        unless.check(found, reading=reading)
        return found

    def _resource(self, target: Target, draft: Draft) -> Resource:
        # Microseconds since 1970, as Google's are, but never the same one twice.
        self._generation = max(self._generation + 1, time.time_ns() // 1000)
        now = _now()
        told = {key: value for key, value in target.resource.items() if key in _WRITABLE and value is not None}
        return _tagged({
            "kind": "storage#object", "name": target.name, "bucket": target.bucket,
            "generation": str(self._generation), "metageneration": "1",
            "id": f"{target.bucket}/{target.name}/{self._generation}",
            "contentType": "application/octet-stream", "storageClass": "STANDARD", "size": str(draft.size),
            **draft.checksums(), "timeCreated": now, "updated": now, "timeStorageClassUpdated": now,
            "timeFinalized": now, **told,
        })  # fmt: skip

    def _content(self, resource: Resource) -> Path:
        """By generation, which is unique: so an object's name never meets the file system."""
        return self._folder / f"content-{resource['generation']}"

    def _tell_of_insertion(self, before: Resource | None, after: Resource) -> None:
        if before is None:
            self._tell(Change("OBJECT_FINALIZE", after))
            return
        self._tell(Change("OBJECT_DELETE", before, {"overwrittenByGeneration": after["generation"]}))
        self._tell(Change("OBJECT_FINALIZE", after, {"overwroteGeneration": before["generation"]}))


def check_writable(resource: Resource) -> None:
    """Raises HttpError 501 for what this store could not keep true to its meaning."""
    if unknown := {key for key, value in resource.items() if value is not None} - _WRITABLE - _CHECKED - _GIVEN:
        raise not_implemented(f"the object's field {', '.join(sorted(unknown))}")


def check_size(target: Target, size: int) -> None:
    """Raises HttpError where the size is not the announced one, or out of limits."""
    if target.size not in (None, size):
        raise HttpError(HTTPStatus.BAD_REQUEST, "invalid", f"{target.size} bytes were announced, {size} came.")
    low, high = target.limits or (0, size)
    if not low <= size <= high:
        code = "EntityTooLarge" if size > high else "EntityTooSmall"
        raise HttpError(HTTPStatus.BAD_REQUEST, code, f"{size} bytes are not between {low} and {high}.")


def check_sums(told: Resource, draft: Draft) -> None:
    """Raises HttpError where the content is not what the client meant to send."""
    for name, computed in draft.checksums().items():
        if told.get(name) not in (None, computed):
            message = f"Provided {name} {told[name]!r} doesn't match calculated {computed!r}."
            raise HttpError(HTTPStatus.BAD_REQUEST, "invalid", message)


def _bucket(name: str, resource: Resource) -> Resource:
    now = _now()
    return {
        "kind": "storage#bucket", "id": name, "name": name, "location": str(resource.get("location", "US")),
        "storageClass": "STANDARD", "metageneration": "1", "etag": "CAE=", "timeCreated": now, "updated": now,
    }  # fmt: skip


def _merged(found: Resource, changes: Resource) -> Resource:
    """A null takes a field away, in the metadata too."""
    merged = found | {key: value for key, value in changes.items() if key in _WRITABLE - {"metadata"}}
    if "metadata" in changes:
        merged["metadata"] = (
            _without_nulls(found.get("metadata", {}) | changes["metadata"]) if changes["metadata"] else None
        )
    return _without_nulls(merged)


def _without_nulls(values: Mapping[str, Any]) -> Resource:
    return {key: value for key, value in values.items() if value is not None}


def _tagged(resource: Resource) -> Resource:
    state = f"{resource['generation']}/{resource['metageneration']}"
    return resource | {"etag": base64.b64encode(state.encode()).decode()}


def _page(objects: Mapping[str, Resource], selection: Selection) -> Page:
    page = Page([], [], None)
    names = sorted(objects)
    last = ""
    for name in names[bisect.bisect_left(names, max(selection.prefix, selection.start)) :]:
        if not name.startswith(selection.prefix) or (selection.end and name >= selection.end):
            break
        entry = _entry(name, selection)
        if entry <= selection.after or entry in page.prefixes:
            continue
        if len(page.items) + len(page.prefixes) == selection.limit:
            return replace(page, next_token=last)
        page.items.append(objects[name]) if entry == name else page.prefixes.append(entry)
        last = entry
    return page


def _entry(name: str, selection: Selection) -> str:
    """The object's name, or, where the delimiter occurs after the prefix, the folder that hides it."""
    end = name.find(selection.delimiter, len(selection.prefix)) if selection.delimiter else -1
    return name if end < 0 else name[: end + len(selection.delimiter)]


def _missing(message: str) -> HttpError:
    return HttpError(HTTPStatus.NOT_FOUND, "notFound", message)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
