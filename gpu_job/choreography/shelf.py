"""The move library as it lies in its bucket: an object for each move, and its mezzanine beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import BinaryIO

from shared.errors import BadMessage, EmptyLibrary, NotFound
from shared.library import Move, MoveLibrary
from shared.ports import Ports

log = logging.getLogger(__name__)

MOVES = "moves/"
READERS = 16
"""At once: a bucket answers each in 30 ms, and there are hundreds."""


def stocked(ports: Ports) -> MoveLibrary:
    """All moves; of several of one id the one that was added last. Raises EmptyLibrary."""
    bucket = ports.settings.library_bucket
    names = [name for name in ports.blobs.names(bucket, MOVES) if name.endswith(".npz")]
    with ThreadPoolExecutor(READERS, "shelf") as pool:
        moves = [move for move in pool.map(partial(_move, ports), names) if move]
    if not moves:
        raise EmptyLibrary
    return MoveLibrary.of(newest(moves))


def newest(moves: Iterable[Move]) -> list[Move]:
    """Of several of one id the one that was added last."""
    return list({move.id: move for move in sorted(moves, key=lambda move: (move.added_at, move.mezzanine))}.values())


def _move(ports: Ports, name: str) -> Move | None:
    """None for one that was deleted meanwhile, or that another release wrote: the others still make a dance."""
    try:
        return Move.from_bytes(ports.blobs.read(ports.settings.library_bucket, name))
    except (NotFound, BadMessage) as error:
        log.warning("a move of the library is left out: %s: %s", name, error)
        return None


def mezzanine(move: Move, ports: Ports) -> BinaryIO:
    """Its film. Raises NotFound, SourceGone."""
    return ports.blobs.open(ports.blobs.stat(ports.settings.library_bucket, move.mezzanine).source)
