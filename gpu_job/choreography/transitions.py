"""What a spectator sees of the cut from one block to another: how the dancers jump. Knows no music.

A cost of 0 … 1 is the mean of five parts by :data:`WEIGHTS`. Each part is d² / (d² + scale²), where d is the root of
the mean squared difference over what is seen of both dancers on both sides: it grows with the square of a small
difference, is a half at the part's scale, and hardly grows any more where two pictures have nothing in common. What is
unseen on either side counts :data:`NEUTRAL` for its share. Where the second block goes on where the first ends, in the
same clip, there is no cut and the cost is 0.

Computed in single precision and rounded, so that devices agree to the fourth digit.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gpu_job.segmentation.similarity import device
from shared.library import Edges, MoveLibrary
from shared.music import COUNTS_PER_EIGHT
from shared.timeline import FloatArray, IntArray

WEIGHTS: Mapping[str, float] = {"pose": 0.35, "velocity": 0.15, "place": 0.2, "hold": 0.15, "facing": 0.15}
SCALES: Mapping[str, float] = {"pose": 0.35, "velocity": 0.5, "place": 0.12, "hold": 0.5, "facing": 1.0}
"""Torso lengths, torso lengths a beat, image heights, holds, and the chord on a circle of radius 1: about 60°. Between
any two of 279 blocks of 114 real clips the medians are 0.40, 0.54, 0.18, 0.17 and 1.41, and that of the cost is 0.53;
one cut in twenty costs 0.28 or less."""
NEUTRAL = 0.5
METHOD = "cuts-1"
"""Another formula is another name: what was computed by it is kept under it."""

BoolArray = npt.NDArray[np.bool_]

_CHUNK = 2048  # ends at a time: 2048 × 10⁴ starts × 4 B = 80 MB for each part
_DIGITS = 4
_FEW = 1024  # blocks
_START, _END = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """Of each block at one of its edges, by part, with 0 where unseen. Each ``(N, D)``."""

    values: Mapping[str, Tensor]
    seen: Mapping[str, Tensor]


def transitions(library: MoveLibrary, blocks: IntArray | None = None) -> FloatArray:
    """``(M, M)`` 0 … 1, float32: the cost of each block (row) followed by each (column).

    ``blocks`` ``(M,)`` those that are meant, increasing; all if none are named
    """
    blocks = np.arange(len(library)) if blocks is None else blocks
    edges = library.edges
    costs = edge_costs(Edges(edges.joints[blocks], edges.place[blocks], edges.facing[blocks], edges.hold[blocks]))
    goes_on = np.flatnonzero(followers(library)[blocks[:-1]] & (np.diff(blocks) == 1))
    costs[goes_on, goes_on + 1] = 0.0
    return costs


def edge_costs(edges: Edges) -> FloatArray:
    """The same, where nothing is known of which block goes on from which."""
    many = len(edges.hold)
    costs = np.empty((many, many), np.float32)
    with _threads_for(many):
        ends, starts = _features(edges, _END), _features(edges, _START)
        for row in range(0, many, _CHUNK):
            rows = slice(row, row + _CHUNK)
            parts = [_part(name, ends, starts, rows).mul_(weight) for name, weight in WEIGHTS.items()]
            costs[rows] = sum(parts[1:], parts[0]).round(decimals=_DIGITS).cpu().numpy()
    return costs


@contextmanager
def _threads_for(blocks: int) -> Generator[None]:
    """One, where blocks are few: 400 take it 5 ms, and on a busy machine two threads that wait for one another 60."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if blocks <= _FEW else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def followers(library: MoveLibrary) -> BoolArray:
    """``(N - 1,)`` whether the next block of the library begins, in the same clip, where this one ends."""
    starts = np.concatenate([np.zeros(0, np.int64), *(move.blocks for move in library.moves)])
    return (np.diff(library.owner) == 0) & (np.diff(starts) == COUNTS_PER_EIGHT)


def _features(edges: Edges, edge: int) -> _Features:
    joints, facing = edges.joints[:, edge], edges.facing[:, edge]
    found = {
        "pose": joints[..., :2],
        "velocity": joints[..., 2:],
        "place": edges.place[:, edge],
        "hold": edges.hold[:, edge, None],
        "facing": np.stack([np.cos(facing), np.sin(facing)], axis=-1),
    }
    tensors = {name: torch.as_tensor(each, dtype=torch.float32, device=device()) for name, each in found.items()}
    tensors = {name: each.flatten(start_dim=1) for name, each in tensors.items()}
    return _Features(
        {name: each.nan_to_num(nan=0.0) for name, each in tensors.items()},
        {name: each.isfinite().float() for name, each in tensors.items()},
    )


def _part(name: str, ends: _Features, starts: _Features, rows: slice) -> Tensor:
    """``(R, N)`` 0 … 1. Per dimension the difference is squared and doubled: points of two coordinates are meant."""
    a, a_seen, b, b_seen = ends.values[name][rows], ends.seen[name][rows], starts.values[name], starts.seen[name]
    both = a_seen @ b_seen.T
    squares = torch.cat([a**2, a_seen, -2 * a], dim=1) @ torch.cat([b_seen, b**2, b], dim=1).T
    coordinates = 1 if name == "hold" else 2
    mean = squares.clamp_(min=0).mul_(coordinates).div_(both.clamp(min=1))
    cost = mean.div_(mean + SCALES[name] ** 2)
    return cost.sub_(NEUTRAL).mul_(both.div_(a.shape[1])).add_(NEUTRAL)
