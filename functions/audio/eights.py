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
RESTART_COST = 1.5  # of an eight cut to one bar, in sums of novelty: five sections must ask for it
FRESH = 0.1  # what a bar after a broken one, and the first of all, gains if it begins an eight: bands do so
BEYOND_DOUBT = 2.5  # standard errors


@dataclass(frozen=True, slots=True, eq=False)
class Eights:
    """``second`` ``(n,)`` 1 for a bar of counts 5 to 8, else 0; ``confidence`` 0 … 1"""

    second: IntArray
    confidence: float

    def ones(self, bars: Bars) -> IntArray:
        """Bars on which a section may begin: whole ones that begin an eight, and the first."""
        return np.union1d([0], np.flatnonzero((self.second == ONE) & (bars.beats == BEATS_PER_BAR)))


def eights(bars: Bars, novelty: FloatArray) -> Eights:
    """From how new each bar is, ``(n,)`` 0 … 1. Each run of whole bars is counted for itself."""
    gain = _standing_out(novelty)
    gain[bars.fresh] += FRESH
    parts = np.split(gain, bars.fresh[bars.fresh > 0])
    counted = [_alternating(part) for part in parts]
    sure = [_sureness(part, second) for part, second in zip(parts, counted, strict=True)]
    second = np.concatenate(counted)
    if not bars.full and len(bars) > 1:
        second[0] = 1 - second[1]  # a pick-up leads to what follows
    return Eights(second, float(np.average(sure, weights=[len(part) for part in parts])))


def _alternating(gain: FloatArray) -> IntArray:
    """Bars that begin an eight and bars that end one, by turns unless much asks for another. ``(n,)``"""
    change = np.array([[-RESTART_COST, 0.0], [0.0, -np.inf]])  # two bars of fives do not follow each other
    return best_path(np.stack([gain, np.zeros(len(gain))], axis=1), change)


def _sureness(gain: FloatArray, second: IntArray) -> float:
    """By how many standard errors more is new on the ones than on the fives, as a share of no doubt."""
    more = float(np.where(second == ONE, gain, -gain).sum())
    return float(np.clip(more / max(float(np.linalg.norm(gain)), 1e-9) / BEYOND_DOUBT, 0, 1))


def _standing_out(novelty: FloatArray) -> FloatArray:
    """What is new beside the bars before and after, and beside the song."""
    padded = np.pad(novelty, 1)
    peak = np.maximum(0, novelty - (padded[:-2] + padded[2:]) / 2)
    return peak + np.maximum(0, novelty - np.median(novelty)) / 2


def counts(positions: IntArray, bars: Bars, second: IntArray) -> IntArray:
    """1 … 8 of each beat."""
    return positions + BEATS_PER_BAR * np.repeat(second, bars.beats)
