"""Buckets to test blob stores with: each has a way to upload, as a client would, next to the store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.ports import BlobKeeper, BlobStore, SignedRequest, UrlSigner


class Upload(Protocol):
    def __call__(self, name: str, content: bytes, content_type: str, metadata: Mapping[str, str]) -> object: ...


@dataclass(frozen=True, slots=True)
class Counter:
    """A signer of addresses, one empty bucket, and a client that has only the addresses."""

    signer: UrlSigner
    store: BlobKeeper
    bucket: str
    send: Callable[[SignedRequest, Mapping[str, str], bytes], bool]
    """Uploads with those headers; whether it was let in."""
    fetch: Callable[[str], bytes | None]
    """What is at that address; None where the client is not let in."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A store, and one empty bucket of it. ``upload`` overwrites; ``delete`` deletes an object."""

    store: BlobStore
    bucket: str
    upload: Upload
    delete: Callable[[str], object] | None = None

    def put(self, name: str, content: bytes) -> None:
        self.upload(name, content, "video/mp4", {"owner": "maria"})
