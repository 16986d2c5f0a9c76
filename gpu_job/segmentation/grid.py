"""The half-beats on which a dance may be cut, and the part of a recording in which somebody dances.

Where the music has no beat that can be used, the pulse of the motion takes its place, or else half
seconds; then nothing is called a count. Knows nothing of moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum, auto

import numpy as np

from gpu_job.notice import Notice
from shared.errors import NobodyFound
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import BEATS_PER_BAR, BeatGrid, FloatArray, IntArray, Segment

POINTS_PER_HALF_BEAT = 2  # four a beat: a step, and what happens between two steps
# Beats outside 40 … 300 a minute are no beats to dance to, but stray marks.
_MIN_PERIOD_S, _MAX_PERIOD_S = 0.2, 1.5
_PSEUDO_BEAT_S = 0.5
_PULSE_RANGE_S = (0.35, 0.75)  # 80 … 171 steps a minute
_PULSE_STEP_S = 0.005
_PULSE_TOLERANCE, _PULSES_TRIED = 0.05, 201
_MIN_PULSE_CORRELATION = 0.35  # below, walking about and noise look rhythmical too
_EDGE_SLACK_BEATS = 0.1  # a half-beat this little outside the danced part still belongs to it
_SETTLED_S = 1.0  # a dancer is there when seen in at least half of a second
_UNSURE_TEMPO = 0.5  # below 0.4 no beats are told at all
_LITTLE_SEEN = 0.6

NO_BEAT_PULSE = Notice(
    "NO_BEAT", "We could not hear a beat, so the moves are cut on the pulse of the dancing and have no counts."
)
NO_BEAT = Notice("NO_BEAT", "We could not find a beat, so the moves are cut on half seconds and have no counts.")
UNSURE_BEAT = Notice("UNSURE_BEAT", "The beat of this music is hard to make out; the counts may be off.")
LITTLE_SEEN = Notice(
    "LITTLE_SEEN", "The dancer is out of sight for much of the video; boundaries there may be missing."
)


class Rhythm(Enum):
    """What the beats of a grid are."""

    MUSIC = auto()
    """Beats that were heard: counts."""
    MOTION = auto()
    """The pulse at which the dancer moves, its bars unknown."""
    NONE = auto()
    """Half seconds, for want of anything better."""


_NOTICES = {Rhythm.MOTION: NO_BEAT_PULSE, Rhythm.NONE: NO_BEAT}


@dataclass(frozen=True, slots=True, eq=False)
class HalfBeats:
    """Where a dance may be cut.

    ``times_s``   ``(H,)`` seconds, increasing; the first and the last bound the danced part. H ≥ 2
    ``beats``     ``(H,)`` the same, on the beat grid ``pulse``: multiples of ½
    ``seen``      where a dancer is seen at all
    """

    pulse: BeatGrid
    beats: FloatArray
    seen: Segment
    rhythm: Rhythm
    notices: tuple[Notice, ...]

    def __len__(self) -> int:
        return len(self.beats)

    @property
    def times_s(self) -> FloatArray:
        # In a video hardly longer than half a beat the grid may reach further than anything is seen.
        slack_s = _EDGE_SLACK_BEATS * self.pulse.period_s
        start_s, end_s = max(0.0, self.seen.start_s - slack_s), self.seen.end_s + slack_s
        return np.clip(self.pulse.time_of(self.beats), start_s, end_s)

    @property
    def counted(self) -> bool:
        """Whether beats are counts of the music."""
        return self.rhythm is Rhythm.MUSIC

    @property
    def positions(self) -> FloatArray:
        """``(H,)`` place in the bar, 1 … 4.5; without music the bars are anywhere."""
        return _position_after(self.pulse.positions, np.arange(len(self.pulse)), self.beats)

    def point_times_s(self) -> FloatArray:
        """``(P,)`` times at which motion is looked at: :data:`POINTS_PER_HALF_BEAT` from each half-beat on."""
        steps = np.arange((len(self) - 1) * POINTS_PER_HALF_BEAT + 1) / (2 * POINTS_PER_HALF_BEAT)
        return self.pulse.time_of(self.beats[0] + steps)

    def between(self, first: int, last: int) -> HalfBeats:
        """Only the half-beats from ``first`` to ``last``, both included."""
        return replace(self, beats=self.beats[first : last + 1])


def half_beats(pose: PoseFeatures, audio: AudioFeatures) -> HalfBeats:
    """The half-beats of the part in which a dancer is seen. Raises NobodyFound where there is none."""
    seen = seen_part(pose)
    pulse, rhythm = _pulse(pose, audio)
    notice = _NOTICES.get(rhythm) or (UNSURE_BEAT if audio.tempo_confidence < _UNSURE_TEMPO else None)
    unseen = LITTLE_SEEN if pose.detected_share < _LITTLE_SEEN else None
    notices = tuple(each for each in (notice, unseen) if each)
    return HalfBeats(pulse, _half_beats_within(seen, pulse), seen, rhythm, notices)


def times_of(pose: PoseFeatures) -> FloatArray:
    """``(T,)`` seconds of a pose's samples on the clock of the recording."""
    return (pose.first_sample + np.arange(len(pose))) / pose.rate_hz


def seen_part(pose: PoseFeatures) -> Segment:
    """From where a dancer is there to where she is gone. Raises NobodyFound."""
    detected = pose.detected
    if not detected.any():
        raise NobodyFound
    there = np.flatnonzero(detected & _settled(detected, pose.rate_hz))
    if not len(there):  # seen in flashes only
        there = np.flatnonzero(detected)
    first, last = times_of(pose)[there[[0, -1]]]
    return Segment(float(first), float(last + 1 / pose.rate_hz))


