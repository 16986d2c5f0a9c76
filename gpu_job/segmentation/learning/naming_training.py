"""Teaches names: fits :class:`~gpu_job.segmentation.naming.NamingWeights` to clips whose label is known, and tells what
they are worth upon clips that they never saw.

A clip's label is that of every stretch of it, though most of a clip may be basic steps: so a stretch is often named
after what is common, with little confidence. All is decided by the seed and the clips in their order. Knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT
from gpu_job.segmentation.learning.calibration import calibration_error
from gpu_job.segmentation.likeness import VALUES, moments
from gpu_job.segmentation.naming import (
    LIKELIEST,
    LONGER_IS_SURER,
    NamingWeights,
    alike,
    distance,
    eights,
    familiar,
    in_tempo,
    inputs,
    logits,
    probabilities,
    seen_between,
    softmax,
    standard,
    together,
)
from gpu_job.segmentation.performance import Performance
from gpu_job.segmentation.traits import BODILY, Trace, traced, traits
from shared.timeline import BoolArray, FloatArray, IntArray

COUNTS = (2, 16)
"""How long stretches are, from and to."""
TILINGS = 4
"""So many times each clip is cut anew; for training each cut also as in a mirror."""
SHRINKAGE = 3e-4
"""Of the sum of squared weights. 1e-4 to 1e-3 are alike within the noise; with this confidences are nearly true."""
AXES = 40
"""10 to 80 tell strangers alike."""
TOLD_FROM = 0.3
"""The confidence below which no name is told."""
NEAR, FAR = 0.9, 0.98
"""Such shares of the clips held out are wholly familiar, and no strangers."""
DEPTH = 24
"""Numbers that are kept of a moment of a clip."""
COST = 0.001
"""By so much, in nats, the names of dances of many moves may lose by the thought that all their moves may be one. What
a dance of one move gains by it grows far beyond that."""

_ODD_LENGTHS = 0.15  # of the stretches, that begin or end between beats
_ITERATIONS = 60
_TEMPERATURES = np.geomspace(0.25, 16.0, 169)
_SAME = np.arange(1, 20) / 20
_MOST_BYTE = 127
_MANY = 12  # moves: a dance of a minute
_LEAST_SCALE = 1e-3
_LEAST_LIKELY = 1e-300  # of which a logarithm is taken


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A dance all of which has one label; ``name`` is its own."""

    name: str
    label: str
    performance: Performance


@dataclass(frozen=True, slots=True)
class Figures:
    """What names are worth on ``stretches`` that were held out; shares of them, 0 … 1.

    ``top1``, ``top3``           the label is the likeliest, among the three likeliest
    ``calibration_error``        expected, of the likeliest name's confidence, in ten classes
    ``chance1``, ``chance3``     ``top1`` and ``top3`` of guesses
    ``majority1``, ``majority3`` of the labels that are commonest among the clips
    ``told``, ``right``          are told a name at all; of those, rightly
    """

    stretches: int
    top1: float
    top3: float
    calibration_error: float
    chance1: float
    chance3: float
    majority1: float
    majority3: float
    told: float
    right: float


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """``weights`` of all clips; ``by_fold`` of all clips but those of a fold; ``figures`` of these on those, by how the
    clips were cut: ``mixed`` into 2 to 16 counts, ``eights``, ``whole``; each stretch is named by itself."""

    weights: NamingWeights
    by_fold: Mapping[int, NamingWeights]
    figures: Mapping[str, Figures]


