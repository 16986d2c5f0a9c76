"""Scoring of boundaries, against counting by hand and against trying every pairing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.segmentation.scoring import f_measure, matches

times = st.lists(st.integers(0, 20).map(lambda n: n / 4), max_size=5).map(sorted)


def test_what_agrees_within_the_tolerance_counts() -> None:
    assert f_measure([1.0, 5.2, 9.0], [1.1, 5.0, 20.0], 0.25) == pytest.approx(2 / 3)


def test_a_distance_of_exactly_the_tolerance_counts() -> None:
    assert f_measure([0.1 + 0.2], [0.05], 0.25) == 1.0


def test_a_second_boundary_beside_a_true_one_counts_as_wrong() -> None:
    assert f_measure([0.9, 1.1], [1.0], 0.25) == pytest.approx(2 / 3)


def test_a_boundary_is_matched_to_one_true_one_only() -> None:
    assert len(matches([1.0], [0.9, 1.1], 0.25)) == 1


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    assert f_measure([], [], 0.25) == 1.0


def test_nothing_found_of_something_is_zero() -> None:
    assert f_measure([], [3.0], 0.25) == 0.0
    assert f_measure([3.0], [], 0.25) == 0.0


def test_a_match_says_how_far_off_it_is() -> None:
    (match,) = matches([2.1], [2.0], 0.25)
    assert match.error_s == pytest.approx(0.1)


@pytest.mark.parametrize("bad", [[2.0, 1.0], [float("nan")], [float("inf")]])
def test_times_that_are_no_times_in_order_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="in order"):
        f_measure(bad, [1.0], 0.25)


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="tolerance"):
        matches([1.0], [1.0], -0.1)


@given(times, times, st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_no_pairing_matches_more(estimated: list[float], true: list[float], tolerance_s: float) -> None:
    fewer, more = sorted([estimated, true], key=len)
    best = max(
        sum(abs(a - b) <= tolerance_s + 1e-9 for a, b in zip(fewer, chosen, strict=True))
        for chosen in itertools.permutations(more, len(fewer))
    )
    assert len(matches(estimated, true, tolerance_s)) == best


@given(times, times)
def test_the_measure_is_symmetric_and_within_bounds(estimated: list[float], true: list[float]) -> None:
    f = f_measure(estimated, true, 0.25)
    assert 0 <= f <= 1
    assert f == f_measure(true, estimated, 0.25)
