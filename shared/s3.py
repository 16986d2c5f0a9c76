"""Objects in Amazon S3, so that a video can be read where it lies.

The region, the credentials and AWS_ENDPOINT_URL are read by boto3 in its usual ways.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import boto3
from botocore import exceptions

from shared.errors import BadOption, MissingSettings, NotFound, SourceGone, Unavailable
from shared.job import Source
from shared.ports import Blob
from shared.ranges import open_ranges

Answer = Mapping[str, Any]


class S3BlobStore:
    """S3 numbers no generations. Here an object's generation is a digest of what tells its contents
    apart: entity tag, version id (where the bucket has versions) and time of writing. So an
    overwrite is a new generation; but two compare as equal or not, never as older or newer. Only
    the current version can be opened.
    """

    def locate(self, url: str) -> Blob:
        """The object at ``s3://bucket/name``. Raises BadOption for another kind of address, NotFound."""
        parts = urlsplit(url, allow_fragments=False)
        name = url.removeprefix(f"s3://{parts.netloc}/")
        if parts.scheme != "s3" or not parts.netloc or name in ("", url):
            raise BadOption(f"{url} does not name an object as s3://bucket/name does")
        return self.stat(parts.netloc, name)

    def stat(self, bucket: str, name: str) -> Blob:
        head = self._head(bucket, name)
        source = Source(bucket, name, generation(head), head["ContentLength"], head.get("ContentType", ""))
        return Blob(source, head["Metadata"])

    def open(self, source: Source) -> BinaryIO:
        try:
            head = self._head(source.bucket, source.name)
        except NotFound as error:
            raise SourceGone from error
        if generation(head) != source.generation:
            raise SourceGone

        def fetch(start: int, stop: int) -> bytes:
            return self._range(source, head["ETag"], start, stop)

        return open_ranges(fetch, head["ContentLength"])

    def read(self, bucket: str, name: str) -> bytes:
        with _translated(), _or_gone(NotFound(f"there is no object {bucket}/{name}")):
            return self._client.get_object(Bucket=bucket, Key=name)["Body"].read()

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        with _translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return sorted(found["Key"] for page in pages for found in page.get("Contents", ()))

    def create(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> bool:
        with _translated(), _opened(content) as body:
            try:
                # One request, of up to 5 GB: the condition holds for the whole object.
                self._client.put_object(Bucket=bucket, Key=name, Body=body, ContentType=content_type, IfNoneMatch="*")
            except exceptions.ClientError as error:
                if _status(error) != HTTPStatus.PRECONDITION_FAILED:
                    raise
                return False
        return True

    @cached_property
    def _client(self) -> Any:
        return boto3.Session().client("s3")

    def _head(self, bucket: str, name: str) -> Answer:
        with _translated(), _or_gone(NotFound(f"there is no object {bucket}/{name}")):
            return self._client.head_object(Bucket=bucket, Key=name)

    def _range(self, source: Source, tag: str, start: int, stop: int) -> bytes:
        part = {"Range": f"bytes={start}-{stop - 1}", "IfMatch": tag}
        with _translated(), _or_gone(SourceGone()):
            return self._client.get_object(Bucket=source.bucket, Key=source.name, **part)["Body"].read()


def generation(answer: Answer) -> int:
    """53 bits, so that every reader of JSON keeps it exactly."""
    written = answer["LastModified"].timestamp()
    key = f"{answer['ETag']} {answer.get('VersionId')} {written}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 11


GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.FORBIDDEN})
"""S3 forbids to look for what does not exist, where the bucket may not be listed."""

PASSING = frozenset({HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
"""Passing, like every status from 500 on."""

PASSING_CODES = frozenset({"RequestTimeout", "Throttling", "ThrottlingException"})
"""Passing, though of status 400."""

BROKEN_OFF = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    exceptions.ChecksumError,
    exceptions.FlexibleChecksumError,
)


@contextmanager
def _translated() -> Generator[None]:
    """Raises Unavailable for what passes by itself, and otherwise what there is to mend: BadOption for a
    name that cannot be one, NotFound, MissingSettings for credentials, regions and permissions."""
    try:
        yield
    except BROKEN_OFF as error:
        raise Unavailable(f"S3 does not answer: {error}") from error
    except exceptions.ParamValidationError as error:
        raise BadOption(f"S3 has no such names: {error}") from error
    except exceptions.BotoCoreError as error:
        raise MissingSettings(f"S3 cannot be asked: {error}") from error
    except exceptions.ClientError as error:
        raise _refusal(error) from error


def _refusal(error: exceptions.ClientError) -> Unavailable | NotFound | MissingSettings:
    status, code = _status(error), error.response.get("Error", {}).get("Code")
    if status in PASSING or code in PASSING_CODES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable(f"S3 does not answer: {error}")
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(f"S3 does not find it: {error}")
    # S3 tells no reason where it is asked for the head of an object alone.
    return MissingSettings(f"S3 refuses: {error}. Are the region, the permissions and the credentials still right?")


@contextmanager
def _or_gone(gone: NotFound | SourceGone) -> Generator[None]:
    try:
        yield
    except exceptions.ClientError as error:
        if _status(error) in GONE:
            raise gone from error
        raise


def _opened(content: bytes | Path) -> AbstractContextManager[BinaryIO]:
    return content.open("rb") if isinstance(content, Path) else BytesIO(content)


def _status(error: exceptions.ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