@dataclass(frozen=True, slots=True, eq=False)
class _Stretches:
    """``traits`` ``(N, F)``, places of their ``label`` and ``clip`` ``(N,)``, how many ``counts`` ``(N,)``, and
    ``weight`` ``(N,)``, 1 a clip."""

    traits: FloatArray
    label: IntArray
    clip: IntArray
    counts: FloatArray
    weight: FloatArray

    def where(self, kept: BoolArray) -> _Stretches:
        return _Stretches(
            self.traits[kept], self.label[kept], self.clip[kept], self.counts[kept], self.weight[kept]
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """What weights say of clips that they never saw: ``logits`` ``(N, C)``, right ``label`` and ``counts``
    ``(N,)`` of mixed stretches, ``distance`` of each clip, as far as it is seen."""

    logits: FloatArray
    label: IntArray
    counts: FloatArray
    distance: FloatArray


def learned(clips: Sequence[Clip], folds: Mapping[str, int], seed: int = 0) -> Learned:
    """Weights of these clips, and of the folds that ``folds`` deals them into by name: clips of the same footage belong
    into one. Raises ValueError for a clip without a fold, fewer than two folds, or fewer than two labels."""
    fold = _fold_of(clips, folds)
    categories = tuple(sorted({clip.label for clip in clips}))
    label = np.array([categories.index(clip.label) for clip in clips])
    traces = [traced(clip.performance) for clip in clips]
    taught = _taught(traces, label, seed)
    cuts = _tests(traces, seed)
    tests = {name: _cut(traces, label, each) for name, each in cuts.items()}
    lengths = [eights(trace) for trace in traces]

    def without(held: IntArray) -> NamingWeights:
        kept = ~np.isin(np.arange(len(clips)), held)
        own = np.flatnonzero(kept)
        regression = _fitted(taught.where(kept[taught.clip]), [lengths[i] for i in own], categories)
        return _remembering(regression, [traces[i] for i in own], label[own])

    numbers = sorted(set(fold.tolist()))
    raw = {number: without(np.flatnonzero(fold == number)) for number in numbers}
    held = {number: _held(raw[number], tests["mixed"], cuts["mixed"], traces, fold == number) for number in numbers}
    by_fold = {number: _settled(raw[number], [held[n] for n in numbers if n != number]) for number in numbers}
    weights = _settled(without(np.array([], int)), list(held.values()))
    sure = np.array([
        familiar(by_fold[int(number)], distance(by_fold[int(number)], trace)) * in_tempo(clip.performance)
        for number, trace, clip in zip(fold, traces, clips, strict=True)
    ])  # fmt: skip
    figures = {name: _figures(by_fold, test, traces, cuts[name], fold, sure, label) for name, test in tests.items()}
    return Learned(weights, by_fold, figures)


def _fold_of(clips: Sequence[Clip], folds: Mapping[str, int]) -> IntArray:
    if missing := sorted({clip.name for clip in clips} - set(folds)):
        raise ValueError(f"clips without a fold: {', '.join(missing)}")
    fold = np.array([folds[clip.name] for clip in clips], int)
    if len(set(fold.tolist())) < 2 or len({clip.label for clip in clips}) < 2:
        raise ValueError("names need two folds and two labels at least")
    return fold


def _half_beats(trace: Trace) -> int:
    """The last one."""
    return (len(trace) - 1) // POINTS_PER_HALF_BEAT


def tiling(last: int, rng: np.random.Generator) -> IntArray:
    """``(M + 1,)`` half-beats from about 0 to ``last`` of stretches of :data:`COUNTS`, now and then half a beat longer;
    what is left at the end is left out where it is shorter than the shortest. All where there is no room for two."""
    shortest, longest = COUNTS
    edges = [int(rng.integers(0, 4))]
    while last - edges[-1] >= 2 * shortest:
        length = 2 * int(rng.integers(shortest, longest + 1)) + int(rng.random() < _ODD_LENGTHS)
        edges.append(min(last, edges[-1] + length))
    return np.array(edges if len(edges) > 1 else [0, last])


def _eights(last: int) -> IntArray:
    return np.arange(last % 16 // 2, last + 1, 16) if last >= 16 else np.array([0, last])


def _tests(traces: Sequence[Trace], seed: int) -> dict[str, list[list[IntArray]]]:
    """By name, of each clip its cuts."""
    rng = np.random.default_rng([seed, 1])
    lasts = [_half_beats(trace) for trace in traces]
    return {
        "mixed": [[tiling(last, rng) for _ in range(TILINGS)] for last in lasts],
        "eights": [[_eights(last)] for last in lasts],
        "whole": [[np.array([0, last])] for last in lasts],
    }


def _taught(traces: Sequence[Trace], label: IntArray, seed: int) -> _Stretches:
    """Of every clip and its mirror image."""
    rng = np.random.default_rng([seed, 0])
    both = [*traces, *(trace.mirrored() for trace in traces)]
    cuts = [[*(tiling(_half_beats(t), rng) for _ in range(TILINGS)), _eights(_half_beats(t))] for t in both]
    found = _cut(both, np.concatenate([label, label]), cuts)
    return replace(found, clip=found.clip % len(traces))


def _cut(traces: Sequence[Trace], label: IntArray, cuts: Sequence[Sequence[IntArray]]) -> _Stretches:
    """The stretches in which the dancer is seen."""
    rows = [np.concatenate([_row(trace, edges) for edges in each]) for trace, each in zip(traces, cuts, strict=True)]
    sizes = np.array([len(each) for each in rows])
    clip, found = np.repeat(np.arange(len(traces)), sizes), np.concatenate(rows)
    return _Stretches(found[:, 1:], label[clip], clip, found[:, 0], np.repeat(1 / np.maximum(sizes, 1), sizes))


def _row(trace: Trace, edges: IntArray) -> FloatArray:
    """Of each stretch that is seen its counts and its traits."""
    return np.column_stack([np.diff(edges) / 2, traits(trace, edges)])[seen_between(trace, edges)]


def _fitted(taught: _Stretches, lengths: Sequence[FloatArray], categories: tuple[str, ...]) -> NamingWeights:
    """Without a temperature yet, nor knowledge of who is a stranger."""
    centre, scale = _usual(taught.traits)
    given = torch.from_numpy(inputs(taught.traits, centre, scale))
    weight, bias = _regression(given, torch.from_numpy(taught.label), torch.from_numpy(taught.weight), len(categories))
    axes, spread, rest = _axes(standard(np.concatenate(lengths), centre[:BODILY], scale[:BODILY]))
    return NamingWeights(
        centre=torch.from_numpy(centre), scale=torch.from_numpy(scale), weight=weight, bias=bias,
        axes=torch.from_numpy(axes), spread=torch.from_numpy(spread), rest=torch.tensor(rest, dtype=torch.float64),
        middle=torch.zeros(VALUES), basis=torch.zeros(VALUES, 0), moments=torch.zeros(0, 0),
        first=torch.zeros(0), kind=torch.zeros(0), categories=categories,
        temperature=1.0, same=_SAME[0], least=TOLD_FROM, near=0.0, far=1.0,
    )  # fmt: skip


def _remembering(weights: NamingWeights, traces: Sequence[Trace], label: IntArray) -> NamingWeights:
    """With the moments of these clips, along the axes on which they differ most."""
    each = [moments(trace) for trace in traces]
    everything = np.concatenate([*each, *(moments(trace.mirrored()) for trace in traces)])
    middle = everything.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(everything.T))
    basis = np.ascontiguousarray(axes[:, : -DEPTH - 1 : -1])
    known = (np.concatenate(each) - middle) @ basis
    unit = max(float(np.abs(known).max()) / _MOST_BYTE, _LEAST_SCALE)
    first = np.cumsum([0, *(len(one) for one in each[:-1])])
    return replace(
        weights, middle=torch.from_numpy(middle), basis=torch.from_numpy(basis / unit),
        moments=torch.from_numpy(np.round(known / unit)), first=torch.from_numpy(first.astype(float)),
        kind=torch.from_numpy(label.astype(float)),
    )  # fmt: skip


def _usual(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of what is seen of each trait; 0 and 1 where nothing is."""
    seen = np.isfinite(values)
    count = np.maximum(seen.sum(axis=0), 1)
    centre = np.where(seen, values, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(seen, values - centre, 0.0) ** 2).sum(axis=0) / count)
    return centre, np.where(scale > _LEAST_SCALE, scale, 1.0)


def _regression(given: Tensor, label: Tensor, importance: Tensor, categories: int) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression with squared weights held small, by L-BFGS in double precision."""
    weight = torch.zeros(given.shape[1], categories, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(categories, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")
    share = importance / importance.sum()

    def loss() -> Tensor:
        solver.zero_grad()
        wrong = (share * cross_entropy(given @ weight + bias, label, reduction="none")).sum()
        total = wrong + SHRINKAGE * (weight**2).sum()
        total.backward()
        return total

    solver.step(loss)
    return weight.detach(), bias.detach()


def _axes(off: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Along which eights differ most from the usual; how much; and the mean square of the rest."""
    _, values, axes = np.linalg.svd(off, full_matrices=False)
    kept = min(AXES, max(1, int((values > _LEAST_SCALE * values[0]).sum())))
    along = axes[:kept].T
    rest = float(((off - off @ along @ along.T) ** 2).mean())
    return np.ascontiguousarray(along), values[:kept] / np.sqrt(len(off)), max(rest, _LEAST_SCALE)


def _held(
    weights: NamingWeights, mixed: _Stretches, cuts: Sequence[Sequence[IntArray]], traces: Sequence[Trace],
    clips: npt.NDArray[np.bool_],
) -> _Held:  # fmt: skip
    test, own = mixed.where(clips[mixed.clip]), [int(i) for i in np.flatnonzero(clips)]
    far = np.array([distance(weights, traces[i]) for i in own])
    return _Held(_values(weights, test, traces, cuts, own), test.label, test.counts, far[np.isfinite(far)])


def _values(
    weights: NamingWeights, test: _Stretches, traces: Sequence[Trace], cuts: Sequence[Sequence[IntArray]],
    clips: Sequence[int],
) -> FloatArray:  # fmt: skip
    """``(N, C)`` logits of all stretches of these clips, of which ``test`` are the traits."""
    near = [alike(weights, traces[i], edges)[seen_between(traces[i], edges)] for i in clips for edges in cuts[i]]
    return logits(weights, test.traits) + np.concatenate(near)


def _settled(weights: NamingWeights, held: Sequence[_Held]) -> NamingWeights:
    """With what was learned from clips held out: how sure to be, of a move and of a whole dance, and who is a
    stranger."""
    values, label, counts = (np.concatenate([getattr(e, name) for e in held]) for name in ("logits", "label", "counts"))
    near, far = map(float, np.quantile(np.concatenate([each.distance for each in held]), [NEAR, FAR]))
    heat = temperature(values * counts[:, None] ** LONGER_IS_SURER, label)
    settled = replace(weights, temperature=heat, near=near, far=max(far, near + _LEAST_SCALE))
    fold = np.repeat(np.arange(len(held)), [len(each.label) for each in held])
    return replace(settled, same=sameness(probabilities(settled, values, counts), label, fold))


def temperature(values: FloatArray, label: IntArray) -> float:
    """By which logits ``(N, C)`` are to be divided so that ``label`` ``(N,)`` is likeliest (Guo et al. 2017)."""
    losses = [_surprise(softmax(values / each), label) for each in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def sameness(likely: FloatArray, label: IntArray, fold: IntArray, seed: int = 0) -> float:
    """How probable it may be held that another move of a dance is what the one before it is: as probable as costs the
    names of dances of many moves next to nothing (:data:`COST`).

    The dances are of stretches of any clips of a ``fold`` ``(N,)``. ``likely`` ``(N, C)`` are the names of each by
    itself, ``label`` ``(N,)`` the right ones.
    """
    lot = np.random.default_rng(seed).permutation(len(label))
    own = [lot[fold[lot] == one] for one in np.unique(fold)]
    dances = [rows for each in own for rows in np.array_split(each, -(-len(each) // _MANY))]
    alone = _surprise(likely, label)
    fit = [same for same in _SAME if _surprise_of(dances, likely, label, same) <= alone + COST]
    return float(max(fit, default=_SAME[0]))


def _surprise_of(dances: Sequence[IntArray], likely: FloatArray, label: IntArray, same: float) -> float:
    return _surprise(np.concatenate([together(likely[rows], same) for rows in dances]), label[np.concatenate(dances)])


def _surprise(likely: FloatArray, label: IntArray) -> float:
    """Mean of the negative logarithm of what is thought of what is right; nats."""
    return float(-np.log(likely[np.arange(len(label)), label] + _LEAST_LIKELY).mean())


def _figures(
    by_fold: Mapping[int, NamingWeights], test: _Stretches, traces: Sequence[Trace],
    cuts: Sequence[Sequence[IntArray]], fold: IntArray, sure: FloatArray, labels: IntArray,
) -> Figures:  # fmt: skip
    likely = np.zeros((len(test.label), len(by_fold[int(fold[0])].categories)))
    for number, weights in by_fold.items():
        rows = fold[test.clip] == number
        if rows.any():
            values = _values(weights, test.where(rows), traces, cuts, np.flatnonzero(fold == number).tolist())
            likely[rows] = probabilities(weights, values, test.counts[rows])
    return figures(likely * sure[test.clip, None], test.label, labels, by_fold[int(fold[0])].least)


def figures(likely: FloatArray, label: IntArray, clips: IntArray, least: float) -> Figures:
    """Of the probabilities ``(N, C)`` of stretches whose labels are ``(N,)``; ``clips`` are the labels of clips."""
    categories = likely.shape[1]
    best = np.argsort(-likely, axis=1, kind="stable")
    commonest = np.argsort(-np.bincount(clips, minlength=categories), kind="stable")
    right: BoolArray = np.asarray(best[:, 0] == label)
    among: BoolArray = np.asarray((best[:, :LIKELIEST] == label[:, None]).any(axis=1))
    confidence = likely.max(axis=1)
    told = confidence >= least
    return Figures(
        stretches=len(label),
        top1=float(right.mean()),
        top3=float(among.mean()),
        calibration_error=calibration_error(confidence, right),
        chance1=1 / categories,
        chance3=min(1.0, LIKELIEST / categories),
        majority1=float(np.isin(label, commonest[:1]).mean()),
        majority3=float(np.isin(label, commonest[:LIKELIEST]).mean()),
        told=float(told.mean()),
        right=float(right[told].mean()) if told.any() else 0.0,
    )
