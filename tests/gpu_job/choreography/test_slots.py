"""A song is tiled by its eights, whatever its counts do."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.choreography.slots import slots
from shared.music import Music, Role
from shared.timeline import BeatGrid
from tests.gpu_job.choreography.making import FORM, a_song

songs = st.builds(
    a_song, st.just(FORM[:4]), tempo_bpm=st.floats(100, 165), seed=st.integers(0, 99), pickup=st.integers(0, 7),
    tail=st.integers(0, 7), broken_after=st.lists(st.integers(0, 25), max_size=4), drift=st.floats(0, 0.05),
)  # fmt: skip


@given(songs)
def test_the_beats_are_tiled_without_a_gap(music: Music) -> None:
    found = slots(music)
    assert found[0].first_beat == 0
    assert sum(slot.counts for slot in found) == len(music.beats)
    for one, then in itertools.pairwise(found):
        assert then.first_beat == one.first_beat + one.counts
        assert then.segment.start_s == one.segment.end_s
    assert found[0].segment.start_s == pytest.approx(music.beats.beats_s[0])


@given(songs)
def test_a_slot_begins_on_a_one_and_has_eight_counts_at_most(music: Music) -> None:
    found = slots(music)
    assert all(1 <= slot.counts <= 8 for slot in found)
    assert all(music.counts[slot.first_beat] == 1 for slot in found[1:])


@given(st.lists(st.integers(1, 8), min_size=2, max_size=60))
def test_counts_that_make_no_sense_are_tiled_as_well(counts: list[int]) -> None:
    music = _with_counts(counts)
    found = slots(music)
    assert sum(slot.counts for slot in found) == len(counts)
    assert all(1 <= slot.counts <= 8 for slot in found)


def test_slots_are_shorter_at_the_ends_and_where_a_bar_is_broken() -> None:
    music = a_song(((Role.VERSE, 3), (Role.CHORUS, 2)), pickup=3, tail=5, broken_after=[1])
    assert [slot.counts for slot in slots(music)] == [3, 8, 8, 2, 8, 8, 8, 5]


def test_a_slot_has_the_section_and_the_energy_that_it_has_most_of() -> None:
    music = a_song(((Role.VERSE, 2), (Role.CHORUS, 2)), pickup=1)
    found = slots(music)
    assert [slot.section for slot in found] == [0, 0, 0, 1, 1]
    assert found[3].energy == pytest.approx(music.energy[17:25].mean())


def test_a_song_without_sections_is_of_one() -> None:
    assert {slot.section for slot in slots(replace(a_song(), sections=()))} == {0}


def test_beats_before_the_first_section_and_after_the_last_belong_to_the_nearest() -> None:
    music = a_song(((Role.INTRO, 2), (Role.VERSE, 2), (Role.OUTRO, 2)))
    inner = replace(music, sections=music.sections[1:2])
    assert {slot.section for slot in slots(inner)} == {0}


@pytest.mark.parametrize("beats", [0, 1])
def test_a_song_without_a_tempo_has_no_slots(beats: int) -> None:
    assert slots(_with_counts([1] * beats)) == ()


def _with_counts(counts: list[int]) -> Music:
    many = len(counts)
    return replace(
        Music.none(60.0), beats=BeatGrid(np.arange(many) / 2, np.ones(many, dtype=np.int64)),
        counts=np.array(counts, dtype=np.int64), energy=np.full(many, 0.5), guira=np.full(many, 0.5),
    )  # fmt: skip
