"""The nearest of many vectors, behind one interface: exactly up to a million, by a graph beyond.

:class:`ExactIndex` reads a sketch of every vector in place of the vector: its coordinates in the main directions of
the data, a byte each. What the sketch leaves out is bounded (Cauchy and Schwarz), so from it follows for every
vector the most that its similarity can be:

    x·q ≤ x̂·q̂ + ‖x̂‖ ‖Pq - q̂‖ + ‖Px - x̂‖ ‖Pq‖ + ‖x - PᵀPx‖ ‖q - PᵀPq‖

with P the projection, x̂ and q̂ the rounded coordinates. Only those for which this reaches the k-th best similarity
found so far are looked at themselves. The answer is that of comparing all, up to the rounding of single precision.
How many directions there are is read off the data: where it has no main directions the sketch has all of them, and
is a quarter of the vectors yet. This module knows neither moves nor songs.

Only what reads all sketches is given to threads. Threads wait for one another at the end of each operation, 4 ms and
more where others use the machine, and longer where NumPy's and torch's take turns: everything small is done by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from shared.errors import MissingTool
from shared.timeline import FloatArray, IntArray

MOST_EXACT = 1_000_000
"""Vectors: beyond, a look at every sketch takes longer than 25 ms."""
FEW = 20_000
"""Up to so many all are compared: that takes 2 ms."""

_SAMPLE = 20_000  # vectors that are asked for the main directions
_STEP = 64  # directions: what a vector instruction reads at a time
_ENOUGH = 0.98  # of the mean square length: the rest loosens the bound by about 0.02
_LIMIT = 127
_ROWS = 65_536  # × 512 × 4 B = 134 MB at a time while building
_FIRST = 1024  # vectors with the highest bounds, looked at to learn what has to be surpassed
_MANY = 0.1  # of all: looking at these one by one takes longer than at all in a row
_ROUNDING = 1e-5  # of single precision, in the bound itself


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The nearest first; of two that are equally near the lower id first.

    ``ids``          ``(k,)``, or ``(Q, k)`` of several queries: rows of the vectors that the index was made of
    ``similarities`` of the same shape: inner products, of unit vectors -1 … 1
    """

    ids: IntArray
    similarities: FloatArray


class Index(Protocol):
    """Finds by inner product."""

    def __len__(self) -> int: ...

    def nearest(self, query: FloatArray, k: int) -> Neighbours:
        """``query`` ``(D,)`` or ``(Q, D)``. Fewer than ``k`` where there are not so many vectors.

        Raises ValueError where ``k`` is less than 1 or the dimension is another.
        """
        ...


def index_for(vectors: FloatArray) -> Index:
    """The index that suits so many vectors."""
    return ExactIndex(vectors) if len(vectors) <= MOST_EXACT else GraphIndex(vectors)


class ExactIndex:
    """Over ``vectors`` ``(N, D)`` in single or half precision, which it keeps; "exact" is meant of these."""

    def __init__(self, vectors: FloatArray, *, few: int = FEW) -> None:
        self._vectors = vectors
        self._sketch = sketched(vectors) if len(vectors) > few else None

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def directions(self) -> int:
        """How many a sketch has; 0 where there is none."""
        return 0 if self._sketch is None else self._sketch.codes.shape[1]

    def nearest(self, query: FloatArray, k: int) -> Neighbours:
        return _for_each(query, k, self._vectors.shape, self._nearest)

    def highest(self, query: FloatArray) -> FloatArray:
        """``(N,)`` the most that each inner product with ``query`` ``(D,)`` can be."""
        return self._all_similarities(query) + _ROUNDING if self._sketch is None else self._sketch.highest(query)

    def looked_at(self, query: FloatArray, k: int) -> int:
        """How many of the vectors themselves a search has to look at."""
        return len(self._vectors) if self._sketch is None else len(self._candidates(self._sketch, query, k))

    def _nearest(self, query: FloatArray, k: int) -> Neighbours:
        if self._sketch is None:
            return top(self._all_similarities(query), k)
        candidates = self._candidates(self._sketch, query, k)
        if len(candidates) > _MANY * len(self):
            return top(self._all_similarities(query), k)
        found = top(self._similarities(candidates, query), k)
        return Neighbours(candidates[found.ids], found.similarities)

    def _candidates(self, sketch: Sketch, query: FloatArray, k: int) -> IntArray:
        """All that may be among the nearest ``k``, in order."""
        highest = sketch.highest(query)
        first = min(len(self), max(_FIRST, 2 * k))
        likely = np.argpartition(highest, len(highest) - first)[-first:]
        kth = np.partition(self._similarities(likely, query), first - k)[first - k]
        return np.flatnonzero(highest >= kth)

    def _similarities(self, ids: IntArray, query: FloatArray) -> FloatArray:
        return products(self._vectors[ids], query)

    def _all_similarities(self, query: FloatArray) -> FloatArray:
        parts = torch.from_numpy(self._vectors).split(_ROWS)
        return torch.cat([torch.mv(part.float(), torch.from_numpy(query)) for part in parts]).numpy()


def products(rows: FloatArray, query: FloatArray) -> FloatArray:
    """``(N, D)`` by ``(D,)``, on one thread."""
    return np.einsum("nd,d->n", rows.astype(np.float32, copy=False), query)


