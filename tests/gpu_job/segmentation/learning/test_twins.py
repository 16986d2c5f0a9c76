"""The same footage is known again by the poses in it, and other footage is not taken for it."""

from dataclasses import replace

import numpy as np
import pytest

from gpu_job.segmentation.learning.twins import MOST_APART_IMAGE_HEIGHTS, twins, twins_between
from tests.gpu_job.segmentation.learning.footage import jittered, piece, recorded
from tests.gpu_job.segmentation.truth import unseen

JITTER_IMAGE_HEIGHTS = 0.01  # more than an estimator has on real clips, less than makes others alike


@pytest.fixture(scope="module")
def long():
    return recorded(1)


@pytest.mark.parametrize(
    "others_part",
    [(4.0, 12.0), (0.0, 3.0), (2.0, 5.0), (0.0, 12.0)],
    ids=["its end", "its start", "its middle", "all of it"],
)
def test_two_clips_that_overlap_are_twins_wherever_they_do(long, others_part):
    mine, theirs = piece(long, 0.0, 7.0), jittered(piece(long, *others_part), JITTER_IMAGE_HEIGHTS)
    assert twins([mine, theirs]) == twins([theirs, mine]) == [(0, 1)]


def test_other_dances_are_none(long):
    assert twins([long, *(recorded(seed) for seed in range(2, 8))]) == []


def test_among_many_the_right_ones_are_named(long):
    others = [recorded(seed, 5.0) for seed in range(2, 6)]
    assert twins([others[0], piece(long, 0.0, 6.0), *others[1:], piece(long, 3.0, 9.0)]) == [(1, 5)]


@pytest.mark.parametrize(("overlap_s", "found"), [(2.0, [(0, 1)]), (1.5, [])])
def test_two_seconds_must_be_the_same(long, overlap_s, found):
    mine = piece(long, 0.0, 6.0)
    theirs = piece(recorded(2), 0.0, 6.0)
    samples = round(overlap_s * long.rate_hz)
    theirs.image[:samples] = mine.image[-samples:]
    assert twins([mine, theirs]) == found


@pytest.mark.parametrize(("shift", "found"), [(0.8, [(0, 1)]), (1.2, [])])
def test_how_far_apart_twins_may_be_is_told_in_image_heights(long, shift, found):
    aside = np.array([shift * MOST_APART_IMAGE_HEIGHTS, 0], np.float32)
    assert twins([long, replace(long, image=long.image + aside)]) == found


def test_two_clips_in_which_nobody_is_seen_for_long_are_not_taken_for_one(long):
    mine, theirs = unseen(long, 0, 60), unseen(recorded(2), 90, 150)
    assert twins([mine, theirs]) == []


def test_what_is_seen_of_the_overlap_is_enough(long):
    gaps = unseen(unseen(long, 20, 24), 80, 84)
    assert twins([long, gaps]) == [(0, 1)]
    everywhere = long
    for start in range(0, len(long), 25):
        everywhere = unseen(everywhere, start, start + 1)
    assert twins([long, everywhere]) == []


def test_recordings_without_a_dancer_shorter_than_two_seconds_or_empty_are_nobodys_twins(long):
    nobody, short, empty = unseen(long, 0, len(long)), piece(long, 0.0, 1.9), piece(long, 0.0, 0.0)
    assert twins([empty, nobody, nobody, short, short, empty, long, piece(long, 0.0, 0.1), empty]) == []


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_recordings_have_no_twins(long, count):
    assert twins([long] * count) == []


def test_recordings_at_different_rates_are_refused(long):
    with pytest.raises(ValueError, match=r"\[15.0, 30.0\]"):
        twins([long, recorded(1, rate_hz=30.0)])


def test_the_rate_does_not_matter_where_it_is_one():
    long = recorded(1, rate_hz=30.0)
    assert twins([piece(long, 0.0, 6.0), piece(long, 4.0, 10.0)]) == [(0, 1)]
    assert twins([piece(long, 0.0, 6.0), piece(long, 4.5, 10.0)]) == []


def test_twins_are_found_between_two_collections_and_not_within_them(long):
    clips = [recorded(2), piece(long, 0.0, 6.0), piece(long, 1.0, 6.0)]
    videos = [recorded(3), recorded(3), piece(long, 3.0, 9.0)]
    assert twins_between(clips, videos) == [(1, 2), (2, 2)]
    assert twins_between(clips, []) == twins_between([], videos) == []
