"""A recording's sound as one vector of unit length: timbre, harmony and rhythm, each a third of it.

Nothing in it depends on loudness, and nothing in harmony on the key: two songs are near that would be
danced to alike. This module knows neither sections nor counts.
"""

from __future__ import annotations

import numpy as np

from functions.audio import rhythm
from functions.audio.beatwise import Bars, Beatwise
from functions.audio.typical import MEAN, SPREAD
from shared.timeline import BEATS_PER_BAR, FloatArray

TIMBRE, HARMONY, RHYTHM = 48, 32, 48
SHAPE_TERMS = TIMBRE // 2  # cosine terms of the mean spectrum, and as many of how it varies
LAGS_BEATS = range(1, 9)  # at which chords are held against themselves
TEMPI_BPM = np.array([90.0, 110.0, 130.0, 150.0])
TEMPO_WIDTH = 0.2  # log2: a song between two of them is near both


def embedding(rows: Beatwise, bars: Bars | None, tempo_bpm: float | None) -> FloatArray:
    """``(128,)`` float32 of unit length. Without bars and tempo the third that is rhythm is 0."""
    found = measured(rows, bars, tempo_bpm)
    parts = np.split((found - MEAN) / SPREAD, [TIMBRE, TIMBRE + HARMONY])
    joined = np.concatenate(
        [part / max(float(np.linalg.norm(part)), 1e-9) for part in parts[: 2 if bars is None else 3]]
    )
    padded = np.pad(joined, (0, len(found) - len(joined)))
    return (padded / np.linalg.norm(padded)).astype(np.float32)


def measured(rows: Beatwise, bars: Bars | None, tempo_bpm: float | None) -> FloatArray:
    """The same on the scales of its parts, before it is held against what is typical. ``(128,)``"""
    beaten = np.zeros(RHYTHM) if bars is None or tempo_bpm is None else _rhythm(rows, bars, tempo_bpm)
    return np.concatenate([_timbre(rows.level), _harmony(rows.chroma), beaten])


def _timbre(level: FloatArray) -> FloatArray:
    """Shape of the mean spectrum, without its height, and of how much each band varies. ``(48,)``, decibels"""
    bands = level.shape[1]
    terms = np.cos(np.pi * np.arange(SHAPE_TERMS + 1)[:, None] * (np.arange(bands) + 0.5) / bands) / bands
    return np.concatenate([terms[1:] @ level.mean(axis=0), terms[:-1] @ level.std(axis=0)])


def _harmony(chroma: FloatArray) -> FloatArray:
    """What chords sound, whatever the key, and how they follow one another. ``(32,)``

    The magnitudes of the Fourier transform over pitch classes do not change with the key: of the recording
    as a whole (its scale) and of its beats (their chords). Then by which interval a chord is left a bar
    later, and how like it is to those one to eight beats later.
    """
    scale, chords = (
        np.abs(np.fft.rfft(chroma.mean(axis=0)))[1:],
        np.abs(np.fft.rfft(chroma, axis=1))[:, 1:].mean(axis=0),
    )
    intervals = [_alike(chroma, np.roll(chroma, -by, axis=1), BEATS_PER_BAR) for by in range(chroma.shape[1])]
    steady = [_alike(chroma, chroma, lag) for lag in LAGS_BEATS]
    return np.concatenate([scale, chords, intervals, steady])


def _alike(before: FloatArray, after: FloatArray, lag: int) -> float:
    """Mean product of each row with that ``lag`` rows later; 0 where there is none."""
    return float((before[:-lag] * after[lag:]).sum() / max(len(before) - lag, 1))


def _rhythm(rows: Beatwise, bars: Bars, tempo_bpm: float) -> FloatArray:
    """The strokes of the mean bar on its eighths, then tempo and measures of the pattern. ``(48,)``"""
    strokes = np.sqrt(bars.aligned(rows.strokes[:, ::2]).mean(axis=0))
    near = np.exp(-0.5 * (np.log2(tempo_bpm / TEMPI_BPM) / TEMPO_WIDTH) ** 2)
    high = rows.strokes[:, :, rhythm.GUIRA_BAND]
    measures = [
        rhythm.pattern_strength(rows.strokes, bars),
        rhythm.syncopation(rows.strokes),
        float(rhythm.guira(rows.strokes).mean()),
        float(high[:, 1::2].sum() / max(float(high.sum()), 1e-9)),
    ]
    return np.concatenate([strokes.ravel(), near, measures])
