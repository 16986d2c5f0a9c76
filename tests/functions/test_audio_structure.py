"""Bars, eights, sections, repetitions and roles of made-up songs, without a sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.audio import eights, meter
from functions.audio.beatwise import Bars, Beatwise
from functions.audio.roles import Part, roles
from functions.audio.similarity import Similarity, similarity
from functions.audio.structure import clearness, grouped, novelty, segmented
from shared.music import Role
from shared.timeline import BEATS_PER_BAR, FloatArray, IntArray

LIKE, UNLIKE = 0.8, 0.3


def four_four(bars: int) -> Bars:
    return Bars.of(np.arange(BEATS_PER_BAR * bars) % BEATS_PER_BAR + 1)


def likeness(labels: str, lengths: list[int]) -> FloatArray:
    """Of the bars of a song whose sections are named by letters."""
    of = np.repeat(list(labels), lengths)
    return np.where(of[:, None] == of, LIKE, UNLIKE)


def noisy(within: FloatArray, seed: int, by: float = 0.1) -> FloatArray:
    noise = np.random.default_rng(seed).normal(0, by, within.shape)
    return np.clip(within + noise + noise.T, 0, 1)


def test_bars_begin_on_ones_and_the_first_may_be_a_pick_up() -> None:
    bars = Bars.of(np.array([3, 4, 1, 2, 3, 4, 1, 2, 1, 2, 3, 4]))
    assert bars.first_beat.tolist() == [0, 2, 6, 8]
    assert bars.beats.tolist() == [2, 4, 2, 4]
    assert not bars.full
    assert bars.fresh.tolist() == [1, 3]


def test_means_and_places_of_the_beats_of_bars() -> None:
    bars = Bars.of(np.array([4, 1, 2, 3, 4, 1, 2]))
    rows = np.arange(7.0)[:, None]
    np.testing.assert_array_equal(bars.means(rows)[:, 0], [0, 2.5, 5.5])
    np.testing.assert_array_equal(bars.aligned(rows)[:, :, 0], [[0, 0, 0, 0], [1, 2, 3, 4], [5, 6, 5.5, 5.5]])


@given(st.lists(st.integers(1, 4), min_size=1, max_size=40), st.integers(1, 4))
def test_bars_hold_every_beat_once(lengths: list[int], first: int) -> None:
    positions = np.concatenate([np.arange(first, 5), *(np.arange(1, length + 1) for length in lengths)])
    bars = Bars.of(positions)
    assert bars.beats.sum() == len(positions)
    assert (np.diff(bars.first_beat) == bars.beats[:-1]).all()
    assert bars.full == (first == 1)


def test_what_is_new_is_highest_where_sections_meet() -> None:
    curve = novelty(noisy(likeness("abc", [8, 12, 8]), 0, 0.03))
    assert sorted(np.argsort(curve)[-2:].tolist()) == [8, 20]
    assert curve[[0, 1, -1]].tolist() == [0, 0, 0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("labels", "lengths"), [("abac", [8, 8, 8, 8]), ("abcbc", [4, 16, 8, 16, 8]), ("a", [24])])
def test_sections_are_cut_where_bars_change(labels: str, lengths: list[int], seed: int) -> None:
    within = noisy(likeness(labels, lengths), seed)
    found = segmented(within, four_four(len(within)), np.arange(0, len(within), 2))
    assert found.tolist() == [0, *np.cumsum(lengths)[:-1].tolist()]


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_sections_begin_where_they_may(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    allowed = np.union1d([0], rng.integers(0, count, count // 2))
    found = segmented(rng.random((count, count)), four_four(count), allowed)
    assert found[0] == 0
    assert set(found.tolist()) <= set(allowed.tolist())
    assert (np.diff(found) > 0).all()


def test_a_broken_bar_makes_no_section_longer() -> None:
    lengths = np.full(33, BEATS_PER_BAR)
    lengths[8] = 2
    bars = Bars.of(np.concatenate([np.arange(1, length + 1) for length in lengths]))
    within = likeness("abca", [9, 8, 8, 8])
    ones = np.array([0, 2, 4, 6, *range(9, 33, 2)])
    assert segmented(within, bars, ones).tolist() == [0, 9, 17, 25]


def test_repetitions_are_one_group_and_the_guira_parts_them() -> None:
    within = likeness("abab", [8] * 4)
    starts = np.arange(0, 32, 8)
    alike = Similarity(within, within)
    assert grouped(alike, starts, np.full(4, 0.5)).tolist() == [0, 1, 0, 1]
    assert grouped(alike, starts, np.array([0.9, 0.5, 0.1, 0.5])).tolist() == [0, 1, 2, 1]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_groups_count_from_nought_in_order_of_appearance(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    between = rng.random((sum(lengths), sum(lengths)))
    starts = np.cumsum([0, *lengths[:-1]])
    groups = grouped(Similarity(between, between), starts, rng.random(len(lengths)))
    assert list(dict.fromkeys(groups.tolist())) == list(range(groups.max() + 1))


def test_a_section_is_the_clearer_the_less_its_neighbours_are_like_it() -> None:
    within = likeness("aab", [8, 8, 8])
    assert clearness(within, np.array([0, 8, 16])).round(2).tolist() == [0, 0, 1]


def _eights(labels: list[int], count: int, lengths: IntArray | None = None) -> eights.Eights:
    curve = np.full(count, 0.05)
    curve[labels] = 0.4
    beats = np.full(count, BEATS_PER_BAR) if lengths is None else lengths
    return eights.eights(Bars.of(np.concatenate([np.arange(1, n + 1) for n in beats])), curve)


def test_an_eight_begins_where_something_new_does() -> None:
    assert _eights([8, 16, 24], 32).second.tolist() == [0, 1] * 16
    assert _eights([7, 15, 23], 32).second.tolist() == [1, 0] * 16


def test_a_broken_bar_begins_the_count_anew() -> None:
    lengths = np.full(33, BEATS_PER_BAR)
    lengths[16] = 2
    found = _eights([8, 17, 25], 33, lengths)
    assert found.second[:17].tolist() == [0, 1] * 8 + [0]
    assert found.second[17:].tolist() == [0, 1] * 8


def test_one_odd_boundary_does_not_turn_the_count() -> None:
    assert _eights([8, 13, 16, 24], 32).second.tolist() == [0, 1] * 16


def test_the_count_is_the_surer_the_more_agrees() -> None:
    clear, less = _eights([8, 16, 24, 32], 40), _eights([8, 15], 40)
    assert 0 <= less.confidence < clear.confidence <= 1


def test_a_pick_up_leads_to_a_one() -> None:
    bars = Bars.of(np.concatenate([[3, 4], np.tile([1, 2, 3, 4], 8)]))
    found = eights.eights(bars, np.zeros(9))
    counts = eights.counts(np.concatenate([[3, 4], np.tile([1, 2, 3, 4], 8)]), bars, found.second)
    assert counts[:6].tolist() == [7, 8, 1, 2, 3, 4]


def _rows(chords: IntArray, seed: int = 0) -> Beatwise:
    """Beats that sound one pitch class each, all else alike."""
    chroma = np.eye(12)[chords]
    count = len(chords)
    strokes = np.abs(np.random.default_rng(seed).normal(1, 0.05, (count, 4, 5)))
    return Beatwise(strokes, np.full((count, 81), -30.0), chroma)


def test_bars_of_one_cycle_of_chords_are_alike_and_those_of_another_are_not() -> None:
    verse, chorus = np.repeat([0, 5, 7, 0], 4), np.repeat([9, 2, 4, 11], 4)
    rows = _rows(np.concatenate([np.tile(verse, 4), np.tile(chorus, 4)]))
    within = similarity(rows, four_four(32), np.zeros(128)).within
    assert within[2:14, 2:14].min() > 0.9
    assert within[2:14, 18:30].max() < 0.75
    assert within.shape == (32, 32)
    np.testing.assert_allclose(within, within.T)


def part(group: int, guira: float, energy: float, share: float = 0.1) -> Part:
    return Part(group, share, guira, energy)


def test_the_parts_of_a_bachata_have_their_roles() -> None:
    parts = [
        part(0, 0.8, 0.3), part(1, 0.8, 0.7), part(2, 0.1, 0.8), part(3, 0.1, 0.95), part(1, 0.8, 0.7),
        part(2, 0.1, 0.8), part(4, 0.1, 0.3), part(2, 0.1, 0.8), part(5, 0.8, 0.5),
    ]  # fmt: skip
    assert [role.value for role in roles(parts)] == [
        "intro", "verse", "chorus", "mambo", "verse", "chorus", "bridge", "chorus", "outro",
    ]  # fmt: skip


def test_without_a_guira_that_changes_the_calmer_part_is_the_verse() -> None:
    parts = [part(0, 0.5, 0.7, 0.25), part(1, 0.5, 0.9, 0.25), part(0, 0.5, 0.7, 0.25), part(1, 0.5, 0.9, 0.25)]
    assert [role.value for role in roles(parts)] == ["verse", "chorus", "verse", "chorus"]


@pytest.mark.parametrize(("guira", "role"), [(0.7, Role.VERSE), (0.1, Role.CHORUS)])
def test_a_clip_of_one_section_is_named_by_its_guira(guira: float, role: Role) -> None:
    assert roles([part(0, guira, 0.8, 1.0)]) == [role]


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_sections_in_the_middle_have_the_role_of_their_group(made: list[tuple[int, float, float]]) -> None:
    parts = [part(*values, share=1 / len(made)) for values in made]
    found = roles(parts)
    assert len(found) == len(parts)
    for group in {p.group for p in parts}:
        assert len({role for role, p in list(zip(found, parts, strict=True))[1:-1] if p.group == group}) <= 1


def test_a_bar_may_end_early_where_what_is_heard_says_so() -> None:
    rng = np.random.default_rng(0)
    true = np.concatenate([np.tile([0, 1, 2, 3], 16), [0, 1], np.tile([0, 1, 2, 3], 16)])
    heard = meter.SONG_PATTERN[true] + rng.normal(0, 0.6, (len(true), meter.SONG_PATTERN.shape[1]))
    found = meter.barred(heard)
    assert (found.positions - 1 == true).mean() > 0.95
    assert found.confidence > 0.8


def test_where_nothing_tells_the_bars_confidence_is_low() -> None:
    heard = np.random.default_rng(1).normal(0, 1, (48, meter.SONG_PATTERN.shape[1]))
    assert meter.barred(heard).confidence < 0.6
