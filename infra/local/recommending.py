"""``dancebits library recommend``: which eights of a library suit a place of a song, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from gpu_job.choreography.fit import Context
from gpu_job.choreography.fusion import Fusion
from gpu_job.choreography.recommendation import Recommendation, Recommender
from infra.local import show
from infra.local.library import library_in
from shared.errors import BadOption, EmptyLibrary
from shared.library import MoveLibrary
from shared.music import EMBEDDING, Role
from shared.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Asked:
    """A place of a song. ``like`` names a move, as its id or as ``id:2``, its second eight; empty for none."""

    role: Role
    tempo_bpm: float
    energy: float
    like: str = ""
    many: int = 10


def recommend(folder: Path, asked: Asked, wishes: Wishes) -> int:
    """Show the best. Raises EmptyLibrary, BadOption for a move that is not there."""
    library = library_in(folder)
    if not len(library):
        raise EmptyLibrary
    like = _block(library, asked.like) if asked.like else None
    silence = np.zeros(EMBEDDING, np.float32)
    place = Context(np.array([asked.tempo_bpm]), np.array([asked.energy]), (asked.role,), silence)
    found = Recommender.of(library, Fusion.of(library)).recommended(place, wishes, asked.many, like=like)
    show.console.print(_table(found, library))
    return 0


def _block(library: MoveLibrary, name: str) -> int:
    clip_id, _, number = name.partition(":")
    for block in range(len(library)):
        if library.move_of(block).id == clip_id and str(library.number[block] + 1) == (number or "1"):
            return block
    raise BadOption(f"The library has no move {name}.")


def _table(found: tuple[Recommendation, ...], library: MoveLibrary) -> Table:
    table = Table("move", "eight", "from", "to", "score", "why")
    for one in found:
        segment = library.segment_of(one.block)
        times = f"{segment.start_s:.2f} s", f"{segment.end_s:.2f} s"
        eight = str(library.number[one.block] + 1)
        table.add_row(library.move_of(one.block).id, eight, *times, f"{one.score:.0%}", one.why)
    return table
