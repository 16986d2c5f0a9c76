"""Every version of Firestore's documents that a listener is told of.

Documents are followed by name, over one stream. A listener of a whole collection would do with less, but
the emulator sends it all of the collection with every write, and runs out of memory at a few hundred.
Now and then the emulator garbles an answer when many write at once, which breaks the stream that it came by
(firebase/firebase-js-sdk#6724); so a stream that breaks is opened again, as Firestore's own clients do.
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

PAUSE_S = 0.1
"""Before a broken stream is opened again."""


@dataclass(frozen=True, slots=True)
class Version:
    """``path`` of the document; ``written_at`` and ``created_at`` by the server's clock."""

    path: str
    written_at: datetime
    created_at: datetime
    fields: Mapping[str, Any]


class Recording:
    """What was told so far, in its order, each version once."""

    def __init__(self, client: Client) -> None:
        self.versions: list[Version] = []
        self.breaks: list[GoogleAPICallError] = []
        """Why the stream had to be opened again, each time."""
        self._told: set[tuple[str, datetime]] = set()
        self._client = client
        self._root = f"{client._database_string}/documents/"
        self._paths: list[str] = []
        self._requests: SimpleQueue[ListenRequest | None] = SimpleQueue()
        self._changing = threading.Lock()
        self._closed = threading.Event()

    def follow(self, *paths: str) -> None:
        """From the version that is there now, if any, and on."""
        with self._changing:
            for path in paths:
                self._paths.append(path)
                self._requests.put(self._addition(len(self._paths), path))

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
        """Until ``close``. A stream that breaks is opened again, and tells how its documents are by then."""
        requests = self._requests
        while not self._closed.is_set():
            try:
                self._listen(requests)
            except GoogleAPICallError as error:
                self.breaks.append(error)
                self._closed.wait(PAUSE_S)
            requests = self._asked_again()

    def close(self) -> None:
        with self._changing:
            self._closed.set()
            self._requests.put(None)

    def _listen(self, requests: SimpleQueue[ListenRequest | None]) -> None:
        asked = iter(requests.get, None)
        for told in self._client._firestore_api.listen(requests=asked, metadata=self._client._rpc_metadata):
            if told.document_change:
                self._note(told.document_change.document)

    def _asked_again(self) -> SimpleQueue[ListenRequest | None]:
        """A queue for the next stream, all that is followed in it; whoever still reads the last one's stops."""
        with self._changing:
            self._requests.put(None)
            self._requests = SimpleQueue()
            for target_id, path in enumerate(self._paths, start=1):
                self._requests.put(self._addition(target_id, path))
            if self._closed.is_set():
                self._requests.put(None)
            return self._requests

    def _addition(self, target_id: int, path: str) -> ListenRequest:
        documents = Target.DocumentsTarget(documents=[self._root + path])
        target = Target(documents=documents, target_id=target_id)
        return ListenRequest(database=self._client._database_string, add_target=target)

    def _note(self, document: Document) -> None:
        path = document.name.removeprefix(self._root)
        if (path, document.update_time) in self._told:
            return
        self._told.add((path, document.update_time))
        fields = decode_dict(document.fields, self._client)
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
