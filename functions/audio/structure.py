"""Where the sections of a song begin, and which of them repeat one another, from how alike its bars are.

This module knows neither the sound nor what a section is called.
"""

from __future__ import annotations

import itertools

import numpy as np

from functions.audio.beatwise import Bars
from functions.audio.similarity import Similarity
from shared.timeline import BEATS_PER_BAR, FloatArray, IntArray

NOVELTY_BARS = 4
LONGEST_BARS = 32
# What a section costs, in bars of full likeness, and how much more one costs whose length is seldom.
SECTION_COST = 1.35
ODD_COST, EVEN_COST, FOURS_COST = 1.5, 0.8, 0.2
SHORTEST_BARS = 3  # what is shorter is a fill
SHORT_COST = 0.5
CLEAR = 0.5  # by which a section is liker itself than its neighbours, beyond doubt
GUIRA = 0.4  # difference at which two sections are alike by 1/e of what they are else
REPEATED = 0.62  # likeness from which two sections are one


def novelty(within: FloatArray) -> FloatArray:
    """How unlike the four bars from each bar on are to the four before. ``(n, n)`` → ``(n,)``, 0 at the ends

    The checkerboard of Foote (2000). A bar is not held against itself, and fewer bars at the ends count less.
    """
    curve = np.zeros(len(within))
    for bar in range(2, len(within) - 1):
        before, after = within[max(bar - NOVELTY_BARS, 0) : bar], within[bar : bar + NOVELTY_BARS]
        a, b = len(before), len(after)
        own = [
            (block.sum() - size) / (size * (size - 1))
            for block, size in ((before[:, bar - a : bar], a), (after[:, bar : bar + b], b))
        ]
        curve[bar] = (sum(own) / 2 - before[:, bar : bar + b].mean()) * min(a, b) / NOVELTY_BARS
    return np.maximum(curve, 0)


def segmented(within: FloatArray, bars: Bars, allowed: IntArray) -> IntArray:
    """First bars of the sections, 0 first: the cut of the song whose sections are most alike in themselves.

    ``allowed`` bars on which a section may begin, increasing, 0 first
    """
    ends = np.append(allowed, len(within))
    whole = np.append(0, np.cumsum(bars.beats == BEATS_PER_BAR))[ends]  # a broken bar makes no section longer
    cost = _cost(whole[None, :] - whole[:, None])
    cost[0] = cost[:, -1] = SECTION_COST  # a song may begin and end as it likes
    gains = _gains(within, ends) - cost
    best, origin = np.full(len(ends), -np.inf), np.zeros(len(ends), np.int64)
    best[0] = 0
    for end in range(1, len(ends)):
        reached = best[:end] + gains[:end, end]
        origin[end] = int(reached.argmax())
        best[end] = reached[origin[end]]
    place = len(ends) - 1
    found: list[int] = []
    while place > 0:
        place = int(origin[place])
        found.append(int(ends[place]))
    return np.array(found[::-1])


def _gains(within: FloatArray, ends: IntArray) -> FloatArray:
    """Likeness of a bar with the others of the section from each of the ends to each other, times their number,
    ``(m, m)``. A bar is not held against itself: a section of its own would be worth something to any.
    """
    within = within - np.diag(np.diag(within))
    total = np.pad(within.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    corner = total[np.ix_(ends, ends)]
    diagonal = np.diag(corner)
    block = diagonal[None, :] + diagonal[:, None] - 2 * corner
    length = ends[None, :] - ends[:, None]
    worth = block / np.maximum(length - 1, 1)
    return np.where((length > 0) & (length <= LONGEST_BARS), worth, -1e6)


def _cost(length: IntArray) -> FloatArray:
    uneven = np.where(length % 2 == 1, ODD_COST, np.where(length % 4 == 2, EVEN_COST, FOURS_COST * (length % 8 == 4)))
    return SECTION_COST + uneven + SHORT_COST * (length < SHORTEST_BARS)


def grouped(alike: Similarity, starts: IntArray, guira: FloatArray) -> IntArray:
    """The group of each section, counted from 0 in order of appearance. ``(k,)``

    The two groups that are most alike are joined until none are alike enough. ``guira`` ``(k,)`` mean over each
    section: derecho is no repetition of majao, whatever the chords.
    """
    likeness = _likeness(alike.between, np.append(starts, len(alike.between)))
    likeness = likeness * np.exp(-(((guira[:, None] - guira) / GUIRA) ** 2))
    groups = [[section] for section in range(len(starts))]
    while len(groups) > 1:
        pairs = [(likeness[np.ix_(a, b)].mean(), i, j) for j, b in enumerate(groups) for i, a in enumerate(groups[:j])]
        most, i, j = max(pairs)
        if most < REPEATED:
            break
        groups[i] += groups.pop(j)
    of = np.empty(len(starts), np.int64)
    for number, members in enumerate(sorted(groups, key=min)):
        of[members] = number
    return of


def clearness(within: FloatArray, starts: IntArray) -> FloatArray:
    """How much more the bars of each section are alike than they are like those of the sections beside it,
    0 … 1. ``(k,)``; a song that is one section is as clear as it is like itself
    """
    edges = np.append(starts, len(within))
    blocks = [slice(a, b) for a, b in itertools.pairwise(edges)]
    own = np.array([within[block, block].mean() for block in blocks])
    beside = np.array([within[a, b].mean() for a, b in itertools.pairwise(blocks)])
    nearest = np.maximum(np.append(0.0, beside), np.append(beside, 0.0))
    return np.clip((own - nearest) / CLEAR, 0, 1)


def _likeness(between: FloatArray, edges: IntArray) -> FloatArray:
    """Mean likeness of the bars of each section with those of each other, the first with the first. ``(k, k)``"""
    spans = list(itertools.pairwise(edges))
    found = np.eye(len(spans))
    for i, (start, end) in enumerate(spans):
        for j, (other, other_end) in enumerate(spans[:i]):
            length = min(end - start, other_end - other)
            steps = np.arange(length)
            found[i, j] = found[j, i] = between[start + steps, other + steps].mean()
    return found
