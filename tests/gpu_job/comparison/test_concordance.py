"""Agreement of two motions: what raises it, what does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.comparison.concordance import (
    Reference,
    agreement,
    at_all_lags,
    at_best_lag,
    at_no_lag,
    balanced,
    concordance,
)
from gpu_job.comparison.grading import UNRELATED
from gpu_job.movement import LIMB_OF, LIMB_WEIGHT, POSTURES, WEIGHT_OF, Movement

F = len(LIMB_OF)


def motion(seed: int = 0, points: int = 120, size: float = 0.5) -> Movement:
    """Each feature swings by itself; its speed belongs to another swing."""
    rng = np.random.default_rng(seed)
    beats = np.arange(points)[:, None] / 8
    values = size * np.sin(2 * np.pi * (rng.uniform(0.2, 0.6, F) * beats + rng.uniform(size=F)))
    return Movement(values, np.ones((points, F)))


def scaled(one: Movement, factor: float) -> Movement:
    return Movement(one.values * factor, one.seen)


def overall(one: Movement, other: Movement) -> float:
    both = agreement(one, other)
    return float(both.common.sum() / both.whole.sum())


def test_the_same_motion_agrees_wholly():
    assert overall(motion(), motion()) == pytest.approx(1)


def test_another_motion_and_the_opposite_do_not():
    assert abs(overall(motion(1), motion(0))) < 0.2
    assert overall(scaled(motion(), -1), motion()) < -0.8


@pytest.mark.parametrize("factor", [0.0, 0.3, 2.0])
def test_neither_standing_still_nor_flailing_raises_it(factor):
    assert overall(scaled(motion(), factor), motion()) < 0.9


def test_who_stands_still_has_earned_no_allowance_even_beside_a_small_motion():
    small = motion(size=0.1)

    assert overall(scaled(small, 0.0), small) < UNRELATED[None]


def test_jitter_is_no_fault():
    noise = np.random.default_rng(1).normal(0, 0.05, (120, F))

    assert overall(Movement(motion().values + noise, motion().seen), motion()) > 0.99


def test_a_limb_that_was_not_seen_says_nothing():
    hidden = motion()
    hidden.seen[:, LIMB_OF == 0] = 0
    hidden.values[:, LIMB_OF == 0] = 0

    both = agreement(hidden, motion())

    assert both.whole[:, 0].sum() == 0
    assert both.seen[:, 0] == pytest.approx(0)
    assert np.isnan(concordance(both.common[:, 0].sum(), both.whole[:, 0].sum()))
    assert both.seen[:, 1:] == pytest.approx(1)


def test_a_posture_held_otherwise_counts_a_little():
    leaning = Movement(motion().values + 0.5 * (np.arange(F) < POSTURES), motion().seen)

    assert 0.6 < overall(leaning, motion()) < 0.97


def test_every_limb_has_its_share_however_far_it_swings():
    wild = motion()
    wild.values[:, LIMB_OF == 0] *= 10
    weights = balanced(wild)
    centre = wild.values - wild.values.mean(axis=0) * (np.arange(F) < POSTURES)

    shares = np.array([(weights * (centre**2 + 0.0144).mean(axis=0))[limb == LIMB_OF].sum() for limb in range(6)])

    assert shares == pytest.approx(LIMB_WEIGHT)


def test_nothing_seen_weighs_nothing():
    unseen = Movement(np.zeros((10, F)), np.zeros((10, F)))

    assert balanced(unseen) == pytest.approx(0)


def test_lags_are_found_by_fourier_transform_as_one_by_one():
    teacher = motion(points=80)
    student = Movement(np.roll(motion(points=80).values, 5, axis=0), np.ones((80, F)))

    curve = at_all_lags(student, Reference(teacher, WEIGHT_OF), least=40)

    assert curve.lags[np.argmax(curve.concordances)] == 5
    at_zero = curve.concordances[curve.lags == 0][0]
    assert at_zero == pytest.approx(at_no_lag(student, teacher, WEIGHT_OF), abs=0.02)


@given(st.integers(0, 50), st.integers(0, 119), st.integers(0, 119))
def test_no_lag_agrees_more_than_wholly_also_where_nothing_is_jointly_seen(seed, ours, theirs):
    student, teacher = motion(seed), motion(seed + 1)
    student.seen[:ours], teacher.seen[theirs:] = 0, 0

    curve = at_all_lags(student, Reference(teacher, WEIGHT_OF), least=1)

    assert np.abs(curve.concordances).max() <= 1
    assert ((curve.shares >= 0) & (curve.shares <= 1)).all()
    assert np.isfinite(curve.concordances).all()


def test_a_lag_at_which_nothing_is_jointly_seen_does_not_agree():
    student, teacher = motion(), motion()
    student.seen[:60], teacher.seen[:60] = 0, 0

    curve = at_all_lags(student, Reference(teacher, WEIGHT_OF), least=40)

    assert (curve.concordances[np.abs(curve.lags) >= 60] == -1).all()
    assert curve.lags[np.argmax(curve.concordances)] == 0


def test_the_best_lag_costs_a_little():
    fine = motion(points=200)
    late = Movement(np.roll(fine.values, 4, axis=0), fine.seen)

    assert at_best_lag(fine, fine, WEIGHT_OF, 8) == pytest.approx(1)
    assert at_best_lag(late, fine, WEIGHT_OF, 8) == pytest.approx(0.95, abs=0.03)


@given(st.integers(0, 50), st.integers(0, 50))
def test_agreement_is_the_same_from_either_side_and_at_most_whole(one, other):
    there, back = overall(motion(one, 20), motion(other, 20)), overall(motion(other, 20), motion(one, 20))

    assert there == pytest.approx(back)
    assert -1.001 <= there <= 1
