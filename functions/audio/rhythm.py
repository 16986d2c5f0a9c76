"""What is played in a bar: the strokes of the güira, how alike the bars are, how much lies off the beat.

This module knows strokes on sixteenths and nothing of sound.
"""

from __future__ import annotations

import numpy as np

from functions.audio.beatwise import Bars
from functions.audio.tempo import moving_mean
from shared.timeline import BEATS_PER_BAR, FloatArray

GUIRA_BAND = -1  # of the onset bands, the highest: above 5 kHz
AROUND_BEATS = 5.0  # a bar and a beat: shorter, a fill is a change of pattern
FAINT = 0.15  # of the usual stroke on a beat: what is weaker is no güira
ALIKE = 0.95  # correlation of bars that a machine plays


def guira(strokes: FloatArray) -> FloatArray:
    """Strength of the strokes between beats beside those on them, around each beat. ``(B, 4, bands)`` → ``(B,)`` 0 … 1

    A stroke is what stands out of the weakest sixteenth of its beat: noise and cymbals that ring do not.
    """
    high = strokes[:, :, GUIRA_BAND]
    stroke = high - high.min(axis=1, keepdims=True)
    on, between = (moving_mean(stroke[:, place], AROUND_BEATS) for place in (0, 2))
    usual = max(FAINT * float(np.median(on)), 1e-6)
    return np.clip(between / np.maximum(on, usual), 0, 1)


def pattern_strength(strokes: FloatArray, bars: Bars) -> float:
    """How alike the bars are in rhythm, 0 … 1: mean correlation of a bar with its neighbours, broken bars left out."""
    whole = bars.aligned(strokes)[bars.beats == BEATS_PER_BAR]
    if len(whole) < 2:
        return 0.0
    rows = np.sqrt(whole).reshape(len(whole), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return float(np.clip(np.mean((rows[1:] * rows[:-1]).sum(axis=1)) / ALIKE, 0, 1))


def syncopation(strokes: FloatArray) -> float:
    """Share of the strokes' strength that lies off the beats, 0 … 1."""
    stroke = strokes - strokes.min(axis=1, keepdims=True)
    total = float(stroke.sum())
    return float(stroke[:, 1:].sum() / total) if total else 0.0
