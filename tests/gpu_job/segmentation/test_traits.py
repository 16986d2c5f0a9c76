"""Traits say what a stretch of a dance is like, whoever looks at it, from wherever, however often."""

import numpy as np
import pytest

from gpu_job.segmentation.traits import BLOCKS, BODILY, JOINTS, TRAITS, Trace, block_weights, bodily, traced, traits
from shared.features import COCO_TO_BLAZEPOSE, PoseFeatures
from shared.timeline import BeatGrid, FloatArray
from tests.gpu_job.segmentation.named import MOVES, Seen, coco, masked, performance, performed
from tests.gpu_job.segmentation.truth import unseen

EDGES = np.array([2, 10, 18, 28])


def of(pose: PoseFeatures, beats: BeatGrid) -> FloatArray:
    return traits(traced(performance(pose, beats)), EDGES)


@pytest.fixture(scope="module")
def seen() -> Seen:
    return performed(MOVES[:2], 3)


def test_there_are_as_many_as_the_blocks_say(seen: Seen) -> None:
    assert of(*seen).shape == (3, TRAITS)
    assert np.isfinite(of(*seen)).all()
    assert sum(count for _, count in BLOCKS[:3]) == BODILY


def test_each_block_weighs_the_same() -> None:
    squares = np.split(block_weights() ** 2, np.cumsum([count for _, count in BLOCKS])[:-1])
    assert [each.sum() for each in squares] == pytest.approx([1.0] * len(BLOCKS))


def test_every_joint_is_one_that_seventeen_landmarks_have() -> None:
    assert set(JOINTS) <= set(COCO_TO_BLAZEPOSE)


def test_they_are_the_same_from_seventeen_landmarks_without_depth(seen: Seen) -> None:
    pose, beats = seen
    np.testing.assert_allclose(of(coco(pose), beats), of(pose, beats), atol=1e-6)


def test_they_do_not_depend_on_place_or_size(seen: Seen) -> None:
    pose, beats = seen
    moved = type(pose)(pose.rate_hz, pose.image * 0.4 + [0.3, 0.1], pose.world, pose.visibility)
    np.testing.assert_allclose(of(moved, beats), of(pose, beats), atol=1e-3)


def test_they_hardly_depend_on_the_rate() -> None:
    often, seldom = (of(*performed(MOVES[:2], 3, rate_hz=rate_hz)) for rate_hz in (60.0, 15.0))
    means = np.s_[:, :30]
    assert np.abs(often[means] - seldom[means]).mean() < 0.02


def test_a_mirror_twice_is_no_mirror(seen: Seen) -> None:
    trace = traced(performance(*seen))
    np.testing.assert_array_equal(trace.mirrored().mirrored().joints, trace.joints)
    assert not np.allclose(bodily(trace.mirrored()), bodily(trace))


def test_short_gaps_are_bridged(seen: Seen) -> None:
    pose, beats = seen
    gaps = masked(pose, 0.2)
    difference = np.abs(of(gaps, beats) - of(pose, beats))[:, :30]
    assert np.isfinite(difference).all()
    assert difference.mean() < 0.03


def test_what_is_long_out_of_sight_is_not_invented(seen: Seen) -> None:
    pose, beats = seen
    first, last = (round(counts * beats.period_s * pose.rate_hz) for counts in (5, 9))
    trace = traced(performance(unseen(pose, first, last), beats))
    assert np.isnan(trace.joints[5 * 4 + 2 : 9 * 4 - 2]).all()
    assert np.isnan(traits(trace, EDGES)[1]).all()


def test_a_joint_never_seen_leaves_its_own_traits_out_and_no_others(seen: Seen) -> None:
    pose, beats = seen
    image, visibility = pose.image.copy(), pose.visibility.copy()
    image[:, 15], visibility[:, 15] = np.nan, 0.0
    row = of(type(pose)(pose.rate_hz, image, pose.world, visibility), beats)
    assert np.isfinite(row[:, :14]).all()  # nose to right elbow
    assert np.isnan(row[:, 14:16]).all()  # the left wrist
    assert np.isnan(row[:, BODILY + 8 :]).all()  # a covariance needs all


def test_a_dancer_who_is_not_there_is_not_seen() -> None:
    nothing = Trace(np.full((9, 33, 2), np.nan), np.full((9, 2), np.nan))
    assert not nothing.is_seen
    assert np.isnan(bodily(nothing)).all()


def test_half_a_beat_has_traits_too(seen: Seen) -> None:
    assert np.isfinite(traits(traced(performance(*seen)), np.array([4, 5]))).all()
