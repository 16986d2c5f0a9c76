"""A song, a library and wishes in; plans out. Pure: knows neither jobs nor files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gpu_job.choreography.entry import SURE_BARS
from gpu_job.choreography.fit import Context, allowed, contexts, factors, fit, misplaced, unwished
from gpu_job.choreography.planning import Planned, planned
from gpu_job.choreography.slots import slots
from gpu_job.choreography.unmet import unmet
from gpu_job.notice import Notice
from shared.library import MoveLibrary
from shared.music import Music
from shared.timeline import BoolArray, FloatArray
from shared.wishes import Wishes


def choreographed(music: Music, library: MoveLibrary, wishes: Wishes, transition: FloatArray | None = None) -> Planned:
    """The dance and its alternatives, with warnings where the first does not meet a wish.

    ``transition`` ``(N, N)`` of :func:`~.transitions.transitions`, where it is at hand

    Raises NoBeat, NoMoves.
    """
    context = contexts(music, slots(music))
    scores = factors(library, context, wishes)
    told = {name: score for name, score in scores.items() if name not in unwished(wishes)}
    found = planned(
        music, library, wishes, fit(scores), _may(library, context, wishes), scores=told, transition=transition
    )
    blocks = np.array([placed.block for placed in found.plans[0].placed])
    return replace(found, warnings=(*_unsure(music), *unmet(library, blocks, wishes), *found.warnings))


def _may(library: MoveLibrary, context: Context, wishes: Wishes) -> BoolArray:
    """``(S, N)`` no harder than wished, and in its place where the library has something that is."""
    easy = allowed(library, wishes)
    placed = easy & ~misplaced(library, context)
    return np.where(placed.any(axis=1, keepdims=True), placed, easy)


def _unsure(music: Music) -> list[Notice]:
    if music.bar_confidence >= SURE_BARS:
        return []
    return [Notice("BARS_UNSURE", "We are not sure where the bars of this song begin, so its counts may be off.")]
