"""Qualities against dances of which it is known which moves more, in more ways, more fluently, farther."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography.qualities import SCALES, measures, profile, qualities
from infra.local.sample.moves import Move, waiting
from shared.features import PoseFeatures
from shared.library import QUALITIES
from tests.gpu_job.choreography.couples import BASIC, LUNGE, Clip, clip, shown, trembling, unseen

WAITING = Move("waiting", (8,), waiting)
ENERGY, COMPLEXITY, SMOOTHNESS, COVERAGE, DETECTION = range(len(QUALITIES))


@pytest.fixture(scope="module")
def couple() -> Clip:
    return clip()


def test_who_waits_has_no_energy_and_who_lunges_more_than_who_steps():
    still, steps, lunges = (measures(clip([move], [move]).dance(0))[0, ENERGY] for move in (WAITING, BASIC, LUNGE))
    assert still < 0.06 < steps < lunges


def test_energy_is_per_beat_and_torso_length(couple):
    faster = clip(tempo_bpm=150)
    nearer = replace(couple, lead=shown(couple.lead, scale=1.4), follow=shown(couple.follow, scale=1.4))
    told = measures(couple.dance(0, 8))[:, ENERGY]
    np.testing.assert_allclose(measures(faster.dance(0, 8))[:, ENERGY], told, rtol=0.06)
    np.testing.assert_allclose(measures(nearer.dance(0, 8))[:, ENERGY], told, rtol=1e-3)


def swinging(pose: PoseFeatures, *limbs: int) -> PoseFeatures:
    """A statue whose landmarks swing, each at its own pace, metres in space."""
    times_s = np.arange(len(pose)) / pose.rate_hz
    world = np.repeat(pose.world[:1], len(pose), axis=0)
    for pace, limb in enumerate(limbs, 1):
        world[:, limb, 0] += (0.1 * np.sin(2.1 * pace * times_s)).astype(np.float32)
    return replace(pose, world=world, image=np.repeat(pose.image[:1], len(pose), axis=0))


def test_the_more_limbs_go_their_own_way_the_more_complex(couple):
    ways = [(15,), (15, 16), (15, 16, 27, 28)]
    dances = [Clip(couple.music, swinging(couple.lead, *way), swinging(couple.follow)) for way in ways]
    one, two, four = (measures(dance.dance(0))[0, COMPLEXITY] for dance in dances)
    assert 1 <= one < two - 0.5
    assert two < four - 0.5


def moving(couple: Clip, cycles: float, trembling: float = 0.0) -> Clip:
    """The lead's right hand goes up and down so often a beat, and trembles at twelve times that pace."""
    beats = couple.music.beats.beat_of(np.arange(len(couple.lead)) / couple.lead.rate_hz)
    image = np.repeat(couple.lead.image[:1], len(beats), axis=0)
    phase = 2 * np.pi * cycles * beats
    image[:, 16, 1] += (0.1 * np.sin(phase) + trembling * np.sin(12 * phase)).astype(np.float32)
    return Clip(couple.music, replace(couple.lead, image=image), swinging(couple.follow))


def test_a_swing_has_the_smoothness_of_its_pace(couple):
    told = [measures(moving(couple, cycles).dance(0))[0, SMOOTHNESS] for cycles in (0.125, 0.25)]
    assert told == pytest.approx([-2 * np.log(2 * np.pi * cycles) for cycles in (0.125, 0.25)], abs=0.15)


def test_the_same_swing_that_trembles_is_less_smooth(couple):
    smooth, trembles = (measures(moving(couple, 0.125, by).dance(0))[0, SMOOTHNESS] for by in (0.0, 0.01))
    assert trembles < smooth - 0.5


def test_tremble_is_not_smooth(couple):
    told, trembles = (
        measures(each.dance(0, 8))[:, SMOOTHNESS]
        for each in (couple, replace(couple, lead=trembling(couple.lead, 0.03), follow=trembling(couple.follow, 0.03)))
    )
    assert np.all(trembles < told)


def test_who_crosses_the_floor_covers_more_of_it(couple):
    times_s = np.arange(len(couple.lead)) / couple.lead.rate_hz
    away = replace(couple.lead, image=couple.lead.image + (-0.2 * times_s[:, None, None] * [1, 0]).astype(np.float32))
    assert np.all(
        measures(replace(couple, lead=away).dance(0, 8))[:, COVERAGE] > measures(couple.dance(0, 8))[:, COVERAGE]
    )


def test_detection_is_the_share_in_which_both_are_seen(couple):
    start, stop = (int(15 * couple.music.beats.beats_s[beat]) for beat in (2, 6))
    half = replace(couple, follow=unseen(couple.follow, slice(start, stop)))
    assert measures(half.dance(0, 8))[:, DETECTION] == pytest.approx([0.5, 1.0], abs=0.05)


def test_nobody_at_all_has_qualities_that_are_numbers(couple):
    nobody = replace(couple, lead=unseen(couple.lead), follow=unseen(couple.follow))
    np.testing.assert_array_equal(qualities(nobody.dance(0, 8)), 0)


def test_one_dancer_alone_has_energy(couple):
    alone = replace(couple, follow=unseen(couple.follow))
    told = measures(alone.dance(0))[0]
    assert told[ENERGY] > 0.06
    assert told[DETECTION] == 0


def test_qualities_are_measures_on_their_scales(couple):
    told, found = measures(couple.dance(0, 8)), qualities(couple.dance(0, 8))
    for column, name in enumerate(QUALITIES):
        low, high = SCALES[name]
        expected = np.clip((told[:, column] - low) / (high - low), 0, 1)
        np.testing.assert_allclose(found[:, column], expected, atol=1e-6)


def test_profiles_are_the_derivatives_of_one_another(couple):
    told = profile(couple.dance(0).lead)
    turned = np.gradient(told.angles, 1 / 8, axis=1)[:, 1:-1]
    np.testing.assert_allclose(told.angular_speed[:, 1:-1], abs(turned), atol=1e-6)
    assert told.speed.shape == told.acceleration.shape == (1, 65, 13)
    assert told.angular_acceleration.shape == (1, 65, 9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 150), max_size=6), st.lists(st.integers(0, 32), max_size=20))
def test_whatever_is_unseen_qualities_lie_between_0_and_1(gaps, landmarks):
    lead, follow = _couple.lead, _couple.follow
    for start in gaps:
        lead = unseen(lead, slice(start, start + 9))
    dance = replace(_couple, lead=lead, follow=unseen(follow, landmarks=landmarks)).dance(0, 8)
    found = qualities(dance)
    assert np.all((found >= 0) & (found <= 1))


_couple = clip()
