"""The move library as it lies in its bucket: an object for each move, and its mezzanine beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from gpu_job.choreography.versioned import Last
from shared.errors import BadMessage, EmptyLibrary, NotFound
from shared.library import Move, MoveLibrary
from shared.ports import BlobStore, Ports

log = logging.getLogger(__name__)

MOVES = "moves/"
READERS = 16
"""At once: a bucket answers each in 30 ms, and there are hundreds."""


class Shelf:
    """The library of a bucket, read once for each set of its objects: one of a name never changes."""

    def __init__(self, blobs: BlobStore, bucket: str) -> None:
        self._blobs, self._bucket = blobs, bucket
        self._read: Last[tuple[str, ...], MoveLibrary] = Last()

    def stocked(self) -> MoveLibrary:
        """All moves; of several of one id the one that was added last. Raises EmptyLibrary."""
        names = tuple(name for name in self._blobs.names(self._bucket, MOVES) if name.endswith(".npz"))
        return self._read.of(names, lambda: self._library(names))

    def _library(self, names: Sequence[str]) -> MoveLibrary:
        with ThreadPoolExecutor(READERS, "shelf") as pool:
            moves = [move for move in pool.map(self._move, names) if move]
        newest = {move.id: move for move in sorted(moves, key=lambda move: (move.added_at, move.mezzanine))}
        if not newest:
            raise EmptyLibrary
        return MoveLibrary.of(newest.values())

    def _move(self, name: str) -> Move | None:
        """None for one that was deleted meanwhile, or that another release wrote: the others still make a dance."""
        try:
            return Move.from_bytes(self._blobs.read(self._bucket, name))
        except (NotFound, BadMessage) as error:
            log.warning("a move of the library is left out: %s: %s", name, error)
            return None


def mezzanine(move: Move, ports: Ports) -> BinaryIO:
    """Its film. Raises NotFound, SourceGone."""
    return ports.blobs.open(ports.blobs.stat(ports.settings.library_bucket, move.mezzanine).source)
