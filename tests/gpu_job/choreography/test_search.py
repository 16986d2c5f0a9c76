"""The search keeps the rules, finds the best choice of small puzzles, and never promises too little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography.puzzle import Puzzle
from gpu_job.choreography.search import Effort, Solution, greedy, solve
from tests.gpu_job.choreography.puzzles import a_puzzle, best_of_all

PARTS = (
    ((0, 6),),
    ((0, 2), (1, 2), (0, 2)),
    ((0, 4), (0, 4)),
    ((0, 2), (0, 2), (0, 3), (1, 1)),
    ((0, 3), (1, 2), (0, 3), (1, 2), (2, 1)),
)
puzzles = st.builds(
    a_puzzle, st.integers(0, 10_000), parts=st.sampled_from(PARTS), blocks=st.integers(2, 6), window=st.integers(0, 4)
)
small_efforts = st.builds(Effort, width=st.integers(1, 4), candidates=st.integers(1, 4), steps=st.integers(0, 10))


@settings(max_examples=60)
@given(puzzles)
def test_no_choice_of_a_small_puzzle_is_better(puzzle: Puzzle) -> None:
    found, best = solve(puzzle), best_of_all(puzzle)
    assert found.offences == pytest.approx(best.offences)
    assert found.value == pytest.approx(best.value, abs=1e-4)


@settings(max_examples=60)
@given(puzzles, small_efforts)
def test_no_choice_exceeds_the_bound_however_little_effort_is_made(puzzle: Puzzle, effort: Effort) -> None:
    found, best = solve(puzzle, effort), best_of_all(puzzle)
    if found.offences == pytest.approx(best.offences):
        assert found.value <= best.value + 1e-4
        assert best.value <= found.bound + 1e-4


@given(puzzles, small_efforts)
def test_it_is_never_worse_than_the_best_of_each_moment(puzzle: Puzzle, effort: Effort) -> None:
    first = greedy(puzzle)[None]
    known = Solution(first[0], float(puzzle.values(first)[0]), float(puzzle.offences(first)[0]), np.inf)
    assert solve(puzzle, effort).rank >= known.rank - 1e-6


@given(puzzles, small_efforts)
def test_no_block_is_chosen_that_may_not_be_danced(puzzle: Puzzle, effort: Effort) -> None:
    found = solve(puzzle, effort)
    assert np.isfinite(puzzle.worth[np.arange(puzzle.figures), found.choice]).all()


@given(puzzles)
def test_the_same_puzzle_has_the_same_solution(puzzle: Puzzle) -> None:
    one, other = solve(puzzle), solve(replace(puzzle, worth=puzzle.worth.copy()))
    assert np.array_equal(one.choice, other.choice)
    assert one.bound == other.bound


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_a_puzzle_of_many_blocks_keeps_the_rules_and_comes_near_its_bound(seed: int) -> None:
    puzzle = a_puzzle(seed, parts=((0, 6), (1, 6), (0, 6), (1, 6)), blocks=150, window=8)
    found = solve(puzzle)
    assert found.offences == 0
    assert found.value >= 0.85 * found.bound


def test_a_figure_without_a_block_is_refused() -> None:
    puzzle = a_puzzle(0, parts=((0, 3),), blocks=4)
    puzzle.worth[1] = -np.inf
    with pytest.raises(ValueError, match="without a block"):
        solve(puzzle)


def test_more_effort_lowers_the_bound_of_a_large_puzzle() -> None:
    puzzle = a_puzzle(3, parts=((0, 8), (1, 8), (0, 8), (1, 8), (2, 4)), blocks=200, window=8)
    little, much = solve(puzzle, Effort(8, 16, 0)), solve(puzzle, Effort(512, 128, 60))
    assert much.bound < little.bound
    assert much.value >= little.value
