"""Buckets to test blob stores with: each has a way to upload, as a client would, next to the store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.ports import BlobStore


class Upload(Protocol):
    def __call__(self, name: str, content: bytes, content_type: str, metadata: Mapping[str, str]) -> object: ...


@dataclass(frozen=True, slots=True)
class Shelf:
    """A store, and one empty bucket of it. ``upload`` overwrites; ``delete`` deletes an object."""

    store: BlobStore
    bucket: str
    upload: Upload
    delete: Callable[[str], object] | None = None

    def put(self, name: str, content: bytes) -> None:
        self.upload(name, content, "video/mp4", {"owner": "maria"})
