"""Wishes as a job's options tell them."""

from __future__ import annotations

import pytest

from shared.library import Difficulty, Energy, Style
from shared.wishes import Quality, Wishes


def test_who_says_nothing_wishes_nothing() -> None:
    assert Wishes.read({}) == Wishes()
    nothing = Wishes()
    assert (nothing.difficulty, nothing.energy, nothing.style) == (None, None, None)


def test_what_is_said_is_wished() -> None:
    options = {
        "difficulty": "intermediate", "energy": "high", "style": "sensual", "seed": 3, "alternatives": 2,
        "quality": "balanced",
    }  # fmt: skip
    assert Wishes.read(options) == Wishes(Difficulty.INTERMEDIATE, Energy.HIGH, Style.SENSUAL, 3, 2, Quality.BALANCED)
    assert Wishes.read({"energy": "auto"}).energy is None


@pytest.mark.parametrize("level", Difficulty)
def test_nothing_is_harder_than_wished_and_without_a_wish_all_may_be_danced(level: Difficulty) -> None:
    assert Wishes(level).hardest is level
    assert Wishes().hardest.rank >= level.rank
