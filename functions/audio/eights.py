"""Which bars begin an eight: dancers count two bars, and sections begin on their 1.

This module knows where something new begins, and nothing of the sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functions.audio.beatwise import Bars
from functions.audio.tempo import best_path
from shared.timeline import BEATS_PER_BAR, FloatArray, IntArray

ONE, FIVE = 0, 1
RESTART_COST = 2.5  # of two bars in a row that begin an eight, without a broken bar; in sums of novelty
AFTER_BREAK = 1.0  # what a bar after a broken one gains if it begins an eight
EVEN_MARGIN, MARGIN = 0.0, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Eights:
    """``second`` ``(n,)`` whether a bar holds counts 5 to 8; ``confidence`` 0 … 1"""

    second: IntArray
    confidence: float


def eights(bars: Bars, novelty: FloatArray) -> Eights:
    """From how new each bar is, ``(n,)`` 0 … 1."""
    curve = _peaks(novelty)
    after_break = np.append(False, bars.beats[:-1] < BEATS_PER_BAR)
    after_break[1:2] &= bars.full
    gain = np.stack([curve + AFTER_BREAK * after_break, np.zeros(len(bars))], axis=1)
    # A restart is free after a broken bar: state "fresh" cannot tell, so the run is cut there.
    runs = np.flatnonzero(np.append(after_break, True))
    second, margins, start = np.zeros(len(bars), np.int64), [], 0
    change = np.array([[-RESTART_COST, 0.0], [0.0, -10 * RESTART_COST]])
    for stop in [*runs.tolist()]:
        second[start:stop] = best_path(gain[start:stop], change)
        here = gain[start:stop, 0]
        margins.append(float(here[second[start:stop] == ONE].sum() - here[second[start:stop] == FIVE].sum()))
        start = stop
    return Eights(second, float(np.clip((sum(margins) - EVEN_MARGIN) / MARGIN, 0, 1)))


def _peaks(novelty: FloatArray) -> FloatArray:
    """What is new beside the bars before and after."""
    padded = np.pad(novelty, 1)
    return np.maximum(0, novelty - (padded[:-2] + padded[2:]) / 2) + 0.5 * np.maximum(0, novelty - np.median(novelty))


def counts(positions: IntArray, bars: Bars, second: IntArray) -> IntArray:
    """1 … 8 of each beat."""
    return positions + BEATS_PER_BAR * np.repeat(second, bars.beats)
