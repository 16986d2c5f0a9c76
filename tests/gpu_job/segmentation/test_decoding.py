"""The decoder keeps its promises for any probabilities, and finds the best cut there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.segmentation.decoding import boundaries, length_prior
from gpu_job.segmentation.moves import Options
from shared.errors import BadOption
from shared.wishes import MethodName

probabilities = st.lists(st.floats(0, 1), min_size=2, max_size=120).map(np.array)
wishes = st.builds(Options, min_probability=st.floats(0, 1), min_counts=st.integers(1, 32))


@given(probabilities, wishes)
def test_cuts_start_at_the_first_half_beat_and_end_at_the_last(probability: np.ndarray, options: Options) -> None:
    cuts = boundaries(probability, options)
    assert cuts[0] == 0
    assert cuts[-1] == len(probability) - 1
    assert np.all(np.diff(cuts) > 0)


@given(probabilities, wishes)
def test_no_move_is_shorter_than_asked_unless_the_whole_is(probability: np.ndarray, options: Options) -> None:
    cuts = boundaries(probability, options)
    assert len(cuts) == 2 or np.diff(cuts).min() >= 2 * options.min_counts


@given(probabilities, wishes)
def test_no_inner_boundary_is_less_probable_than_asked(probability: np.ndarray, options: Options) -> None:
    assert np.all(probability[boundaries(probability, options)[1:-1]] >= options.min_probability)


@given(probabilities, wishes)
def test_the_same_probabilities_give_the_same_cuts(probability: np.ndarray, options: Options) -> None:
    assert np.array_equal(boundaries(probability, options), boundaries(probability.copy(), options))


@given(st.lists(st.floats(0.05, 0.95), min_size=2, max_size=11).map(np.array), st.integers(1, 3))
def test_no_other_cut_scores_higher(probability: np.ndarray, min_counts: int) -> None:
    options = Options(min_probability=0.3, min_counts=min_counts)
    inner = range(1, len(probability) - 1)
    every = (
        (0, *chosen, len(probability) - 1)
        for size in range(len(probability) - 1)
        for chosen in itertools.combinations(inner, size)
    )
    best = max(_score(np.array(cuts), probability, options) for cuts in every)
    assert _score(boundaries(probability, options), probability, options) == pytest.approx(best)


def _score(cuts: np.ndarray, probability: np.ndarray, options: Options) -> float:
    """What the decoder maximises, written down a second time."""
    p, lengths = probability[cuts[1:-1]], np.diff(cuts)
    forbidden = np.any(p < options.min_probability) or (len(p) and lengths.min() < 2 * options.min_counts)
    gain = np.log(p / (1 - p)) - np.log(options.min_probability / (1 - options.min_probability))
    return -np.inf if forbidden else float(gain.sum() + length_prior(lengths).sum())


def test_clear_boundaries_are_all_found() -> None:
    probability = np.full(65, 0.02)
    probability[[16, 32, 40, 48]] = 0.95
    assert boundaries(probability, Options()).tolist() == [0, 16, 32, 40, 48, 64]


def test_of_two_boundaries_too_close_the_likelier_stays() -> None:
    probability = np.full(33, 0.02)
    probability[[16, 18]] = 0.6, 0.97
    assert boundaries(probability, Options(min_counts=2)).tolist() == [0, 18, 32]


def test_an_eight_count_is_preferred_where_the_dancing_leaves_it_open() -> None:
    probability = np.full(33, 0.02)
    probability[[15, 16, 17]] = 0.8
    assert boundaries(probability, Options()).tolist() == [0, 16, 32]


def test_one_half_beat_cannot_be_cut() -> None:
    assert boundaries(np.array([1.0]), Options()).tolist() == [0]


def test_moves_of_whole_phrases_are_likelier_than_others() -> None:
    eight, four, two, odd, half, very_long = length_prior([16, 8, 4, 6, 7, 64])
    assert eight == 0
    assert eight > four > two > half
    assert odd <= two
    assert very_long < eight


@pytest.mark.parametrize("options", [
    {"min_probability": 1.2}, {"min_probability": -0.1}, {"min_probability": float("nan")}, {"min_probability": "0.5"},
    {"min_counts": 0}, {"min_counts": 33}, {"min_counts": 2.5}, {"min_counts": True}, {"speed": 3},
    {"method": "guessing"}, {"method": None}, {"method": ["novelty"]},
])  # fmt: skip
def test_wishes_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(BadOption):
        Options.read(options)


def test_wishes_are_read_as_a_job_carries_them() -> None:
    assert Options.read({"min_counts": 4.0, "method": "novelty"}) == Options(0.5, 4, MethodName.NOVELTY)
