"""How far two motions agree, in one number that neither standing still nor flailing can raise.

Lin's concordance (1989), summed over features and moments: 1 where both are the same, 0 where they have nothing
to do with each other or one does not move, below 0 where one does the opposite. Knows no beats and no scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_job.comparison.findings import Limb
from gpu_job.movement import LIMB_OF, LIMB_WEIGHT, POSTURES, WEIGHT_OF, Movement
from shared.timeline import FloatArray, IntArray

POSTURE_SHARE = 0.25
"""How much of a difference in mean posture counts: the camera's height tilts everybody it sees."""
JITTER = np.full(len(LIMB_OF), 0.12**2)
"""``(F,)`` squares of what is neither merit nor fault: seven degrees, less than a teacher corrects. Of a video that
was written anew nine in ten features differ by less than 0.05 to 0.15, of one from 30° aside by more (decision 12)."""
ALL = np.ones(len(LIMB_OF), bool)
STILL = 0.02**2
"""Motion that an estimator sees in somebody who does not move."""

TRIED_LAGS_BEATS = (0.0, -0.25, 0.25, -0.5, 0.5, -0.75, 0.75, -1.0, 1.0)
LOOKED_AT_PER_BEAT = 4
LEAST_WHOLE = 0.05
"""Of the most that is jointly seen at any lag: below, what is left is the rounding of the transform."""
LAG_COST = 0.1
"""Concordance that a beat of lag must gain: of two ways to see a dance the more punctual is the likelier."""

ComplexArray = npt.NDArray[np.complexfloating]

_ONE_HOT = np.eye(len(tuple(Limb)))[LIMB_OF]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Sums at every moment, per limb in the order of ``tuple(Limb)``. Each ``(P, 6)``.

    ``common`` and ``whole``: concordance is the sum of the one over the sum of the other
    ``seen``   0 … 1, how much of the limb both showed
    """

    common: FloatArray
    whole: FloatArray
    seen: FloatArray

    def __len__(self) -> int:
        return len(self.common)


def centred(motion: Movement) -> tuple[Movement, FloatArray]:
    """Postures less their means over the moments at which they are seen, and these means ``(F,)``.

    Speeds stay as they are.
    """
    weight = motion.seen.sum(axis=0)
    mean = (motion.values * motion.seen).sum(axis=0) / np.maximum(weight, 1e-9)
    mean[POSTURES:] = 0.0
    return Movement(motion.values - mean, motion.seen), mean


def agreement(student: Movement, teacher: Movement) -> Agreement:
    """Of two motions at the same moments."""
    (one, one_mean), (other, other_mean) = centred(student), centred(teacher)
    seen = np.minimum(one.seen, other.seen)
    weight = seen * WEIGHT_OF
    offset = POSTURE_SHARE * (one_mean - other_mean) ** 2
    apart = (one.values - other.values) ** 2 + offset
    allowed = JITTER * _alike(one, other, seen)
    whole = one.values**2 + other.values**2 + offset + allowed
    beyond = np.maximum(apart - allowed, 0.0)
    full = _by_limb(WEIGHT_OF[None])
    return Agreement(_by_limb(weight * (whole - beyond)), _by_limb(weight * whole), _by_limb(weight) / full)


def _alike(one: Movement, other: Movement, seen: FloatArray) -> FloatArray:
    """``(F,)`` 0 … 1, whether both move by as much: who stands still where another moves has earned no allowance."""
    power, more = ((seen * each.values**2).sum(axis=0) / np.maximum(seen.sum(axis=0), 1e-9) for each in (one, other))
    return (np.minimum(power, more) + STILL) / (np.maximum(power, more) + STILL)


def _by_limb(values: FloatArray) -> FloatArray:
    """``(P, F)`` → sums ``(P, 6)``. No product of matrices: that would wait for BLAS threads."""
    return np.einsum("pf,fl->pl", values, _ONE_HOT)


def concordance(common: FloatArray, whole: FloatArray) -> FloatArray:
    """−1 … 1; NaN where nothing was seen."""
    return np.divide(common, whole, out=np.full(np.shape(common), np.nan), where=whole > 0)


def balanced(teacher: Movement, features: npt.NDArray[np.bool_] = ALL) -> FloatArray:
    """``(F,)`` weights with which each of the teacher's limbs counts as much in a sum over features, however far it
    swings: whose arms are wrong is not laid elsewhere for them. ``teacher`` has these ``features`` only."""
    centre, _ = centred(teacher)
    share = (centre.seen * (centre.values**2 + JITTER[features])).mean(axis=0) * WEIGHT_OF[features]
    of_limb = share @ _ONE_HOT[features]
    scale = np.divide(LIMB_WEIGHT, of_limb, out=np.zeros_like(of_limb), where=of_limb > 0)
    return WEIGHT_OF[features] * scale[LIMB_OF[features]]


def at_no_lag(student: Movement, teacher: Movement, weights: FloatArray) -> float:
    """Concordance of two motions at the same moments, in some features with ``weights`` ``(F,)``."""
    return _of_centred(centred(student)[0], centred(teacher)[0], weights)


def at_best_lag(student: Movement, teacher: Movement, weights: FloatArray, points_per_beat: int) -> float:
    """Concordance at the best of some lags of up to a beat, less what a lag costs: a late dancer dances the same."""
    (one, _), (other, _) = centred(student), centred(teacher)
    rows = np.arange(0, len(teacher), max(1, points_per_beat // LOOKED_AT_PER_BEAT))
    found: list[float] = []
    for lag_beats in TRIED_LAGS_BEATS:
        there = rows + round(lag_beats * points_per_beat)
        inside = (there >= 0) & (there < len(student))
        fit = _of_centred(one.at(there[inside]), other.at(rows[inside]), weights)
        found.append(fit - LAG_COST * abs(lag_beats))
    return max(found)


def _of_centred(one: Movement, other: Movement, weights: FloatArray) -> float:
    weight = np.minimum(one.seen, other.seen) * weights
    whole = float((weight * (one.values**2 + other.values**2)).sum())
    return 2 * float((weight * one.values * other.values).sum()) / whole if whole > 0 else -1.0


@dataclass(frozen=True, slots=True, eq=False)
class LagCurve:
    """Concordance at every whole-point lag, ``(L,)``; the teacher's row 0 is the student's row ``lags``.

    ``concordances`` −1 … 1, −1 where next to nothing is jointly seen
    ``shares``       0 … 1, how much is jointly seen, of the most at any lag
    """

    lags: IntArray
    concordances: FloatArray
    shares: FloatArray


class Reference:
    """The teacher's side of :func:`at_all_lags`, to be held against many; keeps its spectra, by their size."""

    def __init__(self, teacher: Movement, weights: FloatArray) -> None:
        """``weights`` ``(F,)`` of the features."""
        self.count, self.weights = len(teacher), weights
        self._teacher = teacher
        self._known: dict[int, _Spectra] = {}

    def spectra(self, size: int) -> _Spectra:
        """For a transform of ``size``."""
        if size not in self._known:
            self._known[size] = _Spectra.of(self._teacher, self.weights, size)
        return self._known[size]