def _settled(detected: np.ndarray, rate_hz: float) -> np.ndarray:
    """Whether the second before or the second after each sample shows a dancer half of the time."""
    width = min(len(detected), max(1, round(_SETTLED_S * rate_hz)))
    sums = np.convolve(detected, np.ones(width))
    after, before = sums[width - 1 :], sums[: len(detected)]
    after = np.concatenate([after, np.zeros(len(detected) - len(after))])
    return np.maximum(before, after) * 2 >= width


def _half_beats_within(seen: Segment, pulse: BeatGrid) -> FloatArray:
    """Multiples of ½ beat in the part in which a dancer is seen; the two around it where it has not two inside."""
    start, end = (2 * float(beat) for beat in pulse.beat_of([seen.start_s, seen.end_s]))
    slack = 2 * _EDGE_SLACK_BEATS
    first, last = math.ceil(start - slack), math.floor(end + slack)
    if pulse.time_of(first / 2) < 0:  # before the recording begins there is nothing to cut
        first += 1
    if last <= first:
        first, last = math.floor(start), math.floor(start) + 1
    return np.arange(first, last + 1) / 2


def _pulse(pose: PoseFeatures, audio: AudioFeatures) -> tuple[BeatGrid, Rhythm]:
    beats = audio.beats
    if len(beats) >= 2 and _MIN_PERIOD_S <= beats.period_s <= _MAX_PERIOD_S:
        return whole_grid(beats), Rhythm.MUSIC
    if pulse := motion_pulse(pose):
        return pulse, Rhythm.MOTION
    return BeatGrid.regular(_PSEUDO_BEAT_S, max(2.0, float(times_of(pose)[-1]))), Rhythm.NONE


def whole_grid(beats: BeatGrid) -> BeatGrid:
    """The same beats, those that the music leaves out in a break filled in at even distances."""
    steps = np.maximum(1, np.floor(np.diff(beats.beats_s) / beats.period_s + 0.5)).astype(np.int64)
    if np.all(steps == 1):
        return beats
    places = np.concatenate([[0], np.cumsum(steps)])
    filled = np.arange(places[-1] + 1)
    positions = _position_after(beats.positions, places, filled).astype(np.int64)
    return BeatGrid(np.interp(filled, places, beats.beats_s), positions)


def _position_after(positions: IntArray, places: IntArray, beat: FloatArray | IntArray) -> FloatArray:
    """Place in the bar, 1 up to 5, of any ``beat``, counted on from the last known beat before it.

    ``positions`` are known at the beats ``places``.
    """
    known = np.maximum(0, np.searchsorted(places, beat, side="right") - 1)
    after = np.asarray(positions[known] - 1 + beat - places[known], dtype=float)
    return after % BEATS_PER_BAR + 1


def motion_pulse(pose: PoseFeatures) -> BeatGrid | None:
    """Beats at which the dancer's motion keeps coming to rest; None where it has no clear pulse.

    The period is the lag of the highest autocorrelation of speed; the phase that of least speed, for
    a step ends in a moment of rest.
    """
    speed = _speed(pose)
    lags_s = np.arange(*_PULSE_RANGE_S, _PULSE_STEP_S)
    if len(speed) < 4 * lags_s[-1] * pose.rate_hz or not np.any(speed):
        return None
    correlation = _autocorrelation(speed)
    at_lags = np.interp(lags_s * pose.rate_hz, np.arange(len(speed)), correlation) / correlation[0]
    best = int(np.argmax(at_lags))
    if at_lags[best] < _MIN_PULSE_CORRELATION:
        return None
    return _resting_beats(pose, speed, float(lags_s[best]))


def _resting_beats(pose: PoseFeatures, speed: FloatArray, period_s: float) -> BeatGrid:
    """Beats of about this period, in the phase in which the dancer is slowest on average.

    The autocorrelation knows the period to a sample or so; what fits all of the recording is finer.
    """
    times_s = times_of(pose)
    periods_s = period_s * np.linspace(1 - _PULSE_TOLERANCE, 1 + _PULSE_TOLERANCE, _PULSES_TRIED)
    waves = np.array([np.exp(-2j * np.pi * times_s / period) @ speed for period in periods_s])
    best = int(np.argmax(np.abs(waves)))
    period_s, slowest = float(periods_s[best]), float(np.angle(-waves[best]) / (-2 * np.pi)) % 1
    return BeatGrid.regular(period_s, float(times_s[-1]) + 2 * period_s, slowest * period_s)


def _speed(pose: PoseFeatures) -> FloatArray:
    """``(T,)`` mean speed of the landmarks above its average, in no particular unit; 0 where unseen."""
    moved = np.linalg.norm(np.diff(pose.image, axis=0, prepend=pose.image[:1]), axis=2)
    seen = np.isfinite(moved)
    speed = np.where(seen, moved, 0).sum(axis=1) / np.maximum(1, seen.sum(axis=1))
    return np.where(seen.any(axis=1), speed - speed[seen.any(axis=1)].mean(), 0.0) if seen.any() else speed


def _autocorrelation(values: FloatArray) -> FloatArray:
    """``(T,)`` by lag, made by a transform long enough that the ends do not meet."""
    spectrum = np.fft.rfft(values, 2 * len(values))
    return np.fft.irfft(np.abs(spectrum) ** 2)[: len(values)]
