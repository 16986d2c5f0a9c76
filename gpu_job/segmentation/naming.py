"""What a move is called, of the categories of a move library, and how sure that is.

A logistic regression upon :mod:`~gpu_job.segmentation.traits` of the move's stretch, and its
:mod:`~gpu_job.segmentation.likeness` to known clips, fitted by
:mod:`~gpu_job.segmentation.learning.naming_training`. It was taught couples of one library; a dancer who moves as none
of them does, or to music at another tempo than theirs, is told ``unknown``. Each stretch is named by itself, then in
the light of the others of its dance: most videos show one move, and then all of it tells which. Their order, and the
sound, are not asked. Knows no file.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT
from gpu_job.segmentation.likeness import VALUES, likeness, moments, nearest, over
from gpu_job.segmentation.performance import Performance
from gpu_job.segmentation.traits import BODILY, TRAITS, Trace, block_weights, bodily, traced, traits
from gpu_job.titles import UNKNOWN
from shared.timeline import FloatArray, IntArray

LIKELIEST = 3
"""So many names are told of a move, the likeliest first."""
PREFIX = "names."
VERSION = 2
"""Of the traits and of what is made of them: weights of another are refused."""

TEMPI_BPM = (90.0, 175.0)
"""Bachata is danced to 100 to 165 beats a minute (measured on the library: 108 to 152), and a video may be retimed."""
LONGER_IS_SURER = 0.3
"""A stretch's evidence is worth this power of its counts: of 0, 0.15, 0.3, 0.45 and 0.6 the best on clips held out."""
MORE_ARE_SURER = 0.7
"""The moves of a dance are worth this power of their number in moves that have nothing in common, as evidence of what
all of them are. Of 0, 0.3, 0.5, 0.7 and 1 the best on clips held out; with 1 dances of many are taken for one."""
_MOST = 4.0  # a trait further from the usual, in its spreads, is held there: one odd joint must not outvote the rest
_LEAST_SQUARE = 1e-9  # of which a logarithm is taken
_LEAST_LIKELY = 1e-30  # likewise
_WINDOW, _HOP = 16, 8  # half-beats: how far a dancer is from what was taught is told by eights, every bar
_BLOCK_WEIGHT = block_weights()


@dataclass(frozen=True, slots=True)
class Name:
    """A label, and the probability that it is right, 0 … 1."""

    label: str
    confidence: float


