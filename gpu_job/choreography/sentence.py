"""Why a block is where it is in a dance, in a sentence for a dancer."""

from __future__ import annotations

from collections.abc import Mapping

from gpu_job.choreography.transitions import NEUTRAL
from gpu_job.choreography.wording import Place, reasons, sentence
from shared.library import MoveLibrary

SOFT = 0.25
"""A cut of this cost or less is one in which little jumps."""


def why(
    library: MoveLibrary, before: int | None, block: int, place: Place, factors: Mapping[str, float],
    costs: Mapping[str, float], *, repeats: bool,
) -> str:  # fmt: skip
    """``before`` the block before it, ``factors`` in which blocks differ, ``repeats`` whether the slot repeats an
    earlier one of its section."""
    again = [f"as in the {place.role} before"] if repeats else []
    said = reasons(factors, float(library.tempo_bpm[block]), place)
    follows = _of_what_is_before(library, before, block, costs)
    return sentence(library.move_of(block).annotation.label, [*again, *said, follows])


def _of_what_is_before(library: MoveLibrary, before: int | None, block: int, costs: Mapping[str, float]) -> str:
    if before is None:
        return "it opens the dance"
    if library.is_followed_by(before, block):
        return "it goes on from the block before without a cut"
    if costs["transition"] <= SOFT:
        return "the dancers hardly jump at the cut"
    return "the cut before it is soft enough" if costs["transition"] < NEUTRAL else "the cut before it is seen"
