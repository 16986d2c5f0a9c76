"""Why a block is where it is, in words."""

from __future__ import annotations

import pytest

from gpu_job.choreography.sentence import why
from gpu_job.choreography.wording import Place
from gpu_job.titles import name_of
from shared.library import Difficulty, Style
from shared.music import Role
from shared.wishes import Wishes
from tests.gpu_job.choreography.making import a_library
from tests.gpu_job.choreography.shelf import places

LIBRARY = a_library(12)
FOLLOWED = next(block for block in range(len(LIBRARY)) if LIBRARY.is_followed_by(block, block + 1))
SUITS = {"quality": 0.8, "energy": 0.84, "role": 0.84, "style": 1.0, "difficulty": 1.0}


def _why(
    before: int | None, block: int, factors: dict[str, float] = SUITS, wishes: Wishes | None = None, *,
    transition: float = 0.0, repeats: bool = False,
) -> str:  # fmt: skip
    place = Place.of(places(Role.CHORUS, energy=0.8), wishes or Wishes())
    return why(LIBRARY, before, block, place, factors, {"transition": transition}, repeats=repeats)


def test_a_sentence_says_what_is_danced_why_and_what_is_before() -> None:
    name = name_of(LIBRARY.moves[0].annotation.label).capitalize()
    assert _why(None, 0) == f"{name}: as lively as it should be here and at home in a chorus; it opens the dance."


def test_what_speaks_against_a_block_is_told() -> None:
    assert "at home in a chorus, but jerky or badly seen;" in _why(None, 0, {"role": 1.0, "quality": 0.2})
    assert ": jerky or badly seen;" in _why(None, 0, {"quality": 0.2})


def test_where_little_speaks_for_or_against_a_block_no_more_is_said() -> None:
    assert ": suits in part; it opens the dance." in _why(None, 0, {"role": 0.5, "quality": 0.6})


@pytest.mark.parametrize("factors", [{}, {"unheard_of": 0.9}])
def test_where_nothing_tells_blocks_apart_only_what_is_before_is_told(factors: dict[str, float]) -> None:
    assert _why(None, 0, factors).endswith(": it opens the dance.")


def test_what_is_not_wished_is_not_told() -> None:
    only = {"difficulty": 1.0, "style": 0.1}
    assert _why(None, 0, only).endswith(": it opens the dance.")
    wished = Wishes(Difficulty.INTERMEDIATE, None, Style.SENSUAL)
    assert ": as difficult as wished, but hardly sensual;" in _why(None, 0, only, wished)


def test_a_clip_that_goes_on_is_told() -> None:
    assert "without a cut" in _why(FOLLOWED, FOLLOWED + 1)


def test_a_cut_is_called_what_it_is() -> None:
    other = len(LIBRARY) - 1
    assert "opens the dance" in _why(None, other)
    assert "hardly jump" in _why(0, other, transition=0.2)
    assert "soft enough" in _why(0, other, transition=0.4)
    assert "is seen" in _why(0, other, transition=0.6)


def test_a_repetition_is_told() -> None:
    assert ": as in the chorus before; as lively" in _why(0, 1, repeats=True)
    assert "chorus before" not in _why(0, 1)
