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
from gpu_job.movement import LIMB_WEIGHT
from shared.timeline import FloatArray

LIMBS = tuple(Limb)

UNRELATED: Mapping[Limb | None, float] = {
    None: 0.34,
    Limb.LEFT_ARM: 0.25, Limb.RIGHT_ARM: 0.25, Limb.LEFT_LEG: 0.37, Limb.RIGHT_LEG: 0.37,
    Limb.TORSO: 0.36, Limb.HEAD: 0.25,
}  # fmt: skip
"""Concordance, after alignment, of dancers who dance something else: the medians over pairs of clips of other songs
and other moves, of one half of the songs (decision 12; ``python -m tests.benchmarks.comparison`` prints them)."""

LEAST_SEEN = 0.25
"""Of a limb, of a move or of the whole: less is not judged."""

LEAST_FORM = 15.0
"""Below, it is another dance, and nobody can be late with it: the lag is that of something else."""
LEAST_TOLD = 0.25
"""Share of the moments at which the lateness must be told, for their median to be told."""

UNTOLD_BEATS = 0.06
"""Less lateness nobody can be told: 30 ms at 126 BPM, a camera's picture."""
TOLERANCE_BEATS = 0.35
"""Lateness beyond that at which a moment still counts 61 %: at 130 BPM 190 ms in all, when every watcher sees it."""

RESAMPLES = 400
BLOCK_BEATS = 4
"""A bar is resampled as one: moments within it are not independent (Künsch, 1989)."""
LEAST_BLOCKS = 4
"""Of fewer, drawn again and again, nobody learns how much a score might differ."""


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
        late = np.maximum(np.abs(self.lags) - UNTOLD_BEATS, 0.0) if self.can_tell_lateness else np.zeros(len(self.lags))
        return np.exp(-0.5 * (late / TOLERANCE_BEATS) ** 2)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade and what it is made of: ``form`` 0 … 100, ``punctuality`` 0 … 1, None where there is no score."""

    grade: Grade
    form: float | None
    punctuality: float | None


def verdict(marks: Marks, points_per_beat: int, limb: Limb | None = None) -> Verdict:
    """Of the whole dancer, or of one limb; late limbs are not told apart from a late dancer."""
    columns = list(range(len(LIMBS))) if limb is None else [LIMBS.index(limb)]
    common, whole, seen = (
        each[:, columns] for each in (marks.agreement.common, marks.agreement.whole, marks.agreement.seen)
    )
    share = seen.mean(axis=0) if len(seen) else np.zeros(len(columns))
    counts = LIMB_WEIGHT[columns] * (share >= LEAST_SEEN)
    if share.mean() < LEAST_SEEN or not (counts * whole.sum(axis=0)).any():
        return Verdict(Grade(None, None, round(float(share.mean()), 4)), None, None)
    punctual = marks.punctuality() if limb is None else np.ones(len(common))
    sums = np.concatenate([common, whole, (punctual * whole.sum(axis=1))[:, None]], axis=1)
    form, punctuality = (float(each) for each in _form(sums.sum(axis=0), counts, limb))
    score = form * punctuality
    interval = _interval(sums, points_per_beat, counts, limb)
    is_told = limb is None and form >= LEAST_FORM and _told(marks, points_per_beat) >= LEAST_TOLD
    lateness = _lateness(marks, whole.sum(axis=1)) if is_told else None
    grade = Grade(score, interval and (min(interval[0], score), max(interval[1], score)), float(share.mean()), lateness)
    return Verdict(grade, form, punctuality)


def pooled(common: FloatArray, whole: FloatArray, counts: FloatArray) -> FloatArray:
    """``(…, L)`` sums of limbs → ``(…)`` the mean of their concordances, weighted with ``counts`` ``(…, L)``;
    NaN where none of them was seen."""
    counts = np.where(whole > 0, counts, 0.0)
    total = counts.sum(axis=-1)
    sums = (counts * np.nan_to_num(concordance(common, whole))).sum(axis=-1)
    return np.divide(sums, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def calibrated(value: npt.ArrayLike, limb: Limb | None = None) -> FloatArray:
    """Concordance → 0 … 100: 0 for an unrelated dancer, 100 for the teacher again."""
    chance = UNRELATED[limb]
    return 100 * np.clip((np.asarray(value) - chance) / (1 - chance), 0.0, 1.0)


def score_curve(marks: Marks, points_per_beat: int, window_beats: float = 2.0) -> FloatArray:
    """``(P,)`` 0 … 100 around every point, NaN where too little was seen."""
    width = round(window_beats * points_per_beat) | 1
    of = marks.agreement
    common, whole, seen = (_smooth(each, width) for each in (of.common, of.whole, of.seen))
    counts = LIMB_WEIGHT * (seen >= LEAST_SEEN)
    score = calibrated(pooled(common, whole, counts)) * _smooth(marks.punctuality()[:, None], width)[:, 0]
    return np.where(seen.mean(axis=1) >= LEAST_SEEN, score, np.nan)


def lateness_curve(marks: Marks, scores: FloatArray) -> FloatArray:
    """``(P,)`` milliseconds, with the ``scores`` of :func:`score_curve`; NaN where the music cannot tell, and where
    the student does something else."""
    form = scores / np.maximum(marks.punctuality(), 1e-9)
    told = marks.can_tell_lateness & (form >= LEAST_FORM)
    return np.where(told, 1000 * marks.lags * marks.beat_s, np.nan)


def _told(marks: Marks, points_per_beat: int) -> float:
    """Share of the moments at which lateness can be told."""
    return float(np.isfinite(lateness_curve(marks, score_curve(marks, points_per_beat))).mean())


def _form(sums: FloatArray, counts: FloatArray, limb: Limb | None) -> tuple[FloatArray, FloatArray]:
    """Form 0 … 100 and punctuality 0 … 1 from ``(…, 2 L + 1)`` sums: common and whole per limb, the punctual whole."""
    common, whole, punctual = sums[..., : len(counts)], sums[..., len(counts) : -1], sums[..., -1]
    share = punctual / np.maximum(whole.sum(axis=-1), 1e-9)
    return calibrated(pooled(common, whole, counts), limb), np.minimum(share, 1.0)  # rounding may pass it


def _interval(
    sums: FloatArray, points_per_beat: int, counts: FloatArray, limb: Limb | None
) -> tuple[float, float] | None:
    """5 % and 95 % of the scores of as many bars drawn again and again from those there are; None of too few."""
    size = BLOCK_BEATS * points_per_beat
    if len(sums) < LEAST_BLOCKS * size:
        return None
    blocks = np.add.reduceat(sums, np.arange(0, len(sums), size), axis=0)
    draws = np.random.default_rng(0).multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), RESAMPLES)
    form, punctuality = _form(np.einsum("db,bs->ds", draws.astype(float), blocks), counts, limb)
    low, high = np.nanquantile(form * punctuality, [0.05, 0.95])
    return float(low), float(high)


def _lateness(marks: Marks, weight: FloatArray) -> Lateness:
    """The median, each moment counting as much as is danced in it."""
    order = np.argsort(marks.lags)
    share = np.cumsum(weight[order])
    counts = float(marks.lags[order][np.searchsorted(share, share[-1] / 2)])
    return Lateness(1000 * counts * marks.beat_s, counts)


def _smooth(values: FloatArray, width: int) -> FloatArray:
    """``(P, L)`` means over ``width`` points around each, fewer at the ends."""
    totals = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    points = np.arange(len(values))
    low, high = np.maximum(0, points - width // 2), np.minimum(len(values), points + width // 2 + 1)
    return (totals[high] - totals[low]) / (high - low)[:, None]
