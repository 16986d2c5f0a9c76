"""Where the beats fall: dynamic programming over the onsets, refined below a frame.

After Ellis, *Beat tracking by dynamic programming* (2007), with a period that may drift. This module
knows neither bars nor bands.
"""

from __future__ import annotations

import numpy as np

from shared.timeline import FloatArray, IntArray, Segment

# Cost of a beat that comes early or late, per squared log ratio of intervals: 5 % costs 0.75 where a
# clear onset gives 2 to 4.
TIGHTNESS = 300.0
SHORTEST, LONGEST = 0.6, 1.7  # of the period: beyond, no onset is strong enough
REACH_S = 0.033  # how far from its frame an onset's peak is looked for
NEIGHBOURS = 4  # beats on either side that say where a beat should be
TOLERANCE_S = 0.015  # an onset further than this from its neighbours' line counts less than half


def track(curve: FloatArray, period: FloatArray) -> IntArray:
    """Frames of the beats. ``curve`` ``(N,)`` pulse, ``period`` ``(N,)`` frames → ``(B,)``, increasing"""
    shortest, longest = int(period.min() * SHORTEST), int(np.ceil(period.max() * LONGEST))
    lags = np.arange(max(shortest, 1), longest + 1)
    score = np.zeros(longest + len(curve))  # score[longest + n] is frame n's: before the first it is 0
    origin = np.full(len(curve), -1, dtype=np.int64)
    for start in range(0, len(curve), int(lags[0])):  # frames closer than the shortest lag do not depend on each other
        frames = np.arange(start, min(start + int(lags[0]), len(curve)))
        cost = TIGHTNESS * np.log(lags / period[frames, None]) ** 2
        reached = score[longest + frames[:, None] - lags] - cost
        best = reached.argmax(axis=1)
        gain = reached[np.arange(len(frames)), best]
        score[longest + frames] = curve[frames] + np.maximum(gain, 0)
        origin[frames] = np.where(gain > 0, frames - lags[best], -1)
    return _chain(score[longest:], origin, round(float(period[-1])))


def _chain(score: FloatArray, origin: IntArray, period: int) -> IntArray:
    """Back from the best frame of the last period to the first."""
    first = max(0, len(score) - period)
    frames = [first + int(np.argmax(score[first:]))]
    while origin[frames[-1]] >= 0:
        frames.append(int(origin[frames[-1]]))
    return np.array(frames[::-1])


def refined(frames: IntArray, curve: FloatArray, rate_hz: float) -> FloatArray:
    """Times of the beats to a fraction of a frame. ``(B,)`` seconds, increasing

    Each beat lies on the line through the onsets of its neighbours, which averages their errors and
    follows a drift.
    """
    peaks, weights = _peaks(frames, curve, max(1, round(REACH_S * rate_hz)))
    times_s = _on_their_line(peaks / rate_hz, weights)
    return times_s[np.diff(times_s, prepend=-np.inf) > 0]


def _peaks(frames: IntArray, curve: FloatArray, reach: int) -> tuple[FloatArray, FloatArray]:
    """Place (frames, by a parabola) and height of the highest onset within ``reach`` of each frame."""
    padded = np.pad(curve, reach + 1)
    around = padded[frames[:, None] + np.arange(1, 2 * reach + 2)]
    top = frames + around.argmax(axis=1) - reach
    before, at, after = (padded[top + reach + offset] for offset in (0, 1, 2))
    bend = before - 2 * at + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    return top + np.clip(shift, -0.5, 0.5), np.maximum(at, 1e-3)


def _on_their_line(times_s: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted local regression over ``2 * NEIGHBOURS + 1`` beats, twice: the second time outliers count less."""
    offset = np.arange(-NEIGHBOURS, NEIGHBOURS + 1.0)
    place = np.arange(len(times_s))[:, None] + offset.astype(int)
    inside = (place >= 0) & (place < len(times_s))
    place = np.clip(place, 0, len(times_s) - 1)
    weight = weights[place] * inside * (1 - np.abs(offset) / (NEIGHBOURS + 1))
    middle, slope = _lines(offset, times_s[place], weight)
    away = (times_s[place] - middle[:, None] - slope[:, None] * offset) / TOLERANCE_S
    middle, _ = _lines(offset, times_s[place], weight / (1 + away**2))
    return middle


def _lines(x: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Value at 0 and slope of each row's weighted least-squares line."""
    total = weight.sum(axis=1)
    mean_x, mean_y = (weight * x).sum(axis=1) / total, (weight * y).sum(axis=1) / total
    spread = (weight * (x - mean_x[:, None]) ** 2).sum(axis=1)
    joint = (weight * (x - mean_x[:, None]) * (y - mean_y[:, None])).sum(axis=1)
    slope = np.divide(joint, spread, out=np.zeros_like(spread), where=spread > 1e-12)
    return mean_y - slope * mean_x, slope


def extended(times_s: FloatArray, playing: Segment) -> FloatArray:
    """The beats, gone on with at either end as far as music plays, and none outside it. ``(B,)`` seconds"""
    if len(times_s) < 2:
        return times_s
    first_s, last_s = (float(np.median(np.diff(end))) for end in (times_s[:9], times_s[-9:]))
    before = np.arange(times_s[0] - first_s, playing.start_s, -first_s)[::-1]
    after = np.arange(times_s[-1] + last_s, playing.end_s, last_s)
    beats_s = np.concatenate([before, times_s, after])
    return beats_s[(beats_s >= playing.start_s) & (beats_s < playing.end_s)]


def mean_bpm(times_s: FloatArray) -> float:
    """Tempo of the straight line through all beats. Needs two."""
    slope = np.polynomial.polynomial.polyfit(np.arange(len(times_s)), times_s, 1)[1]
    return float(60 / slope)
