"""Of a large library the blocks that matter are looked at, and what the others could be worth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography import planning
from gpu_job.choreography import shortlist as module
from gpu_job.choreography.planning import planned
from gpu_job.choreography.shortlist import EACH, shortlist
from gpu_job.choreography.slots import slots
from shared.music import Role
from shared.wishes import Wishes
from tests.gpu_job.choreography.making import a_fit, a_library, a_song
from tests.gpu_job.choreography.puzzles import a_puzzle, best_of_all

SONG = a_song(((Role.VERSE, 4), (Role.CHORUS, 4), (Role.VERSE, 4)))


def test_a_small_library_is_looked_at_whole() -> None:
    found = shortlist(np.zeros((3, 7)), np.zeros(6, dtype=bool))
    assert found.blocks.tolist() == list(range(7))
    assert found.rest == -np.inf


def test_each_figure_has_its_best() -> None:
    worth = np.random.default_rng(0).random((5, 2000))
    found = shortlist(worth, np.zeros(1999, dtype=bool))
    for row in worth:
        assert set(np.argsort(-row)[:EACH]) <= set(found.blocks)
    assert len(found.blocks) <= 5 * EACH


def test_what_goes_on_from_a_good_block_comes_with_it_and_what_it_goes_on_from() -> None:
    worth = np.zeros((1, 2000))
    worth[0, : EACH - 1], worth[0, 1000] = 1.0, 2.0
    goes_on = np.zeros(1999, dtype=bool)
    goes_on[[999, 1000]] = True
    assert {999, 1000, 1001} <= set(shortlist(worth, goes_on).blocks)
    assert 998 not in shortlist(worth, goes_on).blocks


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(1, 3))
def test_no_choice_with_another_block_is_worth_more_than_the_rest(seed: int, each: int) -> None:
    puzzle = a_puzzle(seed, parts=((0, 4), (0, 4)), blocks=6, window=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EACH", each)
        found = shortlist(puzzle.worth, np.zeros(5, dtype=bool), most=0)
    best = best_of_all(puzzle)
    if not np.isin(best.choice, found.blocks).all():
        assert best.value <= found.rest + 1e-9


def test_a_dance_from_the_shortlist_is_one_of_the_library_and_hardly_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    library = a_library(200)
    scores = a_fit(np.array([slot.energy for slot in slots(SONG)]), library)
    whole = planned(SONG, library, Wishes(), scores["energy"])
    monkeypatch.setattr(planning, "shortlist", lambda worth, goes_on: shortlist(worth, goes_on, most=100))
    found = planned(SONG, library, Wishes(), scores["energy"], scores=scores)
    assert found.plans[0].value >= 0.98 * whole.plans[0].value
    assert found.bound >= whole.plans[0].value
    for s, placed in enumerate(found.plans[0].placed):
        assert placed.scores["energy"] == scores["energy"][s, placed.block]
