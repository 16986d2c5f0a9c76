"""A song, a library and wishes in; plans out. Pure: knows neither jobs nor files."""

from __future__ import annotations

from dataclasses import replace

from gpu_job.choreography.fit import allowed, contexts, factors, fit, unmet
from gpu_job.choreography.planning import Planned, planned
from gpu_job.choreography.slots import slots
from shared.library import MoveLibrary
from shared.music import Music
from shared.timeline import FloatArray
from shared.wishes import Wishes


def choreographed(music: Music, library: MoveLibrary, wishes: Wishes, transition: FloatArray | None = None) -> Planned:
    """The dance and its alternatives, with warnings where a wish is not met.

    ``transition`` ``(N, N)`` of :func:`~.transitions.transitions`, where it is at hand

    Raises NoBeat, NoMoves.
    """
    scores = factors(library, contexts(music, slots(music)), wishes)
    told = {name: score for name, score in scores.items() if name != "style" or wishes.style}
    found = planned(music, library, wishes, fit(scores), allowed(library, wishes), scores=told, transition=transition)
    return replace(found, warnings=(*unmet(library, wishes), *found.warnings))
