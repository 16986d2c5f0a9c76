"""The best choice of a puzzle, or a good one and how much better another could be at most.

Two methods, led by :mod:`~gpu_job.choreography.bounds`:

*   *Search.* Figure by figure, keeping the ``width`` beginnings whose value, with the bound of what may follow, is
    highest. Beginnings whose bound is below a choice already known are dropped; where no other had to be, the
    choice is the best there is.
*   *Polish.* Each figure is given its best block while all others stay, until none is left to better.

Where blocks are many, the search looks at those of the highest bounds only. Where it has dropped beginnings or blocks
for room, ``bound`` says what they could have been worth. Nothing is drawn by chance.

A second search goes by half the charges: those that bound best favour blocks that few want a little too much. On 16
puzzles of 48 slots and 390 blocks both come within 0.16 % of the best that any effort found (1 % at worst), the first
alone, half as wide again, within 0.32 %, in the same 50 ms. Tried and not kept: as many beginnings for every last
block (worse, three times the time), polishing pairs of figures (a fifth more time, nothing gained), a second search
without charges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpu_job.choreography.bounds import Chain, Charged, Charges, low_charges
from gpu_job.choreography.puzzle import Puzzle
from shared.timeline import FloatArray, IntArray

_OFFENCE = 1e4  # more than any choice is worth: first as few offences as can be
_MOST_EXTENSIONS = 8192  # looked at in one step of the search, where the width would look at fewer
_CHARGED = (1.0, 0.5)
_TINY = 1e-5  # by which sums in single precision differ


@dataclass(frozen=True, slots=True)
class Effort:
    """``width`` beginnings kept; ``candidates`` blocks looked at for a figure; ``steps`` in which charges are found."""

    width: int = 256
    candidates: int = 64
    steps: int = 20


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """``choice`` ``(V,)`` a block for each figure; no choice with as few offences has a value above ``bound``."""

    choice: IntArray
    value: float
    offences: float
    bound: float

    @property
    def rank(self) -> float:
        return self.value - _OFFENCE * self.offences


@dataclass(frozen=True, slots=True, eq=False)
class _Outlook:
    """What a search goes by.

    ``ahead`` ``(V, K)`` what may follow is worth at most
    ``rest``  what a choice is worth at most that is not made of the chain's candidates
    """

    chain: Chain
    charges: Charges
    charged: Charged
    ahead: FloatArray
    rest: float


def solve(puzzle: Puzzle, effort: Effort | None = None) -> Solution:
    """The best choice that the effort finds: never worse than the :func:`greedy` one.

    Raises ValueError where a figure has no block that may be danced.
    """
    if not np.isfinite(puzzle.worth).any(axis=1).all():
        raise ValueError("a figure without a block")
    effort = effort or Effort()
    best, bound = _polished(puzzle, greedy(puzzle)), np.inf
    outlook = _outlook(puzzle, best, effort)
    for share in _CHARGED:
        found = _searched(puzzle, _charging(puzzle, outlook, share), best, effort.width)
        best = max(found, _polished(puzzle, found.choice), key=lambda solution: solution.rank)
        bound = min(bound, found.bound)
        if bound <= best.value + _TINY:
            break
    return replace(best, bound=max(best.value, bound))


def greedy(puzzle: Puzzle) -> IntArray:
    """``(V,)`` from the first figure on, always the block that is best beside those already chosen."""
    chosen = np.zeros(puzzle.figures, dtype=np.int64)
    for v in range(puzzle.figures):
        chosen[v] = _scores(puzzle, chosen, v, upto=v).argmax()
    return chosen


def _scores(puzzle: Puzzle, choice: IntArray, v: int, upto: int) -> FloatArray:
    """``(N,)`` what each block is worth as the figure ``v`` beside those before ``upto``, offences charged."""
    score = puzzle.worth[v].copy()
    for link in puzzle.links:
        if link.first == v and link.then < upto:
            score -= link.times * puzzle.transition[:, choice[link.then]]
        elif link.then == v and link.first < upto:
            score -= link.times * puzzle.transition[choice[link.first]]
    costs = (puzzle.again[v] + _OFFENCE * puzzle.apart[v])[:upto]
    taken = np.bincount(puzzle.material[choice[:upto]], weights=costs, minlength=puzzle.materials)
    return score - taken[puzzle.material]


def _polished(puzzle: Puzzle, choice: IntArray) -> Solution:
    choice, before = choice.copy(), None
    while before is None or not np.array_equal(before, choice):
        before = choice.copy()
        for v in range(puzzle.figures):
            scores = _scores(puzzle, choice, v, upto=puzzle.figures)
            if scores.max() > scores[choice[v]] + _TINY:
                choice[v] = scores.argmax()
    return _solution(puzzle, choice)


def _solution(puzzle: Puzzle, choice: IntArray) -> Solution:
    return Solution(choice, float(puzzle.values(choice[None])[0]), float(puzzle.offences(choice[None])[0]), np.inf)


def _outlook(puzzle: Puzzle, known: Solution, effort: Effort) -> _Outlook:
    """Charges are found on the blocks that look likeliest without them, the candidates by the charges."""
    every = Chain.every(puzzle)
    if puzzle.worth.shape[1] <= effort.candidates:
        return _looked(puzzle, every, _charges(puzzle, every, known, effort), -np.inf)
    likely = every.of(_likeliest(every.marginals(every.charged(puzzle, Charges.none(puzzle)).all), effort))
    charges = _charges(puzzle, likely, known, effort)
    marginals = every.marginals(every.charged(puzzle, charges).all)
    chain = every.of(_likeliest(marginals, effort))
    np.put_along_axis(marginals, chain.blocks, -np.inf, axis=1)
    return _looked(puzzle, chain, charges, float(marginals.max()) + charges.paid)


def _charges(puzzle: Puzzle, chain: Chain, known: Solution, effort: Effort) -> Charges:
    """None where the rules cannot be kept: then no charge is too high."""
    return Charges.none(puzzle) if known.offences > 0 else low_charges(puzzle, chain, known.value, effort.steps)


def _looked(puzzle: Puzzle, chain: Chain, charges: Charges, rest: float) -> _Outlook:
    charged = chain.charged(puzzle, charges)
    return _Outlook(chain, charges, charged, chain.ahead(charged.all), rest)


def _charging(puzzle: Puzzle, outlook: _Outlook, share: float) -> _Outlook:
    """The same, but that only this share of the charges is asked for."""
    if share == 1:
        return outlook
    charges = Charges(outlook.charges.tolls * np.float32(share), outlook.charges.shares * np.float32(share))
    return _looked(puzzle, outlook.chain, charges, outlook.rest)


def _likeliest(marginals: FloatArray, effort: Effort) -> IntArray:
    """``(V, K)`` for each figure the blocks of the highest bounds, in their own order."""
    highest = np.argpartition(-marginals, effort.candidates - 1, axis=1)[:, : effort.candidates]
    return np.sort(highest, axis=1)


def _searched(puzzle: Puzzle, outlook: _Outlook, known: Solution, width: int) -> Solution:
    """The best of the choices that a search of so many beginnings comes to, and the one already known."""
    paid, many = outlook.charges.paid, outlook.chain.worth.shape[1]
    floor, dropped, width = known.rank - paid + _TINY, -np.inf, max(width, _MOST_EXTENSIONS // many)
    begun, gained = np.zeros((1, 0), dtype=np.int64), np.zeros(1)
    for v in range(puzzle.figures):
        extended = gained[:, None] + outlook.charged.own[v] - _costs(puzzle, outlook, begun, v)
        bounds = (extended + outlook.ahead[v]).ravel()
        kept, left_out = _kept(bounds, floor, width)
        dropped = max(dropped, left_out)
        row, column = np.divmod(kept, many)
        begun, gained = np.column_stack([begun[row], outlook.chain.blocks[v, column]]), extended.ravel()[kept]
    return _bounded(_best(puzzle, begun, known), dropped + paid, outlook)


def _kept(bounds: FloatArray, floor: float, width: int) -> tuple[IntArray, float]:
    """Which are kept, in their order, and the highest bound of those that there was no room for."""
    kept = np.flatnonzero(bounds > floor)
    if len(kept) <= width:
        return kept, -np.inf
    order = np.argpartition(-bounds[kept], width)
    return np.sort(kept[order[:width]]), float(bounds[kept[order[width]]])


def _best(puzzle: Puzzle, choices: IntArray, known: Solution) -> Solution:
    if not len(choices):
        return known
    best = (puzzle.values(choices) - _OFFENCE * puzzle.offences(choices)).argmax()
    return max(known, _solution(puzzle, choices[best]), key=lambda solution: solution.rank)


def _bounded(best: Solution, dropped: float, outlook: _Outlook) -> Solution:
    """``dropped`` bounds the rank of choices that the search had no room for."""
    charged, paid = outlook.charged.all[0] + outlook.ahead[0], outlook.charges.paid
    searched = min(dropped + _OFFENCE * best.offences, float(charged.max()) + paid)
    return replace(best, bound=max(best.value, searched, outlook.rest))


def _costs(puzzle: Puzzle, outlook: _Outlook, begun: IntArray, v: int) -> FloatArray:
    """``(C, K)`` what each candidate for the figure ``v`` costs after each beginning ``(C, v)``, offences included.

    Of a link out of the chain the beginning has paid its share before.
    """
    blocks = outlook.chain.blocks[v]
    costs = _of_repetition(puzzle, begun, blocks, v)
    for link in puzzle.links:
        if link.later == v:
            partner = begun[:, link.earlier, None]
            ends = (partner, blocks) if link.then == v else (blocks, partner)
            costs += link.times * puzzle.transition[ends]
    for link, shares in zip(outlook.chain.links, outlook.charges.shares, strict=True):
        if link.later == v:
            costs -= shares[begun[:, link.earlier], None]
    return costs


def _of_repetition(puzzle: Puzzle, begun: IntArray, blocks: IntArray, v: int) -> FloatArray:
    """The same, of the figures whose material it shares."""
    many, materials = len(begun), puzzle.materials
    cells = np.arange(many)[:, None] * materials + puzzle.material[begun]
    each = (puzzle.again[v] + _OFFENCE * puzzle.apart[v])[:v]
    table = np.bincount(cells.ravel(), np.tile(each, many), many * materials)
    return np.asarray(table, np.float64).reshape(many, materials)[:, puzzle.material[blocks]]
