"""Whether two recordings play the same piece of music, and from when on.

Onsets in bands are laid on one another at every lag, at the tempi that the recordings have. Knows no dancer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.features import AudioFeatures
from shared.timeline import FloatArray

LEAST_OVERLAP_S = 3.0
LEAST_SHARE = 0.3
"""Of the shorter recording: less of the same music may be chance."""
TEMPO_RATIOS = (0.85, 1.18)
"""Nobody practises faster or slower than this."""
SAME_TEMPO = 0.004
"""Tempi nearer than this are one: over ten seconds their estimates differ by as much."""

# How much better the best lag is than any other lag, in correlation: of other songs in no pair enough for a
# confidence of a half, of one recording heard through as much noise as music nearly always (decision 12).
CHANCE, CERTAIN = 0.08, 0.16
ENOUGH_S = 8.0
"""Less overlaps alike by chance: the margin counts in proportion."""
SAME_RECORDING = 0.85
"""A correlation that only one recording has with itself, also where it repeats and its lag is ambiguous."""
AMBIGUOUS = 0.06
"""Lags as good as the best but for this much correlation are kept: the motion chooses between them."""
MOST_LAGS = 24

LOCAL_MEAN_S = 1.0
LOUDEST = 4.0  # deviations: one clap must not outweigh a song
PEAK_S = 0.12
WINDOWS, LONGEST_WINDOW_S, LEAST_WINDOW_S, WINDOW_REACH_S = 4, 6.0, 1.5, 0.08


@dataclass(frozen=True, slots=True)
class Lag:
    """At ``offset_s + ratio × t`` seconds the student's recording sounds as the teacher's at ``t``.

    ``ratio`` below 1 where the student's is faster
    """

    offset_s: float
    ratio: float
    correlation: float


@dataclass(frozen=True, slots=True)
class SameSound:
    """``lags`` best first; several where the music repeats. ``confidence`` 0 … 1, that it is the same recording."""

    lags: tuple[Lag, ...]
    confidence: float


def same_sound(student: AudioFeatures, teacher: AudioFeatures) -> SameSound | None:
    """How one recording lies on the other; None where either is silent or they are too short."""
    if student.is_silent or teacher.is_silent:
        return None
    ours, theirs = _heard(student), _heard(teacher)
    curves = [curve for ratio in _ratios(student, teacher) if (curve := _curve(ours, theirs, ratio)) is not None]
    if not curves:
        return None
    best = max(curves, key=lambda curve: float(curve.correlations.max()))
    lags = tuple(_refined(lag, ours, theirs) for lag in best.peaks())
    return SameSound(lags, best.confidence())


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    onsets: FloatArray
    rate_hz: float

    def stretched(self, ratio: float, rate_hz: float) -> FloatArray:
        """The same on another clock, ``ratio`` times as long."""
        if ratio == 1.0 and rate_hz == self.rate_hz:
            return self.onsets
        places = np.arange(int(len(self.onsets) / self.rate_hz * ratio * rate_hz)) / rate_hz / ratio * self.rate_hz
        return np.stack([np.interp(places, np.arange(len(self.onsets)), band) for band in self.onsets.T], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """The correlation at every lag, ``(L,)``; the teacher's begins ``lags`` rows after the student's.

    ``overlap_s`` ``(L,)`` how much of either lies on the other there
    """

    lags: npt.NDArray[np.intp]
    correlations: FloatArray
    overlap_s: FloatArray
    ratio: float
    rate_hz: float

    def confidence(self) -> float:
        best = int(np.argmax(self.correlations))
        others = self.correlations[np.abs(self.lags - self.lags[best]) > PEAK_S * self.rate_hz]
        highest = float(self.correlations[best])
        margin = highest - float(others.max(initial=0.0))
        margin *= min(1.0, float(self.overlap_s[best]) / ENOUGH_S)
        return float(np.clip(max((margin - CHANCE) / (CERTAIN - CHANCE), 2 * (highest > SAME_RECORDING)), 0.0, 1.0))

    def peaks(self) -> list[Lag]:
        """The best lag, and those that are as good, a peak's width apart."""
        curve, width = self.correlations, round(PEAK_S * self.rate_hz)
        good = np.flatnonzero(curve > curve.max() - AMBIGUOUS)
        found: list[int] = []
        for place in good[np.argsort(-curve[good], kind="stable")]:
            if len(found) < MOST_LAGS and all(abs(place - other) > width for other in found):
                found.append(int(place))
        return [self._lag(place) for place in found]

    def _lag(self, place: int) -> Lag:
        offset = self.lags[place] + peak_between(self.correlations, place)
        return Lag(float(offset) / self.rate_hz, self.ratio, float(self.correlations[place]))


