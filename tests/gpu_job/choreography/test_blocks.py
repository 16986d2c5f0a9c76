"""Where blocks of eight counts begin, on any downbeats."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography.blocks import EVEN, blocks, fitting
from shared.timeline import BeatGrid

RATE_HZ = 30.0


def grid(positions: list[int], period_s: float = 0.5, first_s: float = 0.0) -> BeatGrid:
    return BeatGrid(first_s + np.arange(len(positions)) * period_s, np.array(positions, dtype=np.int64))


def bars(count: int, pick_up: int = 0) -> list[int]:
    """``count`` bars after so many beats of another."""
    return [(place - pick_up) % 4 + 1 for place in range(pick_up + 4 * count)]


def found(beats: BeatGrid, duration_s: float = 1e3) -> list[int]:
    return blocks(beats, RATE_HZ, int(duration_s * RATE_HZ)).tolist()


def test_blocks_follow_one_another_from_the_first_downbeat_on():
    assert found(grid(bars(6, pick_up=3))) == [3, 11, 19]


def test_bars_are_paired_so_that_most_blocks_are_whole_and_the_earlier_way_wins_a_tie():
    assert found(grid(bars(3))) == [0]
    broken = [1, 2, 3, 4, 1, 2, *bars(4)]  # the second bar stops short
    assert found(grid(broken)) == [6, 14]
    assert found(grid(bars(5))) == [0, 8]


def test_a_pair_of_bars_that_only_the_second_downbeat_makes_whole_is_taken():
    short = [1, 2, 3, 1, 2, 3, 4, *bars(3)]
    assert found(grid(short)) == [3, 11]
    late = grid(bars(5))
    uneven = BeatGrid(late.beats_s + np.where(np.arange(20) >= 2, 0.4, 0.0), late.positions)  # a break in the first bar
    assert found(uneven) == [4, 12]


def test_a_block_ends_within_the_clip_and_its_end_may_come_after_the_last_beat():
    beats = grid(bars(4))
    assert found(beats, duration_s=8.0) == [0, 8]
    assert found(beats, duration_s=7.9) == [0]
    assert found(beats, duration_s=3.9) == []


def test_a_beat_that_comes_late_within_the_tolerance_breaks_no_block():
    beats = grid(bars(2))
    for late_s, expected in ((0.5 * EVEN * 0.9, [0]), (0.5 * EVEN * 1.2, [])):
        moved = BeatGrid(beats.beats_s + np.where(np.arange(8) >= 3, late_s, 0.0), beats.positions)
        assert found(moved) == expected


@pytest.mark.parametrize("positions", [[], [1], [2, 3, 4], bars(1), [1] * 20, [1, 2] * 8])
def test_where_no_two_bars_are_whole_there_is_no_block(positions):
    assert found(grid(positions)) == []


def test_which_blocks_still_end_within_a_clip_that_turned_out_shorter():
    assert fitting(grid(bars(4)), np.array([0, 8]), RATE_HZ, 239).tolist() == [True, False]


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 4), max_size=60) | st.integers(0, 12).map(bars),
    st.floats(0.36, 0.6),
    st.floats(0, 25),
)
def test_whatever_the_beats_blocks_are_whole_disjoint_and_within_the_clip(positions, period_s, duration_s):
    beats = grid(positions, period_s)
    starts = found(beats, duration_s)
    assert all(later - earlier >= 8 for earlier, later in itertools.pairwise(starts))
    for start in starts:
        assert positions[start : start + 8] == [1, 2, 3, 4, 1, 2, 3, 4]
        assert beats.time_of(start + 8) <= duration_s + 0.5 / RATE_HZ + 1e-9
