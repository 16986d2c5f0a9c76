"""A couple on the counts of its blocks."""

from dataclasses import replace

import numpy as np
import pytest

from gpu_job.choreography.dancing import POINTS, WITHIN
from shared.library import JOINTS
from tests.gpu_job.choreography.couples import ASIDE, BASIC, Clip, clip, guessed, shown, unseen


@pytest.fixture(scope="module")
def couple() -> Clip:
    return clip()


def with_hands(couple: Clip, apart: float) -> Clip:
    """The follow's left hand so many of their mean torso lengths right of the lead's right hand; the others are far
    from one another."""
    torso, lead = couple.dance(0).torso, couple.lead.image.copy()
    lead[:, [15, 17, 19]] -= np.float32([3, 0])
    couple = replace(couple, lead=replace(couple.lead, image=lead))
    image = couple.follow.image + np.float32([3, 0])
    image[:, [15, 17, 19]] = couple.lead.image[:, [16, 18, 20]] + np.float32([apart * torso, 0])
    return replace(couple, follow=replace(couple.follow, image=image))


def test_a_block_is_looked_at_eight_times_a_beat_and_a_little_beyond_its_ends(couple):
    dance = couple.dance(0, 8)
    assert dance.lead.place.shape == (2, POINTS, 2)
    assert POINTS - 2 * WITHIN.start == 65
    np.testing.assert_allclose(dance.lead.joints[0, -7:], dance.lead.joints[1, :7], atol=1e-6)


def test_joints_are_torso_lengths_from_the_hips(couple):
    joints = couple.dance(0).lead.joints[0]
    hips = joints[:, [JOINTS.index(23), JOINTS.index(24)]].mean(axis=1)
    shoulders = joints[:, [JOINTS.index(11), JOINTS.index(12)]].mean(axis=1)
    np.testing.assert_allclose(hips, 0, atol=1e-6)
    assert np.median(np.linalg.norm(shoulders, axis=1)) == pytest.approx(1, abs=0.05)


def test_place_and_size_in_the_picture_change_places_but_no_joints(couple):
    moved = replace(couple, lead=shown(couple.lead, 0.2, -0.1, 0.5)).dance(0).lead
    dance = couple.dance(0).lead
    np.testing.assert_allclose(moved.joints, dance.joints, atol=1e-4)
    np.testing.assert_allclose(moved.place, 0.5 * dance.place + [0.2, -0.1], atol=1e-6)
    assert moved.torso == pytest.approx(0.5 * dance.torso)


def test_who_faces_the_camera_faces_zero_and_who_turns_to_the_right_of_the_picture_is_positive():
    ahead, aside = clip([BASIC], [ASIDE]).dance(0).dancers
    middle = slice(24, 56)  # where one move has not begun to fade into another
    assert abs(np.median(ahead.facing[0, middle])) < 0.15
    assert np.median(aside.facing[0, middle]) == pytest.approx(1.1, abs=0.15)


def test_facing_is_unknown_where_an_estimator_tells_no_depth(couple):
    flat = replace(couple.lead, world=np.full_like(couple.lead.world, np.nan))
    dancer = replace(couple, lead=flat).dance(0).lead
    assert dancer.body.is_flat
    assert np.isnan(dancer.facing).all()


@pytest.mark.parametrize(("apart", "expected"), [(0.0, 1.0), (0.3, 1.0), (0.575, 0.5), (0.9, 0.0)])
def test_hold_is_that_of_the_nearest_hands(couple, apart, expected):
    hold = with_hands(couple, apart).dance(0).hold()
    np.testing.assert_allclose(hold[0, WITHIN], expected, atol=0.02)


def test_a_hand_that_is_only_guessed_holds_nothing_and_none_seen_is_unknown(couple):
    near = with_hands(couple, 0.0)
    assert np.all(replace(near, lead=guessed(near.lead, [16, 18, 20])).dance(0).hold() == 0)
    assert np.isnan(replace(near, lead=unseen(near.lead, landmarks=[15, 16])).dance(0).hold()).all()


def test_what_is_guessed_is_no_joint(couple):
    joints = replace(couple, lead=guessed(couple.lead, [15])).dance(0).lead.joints
    assert np.isnan(joints[:, :, JOINTS.index(15)]).all()
    assert np.isfinite(joints[:, :, JOINTS.index(16)]).all()


def test_a_dancer_who_is_away_for_a_while_is_unseen_then_and_only_then(couple):
    gone = replace(couple, follow=unseen(couple.follow, slice(30, 45))).dance(0).follow  # from 2 s to 3 s
    times_s = couple.music.beats.time_of((np.arange(POINTS) - WITHIN.start) / 8)
    np.testing.assert_array_equal(~gone.detected[0], (times_s > 29 / 15) & (times_s < 45 / 15))


def test_only_some_blocks_are_the_same_blocks(couple):
    both, second = couple.dance(0, 8), couple.dance(8)
    kept = both.only(np.array([False, True]))
    np.testing.assert_array_equal(kept.lead.body.points, second.lead.body.points)
    np.testing.assert_array_equal(kept.hold(), second.hold())


def test_no_blocks_are_no_trouble(couple):
    assert len(couple.dance()) == 0
