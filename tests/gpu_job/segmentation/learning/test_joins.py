"""Dances joined from clips hold what they say they hold, and a join looks no other than a null join."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.segmentation.learning.joins import PLAIN, Block, Joined, Manner, Source, joined
from gpu_job.segmentation.learning.looks import MIRRORED
from shared.features import HIPS, PoseFeatures
from shared.timeline import FloatArray
from tests.gpu_job.segmentation.learning.footage import piece
from tests.gpu_job.segmentation.learning.readable import TELLS, beats_of, read, readable

CLIPS = tuple(readable(i, tempo_bpm=108 + 9 * i, first=i % 4, beats=22 + i) for i in range(4))
AS_IT_IS = replace(PLAIN, beats=64)
MUSICAL = replace(AS_IT_IS, musical=1.0)
FAR_BEATS = 0.51  # of any cut: half the widest blend
STRAY_BEATS = 1.5  # what warps and stumbles may take a clip from its beat, within one block


def dances(manner: Manner = AS_IT_IS, clips: tuple[Source, ...] = CLIPS, count: int = 12) -> list[Joined]:
    return [joined(clips, seed, manner) for seed in range(count)]


def number(block: Block) -> int:
    return [clip.name for clip in CLIPS].index(block.source.name)


def away_from_cuts(dance: Joined, cuts: FloatArray) -> FloatArray:
    """``(T,)`` whether a sample is not within a blend."""
    beat = beats_of(dance)
    return np.abs(beat[:, None] - cuts).min(axis=1, initial=np.inf) > FAR_BEATS


def all_cuts(dance: Joined) -> FloatArray:
    return np.concatenate([dance.joins, dance.nulls])


@given(st.integers(0, 2**32))
@settings(max_examples=15)
def test_blocks_tile_a_dance_in_2_to_16_counts_and_no_clip_follows_itself(seed: int) -> None:
    dance = joined(CLIPS, seed, AS_IT_IS)
    blocks = dance.blocks
    assert (blocks[0].start, blocks[-1].end >= AS_IT_IS.beats) == (0.0, True)
    for one, following in itertools.pairwise(blocks):
        assert one.end == following.start
        assert one.source is not following.source
    assert all(2 <= block.counts <= 16.5 and 2 * block.counts % 1 == 0 for block in blocks)
    np.testing.assert_array_equal(dance.joins, [block.start for block in blocks[1:]])
    last_s = dance.audio.beats.time_of(blocks[-1].end)
    assert len(dance.pose) / dance.pose.rate_hz == pytest.approx(last_s, abs=1 / 30 + 1e-6)


def test_away_from_cuts_each_clip_is_danced_where_its_block_says() -> None:
    for dance in dances():
        clip, there = read(dance)
        beat = beats_of(dance)
        clear = away_from_cuts(dance, all_cuts(dance))
        for block in dance.blocks:
            rows = clear & (beat > block.start) & (beat < block.end)
            np.testing.assert_allclose(clip[rows], number(block), atol=1e-3)
            mapped = np.clip(block.first_beat + beat[rows] - block.start, -1, len(block.source.beats) + 1)
            strays = STRAY_BEATS + 0.5 * np.sum((dance.nulls > block.start) & (dance.nulls < block.end))
            assert np.abs(there[rows] - mapped).max(initial=0) < strays


def test_up_to_its_first_null_a_block_runs_from_its_first_beat_within_an_eighth_of_a_beat() -> None:
    for dance in dances():
        _, there = read(dance)
        beat = beats_of(dance)
        for block in dance.blocks:
            end = min([block.end, *dance.nulls[dance.nulls > block.start]])
            rows = (beat > block.start + FAR_BEATS) & (beat < end - FAR_BEATS)
            assert np.abs(there[rows] - block.first_beat - (beat[rows] - block.start)).max(initial=0) < 0.13


def test_the_same_clip_goes_on_at_a_null_join_and_another_at_a_join() -> None:
    for dance in dances():
        clip, _ = read(dance)
        beat = beats_of(dance)

        def at(moment: float, clip: FloatArray = clip, beat: FloatArray = beat) -> tuple[float, float]:
            """A beat and a half to either side, where no other cut's blend is."""
            before, after = np.interp([moment - 0.55, moment + 0.55], beat, clip).round(3)
            return float(before), float(after)

        lonely = [cut for cut in dance.nulls if np.sum(np.abs(all_cuts(dance) - cut) < 1.2) == 1]
        assert all(np.equal(*at(cut)) for cut in lonely)
        lonely = [cut for cut in dance.joins if np.sum(np.abs(all_cuts(dance) - cut) < 1.2) == 1]
        assert not any(np.equal(*at(cut)) for cut in lonely)


def test_there_are_null_joins_and_they_are_on_half_beats_inside_their_blocks() -> None:
    found = [(dance, null) for dance in dances() for null in dance.nulls]
    assert len(found) > 12
    for dance, null in found:
        (block,) = [block for block in dance.blocks if block.start <= null < block.end]
        assert 2 * null % 1 == 0
        assert block.start + 1 <= null <= block.end - 1


