"""What no choice of a puzzle can be worth more than, and what blocks are worth in the light of it.

The rules that make a puzzle hard are left out, and their breach is charged for instead (Lagrangian relaxation:
Held and Karp 1971, Geoffrion 1974). What is left is a chain of figures, whose best choice dynamic programming
finds; its value, the charges added, is never below that of the puzzle. There are two kinds of charge:

*   *Tolls* for materials. The figures of a window must differ: where many of them want one block, each pays for it.
*   *Shares* of links. A link that is not in the chain, from a section to its repetition for instance, costs what
    both of its ends make of it. Of that cost each block at the earlier end pays its share, each at the later end the
    least that may be left.

The charges that make the bound low are found by subgradient steps. This module does not search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.puzzle import Link, Puzzle
from shared.timeline import FloatArray, IntArray

_SHORTENED = 0.8
_NEAR = 1e-5  # of single precision


@dataclass(frozen=True, slots=True, eq=False)
class Charges:
    """``tolls`` ``(W, M)`` ≥ 0 of each material in each window; ``shares`` ``(L, N)`` of each block at the earlier end
    of each link that is not in the chain."""

    tolls: FloatArray
    shares: FloatArray

    @classmethod
    def none(cls, puzzle: Puzzle) -> Charges:
        links = sum(not link.in_chain for link in puzzle.links)
        return cls(
            np.zeros((len(puzzle.windows), puzzle.materials), np.float32),
            np.zeros((links, puzzle.worth.shape[1]), np.float32),
        )

    @property
    def paid(self) -> float:
        """What is to be added to a value from which the tolls were taken, to bound that of the puzzle."""
        return float(self.tolls.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Charged:
    """``(V, K)`` what candidates are worth: ``own`` less the tolls and their shares of links to later figures, ``all``
    less what is left of links to earlier ones too."""

    own: FloatArray
    all: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A puzzle of which each figure knows ``K`` candidates only.

    ``blocks`` ``(V, K)``
    ``worth``  ``(V, K)``
    ``steps``  ``V`` of ``(K, K)``: cost of the link from the figure before, whose candidates are the rows
    ``links``  those that are not in the chain
    ``costs``  of each ``(K, K)``: candidates of its later figure are the rows, those of its earlier the columns
    """

    blocks: IntArray
    worth: FloatArray
    steps: tuple[FloatArray, ...]
    links: tuple[Link, ...]
    costs: tuple[FloatArray, ...]

    @classmethod
    def every(cls, puzzle: Puzzle) -> Chain:
        """With all blocks as candidates."""
        transition = puzzle.transition
        scaled = {times: times * transition for times in {0, *(link.times for link in puzzle.links)}}
        turned = {times: np.ascontiguousarray(costs.T) for times, costs in scaled.items()}
        links = tuple(link for link in puzzle.links if not link.in_chain)
        return cls(
            np.tile(np.arange(len(transition)), (puzzle.figures, 1)),
            puzzle.worth.astype(np.float32),
            tuple(scaled[times] for times in _times_in_chain(puzzle)),
            links,
            tuple((turned if link.then == link.later else scaled)[link.times] for link in links),
        )

    def of(self, blocks: IntArray) -> Chain:
        """The same with these ``(V, K)`` of its candidates; to be called on :meth:`every`."""
        before = np.concatenate([blocks[:1], blocks[:-1]])
        return Chain(
            blocks,
            np.take_along_axis(self.worth, blocks, axis=1),
            tuple(step[np.ix_(*ends)] for step, ends in zip(self.steps, zip(before, blocks, strict=True), strict=True)),
            self.links,
            tuple(
                cost[np.ix_(blocks[link.later], blocks[link.earlier])]
                for link, cost in zip(self.links, self.costs, strict=True)
            ),
        )

    def charged(self, puzzle: Puzzle, charges: Charges) -> Charged:
        own = self.worth - np.take_along_axis(_tolls(puzzle, charges), puzzle.material[self.blocks], axis=1)
        for link, shares in zip(self.links, charges.shares, strict=True):
            own[link.earlier] -= shares[self.blocks[link.earlier]]
        everything = own.copy()
        for link, left in zip(self.links, self._left(charges), strict=True):
            everything[link.later] -= left.min(axis=1)
        return Charged(own, everything)

    def _left(self, charges: Charges) -> list[FloatArray]:
        """Of each link ``(K, K)``: its costs less the shares of its earlier end."""
        return [
            cost - shares[self.blocks[link.earlier]]
            for link, cost, shares in zip(self.links, self.costs, charges.shares, strict=True)
        ]

    def ahead(self, worth: FloatArray) -> FloatArray:
        """``(V, K)`` what the figures after this one are worth at most, if each of its candidates is chosen."""
        best, rows = np.zeros_like(worth), np.arange(worth.shape[1])
        for v in range(len(worth) - 1, 0, -1):
            through = (worth[v] + best[v]) - self.steps[v]
            best[v - 1] = through[rows, through.argmax(axis=1)]
        return best

    def behind(self, worth: FloatArray) -> FloatArray:
        """The same of the figures before this one."""
        best = np.zeros_like(worth)
        for v in range(1, len(worth)):
            best[v] = ((worth[v - 1] + best[v - 1])[:, None] - self.steps[v]).max(axis=0)
        return best

    def marginals(self, worth: FloatArray) -> FloatArray:
        """``(V, K)`` what a choice is worth at most in which this figure is that candidate."""
        return worth + self.ahead(worth) + self.behind(worth)

    def best(self, worth: FloatArray) -> tuple[IntArray, float]:
        """``(V,)`` the candidate that each figure would choose, and the value of that."""
        through = worth + self.ahead(worth)
        chosen = [int(through[0].argmax())]
        for v in range(1, len(worth)):
            chosen.append(int((through[v] - self.steps[v][chosen[-1]]).argmax()))
        return np.array(chosen), float(through[0].max())


