"""The blocks of a large library that a dance can be made of: those that are worth most somewhere in the song.

Transitions between all blocks would be too many to look at: 10¹⁰ for a hundred thousand. Knows nothing of cuts but
which block goes on from which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.timeline import FloatArray, IntArray

MOST = 1024
"""Blocks of a library of which none is left out: 4 MB of transitions, 0.2 s of planning."""
EACH = 64
"""Blocks taken for each figure of a larger one. Of 3,134 blocks that made 414, and the same dance as all of them in a
thirtieth of the time; with 24 a little was lost."""


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """``blocks`` ``(M,)`` increasing; ``rest`` what a dance is worth at most in which there is any other block."""

    blocks: IntArray
    rest: float


def shortlist(worth: FloatArray, goes_on: npt.NDArray[np.bool_], most: int = MOST) -> Shortlist:
    """All blocks, if they are no more than ``most``; else for each figure the :data:`EACH` best, and what goes on from
    them or they from it.

    ``worth``   ``(V, N)`` of a block in all the slots of a figure, -inf where it may not be danced
    ``goes_on`` ``(N - 1,)`` whether the next block begins where this one ends
    """
    many = worth.shape[1]
    if many <= most:
        return Shortlist(np.arange(many), -np.inf)
    kept = np.zeros(many, dtype=bool)
    kept[np.argpartition(-worth, min(EACH, many) - 1, axis=1)[:, :EACH]] = True
    kept[1:] |= kept[:-1] & goes_on
    kept[:-1] |= kept[1:] & goes_on
    return Shortlist(np.flatnonzero(kept), _rest(worth, ~kept))


def _rest(worth: FloatArray, left_out: npt.NDArray[np.bool_]) -> float:
    """The best of every figure but one, that one a block left out; cuts and repetition free."""
    if not left_out.any():
        return -np.inf
    best = worth.max(axis=1)
    return float(best.sum() + (worth[:, left_out].max(axis=1) - best).max())
