"""What requests to Cloud Storage say, and the headers that answer them; no more than reading and telling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from http import HTTPStatus
from urllib.parse import quote

from infra.local.storage_objects import CHUNK_BYTES, Preconditions, Resource, Target
from infra.local.web import Body, HttpError, Request, not_implemented, parse_json

CONDITIONS = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch")
_CHUNK_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_BYTE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a request of a resumable upload says of itself: where its bytes belong and how many there are in all.

    Without ``start`` it brings nothing and asks how far the upload is; without ``total`` more will follow.
    """

    start: int | None
    total: int | None
    checksums: Mapping[str, str]

    @classmethod
    def of(cls, request: Request) -> Chunk:
        """Raises HttpError where it contradicts itself."""
        length = request.body.remaining
        if (text := request.headers.get("Content-Range")) is None:
            return cls(0, length, _checksums(request.headers))
        if not (match := _CHUNK_RANGE.fullmatch(text)):
            raise _bad(f"Failed to parse Content-Range header {text!r}.")
        first, last, total = (None if group in (None, "*") else int(group) for group in match.groups())
        if length != (0 if first is None or last is None else last - first + 1):
            raise _bad(f"{length} bytes are not those of {text!r}.")
        if last is not None and total != last + 1 and length % CHUNK_BYTES:
            raise _bad(f"A chunk that is not the last must be a multiple of {CHUNK_BYTES} bytes.")
        return cls(first, total, _checksums(request.headers))

    def announced_in(self, target: Target) -> Target:
        size = target.size if self.total is None else self.total
        if target.size not in (None, size):
            raise _bad(f"{target.size} bytes were announced, and now {size}.")
        return Target(
            target.bucket, target.name, {**target.resource, **self.checksums}, target.preconditions, size, target.limits
        )


def multipart(request: Request) -> tuple[Resource, Iterator[bytes]]:
    """The two parts of multipart/related: what is told of the object, and its content, read as it comes."""
    boundary = request.headers.get_param("boundary")
    if not isinstance(boundary, str):
        raise _bad("A multipart upload needs a boundary.")
    delimiter = b"--" + boundary.encode()
    _lines_until(request.body, delimiter)
    _lines_until(request.body, b"")
    resource = parse_json(b"".join(_lines_until(request.body, delimiter)))
    headers = BytesHeaderParser().parsebytes(b"".join(_lines_until(request.body, b"")))
    resource.setdefault("contentType", headers.get("Content-Type"))
    resource.setdefault("name", request.query.get("name"))
    return resource, _without_end(request.body, b"\r\n" + delimiter + b"--")


def _lines_until(body: Body, end: bytes) -> list[bytes]:
    lines: list[bytes] = []
    while (line := body.read_line()).strip() != end:
        if not line:
            raise _bad("The parts of the upload are not delimited.")
        lines.append(line)
    return lines


def _without_end(body: Body, end: bytes) -> Iterator[bytes]:
    """All but the closing delimiter, which a line break may follow."""
    reserve = len(end) + 2
    while body.remaining > reserve:
        yield body.read(min(CHUNK_BYTES, body.remaining - reserve))
    rest, found, _ = body.read_all().rpartition(end)
    if not found:
        raise _bad("The upload does not end with its boundary.")
    yield rest


def target(request: Request, bucket: str, resource: Resource) -> Target:
    name = resource.get("name") or request.query.get("name")
    if not name:
        raise HttpError(HTTPStatus.BAD_REQUEST, "required", "An object needs a name.")
    size = request.headers.get("X-Upload-Content-Length")
    told = {**resource, **_checksums(request.headers)}
    return Target(bucket, str(name), told, preconditions(request), None if size is None else int(size))


def xml_target(request: Request, bucket: str, name: str) -> Target:
    headers = request.headers
    own = {
        key[len("x-goog-meta-") :].lower(): value
        for key, value in headers.items()
        if key.lower().startswith("x-goog-meta-")
    }
    fields = {
        "contentType": "Content-Type",
        "cacheControl": "Cache-Control",
        "contentDisposition": "Content-Disposition",
    }
    told = {field: headers[header] for field, header in fields.items() if header in headers}
    resource = {**told, **({"metadata": own} if own else {}), **_checksums(headers)}
    return Target(bucket, name, resource, xml_preconditions(headers), None, _limits(headers))


def _limits(headers: Message) -> tuple[int, int] | None:
    if (text := headers.get("x-goog-content-length-range")) is None:
        return None
    low, _, high = text.partition(",")
    return int(low), int(high)


def preconditions(request: Request) -> Preconditions:
    return Preconditions(*(number(request.query, name) for name in CONDITIONS))


def xml_preconditions(headers: Message) -> Preconditions:
    given = {name.lower(): value for name, value in headers.items()}
    return Preconditions(
        generation=number(given, "x-goog-if-generation-match"),
        metageneration=number(given, "x-goog-if-metageneration-match"),
    )


def number(values: Mapping[str, str], name: str) -> int | None:
    try:
        return int(values[name]) if name in values else None
    except ValueError as error:
        raise _bad(f"{name} is not a number: {values[name]!r}") from error


def _checksums(headers: Message) -> dict[str, str]:
    """By the names of the object's fields."""
    pairs = (pair.strip().partition("=") for value in headers.get_all("x-goog-hash", []) for pair in value.split(","))
    found = {{"md5": "md5Hash"}.get(name, name): value for name, _, value in pairs}
    if md5 := headers.get("Content-MD5"):
        found["md5Hash"] = md5
    return found


def span(text: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last, or None where none of them exists."""
    match = _BYTE_RANGE.fullmatch(text.strip())
    if not match or match.groups() == ("", ""):
        raise not_implemented(f"the range {text!r}")
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else None


def object_headers(resource: Resource) -> dict[str, str]:
    return {
        "ETag": f'"{resource["etag"]}"',
        "X-Goog-Generation": resource["generation"],
        "X-Goog-Metageneration": resource["metageneration"],
        "X-Goog-Hash": f"crc32c={resource['crc32c']},md5={resource['md5Hash']}",
        "X-Goog-Stored-Content-Length": resource["size"],
        "X-Goog-Stored-Content-Encoding": resource.get("contentEncoding", "identity"),
    }


def content_headers(resource: Resource) -> dict[str, str]:
    own = {f"X-Goog-Meta-{key}": quote(value, safe=" -_.~/:,=") for key, value in resource.get("metadata", {}).items()}
    names = {
        "contentType": "Content-Type",
        "cacheControl": "Cache-Control",
        "contentDisposition": "Content-Disposition",
        "contentEncoding": "Content-Encoding",
    }
    told = {header: resource[field] for field, header in names.items() if field in resource}
    return {**object_headers(resource), **own, **told, "Accept-Ranges": "bytes"}


def _bad(message: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, "invalid", message)
