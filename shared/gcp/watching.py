"""A document's snapshots as an iterator, fed by Firestore's own listener. Knows nothing of jobs."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from google.cloud.firestore_v1 import DocumentReference
from google.cloud.firestore_v1.watch import Watch

from shared.errors import Unavailable

LOOK_AFTER_S = 1.0
"""A listener that broke off does not call; so when nothing comes it is looked after this often."""

Fields = dict[str, Any]


@contextmanager
def snapshots(reference: DocumentReference) -> Generator[Iterator[Fields | None]]:
    """The document's fields as they are, then after every change; None while there is none.

    The listener reconnects by itself; Unavailable is raised where it gave up.
    """
    arrived: SimpleQueue[Fields | None] = SimpleQueue()

    def put(found: list[Any], *_: Any) -> None:
        arrived.put(found[0].to_dict() if found else None)

    listener = reference.on_snapshot(put)
    try:
        yield _taken(arrived, listener)
    finally:
        listener.unsubscribe()


def _taken(arrived: SimpleQueue[Fields | None], listener: Watch) -> Iterator[Fields | None]:
    while True:
        try:
            yield arrived.get(timeout=LOOK_AFTER_S)
        except Empty:
            if not listener.is_active:
                raise Unavailable("Firestore's listener broke off") from None
