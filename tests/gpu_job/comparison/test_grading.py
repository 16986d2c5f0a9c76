"""Grades from agreement: calibrated, with an interval, or none."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.comparison.concordance import Agreement
from gpu_job.comparison.findings import Limb
from gpu_job.comparison.grading import LEAST_FORM, LIMBS, UNRELATED, Marks, calibrated, pooled, score_curve, verdict

POINTS_PER_BEAT = 8


def marks(concordances, *, late=0.0, seen=1.0, points=160, can_tell=True, whole=1.0) -> Marks:
    """As many bars in which every limb has its concordance throughout."""
    wholes = np.full((points, len(LIMBS)), whole)
    common = wholes * np.broadcast_to(concordances, len(LIMBS))
    return Marks(Agreement(common, wholes, np.full(wholes.shape, seen)), np.full(points, late), can_tell, 0.5)


def test_an_unrelated_dancer_has_nothing_and_the_teacher_everything():
    assert calibrated(UNRELATED[None]) == 0
    assert calibrated(-1.0) == 0
    assert calibrated(1.0) == 100


@pytest.mark.parametrize("limb", [None, *Limb])
def test_grades_rise_with_concordance(limb):
    scores = [verdict(marks(value), POINTS_PER_BEAT, limb).grade.score for value in (0.1, 0.5, 0.7, 0.9, 1.0)]

    assert scores == sorted(scores)
    assert scores[0] == 0
    assert scores[-1] == pytest.approx(100)


def test_the_whole_is_the_mean_of_its_limbs_the_head_half():
    chance = UNRELATED[None]
    whole = verdict(marks([1, 1, 1, 1, 1, chance]), POINTS_PER_BEAT).grade.score
    arms = verdict(marks([chance, chance, 1, 1, 1, 1]), POINTS_PER_BEAT).grade.score

    assert whole == pytest.approx(100 * 5 / 5.5)
    assert arms == pytest.approx(100 * 3.5 / 5.5)


def test_how_far_a_limb_swings_does_not_make_it_count_more():
    common, whole = np.array([50.0, 1, 1, 1, 1, 1]), np.array([100.0, 1, 1, 1, 1, 1])

    assert pooled(common, whole, np.ones(6)) == pytest.approx(5.5 / 6)


def test_nothing_seen_is_pooled_to_nothing():
    assert np.isnan(pooled(np.zeros(6), np.zeros(6), np.ones(6)))
    assert np.isnan(pooled(np.ones(6), np.ones(6), np.zeros(6)))


def test_a_limb_that_is_hardly_seen_is_left_out_of_the_whole():
    both = marks([0.0, 1, 1, 1, 1, 1])
    both.agreement.seen[:, 0] = 0.1

    assert verdict(both, POINTS_PER_BEAT).grade.score == pytest.approx(100)
    assert verdict(both, POINTS_PER_BEAT, LIMBS[0]).grade.score is None


def test_too_little_seen_gives_no_score_but_says_how_much():
    found = verdict(marks(1.0, seen=0.1), POINTS_PER_BEAT)

    assert found.grade.score is None
    assert found.grade.interval is None
    assert found.grade.seen == pytest.approx(0.1)


def test_no_moments_give_no_score():
    assert verdict(marks(1.0, points=0), POINTS_PER_BEAT).grade.score is None


def test_lateness_takes_away_and_less_than_a_picture_does_not():
    on_time, hardly, late = (verdict(marks(1.0, late=late), POINTS_PER_BEAT) for late in (0.0, 0.05, 0.41))

    assert on_time.grade.score == hardly.grade.score == pytest.approx(100)
    assert late.punctuality == pytest.approx(np.exp(-0.5))
    assert late.form == pytest.approx(100)
    assert late.grade.lateness is not None
    assert late.grade.lateness.ms == pytest.approx(205)


def test_where_lateness_is_a_guess_it_costs_nothing_and_is_not_told():
    found = verdict(marks(1.0, late=0.5, can_tell=False), POINTS_PER_BEAT)

    assert found.grade.score == pytest.approx(100)
    assert found.grade.lateness is None


def test_nobody_is_late_with_another_dance():
    assert verdict(marks(0.36, late=0.3), POINTS_PER_BEAT).grade.lateness is None
    assert verdict(marks(0.5, late=0.3), POINTS_PER_BEAT).grade.lateness is not None


@pytest.mark.parametrize(("points", "is_told"), [(30, False), (60, True)])
def test_lateness_is_told_of_a_stretch_of_which_a_quarter_tells_it(points, is_told):
    both = marks(1.0, late=0.3)
    both.agreement.whole[points:] *= 0.1
    both.agreement.common[points:] = 0

    found = verdict(both, POINTS_PER_BEAT)

    assert (found.form or 0) > LEAST_FORM
    assert (found.grade.lateness is not None) is is_told


def test_a_steady_dancer_has_a_narrow_interval_and_a_fickle_one_a_wide_one():
    steady, fickle = marks(0.8), marks(0.8)
    fickle.agreement.common[:] *= np.where(np.arange(160) // 32 % 2, 1.2, 0.8)[:, None]

    low, high = verdict(steady, POINTS_PER_BEAT).grade.interval or (0, 100)
    lower, higher = verdict(fickle, POINTS_PER_BEAT).grade.interval or (0, 0)

    assert high - low < 1 < 10 < higher - lower


@pytest.mark.parametrize("limb", [None, Limb.LEFT_ARM])
def test_of_less_than_four_bars_there_is_a_score_and_no_interval(limb):
    short, enough = (verdict(marks(0.8, points=points), POINTS_PER_BEAT, limb).grade for points in (127, 128))

    assert short.score == pytest.approx(enough.score)
    assert short.interval is None
    assert enough.interval is not None


def test_the_curve_shows_when():
    both = marks(1.0)
    both.agreement.common[80:] *= 0.5

    curve = score_curve(both, POINTS_PER_BEAT)

    assert len(curve) == 160
    assert curve[:70] == pytest.approx(100)
    assert curve[90:].max() < 30


def test_the_curve_is_open_where_nobody_is_seen():
    both = marks(1.0)
    both.agreement.seen[80:] = 0
    both.agreement.whole[80:] = 0
    both.agreement.common[80:] = 0

    curve = score_curve(both, POINTS_PER_BEAT)

    assert np.isfinite(curve[:70]).all()
    assert np.isnan(curve[100:]).all()
