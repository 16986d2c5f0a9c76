"""From a song, a library and wishes to a dance and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gpu_job.choreography.choreographing import choreographed
from gpu_job.choreography.fit import FACTORS
from gpu_job.choreography.planning import Planned
from shared.library import Difficulty, Energy, Move, MoveLibrary, Style
from shared.music import Role
from shared.wishes import Wishes
from tests.gpu_job.choreography.making import a_library, a_song

SONG = a_song()


def a_library_said(said: Callable[[int], dict[str, object]], clips: int = 20) -> MoveLibrary:
    """Of clips whose teachers say so of each, by its number."""
    moves = a_library(clips, seed=3, tempo_bpm=(124, 132)).moves
    return MoveLibrary.of(
        replace(move, annotation=replace(move.annotation, **said(number))) for number, move in enumerate(moves)
    )


def otherwise(found: Planned, library: MoveLibrary, is_so: Callable[[Move], bool]) -> int:
    """In how many eights the move is not so."""
    return sum(not is_so(library.move_of(placed.block)) for placed in found.plans[0].placed)


def messages(found: Planned, code: str) -> list[str]:
    return [notice.message for notice in found.warnings if notice.code == code]


def test_what_opens_or_closes_a_dance_stands_nowhere_else():
    labels = ["intros", "outro", "basic", "spin"]
    library = a_library_said(lambda number: {"label": labels[number % 4]})
    placed = choreographed(SONG, library, Wishes()).plans[0].placed
    danced = [library.move_of(one.block).annotation.label for one in placed]
    in_place = {"intros": Role.INTRO, "outro": Role.OUTRO}
    for number, (label, one) in enumerate(zip(danced, placed, strict=True)):
        at_edge = number < 2 if label == "intros" else number >= len(placed) - 2
        assert label not in in_place or at_edge or SONG.role(one.slot.section) == in_place[label]
    assert "intros" in danced[:2]


def test_where_nothing_else_is_there_it_is_danced_all_the_same():
    library = a_library_said(lambda _: {"label": "outro"})
    assert len(choreographed(SONG, library, Wishes()).plans[0].placed) > 2


@pytest.mark.parametrize(("confidence", "is_told"), [(0.1, True), (0.9, False)])
def test_a_song_whose_bars_are_unsure_is_said_to_be(confidence, is_told):
    found = choreographed(replace(SONG, bar_confidence=confidence), a_library(20, 0), Wishes())
    assert bool(messages(found, "BARS_UNSURE")) == is_told


@pytest.mark.parametrize("seed", [1, 3, 7, 8])
def test_another_seed_is_another_dance_worth_nearly_as_much(seed):
    music, library = a_song(), a_library(40, 0)
    usual = choreographed(music, library, Wishes()).plans[0]
    other = choreographed(music, library, Wishes(seed=seed)).plans[0]
    same = [one.block == two.block for one, two in zip(usual.placed, other.placed, strict=True)]
    assert sum(same) < len(same) / 2
    assert other.value > 0.9 * usual.value


def test_one_sensual_clip_does_not_silence_the_warning() -> None:
    library = a_library_said(lambda number: {"label": "footwork" if number else "headrolls"})
    found = choreographed(SONG, library, Wishes(style=Style.SENSUAL))
    many = otherwise(found, library, lambda move: move.annotation.label == "headrolls")
    assert many > 30
    (message,) = messages(found, "STYLE_UNMET")
    assert message.startswith(f"In {many} of {len(found.slots)} eights the moves are not sensual")


def test_one_lively_clip_does_not_silence_the_warning() -> None:
    library = a_library_said(lambda number: {"energy": Energy.LOW if number else Energy.HIGH})
    found = choreographed(SONG, library, Wishes(energy=Energy.HIGH))
    many = otherwise(found, library, lambda move: move.annotation.energy is Energy.HIGH)
    assert many > 30
    (message,) = messages(found, "ENERGY_UNMET")
    assert int(message.split()[1]) >= many


def test_one_advanced_clip_does_not_silence_the_warning() -> None:
    library = a_library_said(lambda number: {"difficulty": Difficulty.BEGINNER if number else Difficulty.ADVANCED})
    found = choreographed(SONG, library, Wishes(Difficulty.ADVANCED))
    many = otherwise(found, library, lambda move: move.annotation.difficulty is Difficulty.ADVANCED)
    (message,) = messages(found, "DIFFICULTY_UNMET")
    assert message.startswith(f"In {many} of {len(found.slots)} eights the moves are easier than advanced")


@pytest.mark.parametrize("wishes", [Wishes(), Wishes(Difficulty.BEGINNER, Energy.HIGH, Style.SENSUAL)])
def test_wishes_that_are_met_and_those_that_nobody_has_are_not_spoken_of(wishes: Wishes) -> None:
    said = {"label": "bodywaves", "difficulty": Difficulty.BEGINNER}
    library = a_library_said(lambda _: said, 150)
    assert choreographed(SONG, library, wishes).warnings == ()


def test_what_is_not_wished_is_no_score_and_in_no_sentence() -> None:
    library = a_library(60)
    for placed in choreographed(SONG, library, Wishes()).plans[0].placed:
        assert set(placed.scores) == set(FACTORS) - {"difficulty", "style"}
        assert "wished" not in placed.why
    wished = choreographed(SONG, library, Wishes(Difficulty.ADVANCED, None, Style.MODERN)).plans[0].placed
    assert all(set(placed.scores) == set(FACTORS) for placed in wished)
    assert any("modern as wished" in placed.why for placed in wished)


def test_who_wishes_no_difficulty_does_not_have_easy_moves_judged_worse() -> None:
    easy = a_library_said(lambda _: {"difficulty": Difficulty.BEGINNER})
    hard = a_library_said(lambda _: {"difficulty": Difficulty.ADVANCED})
    assert choreographed(SONG, easy, Wishes()).plans[0].value == choreographed(SONG, hard, Wishes()).plans[0].value
