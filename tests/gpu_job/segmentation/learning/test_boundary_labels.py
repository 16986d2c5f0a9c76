"""Soft labels are as high as people agree, and go to the video that they are about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.segmentation.learning.boundary_labels import SIGMA_BEATS, Labelled, Unit, matched, soft_labels
from shared.errors import BadLabels

HALF_BEATS = np.arange(0, 8.5, 0.5)
POINTS = st.lists(st.floats(0, 8), max_size=6).map(np.array)


def at(*beats: float) -> np.ndarray:
    return np.array(beats, dtype=float)


def labelled(video: str) -> Labelled:
    return Labelled(video, ("ada",), (at(1.0),), Unit.SECONDS)


def test_where_all_agree_it_is_one_and_falls_off_within_a_beat() -> None:
    soft = soft_labels([at(4.0), at(4.0)], HALF_BEATS)
    assert soft[8] == 1.0
    assert soft[[7, 9]] == pytest.approx(np.exp(-0.5 * (0.5 / SIGMA_BEATS) ** 2))
    assert soft[[6, 10]] == pytest.approx(0.011, abs=1e-3)
    assert soft[0] < 1e-9


def test_it_is_the_share_of_those_who_say_so() -> None:
    soft = soft_labels([at(2.0, 6.0), at(6.0), at(6.0), at()], HALF_BEATS)
    assert soft[[4, 12]] == pytest.approx([0.25, 0.75], abs=1e-6)


def test_a_point_between_two_half_beats_is_at_both() -> None:
    soft = soft_labels([at(4.25)], HALF_BEATS)
    assert soft[8] == soft[9] == pytest.approx(0.755, abs=1e-3)


def test_whose_points_lie_close_says_no_more_than_that_there_is_a_boundary() -> None:
    assert soft_labels([at(3.9, 4.0, 4.1)], HALF_BEATS).max() == 1.0


def test_one_who_sees_one_move_sees_no_boundary() -> None:
    assert soft_labels([at()], HALF_BEATS).tolist() == [0.0] * len(HALF_BEATS)


def test_without_anybody_there_is_nothing_to_learn() -> None:
    with pytest.raises(ValueError, match="nobody"):
        soft_labels([], HALF_BEATS)


@given(st.lists(POINTS, min_size=1, max_size=4))
def test_they_are_shares_and_the_same_whoever_is_asked_first(people: list[np.ndarray]) -> None:
    soft = soft_labels(people, HALF_BEATS)
    assert soft.shape == HALF_BEATS.shape
    assert 0 <= soft.min() <= soft.max() <= 1
    assert soft_labels(people[::-1], HALF_BEATS) == pytest.approx(soft)


def test_labels_go_to_the_file_of_that_name_in_whatever_folder_and_form() -> None:
    labels = [labelled("a"), labelled("b"), labelled("not here")]
    files = [Path("/x/a.mp4"), Path("/x/deep/b.npz"), Path("/x/c.mp4")]
    assert matched(labels, files) == {files[0]: labels[0], files[1]: labels[1]}


def test_of_two_files_of_one_name_nobody_knows_which_is_meant() -> None:
    with pytest.raises(BadLabels, match=r"/x/a.mp4 and /y/a.mov are both called a"):
        matched([labelled("a")], [Path("/x/a.mp4"), Path("/y/a.mov")])
    assert len(matched([labelled("b")], [Path("/x/a.mp4"), Path("/y/a.mov")])) == 0


@pytest.mark.parametrize(("word", "unit"), [
    ("s", Unit.SECONDS), ("sec", Unit.SECONDS), ("Secs", Unit.SECONDS), ("SECONDS", Unit.SECONDS),
    ("count", Unit.COUNTS), ("counts", Unit.COUNTS), ("c", Unit.COUNTS),
])  # fmt: skip
def test_a_unit_may_be_abbreviated(word: str, unit: Unit) -> None:
    assert Unit.of(word) is unit


@pytest.mark.parametrize("word", ["", "ms", "beats", "frames", "secondly"])
def test_another_unit_is_none(word: str) -> None:
    with pytest.raises(ValueError, match=f"^{word}$"):
        Unit.of(word)
