"""Objects in Cloud Storage."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from google.api_core import exceptions
from google.cloud.storage import Client

from shared.errors import NotFound, SourceGone
from shared.gcp.errors import translated
from shared.job import Source
from shared.ports import Blob, check_folder
from shared.ranges import open_ranges

UPLOAD_CHUNK_BYTES = 8 * 1024 * 1024
"""What a resumable upload holds in memory; the library's own 100 MB are a fifth of a small function."""

AS_KEPT: Mapping[str, Any] = {"raw_download": True}
"""The bytes that the size and the ranges are of. Where an uploader says that they are compressed, the library would
unpack them: a range into more than memory holds."""


class CloudBlobStore:
    """The fake is used where STORAGE_EMULATOR_HOST is set."""

    def __init__(self, project: str) -> None:
        self._project = project

    @cached_property
    def _client(self) -> Any:
        return Client(project=self._project)

    def stat(self, bucket: str, name: str) -> Blob:
        with translated("Cloud Storage"):
            found = self._client.bucket(bucket).get_blob(name)
        if found is None:
            raise _not_found(bucket, name)
        return Blob(Source(bucket, name, found.generation, found.size, found.content_type or ""), found.metadata or {})

    def open(self, source: Source) -> BinaryIO:
        """Asks for the object's size at once, so that one that is gone is found out here."""
        blob = self._client.bucket(source.bucket).blob(source.name, generation=source.generation)

        def fetch(start: int, stop: int) -> bytes:
            # There is no checksum of a part; that of the whole is of no use here.
            return _of_that_generation(
                lambda: blob.download_as_bytes(start=start, end=stop - 1, checksum=None, **AS_KEPT)
            )

        _of_that_generation(blob.reload)
        return open_ranges(fetch, blob.size)

    def read(self, bucket: str, name: str) -> bytes:
        with translated("Cloud Storage"):
            try:
                return self._client.bucket(bucket).blob(name).download_as_bytes(**AS_KEPT)
            except exceptions.NotFound as error:
                raise _not_found(bucket, name) from error

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        with translated("Cloud Storage"):
            found = self._client.list_blobs(bucket, prefix=prefix, fields="items(name),nextPageToken")
            return sorted(blob.name for blob in found)

    def create(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> bool:
        blob = self._client.bucket(bucket).blob(name, chunk_size=UPLOAD_CHUNK_BYTES)
        condition = {"content_type": content_type, "if_generation_match": 0, "checksum": "crc32c"}
        with translated("Cloud Storage"):
            try:
                if isinstance(content, Path):
                    blob.upload_from_filename(content, **condition)
                else:
                    blob.upload_from_string(content, **condition)
            except exceptions.PreconditionFailed:
                return False
        return True

    def copy(self, source: Source, name: str) -> Source:
        bucket = self._client.bucket(source.bucket)
        blob, target = bucket.blob(source.name, generation=source.generation), bucket.blob(name)
        _of_that_generation(blob.reload)
        target.content_type, target.metadata = blob.content_type, blob.metadata
        try:
            _of_that_generation(lambda: _rewritten(blob, target))
        except exceptions.PreconditionFailed:
            return self.stat(source.bucket, name).source
        return Source(source.bucket, name, target.generation, target.size, target.content_type or "")

    def delete(self, source: Source) -> None:
        blob = self._client.bucket(source.bucket).blob(source.name, generation=source.generation)
        with translated("Cloud Storage"), suppress(exceptions.NotFound):
            blob.delete()

    def delete_all(self, bucket: str, folder: str) -> None:
        check_folder(folder)
        for name in self.names(bucket, folder):
            with translated("Cloud Storage"), suppress(exceptions.NotFound):
                self._client.bucket(bucket).blob(name).delete()


def _rewritten(blob: Any, target: Any) -> None:
    """In as many requests as it takes: of a large object that is not moved to another place, one."""
    token, _, _ = target.rewrite(blob, if_generation_match=0)
    while token:
        token, _, _ = target.rewrite(blob, token, if_generation_match=0)


def _of_that_generation(ask: Any) -> Any:
    """Raises SourceGone where it is not the bucket's any more."""
    with translated("Cloud Storage"):
        try:
            return ask()
        except exceptions.NotFound as error:
            raise SourceGone from error


def _not_found(bucket: str, name: str) -> NotFound:
    return NotFound(f"there is no object {bucket}/{name}")