@dataclass(frozen=True, slots=True, eq=False)
class _Spectra:
    """Of a motion, its squares and what is seen."""

    moved: ComplexArray
    squares: ComplexArray
    seen: ComplexArray

    @classmethod
    def of(cls, motion: Movement, weights: FloatArray, size: int) -> _Spectra:
        centre, _ = centred(motion)
        parts = (centre.values * centre.seen, centre.values**2 * centre.seen, centre.seen)
        return cls(*(np.fft.rfft((part * np.sqrt(weights)).astype(np.float32), size, axis=0) for part in parts))


def at_all_lags(student: Movement, reference: Reference, least: int) -> LagCurve:
    """Concordance at every lag at which ``least`` moments overlap, by Fourier transform."""
    size = 1 << (len(student) + reference.count - 1).bit_length()
    ours, theirs = _Spectra.of(student, reference.weights, size), reference.spectra(size)
    both = (ours.moved * theirs.moved.conj()).sum(axis=1)
    power = (ours.squares * theirs.seen.conj() + ours.seen * theirs.squares.conj()).sum(axis=1)
    jointly = (ours.seen * theirs.seen.conj()).sum(axis=1)
    lags: IntArray = np.arange(-reference.count + 1, len(student))
    overlap = np.minimum(len(student), lags + reference.count) - np.maximum(0, lags)
    lags = lags[overlap >= least]
    common, whole, seen = (np.fft.irfft(each, size)[lags] for each in (2 * both, power, jointly))
    told = np.divide(common, whole, out=np.full(len(lags), -1.0), where=_shares(whole) >= LEAST_WHOLE)
    return LagCurve(lags, np.clip(told, -1.0, 1.0), _shares(seen))


def _shares(sums: FloatArray) -> FloatArray:
    """Of the largest, 0 … 1."""
    return np.clip(sums / max(float(sums.max(initial=0.0)), 1e-6), 0.0, 1.0)
