"""Ways to lay a student's dance on a teacher's: which moment of one recording belongs to which of the other.

By sound where both play the same recording; the motion decides where the music repeats, and does it all where
there is none. Looks quickly, in what does not depend on the facing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gpu_job.bodies import Body
from gpu_job.comparison.concordance import LagCurve, Reference, at_all_lags, at_best_lag, balanced
from gpu_job.comparison.findings import AlignedBy, Take
from gpu_job.comparison.listening import Lag, SameSound, peak_between, same_sound
from gpu_job.movement import FROM_ANYWHERE, POSTURES, Movement, movement
from shared.timeline import BeatGrid, FloatArray, IntArray

NO_BEAT_S = 0.5
"""A count, where no beat was found: 120 BPM."""
LEAST_BEATS = 4
"""A bar: less is too little to be judged."""
LEAST_SHARE = 0.5
"""Of the shorter dance has to lie on the other, where the motion alone says where."""
LEAST_SOUND_CONFIDENCE = 0.5
SOUND_COST = 8.0
"""Concordance that a lag must gain for each share by which its sound fits worse: four per cent, as where a loop
repeats but a singer does not, are more than motion can gain."""
KEPT = 2
"""Of the lays that look best at first sight, so many are looked at closely."""
CLOSE = 0.05
"""Concordance at first sight within which a closer look decides."""
POINTS_PER_BEAT = 4
"""At first sight."""
RATIOS = np.exp(np.linspace(np.log(0.88), np.log(1.14), 27))
"""Tempi to try where no music tells: one per cent apart, half a beat over a minute to either side."""
TEMPO_COST = 0.5
"""Concordance that a tempo must gain for being so many nepers off: one per cent for two per cent."""
OVERLAP_MERIT = 0.15
"""Concordance that a lag must gain at which half is jointly seen of what is at another: little fits by chance."""

FEATURES = FROM_ANYWHERE & (np.arange(len(FROM_ANYWHERE)) < POSTURES)


@dataclass(frozen=True, slots=True, eq=False)
class Dancer:
    """A recording and the body in it, upright, at the samples of the pose."""

    take: Take
    body: Body

    @property
    def end_s(self) -> float:
        return len(self.take.pose) / self.take.pose.rate_hz

    def places(self, times_s: FloatArray) -> FloatArray:
        """Seconds of the recording → rows of its pose."""
        return times_s * self.take.pose.rate_hz - self.take.pose.first_sample

    def counts(self) -> BeatGrid:
        """The beats from the first sample to the last; even ones where no beat was heard."""
        if not self.has_beat:
            return BeatGrid.regular(NO_BEAT_S, max(self.end_s, 2 * NO_BEAT_S) + NO_BEAT_S / 2)
        beats = self.take.audio.beats
        first, last = np.floor(beats.beat_of(np.array([0.0, self.end_s]))).tolist()
        return grid(beats.time_of(np.arange(first, last + 2)))

    @property
    def has_beat(self) -> bool:
        return len(self.take.audio.beats) >= LEAST_BEATS


@dataclass(frozen=True, slots=True, eq=False)
class Lay:
    """One way to lay the student's dance on the teacher's: when either has beat ``u``.

    ``teacher`` ``student`` as many beats each
    ``handicap``by so much the motion must fit better here, as the sound fits worse than elsewhere
    """

    by: AlignedBy
    confidence: float
    teacher: BeatGrid
    student: BeatGrid
    handicap: float = 0.0

    @property
    def ratio(self) -> float:
        """Seconds of the student's for one of the teacher's."""
        return float(np.ptp(self.student.beats_s) / np.ptp(self.teacher.beats_s))


@dataclass(frozen=True, slots=True)
class _Found:
    """``merit`` at first sight, −1 … 1; no lay where nothing overlaps by enough."""

    merit: float
    lay: Lay | None


NOTHING = _Found(-2.0, None)


def grid(times_s: FloatArray) -> BeatGrid:
    """Counts at these times, of no known place in the bar."""
    return BeatGrid(times_s, np.ones(len(times_s), dtype=np.int64))


class _Pair:
    """A student and her teacher, their motion at their samples."""

    def __init__(self, student: Dancer, teacher: Dancer, counts: BeatGrid, seconds: BeatGrid) -> None:
        self._student, self._teacher = student, teacher
        self._ways = _quick(student, student.body), _quick(student, student.body.mirrored())
        self._quick = _quick(teacher, teacher.body)
        self._taught = _looked_up(self._quick, teacher, counts)
        self._weights = balanced(self._taught, FEATURES)
        self._seconds = seconds

    def fit(self, lay: Lay, *, mirrored: bool) -> float:
        ours = _looked_up(self._ways[mirrored], self._student, lay.student)
        return at_best_lag(ours, self._taught, self._weights, POINTS_PER_BEAT)

    def curve(self, ours: BeatGrid, *, by_counts: bool, mirrored: bool) -> LagCurve:
        """Fit at every lag in points: concordance, less what little that is jointly seen gains by chance."""
        one = _looked_up(self._ways[mirrored], self._student, ours)
        reference = self._by_counts if by_counts else self._evenly
        least = max(LEAST_BEATS * POINTS_PER_BEAT, round(LEAST_SHARE * min(len(one), reference.count)))
        curve = at_all_lags(one, reference, least)
        cost = 2 * OVERLAP_MERIT * (1 - curve.shares)
        return replace(curve, concordances=curve.concordances - cost)

    @cached_property
    def _evenly(self) -> Reference:
        """The teacher on a clock, whatever the beats do."""
        return Reference(_looked_up(self._quick, self._teacher, self._seconds), self._weights)

    @cached_property
    def _by_counts(self) -> Reference:
        return Reference(self._taught, self._weights)


class Search:
    """The ways to lay one video on the other that look best for all who dance in them together; the student and the
    teacher in the same place belong to one another."""

    def __init__(self, students: Sequence[Dancer], teachers: Sequence[Dancer]) -> None:
        self._student, self._teacher = (max(each, key=lambda one: one.end_s) for each in (students, teachers))
        self._counts = self._teacher.counts()
        seconds = BeatGrid.regular(NO_BEAT_S, self._teacher.end_s + NO_BEAT_S)
        self._pairs = [_Pair(*pair, self._counts, seconds) for pair in zip(students, teachers, strict=True)]

    def by_sound(self) -> list[Lay]:
        """None unless both play the same recording."""
        sound = same_sound(self._student.take.audio, self._teacher.take.audio)
        if sound is None or sound.confidence < LEAST_SOUND_CONFIDENCE:
            return []
        lays = [self._at_sound(lag, sound) for lag in sound.lags]
        merit = [self.fit(lay) - lay.handicap for lay in lays] if len(lays) > KEPT else [0.0] * len(lays)
        return [lays[place] for place in np.argsort(merit)[: -KEPT - 1 : -1]]

    def _at_sound(self, lag: Lag, sound: SameSound) -> Lay:
        student = grid(lag.offset_s + lag.ratio * self._counts.beats_s)
        worse = 1 - lag.correlation / max(each.correlation for each in sound.lags)
        return Lay(AlignedBy.SOUND, sound.confidence, self._counts, student, SOUND_COST * worse)

    def by_counts(self) -> list[Lay]:
        """Moved by the best whole number of counts, as the student is and mirrored; none unless both have a beat."""
        if not (self._student.has_beat and self._teacher.has_beat):
            return []
        return _foremost([self._at_counts(mirrored=mirrored) for mirrored in (False, True)])

    def by_motion(self) -> list[Lay]:
        """At whatever lag and tempo fits best, as the student is and mirrored."""
        return _foremost(
            [
                max((self._at_tempo(ratio, mirrored=mirrored) for ratio in RATIOS.tolist()), key=lambda one: one.merit)
                for mirrored in (False, True)
            ]
        )

    def fit(self, lay: Lay) -> float:
        """Concordance at first sight, −1 … 1, the mean over all as they are or all mirrored, whichever is more."""
        return max(float(np.mean([one.fit(lay, mirrored=way) for one in self._pairs])) for way in (False, True))

    def _at_counts(self, *, mirrored: bool) -> _Found:
        ours = self._student.counts()
        curve = self._curve(ours, by_counts=True, mirrored=mirrored)
        on_beats = curve.lags % POINTS_PER_BEAT == 0
        lags, fits = curve.lags[on_beats], curve.concordances[on_beats]
        if not len(lags):
            return NOTHING
        best = int(np.argmax(fits))
        student = grid(ours.time_of(np.arange(len(self._counts)) + int(lags[best]) // POINTS_PER_BEAT))
        lay = Lay(AlignedBy.BEATS, _prominence(lags, fits, width=1), self._counts, student)
        return _Found(float(fits[best]), lay)

    def _at_tempo(self, ratio: float, *, mirrored: bool) -> _Found:
        period_s = NO_BEAT_S * ratio
        seconds = BeatGrid.regular(period_s, self._student.end_s + period_s)
        curve = self._curve(seconds, by_counts=False, mirrored=mirrored)
        if not len(curve.lags):
            return NOTHING
        best = int(np.argmax(curve.concordances))
        start_s = period_s * (curve.lags[best] + peak_between(curve.concordances, best)) / POINTS_PER_BEAT
        confidence = _prominence(curve.lags, curve.concordances, width=POINTS_PER_BEAT)
        lay = Lay(AlignedBy.MOTION, confidence, self._counts, grid(start_s + ratio * self._counts.beats_s))
        return _Found(float(curve.concordances[best]) - TEMPO_COST * abs(np.log(ratio)), lay)

    def _curve(self, ours: BeatGrid, *, by_counts: bool, mirrored: bool) -> LagCurve:
        """The mean over those who are seen."""
        curves = [one.curve(ours, by_counts=by_counts, mirrored=mirrored) for one in self._pairs]
        seen = [curve for curve in curves if curve.shares.any()] or curves
        means = [np.mean(each, axis=0) for each in zip(*((one.concordances, one.shares) for one in seen), strict=True)]
        return LagCurve(seen[0].lags, *means)


def _foremost(found: list[_Found]) -> list[Lay]:
    """The best, and what is so near it that a closer look must decide."""
    best = max(one.merit for one in found)
    return [one.lay for one in found if one.lay is not None and one.merit >= best - CLOSE]


def _quick(dancer: Dancer, body: Body) -> Movement:
    return movement(body, dancer.take.pose.rate_hz * NO_BEAT_S).only(FEATURES)


def _looked_up(motion: Movement, dancer: Dancer, counts: BeatGrid) -> Movement:
    """At the points of the counts, between the two samples around each."""
    points = np.arange((len(counts) - 1) * POINTS_PER_BEAT + 1) / POINTS_PER_BEAT
    place = dancer.places(counts.time_of(points))
    at = np.clip(np.floor(place).astype(int), 0, max(0, len(motion) - 2))
    then = np.minimum(at + 1, len(motion) - 1)
    share = (place - at)[:, None]
    inside = ((place >= 0) & (place <= len(motion) - 1))[:, None]
    values = motion.values[at] * (1 - share) + motion.values[then] * share
    seen = np.minimum(motion.seen[at], motion.seen[then]) * inside
    return Movement(np.where(seen > 0, values, 0.0), seen)


def _prominence(lags: IntArray, fits: FloatArray, width: int) -> float:
    """How much better than any other lag the best one fits, 0 … 1."""
    best = int(np.argmax(fits))
    others = fits[np.abs(lags - lags[best]) > width]
    return float(np.clip(fits[best] - others.max(initial=0.0), 0.0, 1.0))
