"""How energetic each beat of a song is, and the song beside others.

Loudness, how much is struck, and the bass, each on a scale of its own song. This module knows no sections.
"""

from __future__ import annotations

import numpy as np

from functions.audio.beatwise import Beatwise
from functions.audio.hearing import Hearing
from functions.audio.tempo import moving_mean
from shared.timeline import FloatArray

SHARES = (0.45, 0.35, 0.2)  # of loudness, strokes and bass
LEAST_SPREADS = (9.0, 1.0, 12.0)  # decibels, mean strokes, decibels: songs that vary by less have no quiet parts
SOFTEST, LOUDEST = 0.05, 0.95  # quantiles: a shout or a rest is neither
BASS_BANDS = 3  # mel bands up to about 160 Hz
AROUND_BEATS = 5.0  # energy is that of a bar, not of a stroke

# Where 109 bachata clips, three songs and the synthesised ones lie, from their calmest to their most
# energetic twentieth; each grows with the energy that the clips' teacher wrote beside them (low, medium, high).
LEVELS = (
    (0.06, 0.16),  # mean onset strength: 0.102, 0.115, 0.137
    (-8.5, -2.5),  # decibels from the loud passages to the mean: -4.0, -4.1, -4.6, and music that rests far below
    (-31.0, -18.0),  # decibels of the treble below all: -28.5, -22.8, -20.2
    (95.0, 150.0),  # beats a minute: 108, 123, 133
)
TREBLE_FROM = 50  # mel band, about 2.9 kHz
QUIETEST_DB = 40.0  # below the loud passages: a rest is not quieter


def energy(rows: Beatwise) -> FloatArray:
    """``(B,)`` 0 … 1, 1 the most energetic of the song."""
    parts = (_loudness(rows.level), rows.strokes.mean(axis=(1, 2)), _loudness(rows.level[:, :BASS_BANDS]))
    scaled = [_scaled(moving_mean(part, AROUND_BEATS), least) for part, least in zip(parts, LEAST_SPREADS, strict=True)]
    total = sum((share * part for share, part in zip(SHARES, scaled, strict=True)), np.zeros(len(rows)))
    return total / max(float(total.max()), 1e-9)


def beside_others(hearing: Hearing, tempo_bpm: float) -> float:
    """How energetic a recording with a beat is beside others, 0 … 1, whatever its loudness."""
    power = hearing.spectrum.mel.sum(axis=1, dtype=np.float64)
    loudness = 10 * np.log10(np.maximum(power, 1e-12))
    below = np.maximum(loudness - np.quantile(loudness, LOUDEST), -QUIETEST_DB)
    treble = hearing.spectrum.mel[:, TREBLE_FROM:].sum(dtype=np.float64) / power.sum()
    found = (hearing.onset.mean(), below.mean(), 10 * np.log10(max(treble, 1e-12)), tempo_bpm)
    return float(np.mean([np.interp(value, ends, (0, 1)) for value, ends in zip(found, LEVELS, strict=True)]))


def _loudness(level: FloatArray) -> FloatArray:
    """Decibels of the sum of the bands. ``(B, k)`` → ``(B,)``"""
    return 10 * np.log10((10 ** (level / 10)).sum(axis=1))


def _scaled(curve: FloatArray, least_spread: float) -> FloatArray:
    """Down from 1 at the loudest; a curve that is almost even is almost 1."""
    softest, loudest = np.quantile(curve, [SOFTEST, LOUDEST])
    return np.clip(1 - (loudest - curve) / max(loudest - softest, least_spread), 0, 1)