def _heard(audio: AudioFeatures) -> _Heard:
    """Onset strength above what is usual around, alike in every band."""
    width = max(3, round(LOCAL_MEAN_S * audio.onset_rate_hz)) | 1
    strength = audio.onset.astype(float)
    usual = np.stack([np.convolve(band, np.ones(width) / width, "full") for band in strength.T], axis=1)
    above = strength - usual[width // 2 : width // 2 + len(strength)]
    level = np.clip(above / np.maximum(above.std(axis=0), 1e-9), -LOUDEST, LOUDEST)
    return _Heard(level, audio.onset_rate_hz)


def _ratios(student: AudioFeatures, teacher: AudioFeatures) -> list[float]:
    """Seconds of the student's music for one of the teacher's: the same, and as the tempi say."""
    if student.tempo_bpm is None or teacher.tempo_bpm is None:
        return [1.0]
    ratio = teacher.tempo_bpm / student.tempo_bpm
    low, high = TEMPO_RATIOS
    return [1.0] if abs(ratio - 1) < SAME_TEMPO or not low <= ratio <= high else [1.0, ratio]


def _curve(ours: _Heard, theirs: _Heard, ratio: float) -> _Curve | None:
    stretched = theirs.stretched(ratio, ours.rate_hz)
    shorter = min(len(ours.onsets), len(stretched))
    least = max(LEAST_OVERLAP_S * ours.rate_hz, LEAST_SHARE * shorter)
    if shorter < least:
        return None
    lags, correlations = _correlations(ours.onsets, stretched, least)
    overlap = np.minimum(len(ours.onsets), lags + len(stretched)) - np.maximum(0, lags)
    return _Curve(lags, correlations, overlap / ours.rate_hz, ratio, ours.rate_hz)


def _correlations(ours: FloatArray, theirs: FloatArray, least: float) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """At every lag at which ``least`` rows overlap: the correlation there."""
    size = 1 << (len(ours) + len(theirs)).bit_length()

    def crossed(one: FloatArray, other: FloatArray) -> FloatArray:
        spectrum = np.fft.rfft(one, size, axis=0) * np.conj(np.fft.rfft(other, size, axis=0))
        return np.asarray(np.fft.irfft(spectrum.sum(axis=1), size))

    lags = np.arange(-len(theirs) + 1, len(ours))
    overlap = np.minimum(len(ours), lags + len(theirs)) - np.maximum(0, lags)
    lags = lags[overlap >= least]
    power = crossed((ours**2).sum(1, keepdims=True), np.ones((len(theirs), 1)))
    power = power * crossed(np.ones((len(ours), 1)), (theirs**2).sum(1, keepdims=True))
    return lags, crossed(ours, theirs)[lags] / np.sqrt(np.maximum(power[lags], 1e-9))


def peak_between(curve: FloatArray, best: int) -> float:
    """Where between its neighbours a curve is highest, by the parabola through the three: −½ … ½."""
    if not 0 < best < len(curve) - 1:
        return 0.0
    before, here, after = curve[best - 1 : best + 2]
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _refined(lag: Lag, ours: _Heard, theirs: _Heard) -> Lag:
    """A line through the lags of short windows: the tempi's error grows with time."""
    stretched = theirs.stretched(lag.ratio, ours.rate_hz)
    points = _window_lags(ours.onsets, stretched, lag.offset_s, ours.rate_hz)
    if len(points) < WINDOWS:
        return lag
    offset_s, drift = _line(np.array(points))
    return Lag(offset_s, lag.ratio * (1 + drift), lag.correlation)


def _window_lags(ours: FloatArray, theirs: FloatArray, offset_s: float, rate_hz: float) -> list[tuple[float, float]]:
    """Of every window of the overlap: its middle, and its lag on the student's recording. Seconds."""
    shift, reach = round(offset_s * rate_hz), round(WINDOW_REACH_S * rate_hz)
    first, last = max(0, reach - shift), min(len(theirs), len(ours) - shift - reach)
    width = round(min(LONGEST_WINDOW_S * rate_hz, (last - first) / WINDOWS))
    if width < LEAST_WINDOW_S * rate_hz:
        return []
    points: list[tuple[float, float]] = []
    for start in range(first, last - width + 1, max(1, width // 2)):
        low = start + shift - reach
        around = np.lib.stride_tricks.sliding_window_view(ours[low : low + width + 2 * reach], width, axis=0)
        curve = np.einsum("lbw,wb->l", around, theirs[start : start + width])
        best = int(np.argmax(curve))
        if 0 < best < 2 * reach:
            points.append(((start + width / 2) / rate_hz, (shift + best - reach + peak_between(curve, best)) / rate_hz))
    return points


def _line(points: FloatArray) -> tuple[float, float]:
    """Offset and slope through ``(N, 2)`` times and lags, by medians: many of them may be wrong
    (Theil, 1950; Sen, 1968)."""
    time, lag = points.T
    i, j = np.triu_indices(len(points), 1)
    slope = float(np.median((lag[j] - lag[i]) / (time[j] - time[i])))
    return float(np.median(lag - slope * time)), slope
