"""Which beats of a clip begin a block of eight counts.

A clip starts anywhere in the music, so its blocks are laid on its own downbeats. Knows no dancers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.music import COUNTS_PER_EIGHT
from shared.timeline import BEATS_PER_BAR, BeatGrid, IntArray, nearest_sample

EVEN = 0.25
"""A beat whose distance to the next differs by more from the usual is broken: dancers would stumble over it."""

_TWO_BARS = np.tile(np.arange(1, BEATS_PER_BAR + 1), COUNTS_PER_EIGHT // BEATS_PER_BAR)


def blocks(beats: BeatGrid, frame_rate_hz: float, frames: int) -> IntArray:
    """``(K,)`` places in ``beats`` of the first beats of the blocks, increasing, eight or more apart.

    Each block is two bars of 1 to 4, evenly counted, and all its frames are among the clip's ``frames``. Of the
    two ways to pair the bars, from the first or from the second downbeat on, the one with more blocks, the
    earlier where both have as many.
    """
    downbeats = np.flatnonzero(beats.positions == 1)
    whole = np.array([first for first in downbeats if _is_whole(beats, int(first))], dtype=np.int64)
    whole = whole[fitting(beats, whole, frame_rate_hz, frames)]
    ways = [_laid(whole, int(first)) for first in downbeats[:2]]
    return np.array(max(ways, key=len, default=[]), dtype=np.int64)


def fitting(beats: BeatGrid, firsts: IntArray, frame_rate_hz: float, frames: int) -> npt.NDArray[np.bool_]:
    """``(K,)`` which of the blocks that begin at ``firsts`` end within the clip."""
    ends = (nearest_sample(float(beats.time_of(first + COUNTS_PER_EIGHT)), frame_rate_hz) for first in firsts)
    return np.array([end <= frames for end in ends], dtype=bool)


def _laid(whole: IntArray, first: int) -> list[int]:
    """Those that follow one another without overlap, from ``first`` on."""
    chosen: list[int] = []
    for start in whole:
        if start >= (chosen[-1] + COUNTS_PER_EIGHT if chosen else first):
            chosen.append(start)
    return chosen


def _is_whole(beats: BeatGrid, first: int) -> bool:
    """Whether eight beats from there on are two bars, and even; the last may be the last of the clip."""
    times_s = beats.beats_s[first : first + COUNTS_PER_EIGHT + 1]
    positions = beats.positions[first : first + COUNTS_PER_EIGHT]
    if not np.array_equal(positions, _TWO_BARS):
        return False
    return bool(np.all(abs(np.diff(times_s) / beats.period_s - 1) <= EVEN))
