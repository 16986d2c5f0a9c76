"""How late somebody is from count to count, and that no warp hides it."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.comparison.comparing import compare
from gpu_job.comparison.findings import Take
from gpu_job.comparison.timing import lag_path
from gpu_job.movement import movement
from tests.gpu_job.comparison.danced import noisy, performed, standing, taken


@pytest.mark.parametrize("late_s", [-0.3, -0.15, 0.0, 0.05, 0.15, 0.3])
def test_lateness_is_told_within_35_ms(late_s):
    found = compare(noisy(performed(1, late_s=late_s), 0.01), taken(1))

    assert found.overall.lateness is not None
    assert found.overall.lateness.ms == pytest.approx(1000 * late_s, abs=35)
    assert found.overall.lateness.counts == pytest.approx(late_s * 2.1, abs=0.08)


def test_lateness_costs_though_it_was_made_up_for():
    found = compare(performed(1, late_s=0.3), taken(1))

    assert (found.form or 0) > 95
    assert (found.punctuality or 1) < 0.5
    assert found.overall.score == pytest.approx((found.form or 0) * (found.punctuality or 0))


def test_who_falls_behind_in_the_middle_is_late_from_there_on():
    on_time, behind = taken(1), performed(1, late_s=0.25)
    half = len(on_time.pose) // 2
    image, world = (
        np.concatenate([one[:half], other[half:]])
        for one, other in ((on_time.pose.image, behind.pose.image), (on_time.pose.world, behind.pose.world))
    )
    pose = type(on_time.pose)(on_time.pose.rate_hz, image, world, on_time.pose.visibility)

    found = compare(Take(pose, on_time.audio), on_time)

    quarter = len(found.clock) // 4
    assert np.nanmedian(found.curves.lateness_ms[:quarter]) == pytest.approx(0, abs=35)
    assert np.nanmedian(found.curves.lateness_ms[-quarter:]) == pytest.approx(250, abs=50)


def test_a_lag_is_never_more_than_a_beat():
    rng = np.random.default_rng(0)
    body = still_body()
    fine = movement(body, 16)
    shaken = type(fine)(rng.normal(size=fine.values.shape), np.ones_like(fine.seen))
    teacher = shaken.at(np.arange(0, len(shaken) - 32, 2))

    lags = lag_path(shaken, teacher, 8)

    assert len(lags) == len(teacher)
    assert np.abs(lags).max() <= 1


def test_who_does_not_move_is_not_late():
    fine = movement(still_body(), 16)
    teacher = fine.at(np.arange(16, len(fine) - 16, 2))

    assert lag_path(fine, teacher, 8) == pytest.approx(0, abs=0.05)


def still_body():
    from gpu_job.bodies import body

    return body(standing(taken(0)).pose, is_flat=False)
