"""Why a block is where it is, in a sentence for a dancer."""

from __future__ import annotations

from collections.abc import Mapping

from gpu_job.choreography.transitions import NEUTRAL
from shared.library import MoveLibrary
from shared.music import Role

SOFT = 0.25
"""A cut of this cost or less is one in which little jumps."""
_SAYS = {
    "audio": "its music sounds like this song",
    "tempo": "it was danced at this tempo",
    "energy": "its energy is that of {where}",
    "difficulty": "it is as hard as wished",
    "style": "it is in the wished style",
    "role": "it suits {where}",
    "quality": "both dancers are seen well",
}
_TELLING = ("energy", "role", "style", "tempo", "audio", "quality", "difficulty")  # of equal scores the first is told
_MANY = 2  # scores told


def why(
    library: MoveLibrary, before: int | None, block: int, role: Role | None, scores: Mapping[str, float],
    costs: Mapping[str, float], *, repeats: bool,
) -> str:  # fmt: skip
    """``before`` the block before it, ``scores`` in which blocks differ, ``repeats`` whether the slot repeats an
    earlier one of its section."""
    label = library.move_of(block).annotation.label.replace("_", " ")
    where = f"the {role}" if role else "the song"
    said = _of_scores(scores, where)
    follows = _of_what_is_before(library, before, block, costs)
    again = [f"as in {where} before"] if repeats else []
    return f"{label[:1].upper()}{label[1:]}: {'; '.join([*again, *said, follows])}."


def _of_scores(scores: Mapping[str, float], where: str) -> list[str]:
    """The highest two; nothing where there are none."""
    known = sorted(scores, key=lambda name: (-round(scores[name], 1), _place(name)))
    told = [f"{_SAYS.get(name, name).format(where=where)}" for name in known[:_MANY]]
    return [" and ".join(told)] if told else []


def _place(name: str) -> int:
    return _TELLING.index(name) if name in _TELLING else len(_TELLING)


def _of_what_is_before(library: MoveLibrary, before: int | None, block: int, costs: Mapping[str, float]) -> str:
    if before is None:
        return "it opens the dance"
    if library.is_followed_by(before, block):
        return "it goes on from the block before without a cut"
    if costs["transition"] <= SOFT:
        return "the dancers hardly jump at the cut"
    return "the cut before it is soft enough" if costs["transition"] < NEUTRAL else "the cut before it is seen"
