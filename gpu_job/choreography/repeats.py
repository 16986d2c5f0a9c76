"""Which slots of a song are danced alike: where a section comes again, so do its phrases. Knows no moves.

Slots that are danced alike are one *figure*: one block is chosen for all of them. Repetitions are aligned from
their start, slot by slot; a slot of fewer than four counts is taken for a break and stands alone. The last
repetition of a section varies: its last phrase, a quarter of it at most, is free, and different from what was
danced there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.plan import Slot
from shared.music import COUNTS_PER_EIGHT, EIGHTS_PER_PHRASE, Section
from shared.timeline import FloatArray, IntArray

_SHORTEST_REPEATED = 2  # slots: a section of one, come again at once, would be the same block twice running
_VARIED_SHARE = 4  # a quarter


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """``S`` slots and their ``V`` figures, numbered in the order in which they first appear.

    ``figure``  ``(S,)`` of each slot
    ``model``   ``(V,)`` the figure that this one varies and must differ from; -1 where there is none
    """

    figure: IntArray
    model: IntArray

    def __len__(self) -> int:
        """How many figures there are."""
        return len(self.model)

    @property
    def first_slot(self) -> IntArray:
        """``(V,)`` the slot in which each figure first appears."""
        return np.unique(self.figure, return_index=True)[1]

    @property
    def is_repeated(self) -> np.ndarray:
        """``(S,)`` whether the slot repeats an earlier one."""
        repeated = np.ones(len(self.figure), dtype=bool)
        repeated[self.first_slot] = False
        return repeated

    def summed(self, of_slots: FloatArray) -> FloatArray:
        """``(S, N)`` of slots → ``(V, N)`` of figures."""
        of_figures = np.zeros((len(self), of_slots.shape[1]))
        np.add.at(of_figures, self.figure, of_slots)
        return of_figures

    def apart(self, figure: int) -> Form:
        """The same, but the slots of one figure are figures of their own."""
        split = self.figure.astype(float)
        at = np.flatnonzero(self.figure == figure)
        split[at[1:]] = len(self) + np.arange(len(at) - 1)
        firsts, renumbered = np.unique(split, return_index=True)[1], np.unique(split, return_inverse=True)[1]
        order = np.argsort(np.argsort(firsts))
        models = np.concatenate([self.model, np.full(len(at) - 1, -1)])[np.argsort(firsts)]
        return Form(order[renumbered], np.where(models >= 0, order[models], -1))


def form(slots: Sequence[Slot], sections: Sequence[Section]) -> Form:
    """The form of a song. Without sections every slot is a figure of its own."""
    places = [_places(slots, number) for number in range(len(sections))]
    varied = _varied(places, sections)
    figure, model = np.full(len(slots), -1), list[int]()
    known: dict[tuple[int, int], int] = {}  # group and place in the section → figure
    for s, slot in enumerate(slots):
        place = places[slot.section].get(s) if sections else None
        key = None if place is None else (sections[slot.section].group, place)
        earlier = -1 if key is None else known.get(key, -1)
        if earlier < 0 or s in varied:
            model.append(earlier)
        figure[s] = len(model) - 1 if earlier < 0 or s in varied else earlier
        if key is not None:
            known.setdefault(key, int(figure[s]))
    return Form(figure, np.array(model, dtype=np.int64))


def _places(slots: Sequence[Slot], section: int) -> dict[int, int]:
    """The section's slots and their places in it, breaks left out. None where it is too short to be repeated."""
    within = [s for s, slot in enumerate(slots) if slot.section == section and 2 * slot.counts >= COUNTS_PER_EIGHT]
    return {s: place for place, s in enumerate(within)} if len(within) >= _SHORTEST_REPEATED else {}


def _varied(places: Sequence[dict[int, int]], sections: Sequence[Section]) -> set[int]:
    """The slots with which the last repetition of each group ends differently."""
    groups: dict[int, list[dict[int, int]]] = {}
    for section, of_section in zip(sections, places, strict=True):
        groups.setdefault(section.group, []).append(of_section)
    return {s for *before, last in groups.values() for s in _tail(last, max(map(len, before), default=0))}


def _tail(places: dict[int, int], known: int) -> list[int]:
    """The last phrase or less of a repetition. What it is longer than those before is different anyway."""
    many = min(EIGHTS_PER_PHRASE, len(places) // _VARIED_SHARE)
    return [s for s, place in places.items() if len(places) - many <= place < known]