class Namer(Protocol):
    """What names moves."""

    def names(self, performance: Performance, edges: IntArray) -> Sequence[tuple[Name, ...]]:
        """Of each of the M moves between half-beats ``edges`` ``(M + 1,)`` the likeliest names, best first, at most
        :data:`LIKELIEST`; none where the dancer is not seen."""
        ...

    def told(self, names: tuple[Name, ...]) -> Name:
        """The one to tell: the best, or :data:`UNKNOWN` where that is not sure enough."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class NamingWeights:
    """What was learned, of F traits and C categories.

    ``centre``, ``scale`` ``(F,)`` what traits usually are, and how much they vary; the scale is above 0
    ``weight``, ``bias``  ``(F, C)``, ``(C,)`` of the regression
    ``axes``, ``spread``  ``(BODILY, K)``, ``(K,)`` along which dancers differ, and how much, as standard deviations
    ``rest``              mean square of what these axes leave out of eights
    ``middle``, ``basis`` ``(VALUES,)``, ``(VALUES, D)`` what a moment usually is, and along which it is looked at, in
                          such units that whole numbers below 128 say it
    ``moments``           ``(N, D)`` of Q known clips; each clip's begin at ``first`` ``(Q,)``, ``kind`` ``(Q,)`` says
                          which category it is of
    ``categories``        the C names
    ``temperature``       > 0, of a stretch of one count, that makes confidences true
    ``same``              above 0, below 1: that another move of a dance is what the one before it is, where nothing is
                          seen of them
    ``least``             0 … 1, the confidence below which no name is told
    ``near``, ``far``     up to the one distance a dancer is familiar, from the other on a stranger
    """

    centre: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    axes: Tensor
    spread: Tensor
    rest: Tensor
    middle: Tensor
    basis: Tensor
    moments: Tensor
    first: Tensor
    kind: Tensor
    categories: tuple[str, ...]
    temperature: float
    same: float
    least: float
    near: float
    far: float

    def tensors(self) -> dict[str, Tensor]:
        """By names that begin with :data:`PREFIX`, in single precision, or bytes."""
        return {
            f"{PREFIX}{name}": getattr(self, name).to(torch.int8 if name == _BYTES else torch.float32).contiguous()
            for name in _TENSORS
        }

    def facts(self) -> dict[str, Any]:
        """The rest, as JSON has it."""
        return {"version": VERSION, **{name: getattr(self, name) for name in _FACTS}, "categories": [*self.categories]}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> NamingWeights:
        """The inverse; other tensors may stand beside. Raises ValueError for what cannot be used."""
        missing = [name for name in (PREFIX + name for name in _TENSORS) if name not in tensors]
        missing += [name for name in _FACTS if name not in facts]
        if missing or facts.get("version") != VERSION:
            raise ValueError(f"no weights of names, version {VERSION}: version {facts.get('version')}, lacks {missing}")
        found: dict[str, Any] = {name: tensors[f"{PREFIX}{name}"].to(torch.float64) for name in _TENSORS}
        known: dict[str, Any] = {name: facts[name] for name in _FACTS if name != "categories"}
        return cls(**found, **known, categories=tuple(facts["categories"]))

    def __post_init__(self) -> None:
        categories, axes = len(self.categories), len(self.spread)
        depth, (known, clips) = self.basis.shape[-1], (len(self.moments), len(self.first))
        wanted = (
            (TRAITS,), (TRAITS,), (TRAITS, categories), (categories,), (BODILY, axes), (axes,), (),
            (VALUES,), (VALUES, depth), (known, depth), (clips,), (clips,),
        )  # fmt: skip
        found = tuple(tuple(getattr(self, name).shape) for name in _TENSORS)
        if found != wanted:
            raise ValueError(f"weights of names are {found}, not {wanted}")
        if not (self.temperature > 0 and self.far > self.near and bool((self.scale > 0).all())):
            raise ValueError("temperature and scales must be above 0, far beyond near")
        if not 0 < self.same < 1:
            raise ValueError("same must be above 0 and below 1")


_TENSORS = (
    "centre", "scale", "weight", "bias", "axes", "spread", "rest", "middle", "basis", "moments", "first", "kind"
)  # fmt: skip
_BYTES = "moments"
_FACTS = tuple(field.name for field in fields(NamingWeights) if field.name not in _TENSORS)


@dataclass(frozen=True, slots=True)
class TraitNamer:
    """Names moves by their traits."""

    weights: NamingWeights

    def names(self, performance: Performance, edges: IntArray) -> Sequence[tuple[Name, ...]]:
        """As :meth:`Namer.names`. Those of a stranger are told with less confidence, down to none."""
        if len(edges) < 2:
            return []
        trace = traced(performance)
        sure = familiar(self.weights, distance(self.weights, trace)) if in_tempo(performance) else 0.0
        by_traits, by_likeness = logits(self.weights, traits(trace, edges)), alike(self.weights, trace, edges)
        rows = probabilities(self.weights, by_traits + by_likeness, np.diff(edges) / 2)
        seen = np.array(seen_between(trace, edges))
        rows[seen] = together(rows[seen], self.weights.same)
        return [self._likeliest(row, sure) if is_seen else () for row, is_seen in zip(rows, seen, strict=True)]

    def told(self, names: tuple[Name, ...]) -> Name:
        """The best name, or :data:`UNKNOWN` with the probability that the best is wrong."""
        if not names:
            return Name(UNKNOWN, 1.0)
        best = names[0]
        return best if best.confidence >= self.weights.least else Name(UNKNOWN, 1 - best.confidence)

    def _likeliest(self, row: FloatArray, sure: float) -> tuple[Name, ...]:
        """In the order of ``row`` ``(C,)``, also where none is sure at all."""
        best = np.argsort(-row, kind="stable")[:LIKELIEST]
        return tuple(Name(self.weights.categories[place], sure * float(row[place])) for place in best)


def standard(values: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """``(M, F)`` traits from the usual, in spreads; 0 where unseen."""
    return np.nan_to_num(np.clip((values - centre) / scale, -_MOST, _MOST))


def inputs(values: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """``(M, F)`` what the regression is given: every block of traits counts the same."""
    return standard(values, centre, scale) * _BLOCK_WEIGHT


def logits(weights: NamingWeights, values: FloatArray) -> FloatArray:
    """``(M, C)`` of stretches with these traits ``(M, F)``."""
    given = inputs(values, weights.centre.numpy(), weights.scale.numpy())
    # One stretch after another, so that it gets the same numbers alone as among others.
    return np.stack([row @ weights.weight.numpy() for row in given]) + weights.bias.numpy()


def embedded(weights: NamingWeights, trace: Trace) -> FloatArray:
    """``(W, D)`` the moments of a dance."""
    return (moments(trace) - weights.middle.numpy()) @ weights.basis.numpy()


def alike(weights: NamingWeights, trace: Trace, edges: IntArray) -> FloatArray:
    """``(M, C)`` what likeness to known clips adds to the logits of the stretches between half-beats ``(M + 1,)``."""
    first, kind = (each.numpy().astype(int) for each in (weights.first, weights.kind))
    known = weights.moments.numpy()
    both = [nearest(embedded(weights, each), known, first) for each in (trace, trace.mirrored())]
    return np.stack([
        likeness([over(each, int(a), int(b)) for each in both], kind, len(weights.categories))
        for a, b in itertools.pairwise(edges)
    ])  # fmt: skip


def probabilities(weights: NamingWeights, values: FloatArray, counts: FloatArray) -> FloatArray:
    """``(M, C)`` calibrated, of the logits ``(M, C)`` of stretches of so many counts ``(M,)`` of a couple's dance."""
    return softmax(values * counts[:, None] ** LONGER_IS_SURER / weights.temperature)


