"""What a spectator sees of the cut from one block to another: how the dancers jump. Knows no music.

A cost of 0 … 1 is the mean of five parts by :data:`WEIGHTS`. Each part is d² / (d² + scale²), where d is the root of
the mean squared difference over what is seen of both dancers on both sides: it grows with the square of a small
difference, is a half at the part's scale, and hardly grows any more where two pictures have nothing in common. What is
unseen on either side counts :data:`NEUTRAL` for its share. Where the second block goes on where the first ends, in the
same clip, there is no cut and the cost is 0.

Computed in single precision and rounded, so that devices agree to the fourth digit. Few blocks are done by one thread
of NumPy's: torch's wait for one another, on a busy machine ten times as long as the work takes, and how many it has is
one setting for the whole process, which jobs that are loaded side by side may not touch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from gpu_job.devices import device
from shared.library import Edges, MoveLibrary
from shared.timeline import FloatArray, IntArray

WEIGHTS: Mapping[str, float] = {"pose": 0.35, "velocity": 0.15, "place": 0.2, "hold": 0.15, "facing": 0.15}
SCALES: Mapping[str, float] = {"pose": 0.35, "velocity": 0.5, "place": 0.12, "hold": 0.5, "facing": 1.0}
"""Torso lengths, torso lengths a beat, image heights, holds, and the chord on a circle of radius 1: about 60°. Between
any two of 279 blocks of 114 real clips the medians are 0.40, 0.54, 0.18, 0.17 and 1.41, and that of the cost is 0.53;
one cut in twenty costs 0.28 or less."""
NEUTRAL = 0.5
METHOD = "cuts-1"
"""Another formula is another name: what was computed by it is kept under it."""

_DIGITS = 4
_FEW = 1024  # blocks
_ON_ONE_THREAD = 2**18  # multiplications: OpenBLAS does products of up to so many without its threads
_START, _END = 0, 1

M = TypeVar("M", FloatArray, Tensor)


@dataclass(frozen=True, slots=True, eq=False)
class _Feature(Generic[M]):
    """What a part sees of ``N`` blocks at one of their edges, in ``D`` dimensions.

    ``seen``    ``(N, D)`` 1 where seen, else 0
    ``squares`` ``(N, 3 D)`` whose product with that of the other edge is the sum of squared differences
    """

    seen: M
    squares: M


@dataclass(frozen=True, slots=True)
class _By(Generic[M]):
    """What computes: how arrays get there and back, and the product of rows ``(R, D)`` and ``(N, D)``, ``(R, N)``.

    ``rows`` ends at a time
    """

    taken: Callable[[FloatArray], M]
    product: Callable[[M, M], M]
    back: Callable[[M], FloatArray]
    rows: int


def transitions(library: MoveLibrary, blocks: IntArray | None = None) -> FloatArray:
    """``(M, M)`` 0 … 1, float32: the cost of each block (row) followed by each (column).

    ``blocks`` ``(M,)`` those that are meant, increasing; all if none are named
    """
    blocks = np.arange(len(library)) if blocks is None else blocks
    edges = library.edges
    costs = edge_costs(Edges(edges.joints[blocks], edges.place[blocks], edges.facing[blocks], edges.hold[blocks]))
    goes_on = np.flatnonzero(library.goes_on[blocks[:-1]] & (np.diff(blocks) == 1))
    costs[goes_on, goes_on + 1] = 0.0
    return costs


def edge_costs(edges: Edges) -> FloatArray:
    """The same, where nothing is known of which block goes on from which."""
    return _costs(edges, _BY_NUMPY) if len(edges.hold) <= _FEW else _costs(edges, _BY_TORCH)


def _costs(edges: Edges, by: _By[M]) -> FloatArray:
    many = len(edges.hold)
    ends, starts = (_features(edges, edge, by) for edge in (_END, _START))
    costs = np.full((many, many), NEUTRAL, np.float32)
    for rows in (slice(row, row + by.rows) for row in range(0, many, by.rows)):
        for name in WEIGHTS:
            part = _Feature(ends[name].seen[rows], ends[name].squares[rows])
            share = WEIGHTS[name] / part.seen.shape[1]
            costs[rows] += share * by.back(_beyond_neutral(name, part, starts[name], by.product))
    return costs.clip(0, 1, out=costs).round(_DIGITS, out=costs)


def _features(edges: Edges, edge: int, by: _By[M]) -> Mapping[str, _Feature[M]]:
    """By part."""
    joints, facing = edges.joints[:, edge], edges.facing[:, edge]
    found = {
        "pose": joints[..., :2],
        "velocity": joints[..., 2:],
        "place": edges.place[:, edge],
        "hold": edges.hold[:, edge, None],
        "facing": np.stack([np.cos(facing), np.sin(facing)], axis=-1),
    }
    return {name: _feature(values, edge, by) for name, values in found.items()}


def _feature(values: FloatArray, edge: int, by: _By[M]) -> _Feature[M]:
    """Of ``(N, …)``, NaN where unseen."""
    flat = values.astype(np.float32).reshape(len(values), math.prod(values.shape[1:]))
    seen, x = np.isfinite(flat).astype(np.float32), np.nan_to_num(flat, nan=0.0)
    squares = [x**2, seen, -2 * x] if edge == _END else [seen, x**2, x]
    return _Feature(by.taken(seen), by.taken(np.concatenate(squares, axis=1)))


def _beyond_neutral(name: str, ends: _Feature[M], starts: _Feature[M], product: Callable[[M, M], M]) -> M:
    """``(R, N)`` by how much each dimension of a part makes a cut cost more than :data:`NEUTRAL`, or less, in all.

    With D² the sum over the n coordinates that are seen of both, d² / (d² + scale²) is D² / (D² + n scale²); n / 2 for
    points of two coordinates.
    """
    cost, both = product(ends.squares, starts.squares), product(ends.seen, starts.seen)
    unit = both.clip(min=1)
    unit *= SCALES[name] ** 2 / (1 if name == "hold" else 2)
    unit += cost
    cost /= unit
    cost -= NEUTRAL
    cost *= both
    return cost


def _tiled(rows: FloatArray, columns: FloatArray) -> FloatArray:
    """The product, tile by tile, each on this thread."""
    tile = int((_ON_ONE_THREAD / rows.shape[1]) ** 0.5)
    tiles = _tiles(rows, tile)[:, None] @ _tiles(columns, tile).swapaxes(1, 2)
    down, across = tiles.shape[0] * tiles.shape[2], tiles.shape[1] * tiles.shape[3]
    return tiles.swapaxes(1, 2).reshape(down, across)[: len(rows), : len(columns)]


def _tiles(rows: FloatArray, most: int) -> FloatArray:
    """``(R, D)`` → ``(Q, T, D)``, as few as can be of at most so many rows, the last filled with zeros."""
    many = -(-len(rows) // most)
    each = -(-len(rows) // max(1, many))
    padded = np.zeros((many * each, rows.shape[1]), rows.dtype)
    padded[: len(rows)] = rows
    return padded.reshape(many, each, rows.shape[1])


_BY_NUMPY: _By[FloatArray] = _By(lambda array: array, _tiled, lambda array: array, rows=128)  # stays in the cache
_BY_TORCH: _By[Tensor] = _By(
    lambda array: torch.from_numpy(array).to(device()),
    lambda rows, columns: rows @ columns.T,
    lambda tensor: tensor.cpu().numpy(),
    rows=2048,  # × 10⁴ starts × 4 B = 80 MB for each part
)
