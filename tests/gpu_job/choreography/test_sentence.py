"""Why a block is where it is, in words."""

from __future__ import annotations

from gpu_job.choreography.sentence import why
from shared.music import Role
from tests.gpu_job.choreography.making import a_library

LIBRARY = a_library(12)
FOLLOWED = next(block for block in range(len(LIBRARY)) if LIBRARY.is_followed_by(block, block + 1))


def _why(before: int | None, block: int, *, transition: float = 0.0, repeats: bool = False) -> str:
    scores = {"quality": 0.2, "energy": 0.84, "role": 0.84, "unheard_of": 0.1}
    return why(LIBRARY, before, block, Role.CHORUS, scores, {"transition": transition}, repeats=repeats)


def test_the_highest_scores_are_told_and_what_the_block_is() -> None:
    told = _why(None, 0)
    assert "its energy is that of the chorus and it suits the chorus" in told
    assert "seen well" not in told
    assert told.lower().startswith(LIBRARY.moves[0].annotation.label.replace("_", " "))


def test_a_clip_that_goes_on_is_told() -> None:
    assert "without a cut" in _why(FOLLOWED, FOLLOWED + 1)


def test_a_cut_is_called_what_it_is() -> None:
    other = len(LIBRARY) - 1
    assert "opens the dance" in _why(None, other)
    assert "hardly jump" in _why(0, other, transition=0.2)
    assert "soft enough" in _why(0, other, transition=0.4)
    assert "is seen" in _why(0, other, transition=0.6)


def test_a_repetition_is_told() -> None:
    assert "as in the chorus before" in _why(0, 1, repeats=True)
    assert "before;" not in _why(0, 1)


def test_where_nothing_tells_blocks_apart_only_what_is_before_is_told() -> None:
    label = LIBRARY.moves[0].annotation.label.replace("_", " ")
    told = why(LIBRARY, None, 0, Role.CHORUS, {}, {"transition": 0.0}, repeats=False)
    assert told.lower() == f"{label}: it opens the dance."


def test_a_score_without_words_is_named() -> None:
    assert "unheard_of" in why(LIBRARY, None, 0, None, {"unheard_of": 0.9}, {"transition": 0.0}, repeats=False)
