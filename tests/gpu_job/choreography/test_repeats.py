"""Sections that come again are danced again, and end differently the last time."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.choreography.repeats import Form, form
from tests.gpu_job.choreography.puzzles import placed

parts = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=8).map(tuple)


def _form(*of: tuple[int, int]) -> Form:
    return form(*placed(of))


@given(parts)
def test_figures_are_numbered_as_they_appear(of: tuple[tuple[int, int], ...]) -> None:
    found = _form(*of)
    assert list(dict.fromkeys(found.figure.tolist())) == list(range(len(found)))


@given(parts)
def test_three_quarters_or_more_of_a_repetition_are_danced_alike(of: tuple[tuple[int, int], ...]) -> None:
    slots, sections = placed(of)
    figure = form(slots, sections).figure
    for one, other in itertools.combinations(range(len(sections)), 2):
        if sections[one].group != sections[other].group:
            continue
        pair = [figure[[slot.section == number for slot in slots]] for number in (one, other)]
        both = min(len(each) for each in pair)
        if both > 1:
            # Where neither is the last of its group, or one that is no longer than the other, it is exact.
            shared = np.mean(pair[0][:both] == pair[1][:both])
            assert shared >= 0.75 or len(pair[1]) != len(pair[0])


def test_the_last_repetition_varies_its_last_phrase() -> None:
    found = _form((0, 8), (1, 4), (0, 8), (0, 8))
    assert found.figure.tolist() == [*range(8), *range(8, 12), *range(8), *range(6), 12, 13]
    assert found.model.tolist() == [-1] * 12 + [6, 7]


def test_a_section_of_four_varies_one_slot_a_shorter_one_none() -> None:
    assert _form((0, 4), (0, 4)).figure.tolist() == [0, 1, 2, 3, 0, 1, 2, 4]
    assert _form((0, 3), (0, 3)).figure.tolist() == [0, 1, 2, 0, 1, 2]


def test_repetitions_of_another_length_are_aligned_from_their_start() -> None:
    longer = _form((0, 4), (0, 6))
    assert longer.figure.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]  # what is new is variation enough
    shorter = _form((0, 8), (0, 6))
    assert shorter.figure.tolist() == [*range(8), 0, 1, 2, 3, 4, 8]


def test_a_longer_repetition_in_the_middle_is_remembered() -> None:
    assert _form((0, 2), (0, 4), (0, 4)).figure.tolist() == [0, 1, 0, 1, 2, 3, 0, 1, 2, 4]


def test_a_broken_bar_stands_alone_and_shifts_nothing() -> None:
    slots, sections = placed(((0, 5), (1, 2), (0, 4)))
    slots[2] = replace(slots[2], counts=2)
    assert form(slots, sections).figure.tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1, 3, 7]


def test_a_section_of_one_slot_is_not_repeated() -> None:
    assert _form((0, 1), (0, 1), (0, 1)).figure.tolist() == [0, 1, 2]


def test_without_sections_every_slot_is_its_own() -> None:
    slots, _ = placed(((0, 4),))
    assert form(slots, ()).figure.tolist() == [0, 1, 2, 3]


def test_a_figure_can_be_taken_apart() -> None:
    found = _form((0, 4), (1, 2), (0, 4)).apart(1)
    assert found.figure.tolist() == [0, 1, 2, 3, 4, 5, 0, 6, 2, 7]
    assert found.model.tolist() == [-1] * 7 + [3]


def test_which_slots_repeat_is_known() -> None:
    assert np.flatnonzero(_form((0, 4), (0, 4)).is_repeated).tolist() == [4, 5, 6]
