"""What an embedding must not know (place, size, tempo, company) and what it must (the dance)."""

import functools
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography import usual
from gpu_job.choreography.embedding import WEIGHTS, Channels, channels, embedded, embeddings, parts
from gpu_job.movement import BONES, JOINTS
from infra.local.sample.moves import VOCABULARY, Move
from shared.library import POSE_EMBEDDING
from tests.gpu_job.choreography.couples import (
    ASIDE,
    BASIC,
    LUNGE,
    SHIMMY,
    Clip,
    clip,
    guessed,
    shown,
    trembling,
    unseen,
)

MOVES = [Move(move.name, (8,), move.dance) for move in VOCABULARY]


@functools.cache
def couple() -> Clip:
    return clip()


def embedding(couple: Clip, *firsts: int) -> np.ndarray:
    return embeddings([couple.dance(*(firsts or (0, 8)))])[0]


def alike(one: Clip, other: Clip) -> float:
    """Cosine of the least like of their blocks."""
    return float((embedding(one) * embedding(other)).sum(axis=1).min())


def both(change, couple: Clip) -> Clip:
    return Clip(couple.music, change(couple.lead), change(couple.follow))


def test_an_embedding_has_384_numbers_and_unit_length():
    found = embedding(couple())
    assert found.shape == (2, POSE_EMBEDDING)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_place_and_size_in_the_picture_do_not_count():
    assert alike(couple(), both(lambda pose: shown(pose, 0.3, -0.2, 0.6), couple())) > 0.9999


def test_a_tempo_does_not_count_nor_how_often_poses_are_taken():
    assert alike(couple(), clip(tempo_bpm=112)) > 0.9
    assert alike(couple(), clip(rate_hz=30.0)) > 0.9


def test_where_in_the_clip_a_block_lies_does_not_count():
    later = clip([BASIC, BASIC, BASIC], [SHIMMY, SHIMMY, SHIMMY])
    first, second = embedding(later, 8, 8 + 8)[0], embedding(clip([BASIC, BASIC], [SHIMMY, SHIMMY]), 8)[0]
    assert first @ second > 0.9


def test_jitter_hardly_counts():
    assert alike(couple(), both(lambda pose: trembling(pose, 0.003), couple())) > 0.8


def test_a_hidden_or_guessed_arm_leaves_the_rest_alike():
    other = clip([SHIMMY, BASIC], [LUNGE, ASIDE])
    for hide in (unseen, guessed):
        hidden = replace(couple(), lead=hide(couple().lead, landmarks=[13, 15, 17, 19, 21]))
        assert alike(couple(), hidden) > 0.95
        assert alike(couple(), hidden) > alike(other, hidden) + 0.1


def test_a_dancer_out_of_sight_for_two_beats_is_still_the_same_dance():
    assert alike(couple(), replace(couple(), follow=unseen(couple().follow, slice(30, 45)))) > 0.8


@pytest.mark.parametrize("number", range(len(MOVES)))
def test_a_move_is_nearer_to_itself_at_another_tempo_with_jitter_than_to_any_other(number):
    mine = embedding(both(lambda pose: trembling(pose, 0.003), clip([MOVES[number]], [BASIC], tempo_bpm=117)), 0)[0]
    likeness = [mine @ embedding(clip([move], [BASIC]), 0)[0] for move in MOVES]
    assert int(np.argmax(likeness)) == number


def test_who_leads_counts():
    swapped = Clip(couple().music, couple().follow, couple().lead)
    same, other = (embedding(couple()) * embedding(swapped)).sum(axis=1)
    assert same > 0.97  # both dance a basic
    assert other < 0.9  # one lunges, the other shimmies


def test_how_they_face_each_other_counts():
    facing = clip([BASIC], [BASIC])
    world = facing.follow.world * np.float32([-1, 1, -1])
    behind = replace(facing, follow=replace(facing.follow, world=world))
    one, other = (parts(channels([each.dance(0)]))["together"].reshape(8, 4)[:, 2].numpy() for each in (facing, behind))
    np.testing.assert_allclose(one, 1, atol=0.1)
    np.testing.assert_allclose(other, -1, atol=0.1)


def test_a_turn_is_counted_on_the_counts_on_which_it_is_made():
    turns = clip([Move("turn", (8,), next(move.dance for move in VOCABULARY if move.name == "turn"))], [BASIC])
    turning = parts(channels([turns.dance(0)]))["turning"][0, 0].numpy()
    assert turning[:8].sum() > 3
    assert turning[1] > 4 * turning[3]


def test_a_rhythm_is_told_in_the_band_of_its_pace():
    beats = couple().music.beats.beat_of(np.arange(len(couple().lead)) / 15.0)
    for cycles, band in ((1, 0), (2, 1), (4, 3), (8, 4)):
        world = np.repeat(couple().lead.world[:1], len(beats), axis=0)
        world[:, 16, 1] += (0.15 * np.sin(2 * np.pi * cycles * beats / 8)).astype(np.float32)
        swinging = replace(couple(), lead=replace(couple().lead, world=world))
        arm = parts(channels([swinging.dance(0)]))["rhythm"][0, 0].reshape(7, 6)[:, 1]
        assert int(arm.argmax()) == band


def test_a_block_is_the_same_alone_and_in_a_batch():
    others = [clip([LUNGE], [ASIDE]).dance(0), couple().dance(8, 0)]
    together = embeddings([couple().dance(0, 8), *others])
    np.testing.assert_array_equal(together[0], embedding(couple()))
    np.testing.assert_array_equal(together[2], embedding(couple())[::-1])


def test_single_precision_would_tell_nearly_the_same():
    single = Channels(*(getattr(channels([couple().dance(0, 8)]), field.name).float() for field in fields(Channels)))
    np.testing.assert_allclose(embedded(single).numpy(), embedding(couple()), atol=2e-3)


def test_nobody_is_zeros_and_nothing_is_nothing():
    nobody = both(unseen, couple())
    np.testing.assert_array_equal(embedding(nobody), 0)
    assert embeddings([]) == []
    assert embeddings([couple().dance()])[0].shape == (0, POSE_EMBEDDING)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 150), max_size=6), st.sets(st.integers(0, 32)), st.booleans())
def test_whatever_is_unseen_an_embedding_is_of_unit_length_or_zero(gaps, landmarks, is_flat):
    lead, follow = couple().lead, unseen(couple().follow, landmarks=sorted(landmarks))
    for start in gaps:
        lead = unseen(lead, slice(start, start + 9))
    if is_flat:
        lead = replace(lead, world=np.full_like(lead.world, np.nan))
    found = embedding(Clip(couple().music, lead, follow))
    lengths = np.linalg.norm(found, axis=1)
    assert np.all((abs(lengths - 1) < 1e-5) | (lengths == 0))


def test_the_usual_is_known_of_every_number_alike_for_left_and_right():
    told = parts(channels([couple().dance(0)]))
    assert set(told) == set(usual.OF) == set(WEIGHTS)
    for name, part in told.items():
        assert usual.OF[name].shape == (2, part.shape[-1])
        assert np.all(usual.OF[name][1] > 0)
    kinds = np.array(usual.CHANNEL_KINDS)
    assert len(kinds) == len(BONES) + len(JOINTS)
    limbs = [str(each[0]) for each in (*BONES, *JOINTS)]
    for side, other in (("left_arm", "right_arm"), ("left_leg", "right_leg")):
        left, right = (kinds[[limb == name for limb in limbs]] for name in (side, other))
        np.testing.assert_array_equal(left, right)
