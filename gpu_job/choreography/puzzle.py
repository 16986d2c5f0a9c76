"""The choice that a planner makes, as numbers: one block for each figure. Knows neither songs nor moves.

What is sought has, first, as few offences as can be, and of those choices the highest value:

    value     Σ worth - Σ transition, over every link - Σ what it costs that two figures are of one material
    offences  Σ over pairs of figures that must not be of one material, and are

A *link* is a pair of figures danced one after the other, as often as it is in the song; a *material* is what two blocks
share that look the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.repeats import Form
from shared.timeline import FloatArray, IntArray

WINDOW = 8
"""Slots within which no block comes again: four phrases of two eights."""
AGAIN_COST = 0.5
"""What it costs to see a block again at once, where that is no offence; less and less until it is forgotten."""
_AT_ONCE = 100.0  # an offence beside which those further away hardly count
_UNVARIED = 0.1  # that a variation is none: every other offence is worse
FORGOTTEN = 32
"""Slots after which a block is as good as new: two minutes."""


@dataclass(frozen=True, slots=True)
class Link:
    """``then`` is danced after ``first``, ``times`` times in the song."""

    first: int
    then: int
    times: int

    @property
    def earlier(self) -> int:
        return min(self.first, self.then)

    @property
    def later(self) -> int:
        return max(self.first, self.then)

    @property
    def in_chain(self) -> bool:
        """Whether it leads from a figure to the next new one."""
        return self.then == self.first + 1


@dataclass(frozen=True, slots=True, eq=False)
class Puzzle:
    """``V`` figures, ``N`` blocks.

    ``worth``      ``(V, N)`` of a block in all the slots of a figure; -inf where it may not be danced
    ``transition`` ``(N, N)`` ≥ 0, of a block (row) followed by another (column)
    ``links``      between different figures
    ``material``   ``(N,)`` 0 …
    ``again``      ``(V, V)`` ≥ 0, symmetric: what it costs if both are of one material
    ``apart``      ``(V, V)`` ≥ 0, symmetric: the offence if both are of one material, 0 where it is none
    ``windows``    ``(W, V)`` 0 or 1: sets of figures that all must differ from one another
    """

    worth: FloatArray
    transition: FloatArray
    links: tuple[Link, ...]
    material: IntArray
    again: FloatArray
    apart: FloatArray
    windows: FloatArray

    @property
    def figures(self) -> int:
        return self.worth.shape[0]

    @property
    def materials(self) -> int:
        return int(self.material.max(initial=-1)) + 1

    def values(self, choices: IntArray) -> FloatArray:
        """``(C,)`` of ``(C, V)`` choices."""
        gained = self.worth[np.arange(self.figures), choices].sum(axis=1)
        for link in self.links:
            gained -= link.times * self.transition[choices[:, link.first], choices[:, link.then]]
        return gained - self._over_equals(self.again, choices)

    def offences(self, choices: IntArray) -> FloatArray:
        """``(C,)``"""
        return self._over_equals(self.apart, choices)

    def _over_equals(self, costs: FloatArray, choices: IntArray) -> FloatArray:
        materials = self.material[choices]
        equal = materials[:, :, None] == materials[:, None, :]
        return np.where(equal, np.triu(costs, 1), 0.0).sum(axis=(1, 2))


def puzzle(form: Form, worth: FloatArray, transition: FloatArray, material: IntArray, window: int = WINDOW) -> Puzzle:
    """``worth`` ``(V, N)`` of each block in all the slots of each figure."""
    links, at_once = _links(form.figure)
    worth = worth.copy()
    for figure, times in at_once.items():
        worth[figure] -= times * np.diagonal(transition)
    again, apart = _repetition(form, window)
    return Puzzle(worth, transition, links, material, again, apart, _windows(form, window))


def again_cost(distance: IntArray) -> FloatArray:
    """Of seeing a block again so many slots later."""
    return AGAIN_COST * np.clip(1 - (distance - 1) / (FORGOTTEN - 1), 0, 1)


def offence(distance: IntArray, window: int = WINDOW) -> FloatArray:
    """The nearer the worse: 1 at the window's end, 4 with one slot between, 100 at once; 0 outside of it."""
    within = np.where(distance <= window, window / np.maximum(distance, 1), 0.0)
    return np.where(distance <= min(1, window), _AT_ONCE, within)


def _links(figure: IntArray) -> tuple[tuple[Link, ...], dict[int, int]]:
    """The links, and how often a figure follows itself."""
    pairs = Counter(zip(figure[:-1].tolist(), figure[1:].tolist(), strict=True))
    links = tuple(Link(first, then, times) for (first, then), times in sorted(pairs.items()) if first != then)
    return links, {first: times for (first, then), times in pairs.items() if first == then}


def _repetition(form: Form, window: int) -> tuple[FloatArray, FloatArray]:
    """``again`` and ``apart``: over all pairs of slots whose figures differ. A variation never is what it varies."""
    slot = np.arange(len(form.figure))
    distance = np.abs(slot[:, None] - slot)
    member = (form.figure[:, None] == np.arange(len(form))).astype(float)
    again, apart = (member.T @ costs @ member for costs in (again_cost(distance), offence(distance, window)))
    varied = np.flatnonzero(form.model >= 0)
    apart[varied, form.model[varied]] += _UNVARIED
    apart[form.model[varied], varied] += _UNVARIED
    for costs in (again, apart):
        np.fill_diagonal(costs, 0.0)
    return again, apart


def _windows(form: Form, window: int) -> FloatArray:
    many = max(1, len(form.figure) - window)
    windows = np.zeros((many, len(form)), np.float32)
    for start in range(many):
        windows[start, form.figure[start : start + window + 1]] = 1.0
    return np.unique(windows, axis=0)
