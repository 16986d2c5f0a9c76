"""Every version of Firestore's documents that a listener is told of.

Documents are followed by name, over one stream. A listener of a whole collection would do with less, but
the emulator sends it all of the collection with every write, and runs out of memory at a few hundred.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud.firestore_v1 import Client
from google.cloud.firestore_v1._helpers import decode_dict
from google.cloud.firestore_v1.types import Document, ListenRequest, Target


@dataclass(frozen=True, slots=True)
class Version:
    """``path`` of the document; ``written_at`` and ``created_at`` by the server's clock."""

    path: str
    written_at: datetime
    created_at: datetime
    fields: Mapping[str, Any]


class Recording:
    """What was told so far, in its order."""

    def __init__(self, client: Client) -> None:
        self.versions: list[Version] = []
        self.broken: GoogleAPICallError | None = None
        """Why nothing is told any more."""
        self._client = client
        self._root = f"{client._database_string}/documents/"
        self._requests: SimpleQueue[ListenRequest | None] = SimpleQueue()
        self._ids = itertools.count(1)

    def follow(self, *paths: str) -> None:
        """From the version that is there now, if any, and on."""
        for path in paths:
            documents = Target.DocumentsTarget(documents=[self._root + path])
            target = Target(documents=documents, target_id=next(self._ids))
            self._requests.put(ListenRequest(database=self._client._database_string, add_target=target))

    def of(self, path: str) -> list[Version]:
        return [version for version in list(self.versions) if version.path == path]

    def gaps_s(self) -> dict[str, list[float]]:
        """Seconds between one write of a document and the next, by its path."""
        written: dict[str, set[datetime]] = defaultdict(set)
        for version in list(self.versions):
            written[version.path] |= {version.created_at, version.written_at}
        pairs = {path: itertools.pairwise(sorted(times)) for path, times in written.items()}
        return {path: [(later - earlier).total_seconds() for earlier, later in pair] for path, pair in pairs.items()}

    def listen(self) -> None:
        """Until ``close``, or until the stream breaks."""
        asked = iter(self._requests.get, None)
        try:
            for told in self._client._firestore_api.listen(requests=asked, metadata=self._client._rpc_metadata):
                if told.document_change:
                    self._note(told.document_change.document)
        except GoogleAPICallError as error:
            self.broken = error

    def close(self) -> None:
        self._requests.put(None)

    def _note(self, document: Document) -> None:
        fields = decode_dict(document.fields, self._client)
        path = document.name.removeprefix(self._root)
        self.versions.append(Version(path, document.update_time, document.create_time, fields))


@contextmanager
def recorded(client: Client) -> Generator[Recording]:
    """Listen inside to the documents that are followed."""
    recording = Recording(client)
    thread = threading.Thread(target=recording.listen, name="recording", daemon=True)
    thread.start()
    try:
        yield recording
    finally:
        recording.close()
        thread.join(10)
