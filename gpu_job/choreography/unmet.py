"""Which wishes a finished dance does not meet. A wish is weighed against all else: that it was not granted is told.

An eight meets a wish for

    difficulty  where its block is of that level; none is harder, and easier ones are within the wish
    energy      where the energy of its block, as the planner has it, is in the part of the scale that is wished, and
                its teacher does not call it the opposite: that scale is of ranks, and the liveliest of calm moves is
                calm yet
    style       where its block suits the style as one that is at home in it

Eights count as they are danced: those of a section that comes again, again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.fit import ENERGY_SPANS, block_energy, suits
from gpu_job.choreography.suiting import AT_HOME
from gpu_job.notice import Notice
from shared.library import Difficulty, Energy, MoveLibrary, Style
from shared.timeline import BoolArray, FloatArray, IntArray
from shared.wishes import Wishes

MOST_UNMET = 0.25
"""Of the eights. Beyond it a phrase of four has, on the whole, one that is not as wished. Where a library of 114 clips
is rich in what is wished, 6 to 19 % are not."""
MOST_EASIER = 0.5
"""The same for difficulty, which is a limit: that most are easier is told. There, 27 to 40 % are."""
_OPPOSITE = {Energy.LOW: Energy.HIGH, Energy.HIGH: Energy.LOW}
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class _Wish:
    """``is_met`` ``(S,)`` by each eight, ``most`` the share that may not, ``but`` what the moves of the others are."""

    code: str
    is_met: BoolArray
    most: float
    but: str
    wanting: str

    @property
    def is_unmet(self) -> bool:
        return bool(np.mean(~self.is_met) > self.most)

    def notice(self) -> Notice:
        eights = f"In {np.sum(~self.is_met)} of {len(self.is_met)} eights"
        return Notice(
            self.code,
            f"{eights} the moves are {self.but}: the library has too few {self.wanting} that suit this song.",
        )


def unmet(library: MoveLibrary, blocks: IntArray, wishes: Wishes) -> tuple[Notice, ...]:
    """``blocks`` ``(S,)`` of the library, that are danced."""
    return tuple(wish.notice() for wish in _wishes(library, blocks, wishes) if wish.is_unmet)


def _wishes(library: MoveLibrary, blocks: IntArray, wishes: Wishes) -> Iterator[_Wish]:
    if wishes.difficulty is not None:
        yield _of_difficulty(library, blocks, wishes.difficulty)
    if wishes.energy is not None:
        yield _of_energy(library, blocks, wishes.energy)
    if wishes.style is not None:
        yield _of_style(library, blocks, wishes.style)


def _of_difficulty(library: MoveLibrary, blocks: IntArray, level: Difficulty) -> _Wish:
    is_met = library.difficulty[blocks] == level.rank
    return _Wish("DIFFICULTY_UNMET", is_met, MOST_EASIER, f"easier than {level}", f"{level} moves")


def _of_energy(library: MoveLibrary, blocks: IntArray, energy: Energy) -> _Wish:
    opposite = np.array([library.move_of(b).annotation.energy == _OPPOSITE.get(energy) for b in blocks.tolist()])
    is_met = _is_within(block_energy(library)[blocks], *ENERGY_SPANS[energy]) & ~opposite
    return _Wish("ENERGY_UNMET", is_met, MOST_UNMET, f"not of {energy} energy", f"moves of {energy} energy")


def _of_style(library: MoveLibrary, blocks: IntArray, style: Style) -> _Wish:
    suited = np.array([suits(library.move_of(b), style) for b in blocks.tolist()])
    return _Wish("STYLE_UNMET", suited >= AT_HOME, MOST_UNMET, f"not {style}", f"{style} moves")


def _is_within(energy: FloatArray, low: float, high: float) -> BoolArray:
    return (energy >= low - _ROUNDING) & (energy <= high + _ROUNDING)
