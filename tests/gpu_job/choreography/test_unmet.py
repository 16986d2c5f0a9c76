"""A wish that a dance does not meet is told, with how far it does not."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.choreography.fit import ENERGY_SPANS, block_energy
from gpu_job.choreography.unmet import MOST_EASIER, MOST_UNMET, unmet
from shared.library import Difficulty, Energy, MoveLibrary, Style
from shared.wishes import Wishes
from tests.gpu_job.choreography.shelf import a_clip, shelf

BEGINNER, INTERMEDIATE, ADVANCED = Difficulty
SENSUAL, LIVELY = Wishes(style=Style.SENSUAL), Wishes(energy=Energy.HIGH)
EIGHTS = 48


def codes(library: MoveLibrary, blocks: list[int], wishes: Wishes) -> list[str]:
    return [notice.code for notice in unmet(library, np.array(blocks), wishes)]


def danced(otherwise: int, eights: int = EIGHTS) -> np.ndarray:
    """The second block in so many of the eights, and else the first."""
    return np.repeat([1, 0], [otherwise, eights - otherwise])


def test_who_wishes_nothing_is_told_nothing() -> None:
    library = shelf(a_clip("a", "bodywaves", difficulty=BEGINNER), a_clip("b", "spin", energy=Energy.LOW))
    assert codes(library, [0, 1], Wishes()) == []


@pytest.mark.parametrize(
    ("wishes", "share", "code"),
    [
        (SENSUAL, MOST_UNMET, "STYLE_UNMET"), (LIVELY, MOST_UNMET, "ENERGY_UNMET"),
        (Wishes(ADVANCED), MOST_EASIER, "DIFFICULTY_UNMET"),
    ],
)  # fmt: skip
def test_a_wish_is_told_of_from_a_share_of_eights_on_and_with_their_number(
    wishes: Wishes, share: float, code: str
) -> None:
    library = shelf(
        a_clip("a", "headrolls", difficulty=ADVANCED, energy=Energy.HIGH, energies=(0.9,)),
        a_clip("b", "footwork", difficulty=BEGINNER, energy=Energy.LOW, energies=(0.1,)),
    )
    few = int(share * EIGHTS)
    assert unmet(library, danced(few), wishes) == ()
    (notice,) = unmet(library, danced(few + 1), wishes)
    assert notice.code == code
    assert notice.message.startswith(f"In {few + 1} of {EIGHTS} eights ")
    assert "the library has too few" in notice.message


def test_every_wish_is_told_of_by_itself_in_a_sentence_that_names_it() -> None:
    library = shelf(a_clip("a", "bodywaves", difficulty=BEGINNER, energy=Energy.LOW))
    told = unmet(library, np.zeros(8, np.int64), Wishes(ADVANCED, Energy.HIGH, Style.TRADITIONAL))
    assert [notice.code for notice in told] == ["DIFFICULTY_UNMET", "ENERGY_UNMET", "STYLE_UNMET"]
    for notice, words in zip(told, ("easier than advanced", "not of high energy", "not traditional"), strict=True):
        assert words in notice.message


def test_energy_is_as_it_was_measured_and_not_the_word_alone() -> None:
    calm, medium, lively = (a_clip(name, energies=(value,)) for name, value in (("a", 0.1), ("b", 0.5), ("c", 0.9)))
    library = shelf(calm, medium, lively)
    assert codes(library, [2] * 8, LIVELY) == []
    assert codes(library, [1] * 8, LIVELY) == ["ENERGY_UNMET"]
    assert codes(library, [1] * 8, Wishes(energy=Energy.MEDIUM)) == []
    assert codes(library, [0] * 8, Wishes(energy=Energy.LOW)) == []


@pytest.mark.parametrize(("wished", "said", "extreme"), [(Energy.HIGH, Energy.LOW, 3), (Energy.LOW, Energy.HIGH, 0)])
def test_the_liveliest_of_calm_moves_is_calm_yet(wished: Energy, said: Energy, extreme: int) -> None:
    library = shelf(a_clip("a", energy=said, energies=(0.2, 0.3, 0.4, 0.5)))
    low, high = ENERGY_SPANS[wished]
    assert low <= block_energy(library)[extreme] <= high, "by its rank it is as wished"
    assert codes(library, [extreme] * 4, Wishes(energy=wished)) == ["ENERGY_UNMET"]


def test_what_an_annotation_names_meets_a_style() -> None:
    library = shelf(a_clip("a", "footwork"), a_clip("b", "footwork", styles=("sensual",)))
    assert codes(library, [1] * 8, SENSUAL) == []
    assert codes(library, [0] * 8, SENSUAL) == ["STYLE_UNMET"]
