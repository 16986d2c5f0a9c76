"""How dancers are at the edges of a block, against motion that is known."""

from dataclasses import replace

import numpy as np
import pytest

from gpu_job.choreography.edges import edges
from shared.features import PoseFeatures
from shared.library import JOINTS
from tests.gpu_job.choreography.couples import ASIDE, BASIC, Clip, clip, trembling, unseen

BEAT_S = 60 / 125


@pytest.fixture(scope="module")
def couple() -> Clip:
    return clip()


def gliding(pose: PoseFeatures, speed: float, raising: float = 0.0) -> PoseFeatures:
    """A statue that glides to the right, image heights a second, its right hand rising."""
    times_s = np.arange(len(pose)) / pose.rate_hz
    image = np.repeat(pose.image[:1], len(pose), axis=0)
    image[..., 0] += (speed * times_s)[:, None].astype(np.float32)
    image[:, 16, 1] -= (raising * times_s).astype(np.float32)
    return replace(pose, image=image)


def test_velocity_is_that_in_the_picture_in_torso_lengths_a_beat(couple):
    glides = replace(couple, lead=gliding(couple.lead, 0.1, raising=0.2))
    torso, told = glides.dance(0).lead.torso, edges(glides.dance(0)).joints[0, :, 0]
    np.testing.assert_allclose(told[..., 2], 0.1 * BEAT_S / torso, rtol=1e-2)
    expected = np.where(np.array(JOINTS) == 16, -0.2 * BEAT_S / torso, 0.0)
    np.testing.assert_allclose(told[..., 3], np.tile(expected, (2, 1)), atol=1e-2)


def test_places_are_those_at_the_first_beat_and_at_the_one_after_the_last(couple):
    glides = replace(couple, lead=gliding(couple.lead, 0.1))
    start, end = edges(glides.dance(0)).place[0, :, 0]
    hips = glides.lead.image[0, [23, 24]].mean(axis=0)
    np.testing.assert_allclose(start, hips + np.array([0.1 * 0.5, 0]), atol=1e-4)
    np.testing.assert_allclose(end, hips + np.array([0.1 * (0.5 + 8 * BEAT_S), 0]), atol=1e-4)


def test_the_end_of_a_block_is_the_start_of_the_one_that_follows(couple):
    told = edges(couple.dance(0, 8))
    for name in ("joints", "place", "facing", "hold"):
        values = getattr(told, name)
        np.testing.assert_allclose(values[0, 1], values[1, 0], atol=1e-5)


def test_a_jump_of_the_estimator_at_the_beat_moves_nothing(couple):
    glides = replace(couple, lead=gliding(couple.lead, 0.1))
    image = glides.lead.image.copy()
    image[8] += 0.5  # 0.53 s: just after the first beat
    jumped = edges(replace(glides, lead=replace(glides.lead, image=image)).dance(0))
    told = edges(glides.dance(0))
    assert np.nanmax(abs(jumped.joints[..., :2] - told.joints[..., :2])) < 0.05
    assert np.nanmax(abs(jumped.place - told.place)) < 0.1


def test_jitter_hardly_shows(couple):
    still = replace(couple, lead=gliding(couple.lead, 0.0))
    told = edges(replace(still, lead=trembling(still.lead, 0.003)).dance(0, 8)).joints[:, :, 0]
    assert np.sqrt(np.mean(told[..., 2:] ** 2)) < 0.1  # torso lengths a beat; dancing is 0.2 to 1


def test_facing_is_told_of_each(couple):
    told = edges(clip([BASIC, BASIC], [ASIDE, ASIDE]).dance(0, 8)).facing
    np.testing.assert_allclose(told[0, 1], [0, 1.1], atol=0.15)


def test_a_facing_away_does_not_break_at_half_a_turn(couple):
    world = couple.lead.world * np.float32([-1, 1, -1])
    away = replace(couple, lead=replace(couple.lead, world=world))
    assert np.all(abs(edges(away.dance(0, 8)).facing[..., 0]) > 2.6)


def test_what_is_unseen_at_an_edge_is_unknown_and_nothing_else_is(couple):
    hidden = unseen(couple.follow, slice(3, 12))  # around the first beat, the eighth sample
    told = edges(replace(couple, follow=hidden).dance(0))
    for values in (told.joints[0], told.place[0], told.facing[0]):
        assert np.isnan(values[0, 1]).all()
        assert np.isfinite(values[0, 0]).all()
        assert np.isfinite(values[1]).all()
    assert np.isnan(told.hold[0, 0])
    assert np.isfinite(told.hold[0, 1])


def test_of_no_blocks_there_are_no_edges(couple):
    assert edges(couple.dance()).joints.shape == (0, 2, 2, 13, 4)
