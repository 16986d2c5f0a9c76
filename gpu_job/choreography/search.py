"""The best choice of a puzzle, or a good one and how much better another could be at most.

Two methods, led by :mod:`~gpu_job.choreography.bounds`:

*   *Search.* Figure by figure, keeping the ``width`` beginnings whose value, with the bound of what may follow, is
    highest. Beginnings whose bound is below a choice already known are dropped; where no other had to be, the
    choice is the best there is.
*   *Polish.* Each figure is given its best block while all others stay, until none is left to better.

Where blocks are many, the search looks at those of the highest bounds only. Where it has dropped beginnings or blocks
for room, ``bound`` says what they could have been worth. Nothing is drawn by chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpu_job.choreography.bounds import Chain, Charged, Charges, low_charges
from gpu_job.choreography.puzzle import Puzzle
from shared.timeline import FloatArray, IntArray

_OFFENCE = 1e4  # more than any choice is worth: first as few offences as can be
_MOST_EXTENSIONS = 4096  # looked at in one step of the search, where a smaller width would look at fewer
_TINY = 1e-6  # what single precision and the order of sums may differ by


@dataclass(frozen=True, slots=True)
class Effort:
    """``width`` beginnings kept; ``candidates`` blocks looked at for each figure; ``steps`` in which charges are found."""

    width: int = 64
    candidates: int = 64
    steps: int = 30


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """``choice`` ``(V,)`` a block for each figure; no choice with as few offences has a value above ``bound``."""

    choice: IntArray
    value: float
    offences: float
    bound: float


def solve(puzzle: Puzzle, effort: Effort | None = None) -> Solution:
    """The best choice that the effort finds: never worse than block by block the best of the moment.

    Raises ValueError where a figure has no block that may be danced.
    """
    if not np.isfinite(puzzle.worth).any(axis=1).all():
        raise ValueError("a figure without a block")
    effort = effort or Effort()
    known = _polished(puzzle, greedy(puzzle))
    found = _searched(puzzle, _outlook(puzzle, known, effort), known, effort.width)
    best = _better(found, _polished(puzzle, found.choice))
    return replace(best, bound=max(best.value, found.bound))


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


def _outlook(puzzle: Puzzle, known: Solution, effort: Effort) -> _Outlook:
    every = Chain.every(puzzle)
    charges, chain, rest = Charges.none(puzzle), every, -np.inf
    is_small = puzzle.worth.shape[1] <= effort.candidates
    if not is_small:
        chain = every.of(_likeliest(every.marginals(every.charged(puzzle, charges).all), effort))
    if known.offences == 0:  # else the rules cannot be kept, and no charge is too high
        charges = low_charges(puzzle, chain, known.value, effort.steps)
    if not is_small:
        marginals = every.marginals(every.charged(puzzle, charges).all)
        chain = every.of(_likeliest(marginals, effort))
        np.put_along_axis(marginals, chain.blocks, -np.inf, axis=1)
        rest = float(marginals.max()) + charges.paid
    charged = chain.charged(puzzle, charges)
    return _Outlook(chain, charges, charged, chain.ahead(charged.all), rest)


def _likeliest(marginals: FloatArray, effort: Effort) -> IntArray:
    """``(V, K)`` for each figure the blocks of the highest bounds, in their own order."""
    highest = np.argpartition(-marginals, effort.candidates - 1, axis=1)[:, : effort.candidates]
    return np.sort(highest, axis=1)


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
            if scores.max() > scores[choice[v]] + 1e-9:
                choice[v] = scores.argmax()
    return _solution(puzzle, choice)


def _solution(puzzle: Puzzle, choice: IntArray) -> Solution:
    value, offences = float(puzzle.values(choice[None])[0]), float(puzzle.offences(choice[None])[0])
    return Solution(choice, value, offences, np.inf)


def _better(one: Solution, other: Solution) -> Solution:
    """The first where they are equal."""
    return other if (-other.offences, other.value) > (-one.offences, one.value) else one


def _searched(puzzle: Puzzle, outlook: _Outlook, known: Solution, width: int) -> Solution:
    """The best of the choices that a search of so many beginnings comes to, and the one already known."""
    paid = outlook.charges.paid
    floor = known.value - paid + _TINY if known.offences == 0 else -np.inf
    width = max(width, _MOST_EXTENSIONS // outlook.chain.worth.shape[1])
    begun, gained, dropped = np.zeros((1, 0), dtype=np.int64), np.zeros(1), outlook.rest - paid
    for v in range(puzzle.figures):
        extended = (gained[:, None] + outlook.charged.own[v] - _costs(puzzle, outlook, begun, v)).ravel()
        bounds = extended + np.tile(outlook.ahead[v], len(begun))
        kept = np.flatnonzero(bounds > floor)
        if len(kept) > width:
            order = np.argpartition(-bounds[kept], width)
            dropped = max(dropped, float(bounds[kept[order[width]]]))
            kept = np.sort(kept[order[:width]])
        row, column = np.divmod(kept, outlook.chain.worth.shape[1])
        begun = np.column_stack([begun[row], outlook.chain.blocks[v, column]])
        gained = extended[kept]
        if not len(kept):
            return replace(known, bound=max(known.value, dropped + paid))
    ranks = puzzle.values(begun) - _OFFENCE * puzzle.offences(begun)
    best = _better(known, _solution(puzzle, begun[ranks.argmax()]))
    return replace(best, bound=max(best.value, dropped + paid))


def _costs(puzzle: Puzzle, outlook: _Outlook, begun: IntArray, v: int) -> FloatArray:
    """``(C, K)`` what each candidate for the figure ``v`` costs after each beginning ``(C, v)``, offences included.

    Of a link out of the chain the beginning has paid its share before.
    """
    blocks = outlook.chain.blocks[v]
    costs = _of_repetition(puzzle, begun, blocks, v)
    for link in puzzle.links:
        if link.later == v:
            partner = begun[:, link.earlier]
            ends = (partner[:, None], blocks) if link.then == v else (blocks, partner[:, None])
            costs += link.times * puzzle.transition[ends]
    for link, shares in zip(outlook.chain.links, outlook.charges.shares, strict=True):
        if link.later == v:
            costs -= shares[begun[:, link.earlier], None]
    return costs


def _of_repetition(puzzle: Puzzle, begun: IntArray, blocks: IntArray, v: int) -> FloatArray:
    many, materials = len(begun), puzzle.materials
    cells = np.arange(many)[:, None] * materials + puzzle.material[begun]
    each = (puzzle.again[v] + _OFFENCE * puzzle.apart[v])[:v]
    table = np.bincount(cells.ravel(), weights=np.tile(each, many), minlength=many * materials)
    return table.reshape(many, materials)[:, puzzle.material[blocks]]
