"""From an annotated clip to a move, and every reason why not, or why with a word of warning."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography.entry import Entered, Filed, entered, entries, examined, refiled
from shared.errors import NoBeat, NoBlock, NobodyFound
from shared.library import JOINTS, QUALITIES, Move
from shared.music import Music
from shared.timeline import BeatGrid
from tests.gpu_job.choreography.couples import ANNOTATION, BASIC, LUNGE, Clip, clip, music, unseen

SOURCE = Filed("basic.mp4", "0" * 64, "mezzanine/basic_1-0.mp4", "2026-03-01T00:00:00+00:00", 30.0, 260)


@pytest.fixture(scope="module")
def couple() -> Clip:
    return clip()


def entry(couple: Clip, annotation=ANNOTATION, source: Filed = SOURCE) -> Entered:
    return entered(annotation, couple.music, couple.lead, couple.follow, source)


def codes(found: Entered) -> list[str]:
    return [finding.code for finding in found.findings]


def test_a_clip_becomes_a_move_with_all_its_blocks(couple):
    found = entry(couple)
    move = found.move
    assert found.findings == ()
    assert move.blocks.tolist() == [0, 8]
    assert (move.id, move.name, move.mezzanine, move.frames) == ("basic_1", "basic.mp4", SOURCE.mezzanine, 260)
    assert move.tempo_bpm == pytest.approx(125)
    assert move.qualities.shape == (2, len(QUALITIES))
    assert move.edges.joints.shape == (2, 2, 2, len(JOINTS), 4)
    np.testing.assert_allclose(np.linalg.norm(move.pose_embedding, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(move.audio_embedding, couple.music.embedding)


def test_a_move_outlives_its_bytes(couple):
    move = entry(couple).move
    again = Move.from_bytes(move.to_bytes())
    assert again.annotation == move.annotation
    for name in ("blocks", "qualities", "pose_embedding", "audio_embedding"):
        np.testing.assert_array_equal(getattr(again, name), getattr(move, name))


def test_moves_of_a_batch_are_those_of_clips_alone(couple):
    others = [clip([LUNGE], [BASIC], tempo_bpm=110), couple]
    clips = [examined(ANNOTATION, each.music, each.lead, each.follow, SOURCE) for each in others]
    for together, alone in zip(entries(clips), others, strict=True):
        np.testing.assert_array_equal(together.move.pose_embedding, entry(alone).move.pose_embedding)


def test_nobody_to_be_seen_is_an_error(couple):
    with pytest.raises(NobodyFound):
        entry(replace(couple, lead=unseen(couple.lead), follow=unseen(couple.follow)))


def test_a_clip_without_a_beat_is_an_error_that_speaks_of_clips(couple):
    with pytest.raises(NoBeat, match="clip"):
        entry(replace(couple, music=Music.none(8.7)))


@pytest.mark.parametrize("beats", [7, 4, 1])
def test_a_clip_without_eight_whole_counts_is_an_error(couple, beats):
    few = BeatGrid(couple.music.beats.beats_s[:beats], couple.music.beats.positions[:beats])
    heard = replace(couple.music, beats=few, counts=np.arange(beats) + 1, energy=np.zeros(beats), guira=np.zeros(beats))
    with pytest.raises(NoBlock):
        entry(replace(couple, music=heard))


def test_a_block_in_which_nobody_is_seen_is_left_out_and_that_is_said(couple):
    second = slice(int(15 * couple.music.beats.beats_s[8]), None)
    left = replace(couple, lead=unseen(couple.lead, second), follow=unseen(couple.follow, second))
    found = entry(left)
    assert found.move.blocks.tolist() == [0]
    assert codes(found) == ["BLOCKS_UNSEEN"]
    assert "1 of 2" in found.findings[0].message


def test_where_dancers_are_seen_only_outside_of_blocks_there_is_none(couple):
    rest = slice(7, None)
    with pytest.raises(NoBlock):
        entry(replace(couple, lead=unseen(couple.lead, rest), follow=unseen(couple.follow, rest)))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 130), st.integers(1, 90)), max_size=8))
def test_whoever_is_unseen_whenever_blocks_that_are_kept_have_an_embedding(gaps):
    couple = clip()
    for is_lead, start, length in gaps:
        name = "lead" if is_lead else "follow"
        couple = replace(couple, **{name: unseen(getattr(couple, name), slice(start, start + length))})
    with suppress(NobodyFound, NoBlock):
        np.testing.assert_allclose(np.linalg.norm(entry(couple).move.pose_embedding, axis=1), 1, atol=1e-5)


def test_two_who_are_seen_in_turns_each_too_little_are_no_dance(couple):
    first, second = (int(15 * couple.music.beats.beats_s[beat]) for beat in (1, 2))
    lead, follow = unseen(couple.lead, slice(first, None)), unseen(couple.follow, slice(0, first))
    with pytest.raises(NoBlock):
        entry(replace(couple, lead=lead, follow=unseen(follow, slice(second, None))))


@pytest.mark.parametrize(
    ("said_bpm", "words"),
    [
        (None, None),
        (125, None),
        (129, None),
        (119, None),
        (135, "beats a minute, but we hear 125.0. We"),
        (62, "twice"),
        (250, "half"),
        (84, "three halves"),
        (187, "two thirds"),
        (94, "four thirds"),
        (166, "three quarters"),
    ],
)
def test_a_tempo_that_contradicts_the_annotation_is_named(couple, said_bpm, words):
    found = entry(couple, replace(ANNOTATION, tempo_bpm=said_bpm))
    assert codes(found) == ([] if words is None else ["TEMPO_DIFFERS"])
    assert all(words in finding.message for finding in found.findings)


def test_one_dancer_alone_is_a_move_with_a_warning(couple):
    found = entry(replace(couple, follow=unseen(couple.follow)))
    assert codes(found) == ["ONE_DANCER"]
    assert np.isnan(found.move.edges.place[:, :, 1]).all()
    assert np.all(found.move.qualities[:, QUALITIES.index("detection")] == 0)


def test_bars_that_are_unsure_are_a_warning(couple):
    unsure = music(couple.music.beats, couple.music.duration_s, bar_confidence=0.2)
    assert codes(entry(replace(couple, music=unsure))) == ["BARS_UNSURE"]


def test_a_mezzanine_that_came_out_shorter_costs_the_blocks_that_it_cuts(couple):
    move = entry(couple).move
    shorter = refiled(move, 30.0, 200)
    assert (shorter.blocks.tolist(), shorter.frames) == ([0], 200)
    assert len(shorter.qualities) == len(shorter.pose_embedding) == len(shorter.edges.hold) == 1
    assert refiled(move, 30.0, 261).blocks.tolist() == [0, 8]
    with pytest.raises(NoBlock):
        refiled(move, 30.0, 100)
