"""A song cut into the stretches that are filled with one block each: its eights. Knows no moves."""

from __future__ import annotations

import numpy as np

from gpu_job.choreography.plan import Slot
from shared.music import COUNTS_PER_EIGHT, Music
from shared.timeline import IntArray, Segment


def slots(music: Music) -> tuple[Slot, ...]:
    """The song's eights in their order, from its first beat until one beat after its last, without a gap.

    A slot begins on a one. It has fewer than eight counts where the song begins between two ones, where it
    ends, and where the counts begin anew before the eighth. Where nobody counted beyond eight a slot ends
    nonetheless. None for a song with fewer than two beats, for they last nobody knows how long.
    """
    if len(music.beats) < 2:
        return ()
    firsts = _firsts(music.counts)
    ends = np.append(firsts[1:], len(music.counts))
    of_beats = _section_of_beats(music)
    return tuple(_slot(music, of_beats, int(first), int(end)) for first, end in zip(firsts, ends, strict=True))


def _firsts(counts: IntArray) -> IntArray:
    """``(S,)`` the beats on which slots begin: the first of all, every one, and every eighth after it."""
    firsts = [0]
    for beat in range(1, len(counts)):
        if counts[beat] == 1 or beat - firsts[-1] == COUNTS_PER_EIGHT:
            firsts.append(beat)
    return np.array(firsts)


def _section_of_beats(music: Music) -> IntArray:
    """``(B,)`` the number of the section that each beat is in. Beats in none join the one before, the first of all
    the first; all are in section 0 where there are none."""
    starts = np.array([section.first_beat for section in music.sections], dtype=np.int64)
    return np.maximum(0, np.searchsorted(starts, np.arange(len(music.counts)), side="right") - 1)


def _slot(music: Music, of_beats: IntArray, first: int, end: int) -> Slot:
    start_s, end_s = (float(time_s) for time_s in music.beats.time_of([first, end]))
    section = int(np.bincount(of_beats[first:end]).argmax())
    return Slot(first, end - first, Segment(start_s, end_s), section, float(music.energy[first:end].mean()))