def together(likely: FloatArray, same: float) -> FloatArray:
    """``(M, C)`` probabilities of the names of all M moves of one dance, of those of each by itself ``(M, C)``.

    Either all moves are of one category, or each is of its own: these two are weighed by how well they explain what is
    seen (Bayesian model averaging; Hoeting et al. 1999). Of the first it is known beforehand that it holds of M moves
    with the probability ``same`` to the power of M - 1, and all categories are as likely.
    """
    moves, categories = likely.shape
    if moves < 2:
        return likely
    evidence = np.log(np.maximum(likely * categories, _LEAST_LIKELY)).sum(axis=0) * moves ** (MORE_ARE_SURER - 1)
    before = (moves - 1) * np.log(same)
    alike, apart = before + np.logaddexp.reduce(evidence) - np.log(categories), np.log1p(-np.exp(before))
    share = np.exp(alike - np.logaddexp(alike, apart))
    return share * softmax(evidence[None]) + (1 - share) * likely


def softmax(values: FloatArray) -> FloatArray:
    """``(M, C)``, each row positive and of sum 1."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def in_tempo(performance: Performance) -> bool:
    """Whether there is music to which bachata is danced; a beat that was not heard is not held against anybody."""
    low, high = TEMPI_BPM
    return not performance.grid.counted or low <= 60 / performance.grid.pulse.period_s <= high


def seen_between(trace: Trace, edges: IntArray) -> list[bool]:
    """Whether the dancer is seen, of each stretch between half-beats."""
    points = np.asarray(edges) * POINTS_PER_HALF_BEAT
    return [trace.between(int(a), int(b)).is_seen for a, b in itertools.pairwise(points)]


def eights(trace: Trace) -> FloatArray:
    """``(N, BODILY)`` traits of every eight, a bar from one to the next, in which the dancer is seen: of all of a dance
    that has no eight. What of the hips' travel is left out, which jumps where a film is cut."""
    last = (len(trace) - 1) // POINTS_PER_HALF_BEAT
    firsts = range(0, max(1, last - _WINDOW + 1), _HOP)
    ends = [(first * POINTS_PER_HALF_BEAT, min(first + _WINDOW, last) * POINTS_PER_HALF_BEAT) for first in firsts]
    stretches = [each for each in (trace.between(*end) for end in ends) if each.is_seen]
    return np.stack([bodily(each) for each in stretches]) if stretches else np.zeros((0, BODILY))


def distance(weights: NamingWeights, trace: Trace) -> float:
    """How unlike those that were taught a dancer moves: logarithm of the median over the dance's eights of their mean
    squared distance along and off the axes (Mahalanobis, 1936; Moghaddam and Pentland, 1997). Infinite if unseen."""
    stretches = eights(trace)
    if not len(stretches):
        return float("inf")
    off = standard(stretches, weights.centre.numpy()[:BODILY], weights.scale.numpy()[:BODILY])
    along = off @ weights.axes.numpy()
    left = ((off - along @ weights.axes.numpy().T) ** 2).mean(axis=1)
    squares = (((along / weights.spread.numpy()) ** 2).mean(axis=1) + left / float(weights.rest)) / 2
    return float(np.log(max(float(np.median(squares)), _LEAST_SQUARE)))


def familiar(weights: NamingWeights, far: float) -> float:
    """1 for a dancer whose :func:`distance` is that of those who were taught, 0 for a stranger."""
    return float(np.clip((weights.far - far) / (weights.far - weights.near), 0.0, 1.0))
