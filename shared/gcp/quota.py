"""What users have used, as documents of Firestore: ``quota/{counter}/slots/{n}``; see docs/schema.md.

One document for each unit that was used: it is made by ``create``, which one of many succeeds at, and nobody
writes it again. So a counter is exact without a transaction, and no document is written more than once a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from google.api_core import exceptions
from google.cloud.firestore_v1 import Client, CollectionReference, DocumentReference, LastUpdateOption

from shared.gcp.documents import instant
from shared.gcp.errors import translated
from shared.gcp.optimistic import LOST_RACES
from shared.job import SCHEMA
from shared.ports import Held

REMEMBERED = 10_000
"""Counters whose next free number is kept in memory: a page's worth of users, each with two."""


class FirestoreQuota:
    """``keep`` is how long a place in use is remembered by the database, should nobody ever look at it again."""

    def __init__(self, project: str, keep: timedelta) -> None:
        self._project = project
        self._keep = keep
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()

    def spend(self, counter: str, limit: int, until: datetime) -> bool:
        """Numbers are taken in order, so that the count is the first free one for whoever does not know it yet."""
        with translated("Firestore"):
            number = self._first_free(counter)
            while number < limit:
                is_mine = _created(self._slots(counter).document(str(number)), {"expireAt": until})
                number += 1
                self._note(counter, number)
                if is_mine:
                    return True
        return False

    def hold(self, counter: str, limit: int, held: Held, is_over: Callable[[Held], bool]) -> bool:
        with translated("Firestore"):
            return any(
                self._taken(self._slots(counter).document(str(number)), held, is_over) for number in range(limit)
            )

    def release(self, counter: str, holder: str) -> None:
        with translated("Firestore"):
            for found in self._slots(counter).stream():
                if found.get("holder") == holder:
                    _deleted(found)

    def _taken(self, slot: DocumentReference, held: Held, is_over: Callable[[Held], bool]) -> bool:
        fields = {"holder": held.holder, "since": held.since, "expireAt": held.since + self._keep}
        found: Any = slot.get()
        if not found.exists:
            return _created(slot, fields)
        if not is_over(Held(found.get("holder"), instant(found.get("since")))):
            return False
        try:
            slot.update(fields, option=LastUpdateOption(found.update_time))
        except LOST_RACES:
            return False
        return True

    def _first_free(self, counter: str) -> int:
        with self._lock:
            known = self._next.get(counter)
        return self._count(counter) if known is None else known

    def _count(self, counter: str) -> int:
        found: Any = self._slots(counter).count().get()
        return int(found[0][0].value)

    def _note(self, counter: str, number: int) -> None:
        with self._lock:
            if len(self._next) >= REMEMBERED:
                self._next.clear()
            self._next[counter] = max(number, self._next.get(counter, 0))

    def _slots(self, counter: str) -> CollectionReference:
        return self._client.collection("quota").document(counter).collection("slots")

    @cached_property
    def _client(self) -> Client:
        return Client(project=self._project)


def _created(slot: DocumentReference, fields: dict[str, Any]) -> bool:
    """A create whose answer was lost, and which was repeated, counts as another's: then one too many is counted."""
    try:
        slot.create({"schema": SCHEMA, **fields})
    except exceptions.AlreadyExists:
        return False
    return True


def _deleted(found: Any) -> None:
    try:
        found.reference.delete(option=LastUpdateOption(found.update_time))
    except LOST_RACES:
        return  # somebody has it by now