def low_charges(puzzle: Puzzle, chain: Chain, known: float, steps: int) -> Charges:
    """The charges, of those found in so many steps, under which the bound is lowest.

    ``known`` the value of a choice without an offence. Polyak's steps towards it, shorter after each that fails.
    """
    charges = best = Charges.none(puzzle)
    lowest, stride = np.inf, 1.0
    for _ in range(steps):
        chosen, bound = chain.best(chain.charged(puzzle, charges).all)
        bound += charges.paid
        if bound < lowest:
            lowest, best = bound, charges
        else:
            stride *= _SHORTENED
        slope = _slope(puzzle, chain, charges, chosen)
        steep = float((slope.tolls**2).sum() + (slope.shares**2).sum())
        if steep == 0 or bound <= known + _NEAR:
            break
        step = np.float32(stride * (bound - known) / steep)
        charges = Charges(np.maximum(0.0, charges.tolls + step * slope.tolls), charges.shares + step * slope.shares)
    return best


def _slope(puzzle: Puzzle, chain: Chain, charges: Charges, chosen: IntArray) -> Charges:
    """The way on which the bound falls: dearer what is chosen too often, and for each link the blocks that its two ends
    do not agree on."""
    figures = np.arange(puzzle.figures)
    blocks = chain.blocks[figures, chosen]
    tolls = np.full_like(charges.tolls, -1.0)
    for v, material in enumerate(puzzle.material[blocks]):
        tolls[:, material] += puzzle.windows[:, v]
    tolls[(tolls < 0) & (charges.tolls == 0)] = 0.0
    shares = np.zeros_like(charges.shares)
    for number, link in enumerate(chain.links):
        at_earlier = chain.blocks[link.earlier]
        left = chain.costs[number][chosen[link.later]] - charges.shares[number, at_earlier]
        shares[number, blocks[link.earlier]] += 1.0
        shares[number, at_earlier[left.argmin()]] -= 1.0
    return Charges(tolls, shares)


def _tolls(puzzle: Puzzle, charges: Charges) -> FloatArray:
    """``(V, M)`` what each figure pays for each material, over all its windows. Few materials have a toll."""
    due = np.zeros((puzzle.figures, puzzle.materials), np.float32)
    dear = np.flatnonzero(charges.tolls.any(axis=0))
    due[:, dear] = puzzle.windows.T @ charges.tolls[:, dear]
    return due


def _times_in_chain(puzzle: Puzzle) -> list[int]:
    """``V`` how often each figure follows the one before it."""
    times = {link.then: link.times for link in puzzle.links if link.in_chain}
    return [times.get(v, 0) for v in range(puzzle.figures)]
