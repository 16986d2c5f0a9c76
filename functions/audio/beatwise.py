"""A recording beat by beat and bar by bar: what rhythm, structure and energy are measured from.

This module knows what was heard, and nothing of what it means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functions.audio import around
from functions.audio.hearing import Hearing
from shared.timeline import BEATS_PER_BAR, FloatArray, IntArray

SUBDIVISIONS = 4  # sixteenths: as fine as a güira plays
FAINTEST_BAND = 0.02  # of the loudest band's mean onset: a weaker one is the noise of a codec
FLOOR_DB = 60.0  # below the loudest beat, what is heard says nothing


@dataclass(frozen=True, slots=True, eq=False)
class Beatwise:
    """What is heard from each of ``B`` beats to the next.

    ``strokes`` ``(B, 4, bands)`` onset on each sixteenth, each band relative to its mean over the recording; a
                band in which nothing happens is 0
    ``level``   ``(B, 81)`` decibels below the loudest band of the loudest beat, -60 … 0
    ``chroma``  ``(B, 12)`` amplitude by pitch class, of unit length; 0 in silence
    """

    strokes: FloatArray
    level: FloatArray
    chroma: FloatArray

    def __len__(self) -> int:
        return len(self.level)


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of a recording, the first of which may be a pick-up.

    ``first_beat`` ``(n,)`` place of each bar's first beat
    ``beats``      ``(n,)`` how many it has: 4 unless it is broken
    ``full``       whether it begins on a 1; only the first may not
    """

    first_beat: IntArray
    beats: IntArray
    full: bool

    @classmethod
    def of(cls, positions: IntArray) -> Bars:
        """From the position of each beat in its bar, of which each follows that before or is a 1."""
        starts = np.flatnonzero(positions == 1)
        full = len(starts) > 0 and starts[0] == 0
        starts = starts if full else np.concatenate([[0], starts])
        return cls(starts, np.diff(starts, append=len(positions)), bool(full))

    def __len__(self) -> int:
        return len(self.first_beat)

    @property
    def fresh(self) -> IntArray:
        """Bars that nothing whole leads to: the first that is no pick-up, and each behind a broken one."""
        behind = 1 + np.flatnonzero(self.beats[:-1] < BEATS_PER_BAR)
        return np.union1d([0], behind) if self.full else behind

    def means(self, rows: FloatArray) -> FloatArray:
        """Mean of the rows of each bar's beats. ``(B, …)`` → ``(n, …)``"""
        return np.add.reduceat(rows, self.first_beat, axis=0) / self.beats.reshape(-1, *[1] * (rows.ndim - 1))

    def aligned(self, rows: FloatArray) -> FloatArray:
        """The rows of each bar's four beats; those that a broken bar lacks are the mean of those that it has.
        ``(B, …)`` → ``(n, 4, …)``
        """
        offset = np.arange(BEATS_PER_BAR)
        lacking = 0 if self.full else BEATS_PER_BAR - int(self.beats[0])
        place = self.first_beat[:, None] + offset
        place[0] -= lacking
        inside = (place >= self.first_beat[:, None]) & (place < (self.first_beat + self.beats)[:, None])
        inside = inside.reshape(*inside.shape, *[1] * (rows.ndim - 1))
        return np.where(inside, rows[np.clip(place, 0, len(rows) - 1)], self.means(rows)[:, None])


def beatwise(hearing: Hearing, beats_s: FloatArray) -> Beatwise:
    """Needs two beats."""
    rate_hz = hearing.rate_hz
    period_s = around.periods(beats_s)
    places = beats_s[:, None] + period_s[:, None] * np.arange(SUBDIVISIONS) / SUBDIVISIONS
    onset = around.at(around.strokes(hearing.onset, rate_hz), places * rate_hz)
    start, end = beats_s * rate_hz, (beats_s + period_s) * rate_hz
    power = around.means(hearing.spectrum.mel, start, end)
    level = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-12), 10 ** (-FLOOR_DB / 10)))
    chroma = around.means(np.sqrt(hearing.spectrum.chroma), start, end)
    chroma /= np.maximum(np.linalg.norm(chroma, axis=1, keepdims=True), 1e-9)
    return Beatwise(_scaled(onset), level, chroma)


def _scaled(onset: FloatArray) -> FloatArray:
    mean = onset.mean(axis=(0, 1))
    return onset * (mean > FAINTEST_BAND * mean.max(initial=0)) / np.maximum(mean, 1e-9)