class GraphIndex:
    """Over a graph of near neighbours (Malkov and Yashunin, 2018), by usearch. Nearly all of the nearest are found.

    Raises MissingTool where usearch, the extra ``index``, is not installed.
    """

    # Found on 50,000 structured vectors: recall and time are printed by tests.benchmarks.recommendation.
    CONNECTIVITY, EFFORT_BUILDING, EFFORT_SEARCHING = 32, 256, 256

    def __init__(self, vectors: FloatArray) -> None:
        try:
            from usearch.index import Index as Graph
        except ImportError as error:
            raise MissingTool("more than a million vectors need usearch: pip install 'dancebits[index]'") from error
        self._shape = vectors.shape
        self._graph = Graph(
            ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=self.CONNECTIVITY,
            expansion_add=self.EFFORT_BUILDING, expansion_search=self.EFFORT_SEARCHING,
        )  # fmt: skip
        self._graph.add(np.arange(len(vectors)), vectors, threads=1)  # by several the graph is another every time

    def __len__(self) -> int:
        return self._shape[0]

    def nearest(self, query: FloatArray, k: int) -> Neighbours:
        return _for_each(query, k, self._shape, self._nearest)

    def _nearest(self, query: FloatArray, k: int) -> Neighbours:
        found = self._graph.search(query, k)
        ids, similarities = np.asarray(found.keys, np.int64), 1 - np.asarray(found.distances, np.float32)
        order = np.lexsort((ids, -similarities))
        return Neighbours(ids[order], similarities[order])


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """``N`` vectors in ``m`` of their ``D`` directions, a byte each.

    ``basis``    ``(m, D)`` orthonormal rows
    ``codes``    ``(N, m)`` int8
    ``step``     what a code of 1 stands for
    ``rounding`` ``(N,)`` how far the codes are from the projected vector
    ``rest``     ``(N,)`` how far the projected vector is from the vector
    ``reach``    the longest that the codes stand for
    """

    basis: FloatArray
    codes: Tensor
    step: float
    rounding: FloatArray
    rest: FloatArray
    reach: float

    def highest(self, query: FloatArray) -> FloatArray:
        """``(N,)`` the most that each inner product with ``query`` ``(D,)`` can be."""
        projected = products(self.basis, query)
        step = max(float(np.abs(projected).max()), 1e-12) / _LIMIT
        codes = np.round(projected / step)
        off = float(np.linalg.norm(projected - codes * step))
        rest = float(np.linalg.norm(query - products(self.basis.T, projected)))
        highest = _products(self.codes, codes).astype(np.float32)
        highest *= np.float32(self.step * step)
        highest += self.rounding * np.float32(np.linalg.norm(projected))
        highest += self.rest * np.float32(rest)
        highest += np.float32(self.reach * off + _ROUNDING)
        return highest


def _products(codes: Tensor, column: FloatArray) -> IntArray:
    """``(N,)`` in whole numbers: a quarter of the memory to read, and four products at once."""
    return torch.ops.aten._int_mm(codes, torch.from_numpy(column.astype(np.int8))[:, None])[:, 0].numpy()  # noqa: SLF001


def sketched(vectors: FloatArray) -> Sketch:
    """The sketch of ``(N, D)``, N ≥ 1."""
    rows = torch.from_numpy(vectors)
    sample = rows[:: max(1, len(rows) // _SAMPLE)].float()
    basis = _main_directions(sample)
    step = max(float((sample @ basis.T).abs().max()), 1e-12) / _LIMIT
    parts = [_coded(part.float(), basis, step) for part in rows.split(_ROWS)]
    codes, rounding, rest, length = (torch.cat(each) for each in zip(*parts, strict=True))
    return Sketch(basis.numpy(), codes, step, rounding.numpy(), rest.numpy(), float(length.max()))


def _main_directions(sample: Tensor) -> Tensor:
    """``(m, D)`` that hold nearly all of the lengths, turned among themselves so that each holds as much."""
    shares, directions = torch.linalg.eigh((sample.T @ sample).double())
    kept = shares.flip(0).clamp(min=0).cumsum(0)
    enough = int(torch.searchsorted(kept, _ENOUGH * kept[-1])) + 1
    many = min(-(-enough // _STEP) * _STEP, len(shares))
    drawn = torch.randn(many, many, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (torch.linalg.qr(drawn).Q @ directions.flip(1)[:, :many].T).float()


def _coded(vectors: Tensor, basis: Tensor, step: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Codes, rounding, rest and length of some vectors."""
    projected = vectors @ basis.T
    codes = (projected / step).round().clamp(-_LIMIT, _LIMIT)
    rest = (vectors - projected @ basis).norm(dim=1)
    rounding = (projected - codes * step).norm(dim=1)
    return codes.to(torch.int8), rounding, rest, codes.norm(dim=1) * step


def top(values: FloatArray, k: int) -> Neighbours:
    """The ``k`` highest of ``(N,)``, k ≤ N."""
    kth = np.partition(values, len(values) - k)[len(values) - k]
    above, equal = np.flatnonzero(values > kth), np.flatnonzero(values == kth)
    ids = np.concatenate([above, equal[: k - len(above)]])
    ids = ids[np.lexsort((ids, -values[ids]))]
    return Neighbours(ids, values[ids])


def _for_each(
    query: FloatArray, k: int, shape: tuple[int, ...], nearest: Callable[[FloatArray, int], Neighbours]
) -> Neighbours:
    """One query, or each of several; never more than there are vectors."""
    many, dimension = shape
    if k < 1 or query.shape[-1:] != (dimension,):
        raise ValueError(f"{k} nearest of a query {query.shape} among vectors {shape}")
    queries = np.atleast_2d(query).astype(np.float32, copy=False)
    k = min(k, many)
    found = [nearest(each, k) for each in queries] if k else []
    ids, similarities = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
    for i, each in enumerate(found):
        ids[i], similarities[i] = each.ids, each.similarities
    return Neighbours(ids, similarities) if query.ndim == 2 else Neighbours(ids[0], similarities[0])
