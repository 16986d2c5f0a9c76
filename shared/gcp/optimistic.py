"""One document of Firestore, changed without transactions.

A change is computed from what was read, and written on the condition that nothing was written
since; otherwise it is computed anew. Contended transactions do the same with locks, and much
slower. Knows nothing of jobs.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from google.api_core import exceptions
from google.cloud.firestore_v1 import SERVER_TIMESTAMP, DocumentReference, LastUpdateOption

from shared.errors import Conflict
from shared.gcp.errors import translated

T = TypeVar("T")

MAX_TRIES = 30
"""At one write a second, so many writers of one document get their turn."""

MAX_PAUSE_S = 0.5

LOST_RACES = (exceptions.FailedPrecondition, exceptions.AlreadyExists, exceptions.NotFound, exceptions.Aborted)
"""Somebody wrote or deleted it between our reading and our writing."""


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """``decode`` is given None where there is no document, and may raise."""

    decode: Callable[[dict[str, Any] | None], T]
    encode: Callable[[T], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    value: T
    write_id: str | None
    version: datetime | None
    """When it was last written, by the server; None where there is no document."""
    age: timedelta
    """Since then, by the server's clock alone: that of this machine may be wrong."""


class OptimisticDocument(Generic[T]):
    """``pace`` is the least time between two writes of the document.

    Every write carries a random id. The client repeats a write whose answer was lost; the second
    then fails on its condition, and by the id the first is recognised as ours. Otherwise a worker
    would meet its own claim and take it for another's.
    """

    def __init__(self, reference: DocumentReference, codec: Codec[T], pace: timedelta) -> None:
        self._reference = reference
        self._codec = codec
        self._pace = pace

    def read(self) -> T:
        return self._read().value

    def create(self, value: T) -> T:
        """Write ``value`` where nothing is; otherwise return what is there."""
        written = self._write(value, None, _new_id())
        return self.read() if written is None else written

    def update(self, change: Callable[[T], T]) -> T:
        """Raises Conflict after MAX_TRIES, and whatever ``change`` raises."""
        write_id = _new_id()
        for attempt in range(MAX_TRIES):
            held = self._read()
            if held.write_id == write_id or (changed := change(held.value)) == held.value:
                return held.value
            if self._is_young(held):
                time.sleep((self._pace - held.age).total_seconds())
            elif (written := self._write(changed, held.version, write_id)) is not None:
                return written
            time.sleep(_jitter_s(attempt))
        raise Conflict(f"others kept writing {self._reference.path}: gave up after {MAX_TRIES} tries")

    def offer(self, change: Callable[[T], T]) -> None:
        """One try, and only where it need not wait."""
        held = self._read()
        if not self._is_young(held) and (changed := change(held.value)) != held.value:
            self._write(changed, held.version, _new_id())

    def _read(self) -> _Held[T]:
        with translated("Firestore"):
            snapshot: Any = self._reference.get()
        fields = snapshot.to_dict()
        if fields is None:
            return _Held(self._codec.decode(None), None, None, timedelta.max)
        age = snapshot.read_time - snapshot.update_time
        return _Held(self._codec.decode(fields), fields.get("writeId"), snapshot.update_time, age)

    def _is_young(self, held: _Held[T]) -> bool:
        return held.age < self._pace

    def _write(self, value: T, version: datetime | None, write_id: str) -> T | None:
        """What is kept now, or None where another was faster."""
        fields = {**self._codec.encode(value), "writeId": write_id}
        with translated("Firestore"):
            try:
                stamp = self._commit({**fields, "updatedAt": SERVER_TIMESTAMP}, version)
            except LOST_RACES:
                return None
        return self._codec.decode({**fields, "updatedAt": stamp})

    def _commit(self, fields: dict[str, Any], version: datetime | None) -> datetime:
        """Returns the server's time."""
        if version is None:
            answer: Any = self._reference.create(fields)
        else:
            answer = self._reference.update(fields, option=LastUpdateOption(version))
        return answer.transform_results[0].timestamp_value


def _new_id() -> str:
    return uuid.uuid4().hex


def _jitter_s(attempt: int) -> float:
    """Parts those who collided: up to 20 ms at first, then twice as long each time."""
    return random.uniform(0.0, min(MAX_PAUSE_S, 0.02 * 2**attempt))  # noqa: S311 - no secret
