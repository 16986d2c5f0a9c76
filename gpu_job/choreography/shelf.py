"""The move library as it lies in its bucket: an object for each move, and its mezzanine beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from gpu_job.choreography.versioned import Last
from shared.errors import BadMessage, EmptyLibrary, NotFound
from shared.library import Move, MoveLibrary
from shared.ports import BlobStore, Ports

log = logging.getLogger(__name__)

MOVES, MEZZANINES = "moves/", "mezzanine/"
READERS = 16
"""At once: a bucket answers each in 30 ms, and there are hundreds."""


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """What can be danced. ``left_out`` ids of moves without their film, and names of objects that cannot be read."""

    library: MoveLibrary
    left_out: tuple[str, ...] = ()


class Shelf:
    """The library of a bucket, read once for each set of its objects: one of a name never changes."""

    def __init__(self, blobs: BlobStore, bucket: str) -> None:
        self._blobs, self._bucket = blobs, bucket
        self._read: Last[tuple[str, ...], Stock] = Last()

    def stocked(self) -> Stock:
        """All moves; of several of one id the one that was added last. Raises EmptyLibrary."""
        names = tuple(name for folder in (MOVES, MEZZANINES) for name in self._blobs.names(self._bucket, folder))
        return self._read.of(names, lambda: self._stock(names))

    def _stock(self, names: Sequence[str]) -> Stock:
        entries = [name for name in names if name.startswith(MOVES) and name.endswith(".npz")]
        with ThreadPoolExecutor(READERS, "shelf") as pool:
            read = list(pool.map(self._move, entries))
        moves = newest(move for move in read if move)
        whole = [move for move in moves if move.mezzanine in set(names)]
        if not whole:
            raise EmptyLibrary
        unread = [name for name, move in zip(entries, read, strict=True) if move is None]
        filmless = [move.id for move in moves if move.mezzanine not in set(names)]
        return Stock(MoveLibrary.of(whole), (*filmless, *unread))

    def _move(self, name: str) -> Move | None:
        """None for one that was deleted meanwhile, or that another release wrote: the others still make a dance."""
        try:
            return Move.from_bytes(self._blobs.read(self._bucket, name))
        except (NotFound, BadMessage) as error:
            log.warning("a move of the library is left out: %s: %s", name, error)
            return None


def newest(moves: Iterable[Move]) -> list[Move]:
    """Of several of one id the one that was added last."""
    return list({move.id: move for move in sorted(moves, key=lambda move: (move.added_at, move.mezzanine))}.values())


def mezzanine(move: Move, ports: Ports) -> BinaryIO:
    """Its film. Raises NotFound, SourceGone."""
    return ports.blobs.open(ports.blobs.stat(ports.settings.library_bucket, move.mezzanine).source)
