"""How fast the music goes, without a grid of allowed tempi, and how sure that is.

Windowed autocorrelation of the onsets, combed at a beat, two beats and a bar, as in
Grosche and Müller's tempograms (2011) and Ellis's prior over tempo (2007). The path through the
windows may drift. This module knows neither where a beat falls nor the style of the music.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.timeline import FloatArray, IntArray

# Half a per cent from one to the next, finer than a drummer's own; beats refine it further.
TEMPI_BPM = np.geomspace(50.0, 220.0, 300)

WINDOW_S = 12.0  # six bars at 120 BPM: enough to see a bar repeat, short enough to drift
HOP_S = 3.0

# Beats apart and weight: what repeats at a beat repeats at its bar. Fitted by logistic regression to
# 110 bachata clips, 64 synthesised songs, 60 drum grooves and 40 metronomes of 80 to 166 BPM. Half beats
# would widen the margin on songs, and take a metronome at 160 for eighths at 80.
COMB = ((1.0, 0.38), (2.0, 0.10), (4.0, 0.52))
LIKELY_BPM = 125.0
PRIOR_PER_OCTAVE = 0.33  # what an octave from the likely tempo costs, in units of correlation, squared

# Comb at which a beat in 12 s of sound is as likely as not; noise varies with 1/√duration. Of 168 pieces
# of noise and speech 4 in 100 exceed it, of 115 clips all but one.
EVEN_ODDS = 0.155
ODDS_POWER = 4.5  # how fast confidence rises about it
LONGEST_S = 60.0  # beyond, more sound says no more: music has breaks
SHORTEST_S = 2.5  # four beats at 100 BPM

DRIFT = 0.25  # log tempo that a recording may stray from its own mean
DRIFT_COST = 2_000.0  # per squared log tempo from window to window: 1 % costs 0.2

CEILING = 2.0  # pulse beyond which an onset is simply there: a loud one must not drown a regular one

LOCAL_MEAN_S = 0.8
LOUDNESS_S = 8.0  # loud and soft passages count alike at this scale
LEAST_LOUDNESS = 0.1  # of the whole recording's: what is softer is background


@dataclass(frozen=True, slots=True, eq=False)
class Tempo:
    """What the onsets say about tempo.

    ``bpm``        of the recording as a whole
    ``confidence`` 0 … 1 that there is a beat at all
    ``period``     ``(N,)`` frames from beat to beat around each onset frame
    """

    bpm: float
    confidence: float
    period: FloatArray


def pulse(onset: FloatArray, rate_hz: float, weights: FloatArray) -> FloatArray:
    """Onsets of all bands as one curve that stands out of its surroundings. ``(N, bands)`` → ``(N,)`` ≥ 0

    ``weights`` ``(bands,)`` how much each band counts, after it was scaled to mean 1
    """
    mean = onset.mean(axis=0)
    scaled = weights * (mean > 1e-3 * mean.max(initial=0)) / np.maximum(mean, 1e-9)
    curve = onset @ scaled
    curve = np.maximum(0, curve - moving_mean(curve, LOCAL_MEAN_S * rate_hz))
    power = curve**2
    loudness = np.sqrt(moving_mean(power, LOUDNESS_S * rate_hz))
    return curve / np.maximum(loudness, LEAST_LOUDNESS * np.sqrt(power.mean()) + 1e-9)


def moving_mean(curve: FloatArray, frames: float) -> FloatArray:
    """Mean over about ``frames`` frames around each, over fewer at the ends."""
    half = int(frames / 2)
    total = np.concatenate([[0.0], np.cumsum(curve, dtype=np.float64)])
    place = np.arange(len(curve))
    first, behind = np.maximum(place - half, 0), np.minimum(place + half + 1, len(curve))
    return (total[behind] - total[first]) / (behind - first)


def tempo(curve: FloatArray, bass: FloatArray, rate_hz: float) -> Tempo:
    """The tempo of the pulse of all bands and that of the bass, ``(N,)`` each.

    The bass tells the beat from its halves and from three halves, which the rest of a band plays as
    evenly. It takes no part in the confidence: a telephone records little of it. Confidence is 0 where
    the pulse is too short or flat.
    """
    if len(curve) < SHORTEST_S * rate_hz or not curve.any():
        return Tempo(LIKELY_BPM, 0.0, np.full(len(curve), rate_hz * 60 / LIKELY_BPM))
    strength, low = (_combed(_autocorrelations(part, rate_hz), rate_hz) for part in (curve, bass))
    both = (strength + low) / 2
    best = int(np.argmax(both.mean(axis=0) - PRIOR_PER_OCTAVE * np.log2(TEMPI_BPM / LIKELY_BPM) ** 2))
    bpm = np.interp(np.arange(len(curve)), _middles(len(curve), rate_hz), _drift(both, float(TEMPI_BPM[best])))
    confidence = _confidence(float(strength.mean(axis=0)[best]), len(curve) / rate_hz)
    return Tempo(float(TEMPI_BPM[best]), confidence, rate_hz * 60 / bpm)


def _confidence(strength: float, duration_s: float) -> float:
    even = EVEN_ODDS * np.sqrt(WINDOW_S / min(duration_s, LONGEST_S))
    odds = (max(strength, 0.0) / even) ** ODDS_POWER
    return float(odds / (1 + odds))


def _windows(count: int, rate_hz: float) -> tuple[IntArray, int]:
    """First frames ``(W,)`` and length of the windows over ``count`` frames."""
    length = min(int(WINDOW_S * rate_hz), count)
    return np.arange(0, count - length + 1, int(HOP_S * rate_hz)), length


def _middles(count: int, rate_hz: float) -> FloatArray:
    starts, length = _windows(count, rate_hz)
    return starts + length / 2


def _autocorrelations(curve: FloatArray, rate_hz: float) -> FloatArray:
    """Normalised autocorrelation of each window of a pulse, flattened. ``(W, lags)``"""
    starts, length = _windows(len(curve), rate_hz)
    flat = np.sqrt(np.minimum(curve, CEILING))
    windows = np.lib.stride_tricks.sliding_window_view(flat, length)[starts]
    windows = windows - windows.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(windows, 1 << (2 * length - 1).bit_length())) ** 2
    products = np.fft.irfft(power)[:, :length]
    overlap = np.maximum(length - np.arange(length), length / 4) / length  # few products say little
    return products / np.maximum(products[:, :1], 1e-9) / overlap


def _combed(correlation: FloatArray, rate_hz: float) -> FloatArray:
    """How well each of :data:`TEMPI_BPM` explains each window. ``(W, lags)`` → ``(W, tempi)``, ≤ 1"""
    beat = rate_hz * 60 / TEMPI_BPM
    return sum((weight * _at(correlation, beats * beat) for beats, weight in COMB), np.zeros(()))


def _at(correlation: FloatArray, lags: FloatArray) -> FloatArray:
    """Correlation at real lags; 0 beyond the longest."""
    whole = np.minimum(lags.astype(int), correlation.shape[1] - 2)
    share = lags - whole
    between = (1 - share) * correlation[:, whole] + share * correlation[:, whole + 1]
    return np.where(lags < correlation.shape[1] - 1, between, 0.0)


def _drift(strength: FloatArray, bpm: float) -> FloatArray:
    """The tempo of each window, near ``bpm`` and near its neighbours'. ``(W, tempi)`` → ``(W,)``"""
    near = np.abs(np.log(TEMPI_BPM / bpm)) < DRIFT
    log_tempo = np.log(TEMPI_BPM[near])
    change = -DRIFT_COST * (log_tempo[:, None] - log_tempo[None]) ** 2
    path = best_path(strength[:, near], change)
    return TEMPI_BPM[near][path]


def best_path(gain: FloatArray, change: FloatArray) -> IntArray:
    """States of highest total gain (Viterbi). ``gain`` ``(T, S)``, ``change`` ``(to, from)`` → ``(T,)``"""
    total, origins = gain[0], np.zeros(gain.shape, dtype=np.int64)
    for step in range(1, len(gain)):
        reached = total[None] + change
        origins[step] = reached.argmax(axis=1)
        total = gain[step] + reached.max(axis=1)
    path = np.empty(len(gain), dtype=np.int64)
    path[-1] = total.argmax()
    for step in range(len(gain) - 1, 0, -1):
        path[step - 1] = origins[step, path[step]]
    return path
