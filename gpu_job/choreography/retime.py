"""How much faster or slower a block must be played to last as long as its slot, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.plan import Slot
from shared.library import Move, MoveLibrary
from shared.music import COUNTS_PER_EIGHT
from shared.timeline import BoolArray, FloatArray, IntArray

SLOWEST, FASTEST = 1.12, 0.90
"""Seconds of the song for a second of the clip: what passes for the dancers' own tempo."""
COST_AT_LIMIT = 0.5
"""A block at the slowest costs half of what the best block of all is worth."""
_NO_NEARER = float(np.log(1.03))  # where no block meets the limit, those within 3 % of the nearest do: a choice is left


@dataclass(frozen=True, slots=True, eq=False)
class Retiming:
    """Of ``N`` blocks in ``S`` slots.

    ``ratio`` ``(S, N)`` seconds of the song for a second of the clip
    ``cost``  ``(S, N)`` ≥ 0, 0 at the clip's own tempo
    ``fits``  ``(S, N)`` whether it may be played so
    ``met``   ``(S,)`` whether those that may keep within the limit
    """

    ratio: FloatArray
    cost: FloatArray
    fits: BoolArray
    met: BoolArray


def retiming(slots: Sequence[Slot], library: MoveLibrary, allowed: BoolArray) -> Retiming:
    """Every block in every slot. ``allowed`` ``(S, N)``.

    The cost is :data:`COST_AT_LIMIT` · (ln ratio / ln :data:`SLOWEST`)²: twice as far from the clip's own tempo costs
    four times as much. The limits are hard in a slot where an allowed block keeps them; elsewhere the allowed blocks
    nearest to the song's tempo may be played.
    """
    counts = np.array([slot.counts for slot in slots], dtype=np.int64)
    lasts_s = np.array([slot.segment.duration_s for slot in slots])
    ratio = lasts_s[:, None] / _lasting_s(library)[:, counts].T
    far = np.abs(np.log(ratio))
    within = (ratio >= FASTEST) & (ratio <= SLOWEST) & allowed
    met = np.asarray(within.any(axis=1), dtype=np.bool_)
    nearest = np.where(allowed, far, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    fits = np.where(met[:, None], within, allowed & (far <= nearest + _NO_NEARER))
    return Retiming(ratio, COST_AT_LIMIT * (far / np.log(SLOWEST)) ** 2, fits, met)


def _lasting_s(library: MoveLibrary) -> FloatArray:
    """``(N, 9)`` seconds that the first 0 … 8 beats of each block last."""
    beats = np.arange(COUNTS_PER_EIGHT + 1)
    rows = [_times_s(move, move.blocks[:, None] + beats) for move in library.moves]
    times_s = np.concatenate([np.zeros((0, len(beats))), *rows])
    return times_s - times_s[:, :1]


def _times_s(move: Move, beats: IntArray) -> FloatArray:
    """Of beats of a clip. A block may end with the last of them: then the next is where it would be."""
    return move.beats.beats_s[beats] if beats.max(initial=0) < len(move.beats) else move.beats.time_of(beats)
