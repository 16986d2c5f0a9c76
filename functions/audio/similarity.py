"""How alike the bars of a song are, each with each: in harmony, in sound and in rhythm.

Harmony is compared as cycles of four bars, the unit of nearly all songs that people dance to. After
Marmoret, Cohen and Bimbot, *Barwise music structure analysis with the correlation block-matching
segmentation algorithm* (2023). This module knows neither sections nor their roles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functions.audio.beatwise import Bars, Beatwise
from shared.timeline import FloatArray

CYCLE_BARS = 4
SOUND_BANDS = 20  # of four mel bands each
# Squared distances at which two bars are alike by 1/e, at the least: below, what differs is chance.
LEAST_SOUND_DB2 = 9.0
LEAST_RHYTHM = 0.06  # mean squared difference of strokes' roots
LEAST_HARMONY = 0.25  # two minus twice the cosine
USUAL = 0.5  # quantile of a song's own distances that is such a distance where it is larger
WEIGHTS = (0.4, 0.3, 0.3)  # of harmony, sound and rhythm


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """``(n, n)`` each, 0 … 1, of bar with bar.

    ``within``  as parts of one section: alike in sound, rhythm and the cycle of chords they stand in
    ``between`` as the same bar of two sections: alike in sound, rhythm and chord
    """

    within: FloatArray
    between: FloatArray


def similarity(rows: Beatwise, bars: Bars) -> Similarity:
    """Of the bars of a recording."""
    chords = _chords(rows, bars)
    sound, rhythm = _sound(rows, bars), _rhythm(rows, bars)
    cycles = _alike(_cycle_distances(chords), LEAST_HARMONY)
    single = _alike(_distances(chords), LEAST_HARMONY)
    alike = _alike(sound, LEAST_SOUND_DB2), _alike(rhythm, LEAST_RHYTHM)
    return Similarity(_weighted(cycles, *alike), _weighted(single, *alike))


def _weighted(*parts: FloatArray) -> FloatArray:
    return sum((weight * part for weight, part in zip(WEIGHTS, parts, strict=True)), np.zeros(()))


def _alike(squared: FloatArray, least: float) -> FloatArray:
    """Squared distances → 0 … 1, on the scale of the song unless all its bars are alike."""
    return np.exp(-squared / max(float(np.quantile(squared, USUAL)), least))


def _distances(rows: FloatArray) -> FloatArray:
    """Squared, of each row with each. ``(n, k)`` → ``(n, n)``"""
    power = (rows**2).sum(axis=1)
    return np.maximum(power[:, None] + power - 2 * rows @ rows.T, 0)


def _chords(rows: Beatwise, bars: Bars) -> FloatArray:
    """What sounds in each half of a bar beside the song as a whole, of unit length. ``(n, 24)``"""
    beats = bars.aligned(rows.chroma - rows.chroma.mean(axis=0))
    return _unit(beats.reshape(len(beats), 2, 2, -1).mean(axis=2).reshape(len(beats), -1))


def _unit(rows: FloatArray) -> FloatArray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _cycle_distances(chords: FloatArray) -> FloatArray:
    """Of the four bars around each with those around each other, bar ``n`` of the cycle with bar ``n``.

    A bar may be the last of its cycle or the first: a section's first bars know only those behind them,
    and its last only those before, so the best of both counts.
    """
    cycles = [_cycles(chords, last) for last in (0, CYCLE_BARS - 1)]
    return np.min([2 - 2 * a @ b.T for a in cycles for b in cycles], axis=0).clip(0)


def _cycles(chords: FloatArray, last: int) -> FloatArray:
    """The four bars that end ``last`` bars behind each, in the order of their number modulo 4. ``(n, 96)``"""
    count = len(chords)
    place = np.arange(count)[:, None] + last - (np.arange(count)[:, None] + last - np.arange(CYCLE_BARS)) % CYCLE_BARS
    inside = (place >= 0) & (place < count)
    return _unit((chords[np.clip(place, 0, count - 1)] * inside[..., None]).reshape(count, -1))


def _sound(rows: Beatwise, bars: Bars) -> FloatArray:
    level = bars.means(rows.level)[:, : 4 * SOUND_BANDS].reshape(len(bars), SOUND_BANDS, 4).mean(axis=2)
    return _distances(level) / SOUND_BANDS


def _rhythm(rows: Beatwise, bars: Bars) -> FloatArray:
    strokes = np.sqrt(bars.aligned(rows.strokes[:, ::2])).reshape(len(bars), -1)
    return _distances(strokes) / strokes.shape[1]
