"""Agreement as grades: calibrated to 0 … 100, with an interval, or none where too little was seen.

Knows no bodies and no music.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_job.comparison.concordance import Agreement, concordance
from gpu_job.comparison.findings import Grade, Lateness, Limb
from shared.timeline import FloatArray

LIMBS = tuple(Limb)

UNRELATED: Mapping[Limb | None, float] = {
    None: 0.23,
    Limb.LEFT_ARM: 0.19, Limb.RIGHT_ARM: 0.19, Limb.LEFT_LEG: 0.17, Limb.RIGHT_LEG: 0.17,
    Limb.TORSO: 0.27, Limb.HEAD: 0.22,
}  # fmt: skip
"""Concordance, after alignment, of dancers who dance something else: the medians over pairs of clips (decision 13)."""

LEAST_SEEN = 0.25
"""Of a limb, of a move or of the whole: less is not judged."""

TOLERANCE_BEATS = 0.35
"""Lateness at which a moment still counts 61 %: at 130 BPM 160 ms, when every watcher sees it."""

RESAMPLES = 400
BLOCK_BEATS = 4
"""A bar is resampled as one: moments within it are not independent (Künsch, 1989)."""


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What is graded, at the points of a clock.

    ``agreement`` ``(P, 6)`` sums per limb, once lateness is made up for
    ``lags``      ``(P,)`` beats, above 0 late; ``can_tell_lateness`` whether they are lateness or only a guess
    ``beat_s``    the teacher's, to give lateness in milliseconds
    """

    agreement: Agreement
    lags: FloatArray
    can_tell_lateness: bool
    beat_s: float

    def within(self, rows: slice) -> Marks:
        of = self.agreement
        part = Agreement(of.common[rows], of.whole[rows], of.seen[rows])
        return Marks(part, self.lags[rows], self.can_tell_lateness, self.beat_s)

    def punctuality(self) -> FloatArray:
        """``(P,)`` 0 … 1, what being early or late leaves of a moment."""
        return np.exp(-0.5 * (self.lags / TOLERANCE_BEATS) ** 2) if self.can_tell_lateness else np.ones(len(self.lags))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade and what it is made of: ``form`` 0 … 100, ``punctuality`` 0 … 1, None where there is no score."""

    grade: Grade
    form: float | None
    punctuality: float | None


def verdict(marks: Marks, points_per_beat: int, limb: Limb | None = None) -> Verdict:
    """Of the whole dancer, or of one limb; late limbs are not told apart from a late dancer."""
    columns = slice(None) if limb is None else slice(LIMBS.index(limb), LIMBS.index(limb) + 1)
    common, whole = marks.agreement.common[:, columns].sum(1), marks.agreement.whole[:, columns].sum(1)
    seen = float(marks.agreement.seen[:, columns].mean()) if len(common) else 0.0
    if seen < LEAST_SEEN or whole.sum() <= 0:
        return Verdict(Grade(None, None, round(seen, 4)), None, None)
    punctual = marks.punctuality() if limb is None else np.ones(len(common))
    sums = np.stack([common, whole, punctual * whole], axis=1)
    form, punctuality = _form(sums.sum(axis=0), limb)
    low, high = _interval(sums, points_per_beat, limb)
    score = form * punctuality
    grade = Grade(score, (min(low, score), max(high, score)), seen, _lateness(marks, whole) if limb is None else None)
    return Verdict(grade, form, punctuality)


def calibrated(value: npt.ArrayLike, limb: Limb | None = None) -> FloatArray:
    """Concordance → 0 … 100: 0 for an unrelated dancer, 100 for the teacher again."""
    chance = UNRELATED[limb]
    return 100 * np.clip((np.asarray(value) - chance) / (1 - chance), 0.0, 1.0)


def score_curve(marks: Marks, points_per_beat: int, window_beats: float = 2.0) -> FloatArray:
    """``(P,)`` 0 … 100 around every point, NaN where too little was seen."""
    width = round(window_beats * points_per_beat) | 1
    common, whole = _smooth(marks.agreement.common.sum(1), width), _smooth(marks.agreement.whole.sum(1), width)
    seen = _smooth(marks.agreement.seen.mean(1), width)
    score = calibrated(concordance(common, whole)) * _smooth(marks.punctuality(), width)
    return np.where(seen >= LEAST_SEEN, score, np.nan)


def _form(sums: FloatArray, limb: Limb | None) -> tuple[float, float]:
    common, whole, punctual = sums
    return float(calibrated(common / whole, limb)), float(punctual / whole)


def _interval(sums: FloatArray, points_per_beat: int, limb: Limb | None) -> tuple[float, float]:
    """5 % and 95 % of the scores of as many bars drawn again and again from those there are."""
    size = BLOCK_BEATS * points_per_beat
    blocks = np.add.reduceat(sums, np.arange(0, len(sums), size), axis=0)
    draws = np.random.default_rng(0).multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), RESAMPLES)
    common, whole, punctual = (draws @ blocks).T
    known = whole > 0
    scores = calibrated(common[known] / whole[known], limb) * punctual[known] / whole[known]
    low, high = np.quantile(scores, [0.05, 0.95])
    return float(low), float(high)


def _lateness(marks: Marks, weight: FloatArray) -> Lateness | None:
    """The median, each moment counting as much as is danced in it."""
    if not marks.can_tell_lateness:
        return None
    order = np.argsort(marks.lags)
    share = np.cumsum(weight[order])
    counts = float(marks.lags[order][np.searchsorted(share, share[-1] / 2)])
    return Lateness(1000 * counts * marks.beat_s, counts)


def _smooth(values: FloatArray, width: int) -> FloatArray:
    """Means over ``width`` points around each, fewer at the ends."""
    kernel, ones = np.ones(width), np.ones_like(values)
    middle = slice(width // 2, width // 2 + len(values))
    return np.convolve(values, kernel)[middle] / np.convolve(ones, kernel)[middle]