def speeds_at(dance: Joined, cuts: FloatArray) -> list[float]:
    """The fastest that the hips are within a quarter of a beat of each cut, in image heights a beat."""
    beat, hips = beats_of(dance), dance.pose.image[:, list(HIPS)].mean(axis=1)
    speed = np.linalg.norm(np.gradient(hips, beat, axis=0), axis=1)
    return [float(speed[np.abs(beat - cut) < 0.25].max()) for cut in cuts]


def test_the_hips_jump_at_null_joins_as_at_joins() -> None:
    """All clips keep their hips in one place: what moves them is the cut alone."""
    many = dances(replace(AS_IT_IS, beats=112), count=30)
    joins = np.concatenate([speeds_at(dance, dance.joins) for dance in many])
    nulls = np.concatenate([speeds_at(dance, dance.nulls) for dance in many])
    assert min(len(joins), len(nulls)) > 100
    quartiles = np.quantile(joins, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(np.quantile(nulls, [0.25, 0.5, 0.75]), quartiles, rtol=0.35)
    assert np.quantile(nulls, 0.5) > 0


def test_in_the_plain_manner_a_dance_is_filmed_as_its_clips_were() -> None:
    lone = [joined(CLIPS, seed) for seed in range(8)]
    assert {dance.pose.rate_hz for dance in lone} == {30.0}
    tempi = np.array([dance.audio.tempo_bpm for dance in lone])
    assert np.all((tempi > 128 * 0.9) & (tempi < 128 * 1.1))
    assert any(block.counts % 1 for dance in lone for block in dance.blocks)
    assert any(block.counts > 8 for dance in lone for block in dance.blocks)


def test_in_the_musical_manner_blocks_keep_their_place_in_the_bar() -> None:
    for dance in dances(MUSICAL):
        positions = dance.audio.beats.positions
        for block in dance.blocks:
            assert block.counts in (2, 4, 8, 16)
            assert block.source.positions(np.array([block.first_beat]))[0] == positions[int(block.start)]


def test_brief_dances_have_blocks_of_8_counts_at_most() -> None:
    assert all(block.counts <= 8 for dance in dances(replace(AS_IT_IS, brief=1.0), count=6) for block in dance.blocks)


def test_looks_turn_the_same_dance_about() -> None:
    plain, varied = dances(), dances(replace(AS_IT_IS, looks=True, rates_hz=(15.0,)))
    assert {dance.pose.rate_hz for dance in varied} == {15.0}
    told = [read(dance, MIRRORED[TELLS])[0].min() for dance in varied]
    assert sum(clip < -0.5 for clip in told) > 0  # mirrored
    assert all(read(dance)[0].min() > -1e-3 for dance in plain)


def test_what_a_clip_does_not_show_stays_unseen() -> None:
    def hidden(clip: Source) -> Source:
        image = clip.views[0].image.copy()
        image[:, 13] = np.nan
        image[100:130] = np.nan
        seen = np.isfinite(image[..., 0])
        return replace(clip, views=(PoseFeatures.from_landmarks(image, seen, 30.0),))

    clips = tuple(hidden(clip) for clip in CLIPS)
    some = 0
    for dance in dances(clips=clips, count=4):
        assert np.isnan(dance.pose.image[:, 13]).all()
        assert not dance.pose.visibility[:, 13].any()
        some += int(np.isnan(dance.pose.image[:, 11]).any(axis=1).sum())
        np.testing.assert_array_equal(np.isfinite(dance.pose.image[..., 0]), dance.pose.visibility > 0)
    assert some > 0


def test_any_dancer_of_a_clip_may_be_shown() -> None:
    clips = tuple(readable(i, views=2) for i in range(3))
    views = {block.view for dance in dances(clips=clips) for block in dance.blocks}
    assert views == {0, 1}


def test_a_seed_is_one_dance_and_another_seed_another() -> None:
    one, again, other = (joined(CLIPS, seed, AS_IT_IS) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.pose.image, again.pose.image)
    np.testing.assert_array_equal(one.audio.onset, again.audio.onset)
    np.testing.assert_array_equal(one.joins_s, again.joins_s)
    assert one.pose.image.shape != other.pose.image.shape or not np.array_equal(one.pose.image, other.pose.image)


def test_truth_in_seconds_is_on_the_beats_that_are_told() -> None:
    (dance,) = dances(count=1)
    half_beats_s = dance.audio.beats.time_of(np.arange(2 * len(dance.audio.beats)) / 2)
    for moment in (*dance.joins_s, *dance.nulls_s):
        assert np.abs(half_beats_s - moment).min() < 1e-9


def test_a_clip_shorter_than_a_block_is_danced_whole() -> None:
    brief = tuple(readable(i, beats=5) for i in range(2))
    for dance in dances(clips=brief, count=4):
        assert max(block.counts for block in dance.blocks) <= 6  # one before the first beat that is heard
        assert all(block.first_beat + block.counts <= block.source.last_beat for block in dance.blocks)


@pytest.mark.parametrize("clips", [(), CLIPS[:1]])
def test_one_clip_is_no_dance(clips: tuple[Source, ...]) -> None:
    with pytest.raises(ValueError, match="a join needs two clips"):
        joined(clips, 1)


def test_a_clip_too_short_for_two_counts_is_refused_by_name() -> None:
    short = replace(CLIPS[0], name="short", views=(piece(CLIPS[0].views[0], 0.0, 0.6),))
    with pytest.raises(ValueError, match="short is shorter than 2 counts"):
        joined([*CLIPS, short], 1)
