"""A song, a library and wishes in; plans out. Pure: knows neither jobs nor files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gpu_job.choreography.fit import allowed, contexts, factors, fit, unwished
from gpu_job.choreography.planning import Planned, planned
from gpu_job.choreography.slots import slots
from gpu_job.choreography.unmet import unmet
from shared.library import MoveLibrary
from shared.music import Music
from shared.timeline import FloatArray
from shared.wishes import Wishes


def choreographed(music: Music, library: MoveLibrary, wishes: Wishes, transition: FloatArray | None = None) -> Planned:
    """The dance and its alternatives, with warnings where the first does not meet a wish.

    ``transition`` ``(N, N)`` of :func:`~.transitions.transitions`, where it is at hand

    Raises NoBeat, NoMoves.
    """
    scores = factors(library, contexts(music, slots(music)), wishes)
    told = {name: score for name, score in scores.items() if name not in unwished(wishes)}
    found = planned(music, library, wishes, fit(scores), allowed(library, wishes), scores=told, transition=transition)
    blocks = np.array([placed.block for placed in found.plans[0].placed])
    return replace(found, warnings=(*unmet(library, blocks, wishes), *found.warnings))
