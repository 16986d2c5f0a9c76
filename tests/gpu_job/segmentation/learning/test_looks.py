"""A dancer is mirrored, turned, rolled and sized as geometry has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_job.segmentation.learning.looks import MIRRORED, Look, looked
from shared.features import HIPS, SHOULDERS, PoseFeatures
from tests.gpu_job.segmentation.learning.footage import recorded
from tests.gpu_job.segmentation.truth import danced

TIMES_S = np.array([0.5, 1.02, 1.7])


@pytest.fixture(scope="module")
def pose() -> PoseFeatures:
    return recorded(1, 3.0)


@pytest.fixture(scope="module")
def flat(pose: PoseFeatures) -> PoseFeatures:
    """The same, its metric landmarks those of the picture, a third as large, and with depth."""
    about = pose.image - pose.image[:, list(HIPS)].mean(axis=1, keepdims=True)
    depth = np.random.default_rng(0).normal(0, 0.2, (*about.shape[:2], 1))
    return replace(pose, world=np.concatenate([about / 3, depth], axis=2).astype(np.float32))


def test_as_filmed_it_is_the_picture(pose: PoseFeatures) -> None:
    rows = np.array([3, 20])
    np.testing.assert_allclose(looked(pose, rows / pose.rate_hz, Look()), pose.image[rows], atol=1e-6)


def test_between_two_samples_it_is_halfway(pose: PoseFeatures) -> None:
    halfway = looked(pose, np.array([3.5 / pose.rate_hz]), Look())
    np.testing.assert_allclose(halfway[0], pose.image[3:5].mean(axis=0), atol=1e-6)


def test_before_and_after_a_clip_it_is_held(pose: PoseFeatures) -> None:
    held = looked(pose, np.array([-1.0, 9.0]), Look())
    np.testing.assert_allclose(held, pose.image[[0, -1]], atol=1e-6)


def test_a_clip_of_one_sample_is_held(pose: PoseFeatures) -> None:
    one = replace(pose, image=pose.image[:1], world=pose.world[:1], visibility=pose.visibility[:1])
    np.testing.assert_allclose(looked(one, TIMES_S, Look()), np.repeat(pose.image[:1], 3, axis=0), atol=1e-6)


def test_beside_an_unseen_sample_the_nearer_one_counts(pose: PoseFeatures) -> None:
    image = pose.image.copy()
    image[4, 5] = np.nan
    gappy = replace(pose, image=image)
    near, far = looked(gappy, np.array([3.2, 3.8]) / pose.rate_hz, Look())
    np.testing.assert_allclose(near[5], pose.image[3, 5], atol=1e-6)
    assert np.isnan(far[5]).all()


def test_a_mirror_s_landmarks_change_places_and_back() -> None:
    np.testing.assert_array_equal(MIRRORED[MIRRORED], np.arange(33))
    assert (MIRRORED[SHOULDERS[0]], MIRRORED[0]) == (SHOULDERS[1], 0)


def test_a_mirror_in_a_mirror_is_the_dancer(pose: PoseFeatures) -> None:
    image = looked(pose, np.arange(len(pose)) / pose.rate_hz, Look(mirrored=True))
    assert not np.allclose(image, pose.image)
    again = PoseFeatures.from_landmarks(image, np.ones(image.shape[:2]), pose.rate_hz)
    np.testing.assert_allclose(looked(again, TIMES_S, Look(mirrored=True)), looked(pose, TIMES_S, Look()), atol=1e-5)


def test_turned_by_nothing_exact_metres_are_the_picture(flat: PoseFeatures) -> None:
    np.testing.assert_allclose(looked(flat, TIMES_S, Look(yaw_rad=0.0)), looked(flat, TIMES_S, Look()), atol=1e-5)


def test_turned_a_quarter_what_was_deep_is_wide(flat: PoseFeatures) -> None:
    turned, filmed = (looked(flat, np.array([0.0]), Look(yaw_rad=yaw))[0] for yaw in (np.pi / 2, 0.0))
    deep = flat.world[0, :, 2] - flat.world[0, list(HIPS), 2].mean()
    middle = filmed[list(HIPS)].mean(axis=0)
    np.testing.assert_allclose(turned[:, 0] - middle[0], 3 * deep, atol=1e-5)
    np.testing.assert_allclose(turned[:, 1], filmed[:, 1], atol=1e-5)


def test_turned_as_a_drawn_dancer_turns() -> None:
    """An orthographic turn of the metric landmarks agrees with the camera to a few hundredths of a body."""
    filmed = danced(3, duration_s=8.0).dance.features(15.0, 8.0)
    straight = looked(filmed, TIMES_S + 2, Look(yaw_rad=0.0)) - looked(filmed, TIMES_S + 2, Look())
    assert np.abs(straight).mean() < 0.02


def test_without_metres_nobody_is_turned(pose: PoseFeatures) -> None:
    np.testing.assert_array_equal(looked(pose, TIMES_S, Look(yaw_rad=0.5)), looked(pose, TIMES_S, Look()))


def test_a_picture_twice_as_large_is_twice_as_large(pose: PoseFeatures) -> None:
    np.testing.assert_allclose(looked(pose, TIMES_S, Look(scale=2.0)), 2 * looked(pose, TIMES_S, Look()))


def test_a_rolled_camera_turns_the_dancer_about_the_hips(pose: PoseFeatures) -> None:
    rolled, filmed = (looked(pose, TIMES_S, Look(roll_rad=roll)) for roll in (np.pi / 2, 0.0))
    hips = filmed[:, list(HIPS)].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(rolled - hips, (filmed - hips)[..., ::-1] * [-1, 1], atol=1e-6)


def test_a_nudge_is_small_and_a_block_may_be_mirrored() -> None:
    rng = np.random.default_rng(1)
    look = Look(yaw_rad=0.3, scale=1.2)
    nudged = [look.nudged(rng) for _ in range(100)]
    assert {one.mirrored for one in nudged} == {False}
    assert max(abs(one.scale / 1.2 - 1) for one in nudged) < 0.15
    assert max(abs((one.yaw_rad or 0) - 0.3) for one in nudged) < 0.4
    assert 0 < np.mean([look.of_block(rng).mirrored for _ in range(200)]) < 0.4


def test_looks_vary() -> None:
    rng = np.random.default_rng(2)
    looks = [Look.varied(rng) for _ in range(100)]
    assert {one.mirrored for one in looks} == {True, False}
    assert {one.yaw_rad is None for one in looks} == {True, False}
    assert all(0.7 <= one.scale <= 1.4 for one in looks)
