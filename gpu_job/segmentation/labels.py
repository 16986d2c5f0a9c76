"""What the moves of a dance are called, and which are the same.

Two moves are alike where the dancer does nearly the same on the same counts, from the first count of
each on. Moves are grouped from the most alike pair down (average linkage), and each group gets a letter
in order of appearance. Names are told by a namer, or by nobody.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.segmentation.motion import Motion
from gpu_job.segmentation.naming import Name
from gpu_job.titles import UNKNOWN, UNSEEN
from shared.timeline import FloatArray, IntArray

# Two moves are the same where, count by count, they differ by less than this part of what any two
# moments of the dance differ by, and by less than so much in squared torsos a channel. Repetitions of
# real dancers differ by 0.2 … 0.35 of it and 0.01 … 0.03, their other moves by 0.6 … 2 and 0.05 … 0.3.
_SAME_SHARE, _SAME_SQUARE_TORSOS = 0.35, 0.027
_POINTS_COMPARED = 64  # 16 counts: what comes later in a very long move is not looked at
_LEAST_SEEN = 0.2  # of a move's channels; below, nobody can tell
_ALPHABET = 26


@dataclass(frozen=True, slots=True)
class Named:
    """What a namer says of a move: ``names`` the likeliest, best first, and ``told`` the one to tell."""

    names: tuple[Name, ...]
    told: Name


NAMELESS = Named((), Name(UNKNOWN, 0.0))
"""What nobody says."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is told of a move, as in :class:`~.moves.Move`."""

    label: str
    confidence: float
    names: tuple[Name, ...]
    letter: str


def labels(motion: Motion, edges: IntArray, named: Sequence[Named]) -> tuple[Label, ...]:
    """A label for each move. ``edges`` ``(M + 1,)`` points at which the M moves start and end; ``named`` of each."""
    here = [float(motion.presence[a:b].mean()) for a, b in itertools.pairwise(edges)]
    visible = [move for move, share in enumerate(here) if share >= _LEAST_SEEN or len(here) == 1]
    letters = _letters(motion, edges, visible)
    return tuple(
        _label(each, letters[move]) if move in letters else Label(UNSEEN, 1 - share, (), "")
        for move, (share, each) in enumerate(zip(here, named, strict=True))
    )


def _label(named: Named, letter: str) -> Label:
    told = named.told
    return Label(told.label, 0.0 if told.label == UNKNOWN else told.confidence, named.names, letter)


def _letters(motion: Motion, edges: IntArray, moves: Sequence[int]) -> dict[int, str]:
    """Of these moves, by their numbers."""
    limit = min(_SAME_SHARE * _spread(motion), _SAME_SQUARE_TORSOS)
    groups = _grouped(_distances(motion, edges), limit, moves)
    return {move: letter(number) for number, group in enumerate(groups) for move in group}


def letter(number: int) -> str:
    """0 → A, 25 → Z, 26 → AA."""
    rest, digit = divmod(number, _ALPHABET)
    return (letter(rest - 1) if rest else "") + chr(ord("A") + digit)


def _distances(motion: Motion, edges: IntArray) -> FloatArray:
    """``(M, M)`` mean squared distance of two moves, count by count, as long as both last; inf if unseen."""
    moves = len(edges) - 1
    total, weight = np.zeros((moves, moves)), np.zeros((moves, moves))
    lengths = np.diff(edges)
    for k in range(min(_POINTS_COMPARED, int(lengths.max(initial=0)))):
        lasting = (lengths > k)[:, None]
        rows = np.minimum(edges[:-1] + k, len(motion) - 1)
        values, seen = motion.values[rows] * lasting, (motion.seen[rows] & lasting).astype(float)
        total += values**2 @ seen.T + seen @ (values**2).T - 2 * values @ values.T
        weight += seen @ seen.T
    return np.divide(np.maximum(total, 0), weight, out=np.full_like(total, np.inf), where=weight > 0)


def _spread(motion: Motion) -> float:
    """Mean squared distance of any two moments: twice the variance of each channel."""
    count = np.maximum(1, motion.seen.sum(axis=0))
    mean = motion.values.sum(axis=0) / count
    variance = (motion.values**2).sum(axis=0) / count - mean**2
    known = motion.seen.any(axis=0)
    return float(2 * variance[known].mean()) if known.any() else 0.0


def _grouped(apart: FloatArray, limit: float, moves: Sequence[int]) -> list[list[int]]:
    """Groups whose moves are on average no further apart than ``limit``, in order of appearance."""
    groups = [[move] for move in moves]
    between = apart[np.ix_(moves, moves)].copy()
    np.fill_diagonal(between, np.inf)
    while len(groups) > 1:
        i, j = sorted(np.unravel_index(np.argmin(between), between.shape))
        if between[i, j] > limit:
            break
        sizes = len(groups[i]), len(groups[j])
        between[i] = between[:, i] = (sizes[0] * between[i] + sizes[1] * between[j]) / sum(sizes)
        between[i, i] = np.inf
        between = np.delete(np.delete(between, j, axis=0), j, axis=1)
        groups[i] += groups.pop(j)
    return sorted((sorted(group) for group in groups), key=lambda group: group[0])
