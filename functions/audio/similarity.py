"""How alike the bars of a song are, each with each: in harmony, in sound and in rhythm.

Harmony is compared as cycles of four bars, the unit of nearly all songs that people dance to. After
Marmoret, Cohen and Bimbot, *Barwise music structure analysis with the correlation block-matching
segmentation algorithm* (2023). This module knows neither sections nor their roles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from functions.audio.beatwise import Bars, Beatwise
from shared.timeline import FloatArray

CYCLE_BARS = 4
SOUND_BANDS = 20  # of four mel bands each
# Squared distance at which two bars are alike by 1/e: so many times that of the same bar of two cycles on end,
# which is what players vary, or this much where a machine plays.
BEYOND_CHANCE = 8.0
LEAST_SOUND_DB2 = 0.25
LEAST_RHYTHM = 0.01  # mean squared difference of strokes' roots
# A cycle of chords has no such measure, as it may be longer: what half of the song's bars differ by, or this much.
LEAST_HARMONY = 0.25  # two minus twice the cosine
GUIRA = 0.06  # squared difference: derecho and majao differ by half, and are not alike
WEIGHTS = (
    0.35,
    0.25,
    0.2,
    0.2,
)  # of harmony, sound, rhythm and, for itself, the güira: it names the parts of a bachata


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """``(n, n)`` each, 0 … 1, of bar with bar.

    ``within``  as parts of one section: alike in sound, rhythm and the cycle of chords they stand in
    ``between`` as the same bar of two sections: alike in sound, rhythm and chord
    """

    within: FloatArray
    between: FloatArray


def similarity(rows: Beatwise, bars: Bars, guira: FloatArray) -> Similarity:
    """Of the bars of a recording. ``guira`` ``(B,)`` 0 … 1"""
    chords, sound, rhythm = _chords(rows, bars), _sound(rows, bars), _rhythm(rows, bars)
    strokes = bars.means(guira)[:, None]
    alike = (
        _beyond_chance(_nearest(_ahead_and_behind(sound)), LEAST_SOUND_DB2),
        _beyond_chance(_nearest(_ahead_and_behind(rhythm)), LEAST_RHYTHM),
        np.exp(-_distances(strokes, strokes) / GUIRA),
    )
    cycles = _beside_usual(_nearest([_cycles(chords, last) for last in (0, CYCLE_BARS - 1)]))
    single = _beside_usual(_distances(chords, chords))
    return Similarity(_weighted(cycles, *alike), _weighted(single, *alike))


def _weighted(*parts: FloatArray) -> FloatArray:
    return sum((weight * part for weight, part in zip(WEIGHTS, parts, strict=True)), np.zeros(()))


def _beyond_chance(squared: FloatArray, least: float) -> FloatArray:
    """Squared distances → 0 … 1, on the scale of what the players vary."""
    again = np.diag(squared, min(CYCLE_BARS, len(squared) - 1))
    return np.exp(-squared / max(BEYOND_CHANCE * float(np.median(again)), least))


def _beside_usual(squared: FloatArray) -> FloatArray:
    """Squared distances → 0 … 1, on the scale of the song."""
    return np.exp(-squared / max(float(np.median(squared)), LEAST_HARMONY))


def _distances(rows: FloatArray, others: FloatArray) -> FloatArray:
    """Squared, of each row with each of the others. ``(n, k)``, ``(m, k)`` → ``(n, m)``"""
    power, other_power = (rows**2).sum(axis=1), (others**2).sum(axis=1)
    return np.maximum(power[:, None] + other_power - 2 * rows @ others.T, 0)


def _nearest(views: Sequence[FloatArray]) -> FloatArray:
    """The least distance of any view of each bar to any of each other. ``(n, k)`` each → ``(n, n)``

    A section's first bars are known by those behind them, and its last by those before.
    """
    return np.min([_distances(a, b) for a in views for b in views], axis=0)


def _ahead_and_behind(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means of the four bars that begin at each, and of those that end there: what a chord or a fill adds is gone."""
    total = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    here = np.arange(len(rows))
    first, behind = np.maximum(here + 1 - CYCLE_BARS, 0), np.minimum(here + CYCLE_BARS, len(rows))
    ahead = (total[behind] - total[here]) / (behind - here)[:, None]
    return ahead, (total[here + 1] - total[first]) / (here + 1 - first)[:, None]


def _chords(rows: Beatwise, bars: Bars) -> FloatArray:
    """What sounds in each half of a bar beside the song as a whole, of unit length. ``(n, 24)``"""
    beats = bars.aligned(rows.chroma - rows.chroma.mean(axis=0))
    return _unit(beats.reshape(len(beats), 2, 2, -1).mean(axis=2).reshape(len(beats), -1))


def _unit(rows: FloatArray) -> FloatArray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _cycles(chords: FloatArray, last: int) -> FloatArray:
    """The four bars that end ``last`` bars behind each, in the order of their number modulo 4. ``(n, 96)``"""
    count = len(chords)
    place = np.arange(count)[:, None] + last - (np.arange(count)[:, None] + last - np.arange(CYCLE_BARS)) % CYCLE_BARS
    inside = (place >= 0) & (place < count)
    return _unit((chords[np.clip(place, 0, count - 1)] * inside[..., None]).reshape(count, -1))


def _sound(rows: Beatwise, bars: Bars) -> FloatArray:
    """Level of the bands, such that squared distances are mean squared decibels. ``(n, 20)``"""
    level = bars.means(rows.level)[:, : 4 * SOUND_BANDS].reshape(len(bars), SOUND_BANDS, 4).mean(axis=2)
    return level / np.sqrt(SOUND_BANDS)


def _rhythm(rows: Beatwise, bars: Bars) -> FloatArray:
    """Strokes on the eighths of the bar. ``(n, 8 · bands)``"""
    strokes = np.sqrt(bars.aligned(rows.strokes[:, ::2])).reshape(len(bars), -1)
    return strokes / np.sqrt(strokes.shape[1])
