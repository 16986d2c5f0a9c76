"""The dance keeps its rules, says what it could not keep, and adds up."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography.planning import JITTER, Planned, materials, planned
from gpu_job.choreography.repeats import form
from gpu_job.choreography.slots import slots
from gpu_job.choreography.transitions import transitions
from shared.errors import NoBeat, NoMoves
from shared.library import Difficulty, MoveLibrary
from shared.music import Music, Role
from shared.timeline import FloatArray
from shared.wishes import Wishes
from tests.gpu_job.choreography.making import a_fit, a_library, a_song

SHORT = ((Role.INTRO, 2), (Role.VERSE, 4), (Role.CHORUS, 4), (Role.VERSE, 4), (Role.CHORUS, 4))
songs = st.builds(
    a_song, st.just(SHORT), tempo_bpm=st.floats(100, 165), seed=st.integers(0, 99), pickup=st.integers(0, 7),
    tail=st.integers(0, 7), broken_after=st.lists(st.integers(0, 17), max_size=2),
)  # fmt: skip
libraries = st.builds(a_library, st.integers(1, 40), st.integers(0, 99))
wishes = st.builds(Wishes, difficulty=st.sampled_from([None, *Difficulty]), seed=st.integers(0, 3))


def _scores(music: Music, library: MoveLibrary) -> Mapping[str, FloatArray]:
    return a_fit(np.array([slot.energy for slot in slots(music)]), library)


def _fit(music: Music, library: MoveLibrary) -> FloatArray:
    scores = _scores(music, library)
    return 0.7 * scores["energy"] + 0.3 * scores["taste"]


def _planned(music: Music, library: MoveLibrary, wished: Wishes | None = None) -> Planned:
    return planned(music, library, wished or Wishes(), _fit(music, library))


def _blocks(found: Planned, number: int = 0) -> np.ndarray:
    return np.array([placed.block for placed in found.plans[number].placed])


@settings(max_examples=30)
@given(songs, libraries, wishes)
def test_every_slot_has_a_block_that_is_easy_enough(music: Music, library: MoveLibrary, wished: Wishes) -> None:
    if library.difficulty.min() > wished.hardest.rank:
        with pytest.raises(NoMoves, match="easy enough"):
            _planned(music, library, wished)
        return
    found = _planned(music, library, wished)
    assert [placed.slot for placed in found.plans[0].placed] == list(slots(music))
    assert library.difficulty[_blocks(found)].max() <= wished.hardest.rank


@settings(max_examples=20)
@given(songs, libraries, wishes)
def test_the_same_seed_gives_the_same_dance(music: Music, library: MoveLibrary, wished: Wishes) -> None:
    if library.difficulty.min() <= wished.hardest.rank:
        assert _planned(music, library, wished) == _planned(music, library, wished)


@settings(max_examples=20)
@given(songs, libraries)
def test_a_dance_is_worth_its_fits_less_its_costs(music: Music, library: MoveLibrary) -> None:
    found = _planned(music, library)
    fits = _fit(music, library)[np.arange(len(found.slots)), _blocks(found)].sum()
    costs = sum(sum(placed.costs.values()) for placed in found.plans[0].placed)
    assert found.plans[0].value == pytest.approx(fits - costs)
    assert found.plans[0].value <= found.bound + 1e-4


@settings(max_examples=10)
@given(st.floats(118, 136), st.integers(0, 99))
def test_no_block_comes_again_within_eight_slots_unless_its_section_does(tempo_bpm: float, seed: int) -> None:
    music, library = a_song(SHORT, tempo_bpm=tempo_bpm, seed=seed, pickup=3, broken_after=[7]), a_library(60, seed)
    found = _planned(music, library)
    blocks, figure = _blocks(found), form(found.slots, music.sections).figure
    assert found.warnings == ()
    for one, other in itertools.combinations(range(len(blocks)), 2):
        if other - one <= 8 and figure[one] != figure[other]:
            assert blocks[one] != blocks[other]


def test_repetitions_share_their_phrases_and_the_last_ends_differently() -> None:
    music = a_song()
    found = _planned(music, a_library())
    blocks, section = _blocks(found), np.array([slot.section for slot in found.slots])
    verse, again = blocks[section == 1], blocks[section == 3]
    assert (verse[:6] == again[:6]).all()
    assert (verse[6:] != again[6:]).all()
    assert (blocks[section == 2] == blocks[section == 4]).all()


def test_the_costs_are_those_of_the_cuts_the_tempo_and_what_comes_again() -> None:
    music, library = a_song(), a_library(30)
    found = _planned(music, library)
    costs, placed = transitions(library), found.plans[0].placed
    assert placed[0].costs["transition"] == 0
    for one, then in itertools.pairwise(placed):
        assert then.costs["transition"] == pytest.approx(costs[one.block, then.block])
    assert all(one.costs["retime"] >= 0 for one in placed)
    assert all(one.costs["repetition"] == 0 for one in placed[:10])


def test_the_given_transitions_are_used() -> None:
    music, library = a_song(SHORT), a_library(60)
    free = planned(music, library, Wishes(), _fit(music, library), transition=np.zeros((len(library),) * 2, np.float32))
    assert sum(one.costs["transition"] for one in free.plans[0].placed) == 0


@pytest.mark.parametrize("clips", [1, 2, 3])
def test_a_tiny_library_still_gives_a_dance_and_says_so(clips: int) -> None:
    library = a_library(clips, seed=3, tempo_bpm=(127, 129))
    found = _planned(a_song(), library)
    assert "REPETITION" in [warning.code for warning in found.warnings]
    blocks = _blocks(found)
    if len(library) > 1:
        assert (blocks[1:] != blocks[:-1]).all()


def test_a_library_of_one_block_repeats_it() -> None:
    move = a_library(1).moves[0]
    one = replace(
        move, blocks=move.blocks[:1], qualities=move.qualities[:1], pose_embedding=move.pose_embedding[:1],
        edges=type(move.edges)(*(getattr(move.edges, name)[:1] for name in ("joints", "place", "facing", "hold"))),
    )  # fmt: skip
    found = _planned(a_song(), MoveLibrary.of([one]))
    assert set(_blocks(found)) == {0}
    assert [warning.code for warning in found.warnings] == ["REPETITION"]


def test_a_song_too_fast_for_the_library_is_danced_and_the_tempi_named() -> None:
    found = _planned(a_song(tempo_bpm=164), a_library(60, tempo_bpm=(110, 130)))
    warning = next(warning for warning in found.warnings if warning.code == "TEMPO_UNMET")
    assert "164 beats" in warning.message
    assert "faster" in warning.message


def test_a_plain_case_has_no_warning() -> None:
    assert _planned(a_song(), a_library()).warnings == ()


def test_the_same_clip_under_two_names_is_one_material() -> None:
    moves = a_library(6).moves
    twice = [replace(move, annotation=replace(move.annotation, clip_id="z" + move.id)) for move in moves]
    library = MoveLibrary.of([*moves, *twice])
    material = materials(library)
    assert np.array_equal(material[: len(material) // 2], material[len(material) // 2 :])
    blocks = _blocks(_planned(a_song(SHORT), library))
    assert (material[blocks][1:] != material[blocks][:-1]).all()


def test_an_empty_library_and_one_of_too_hard_moves_are_refused() -> None:
    music = a_song()
    with pytest.raises(NoMoves, match="no move in the library yet"):
        planned(music, MoveLibrary.of([]), Wishes(), np.zeros((len(slots(music)), 0)))
    hard = [move for move in a_library().moves if move.annotation.difficulty is Difficulty.ADVANCED]
    with pytest.raises(NoMoves, match="easy enough"):
        _planned(music, MoveLibrary.of(hard), Wishes(Difficulty.BEGINNER))


def test_a_song_without_a_beat_is_refused() -> None:
    with pytest.raises(NoBeat):
        planned(Music.none(60.0), a_library(3), Wishes(), np.zeros((0, 8)))


@pytest.mark.parametrize("by_slot", [False, True])
def test_what_is_not_allowed_is_not_danced(by_slot: bool) -> None:
    music, library = a_song(SHORT), a_library(60)
    allowed = np.arange(len(library)) % 2 == 0
    given_as = np.tile(allowed, (len(slots(music)), 1)) if by_slot else allowed
    found = planned(music, library, Wishes(), _fit(music, library), given_as)
    assert allowed[_blocks(found)].all()


def test_slots_that_no_one_block_may_fill_are_not_danced_alike() -> None:
    music, library = a_song(((Role.VERSE, 4), (Role.VERSE, 4))), a_library(30)
    allowed = np.ones((8, len(library)), dtype=bool)
    allowed[0, ::2], allowed[4, 1::2] = False, False
    blocks = _blocks(planned(music, library, Wishes(), _fit(music, library), allowed))
    assert blocks[0] % 2 == 1
    assert blocks[4] % 2 == 0
    assert (blocks[1:3] == blocks[5:7]).all()


def test_another_seed_gives_another_dance_that_is_nearly_as_good() -> None:
    music, library = a_song(), a_library()
    best = _planned(music, library)
    for seed in (1, 2):
        other = _planned(music, library, Wishes(seed=seed))
        assert (_blocks(other) != _blocks(best)).mean() > 0.1
        assert other.plans[0].value > best.plans[0].value - JITTER * len(best.slots)
        assert other.plans[0].value > 0.95 * best.plans[0].value


def test_alternatives_differ_and_the_first_is_the_best_alone() -> None:
    music, library = a_song(), a_library()
    found = _planned(music, library, Wishes(alternatives=3))
    assert len(found.plans) == len(found.differences) == 3
    assert found.plans[0] == _planned(music, library).plans[0]
    assert found.differences[0] == 1
    assert min(found.differences) > 0.5
    assert found.differences[1] == np.mean(_blocks(found, 0) != _blocks(found, 1))
    assert found.plans[2].value > 0.9 * found.plans[0].value


def test_every_block_has_its_scores_and_a_sentence() -> None:
    music, library = a_song(SHORT), a_library(60)
    scores = {**_scores(music, library), "role": np.ones((len(slots(music)), len(library)))}
    found = planned(music, library, Wishes(), _fit(music, library), scores=scores)
    for s, placed in enumerate(found.plans[0].placed):
        assert placed.scores == {name: matrix[s, placed.block] for name, matrix in scores.items()}
        assert ("as it should be here" in placed.why) == (placed.scores["energy"] >= 0.7)
        assert "at home" not in placed.why, "all are"


def test_a_song_without_sections_is_spoken_of_as_it_is_judged() -> None:
    music = replace(a_song(SHORT), sections=())
    library, ones = a_library(60), np.ones((len(slots(music)), 1))
    role = ones * np.linspace(0.7, 1, len(library))
    found = planned(music, library, Wishes(), _fit(music, library), scores={"role": role})
    assert all("at home in a verse" in placed.why for placed in found.plans[0].placed)
