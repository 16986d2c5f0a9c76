"""What is computed of a library once for each of its versions, and what was last asked for.

From memory, else from a bucket, else computed and left there: whoever comes first computes, all others adopt. Each
version of a library leaves one small object of each kind, 0.4 MB of cuts for 400 blocks and 2.4 MB for a thousand; none
is deleted, as another worker may be about to read it.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy.typing as npt

from shared.errors import BadMessage, NotFound
from shared.library import MoveLibrary
from shared.ports import BlobStore
from shared.timeline import FloatArray

log = logging.getLogger(__name__)

KEEP = 2
"""A library that grows is still asked for as it was, by the jobs that began before."""

_TYPE = "application/octet-stream"


class Versioned(Protocol):
    """Of one version of a library.

    ``folder`` of its objects. Each is written once, so the formula's name is part of it
    """

    folder: ClassVar[str]

    @classmethod
    def of(cls: type[V], library: MoveLibrary) -> V:
        """Computes it."""
        ...

    def to_bytes(self) -> bytes: ...

    @classmethod
    def from_bytes(cls: type[V], data: bytes, library: MoveLibrary) -> V:
        """Raises BadMessage where the bytes are not those of this version of the library."""
        ...


K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
V = TypeVar("V", bound=Versioned)


class Last(Generic[K, T]):
    """The ``keep`` things last asked for. Whoever asks for what is just being made waits for it."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._held: OrderedDict[K, T] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, key: K, make: Callable[[], T]) -> T:
        with self._lock:
            found = self._held.pop(key) if key in self._held else make()
            self._held[key] = found
            while len(self._held) > self._keep:
                self._held.popitem(last=False)
            return found


class Cache(Generic[V]):
    """Of one kind, by version of the library."""

    def __init__(self, kind: type[V], blobs: BlobStore, bucket: str, keep: int = KEEP) -> None:
        self._kind, self._blobs, self._bucket = kind, blobs, bucket
        self._held: Last[str, V] = Last(keep)

    def of(self, library: MoveLibrary) -> V:
        return self._held.of(library.version, lambda: self._kept(library) or self._computed(library))

    def _kept(self, library: MoveLibrary) -> V | None:
        """What the bucket has; None where it has nothing that can be used."""
        name = object_name(self._kind, library.version)
        try:
            return self._kind.from_bytes(self._blobs.read(self._bucket, name), library)
        except NotFound:
            return None
        except BadMessage as error:
            log.warning("%s/%s is of no use and is computed anew: %s", self._bucket, name, error)
            return None

    def _computed(self, library: MoveLibrary) -> V:
        """Left in the bucket, unless another was quicker, or what cannot be read lies there."""
        computed = self._kind.of(library)
        try:
            self._blobs.create(self._bucket, object_name(self._kind, library.version), computed.to_bytes(), _TYPE)
        except OSError as error:  # a folder that may only be read serves as well
            log.info("not kept: %s", error)
        return computed


def object_name(kind: type[Versioned], version: str) -> str:
    return f"{kind.folder}/{version}.npz"


def check(arrays: Mapping[str, npt.NDArray[Any]], library: MoveLibrary, method: str) -> None:
    """Raises BadMessage where they were not made of this version of a library by this method."""
    found, wanted = (str(arrays["version"]), str(arrays["method"])), (library.version, method)
    if found != wanted:
        raise BadMessage(f"this is of {found}, not of {wanted}")


def square(matrix: FloatArray, library: MoveLibrary) -> FloatArray:
    """Raises ValueError where it is not of so many blocks."""
    if matrix.shape != (len(library), len(library)):
        raise ValueError(f"{matrix.shape} is no matrix of {len(library)} blocks")
    return matrix
