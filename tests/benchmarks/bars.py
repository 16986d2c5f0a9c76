"""Bars, the figures that are held against them, and what is read off a comparison for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.comparison.comparing import compare
from gpu_job.comparison.findings import Comparison, Limb, Take
from shared.errors import CannotCompare


@dataclass(frozen=True, slots=True)
class Row:
    """A bar, the figure it was held against, and whether it is met; None where it is no bar."""

    bar: str
    figure: str
    is_met: bool | None

    @property
    def cells(self) -> tuple[str, str, str]:
        return self.bar, self.figure, {True: "yes", False: "NO", None: ""}[self.is_met]


def most(bar: str, values: Sequence[float], limit: float, unit: str = "") -> Row:
    """All values are at most ``limit``."""
    worst, middle = float(np.max(values)), float(np.median(values))
    return Row(bar, f"{worst:.1f}{unit} at most, {middle:.1f}{unit} in the middle, of {len(values)}", worst <= limit)


def least(bar: str, values: Sequence[float], limit: float) -> Row:
    """All values are at least ``limit``."""
    worst, middle = float(np.min(values)), float(np.median(values))
    return Row(bar, f"{worst:.1f} at least, {middle:.1f} in the middle, of {len(values)}", worst >= limit)


def share(bar: str, hits: Sequence[bool], limit: float) -> Row:
    return Row(bar, f"{np.mean(hits):.1%} of {len(hits)}", bool(np.mean(hits) >= limit))


def score(student: Take, teacher: Take) -> float:
    """0 … 100; NaN where none is given."""
    try:
        given = compare(student, teacher).overall.score
    except CannotCompare:
        return np.nan
    return np.nan if given is None else given


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's, where equal values share a rank."""
    ranks = [np.array([(np.mean(np.less(values, v)) + np.mean(np.less_equal(values, v))) for v in values])
             for values in (np.round(one, 6), np.round(other, 6))]  # fmt: skip
    return 0.0 if min(np.ptp(each) for each in ranks) == 0 else float(np.corrcoef(*ranks)[0, 1])


def lowest_limb(found: Comparison) -> Limb | None:
    """Of those that have a score."""
    scores = {limb: grade.score for limb, grade in found.limbs.items() if grade.score is not None}
    return min(scores, key=lambda limb: scores[limb], default=None)


def lateness_ms(found: Comparison) -> float:
    return found.overall.lateness.ms if found.overall.lateness else np.nan


def area_under_roc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The chance that one of the first is above one of the second, equal ones counting half."""
    ordered = np.sort(negatives)
    below, not_above = (np.searchsorted(ordered, positives, side) for side in ("left", "right"))
    return float(np.mean(below + not_above) / (2 * len(ordered)))
