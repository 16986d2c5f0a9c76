"""Stretches are like the clips whose moments they share."""

import numpy as np
import pytest

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT
from gpu_job.segmentation.likeness import HALF_BEATS, VALUES, likeness, moments, nearest, over
from gpu_job.segmentation.traits import Trace, traced
from tests.gpu_job.segmentation.named import MOVES, performance, performed


@pytest.fixture(scope="module")
def trace() -> Trace:
    return traced(performance(*performed([MOVES[0], MOVES[1]], 3)))


def test_a_moment_begins_on_every_half_beat_and_lasts_a_count(trace: Trace) -> None:
    found = moments(trace)
    half_beats = (len(trace) - 1) // POINTS_PER_HALF_BEAT
    assert found.shape == (half_beats - HALF_BEATS + 1, VALUES)
    later = moments(trace.between(4 * POINTS_PER_HALF_BEAT, len(trace) - 1))
    np.testing.assert_allclose(later[1:-1], found[5:-1])


def test_a_dance_shorter_than_a_moment_has_one() -> None:
    assert moments(Trace(np.ones((1, 33, 2)), np.ones((1, 2)))).shape == (1, VALUES)


def test_who_is_out_of_sight_has_moments_of_nothing() -> None:
    assert not moments(Trace(np.full((20, 33, 2), np.nan), np.full((20, 2), np.nan))).any()


def test_a_dance_is_nearest_to_itself(trace: Trace) -> None:
    own, other = moments(trace), moments(traced(performance(*performed([MOVES[2], MOVES[3]], 4))))
    found = nearest(own, np.concatenate([own, other]), np.array([0, len(own)]))
    np.testing.assert_allclose(found[:, 0], 0.0, atol=1e-9)
    assert (found[:, 1] > 0.01).all()


def test_the_nearest_moment_of_each_clip_is_found_as_by_looking_at_all() -> None:
    rng = np.random.default_rng(0)
    one, known = rng.normal(0, 1, (7, 3)), rng.normal(0, 1, (10, 3))
    squares = ((one[:, None] - known) ** 2).sum(axis=2)
    expected = np.stack([squares[:, :4].min(axis=1), squares[:, 4:].min(axis=1)], axis=1)
    np.testing.assert_allclose(nearest(one, known, np.array([0, 4])), expected)


def test_a_stretch_is_the_mean_of_the_moments_within_it() -> None:
    distances = np.arange(10.0)[:, None]
    assert over(distances, 2, 6) == pytest.approx(np.mean([2, 3, 4]))
    assert over(distances, 2, 3) == 2  # too short for a whole one
    assert over(distances, 10, 12) == 9  # after the last one


def test_the_nearest_category_is_likeliest_in_either_mirror_image() -> None:
    seen, mirrored = np.array([4.0, 5.0, 5.0, 6.0]), np.array([5.0, 5.0, 2.0, 6.0])
    assert likeness([seen, np.full(4, 9.0)], np.array([0, 0, 1, 2]), 3).argmax() == 0
    assert likeness([seen, mirrored], np.array([0, 0, 1, 2]), 3).argmax() == 1


def test_units_do_not_matter_to_likeness() -> None:
    both = [np.array([4.0, 5.0, 6.0]), np.array([5.0, 5.0, 7.0])]
    kind = np.array([0, 1, 1])
    np.testing.assert_allclose(likeness(both, kind, 2), likeness([each * 100 for each in both], kind, 2))


def test_clips_that_are_all_the_same_tell_nothing_and_no_category_is_ruled_out() -> None:
    np.testing.assert_allclose(np.diff(likeness([np.zeros(4)] * 2, np.array([0, 1, 2, 3]), 4)), 0.0)
    assert np.isfinite(likeness([np.array([0.0, 1e6])] * 2, np.array([0, 1]), 3)).all()
