"""Boundaries from novelty: where what a dancer does differs from what she did.

After Foote, *Automatic audio segmentation using a measure of audio novelty* (ICME 2000), on poses and
on the beat. At every half-beat, and at three scales (2, 4 and 8 counts to either side), it compares

    across  mean squared distance between the moments before and those after,
    within  mean squared distance among the moments before, and among those after,

by ``contrast = log(across / within)``, the checkerboard of the self-similarity as a likelihood ratio:
it has no unit, so that small and large dancing count alike. A scale of a bar or more sees the whole
step pattern on both sides, so a pattern that repeats has no contrast with itself.

A boundary is a peak of contrast, so the log-odds of a boundary grow with the contrast and with how far
it stands out from its neighbours within one and within two beats, plus a mild prior for the place in
the bar, on whichever beat this dance's moves start. It is a fixed formula with few constants, fitted on
synthesised dances with and without estimator noise (tests/benchmarks/boundaries.py
prints what it reaches). It knows no names of moves, and has not been trained on people's judgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_job.devices import device
from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT, HalfBeats, Rhythm
from gpu_job.segmentation.performance import BoundaryCurve, Performance
from gpu_job.segmentation.similarity import Band, Ranges, band
from shared.timeline import BEATS_PER_BAR, FloatArray

_POINTS_PER_BEAT = 2 * POINTS_PER_HALF_BEAT
# Squared distance, in squared torsos per channel, below which two postures are the same: the jitter of
# an estimator. Keeps the ratio of two tiny numbers from meaning anything.
_JITTER = 0.005
# Of the pairs of a scale. With fewer, as near the ends of the dance, its contrast counts for less.
_ENOUGH_SEEN = 0.5
_NEIGHBOURS = (2, 4)  # half-beats to either side: one beat, two beats
_MOST_PROMINENT = 0.3  # standing out further proves no more
# Log-odds by place in the bar, were it known on which beat moves start: mostly there, sometimes half a
# bar later, hardly ever between two beats.
_PLACE_LOG_ODDS = {1.0: 0.8, 2.0: -0.6, 3.0: 0.0, 4.0: -0.6}
_OFF_BEAT_LOG_ODDS = -2.0
# How likely moves are to start on the 1, 2, 3, 4 of the bars that were heard: a tracker of downbeats is
# sometimes half a bar off, and dancers are sometimes off the bar. Where bars were not heard, all alike.
_START_LOG_WEIGHTS = (0.0, -1.5, -0.7, -1.5)
# Boundaries of one dance are no independent witnesses of where its moves start.
_WITNESS = 0.5


@dataclass(frozen=True, slots=True)
class Scale:
    """How far to look, and how much contrast and standing out at that scale add to the log-odds."""

    beats: int
    contrast: float
    prominence: tuple[float, float]

    @property
    def points(self) -> int:
        return self.beats * _POINTS_PER_BEAT


SCALES = (Scale(2, 1.5, (1.0, 2.5)), Scale(4, 0.9, (4.3, 4.5)), Scale(8, 0.2, (3.5, 1.2)))
# Without contrast there is no boundary; so high, though, that precision and recall come out even.
BIAS = -0.9


@dataclass(frozen=True, slots=True)
class NoveltyModel:
    """The method ``novelty-1``: a :class:`~gpu_job.segmentation.performance.BoundaryModel`."""

    name: str = "novelty-1"

    def probabilities(self, batch: Sequence[Performance]) -> list[BoundaryCurve]:
        if not batch:
            return []
        pairs = band([one.motion for one in batch], 2 * max(scale.points for scale in SCALES))
        lengths = torch.tensor([len(one.grid) for one in batch], device=device())
        moments = torch.arange(int(lengths.max()), device=device()) * POINTS_PER_HALF_BEAT
        contrasts = torch.stack([_contrast(pairs, moments, scale) for scale in SCALES])
        novelty = contrasts.clamp(min=0).mean(dim=0)
        by_scale = [_evidence(contrast, lengths, scale) for contrast, scale in zip(contrasts, SCALES, strict=True)]
        evidence = BIAS + torch.stack(by_scale).sum(dim=0)
        evidence = torch.where((contrasts != 0).any(dim=0), evidence, -torch.inf)  # nothing seen, nothing said
        return [
            _curve(one, evidence[i].cpu().numpy(), novelty[i].cpu().numpy()) for i, one in enumerate(batch)
        ]  # fmt: skip


def _curve(performance: Performance, evidence: FloatArray, novelty: FloatArray) -> BoundaryCurve:
    grid = performance.grid
    own = evidence[: len(grid)]
    probability = _logistic(own + place_log_odds(_logistic(own), grid))
    # Rounded so that the last bits, which differ from device to device, decide nothing.
    return BoundaryCurve(np.round(probability, 6), np.round(novelty[: len(grid)], 6))


def place_log_odds(probability: FloatArray, grid: HalfBeats) -> FloatArray:
    """``(H,)`` what its place in the bar adds to the log-odds of each half-beat.

    On which beat of the bar moves start is weighed by how well it explains the ``probability`` that the
    motion alone suggests, and by the bars that were heard.
    """
    if grid.rhythm is Rhythm.NONE:
        return np.zeros(len(grid))
    after_start = (grid.positions[None] - 1 - np.arange(BEATS_PER_BAR)[:, None]) % BEATS_PER_BAR + 1
    if_so = np.array([[_PLACE_LOG_ODDS.get(float(x), _OFF_BEAT_LOG_ODDS) for x in row] for row in after_start])
    heard = np.array(_START_LOG_WEIGHTS) if grid.rhythm is Rhythm.MUSIC else np.zeros(BEATS_PER_BAR)
    log_weights = _WITNESS * if_so @ probability + heard
    weights = np.exp(log_weights - log_weights.max())
    return weights @ if_so / weights.sum()


def _logistic(log_odds: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-log_odds))


def _contrast(pairs: Band, moments: Tensor, scale: Scale) -> Tensor:
    """``(B, H)`` log ratio of the distances across and within, nearer to 0 the less is seen."""
    across = pairs.mean(moments, _across(scale.points))
    within = pairs.mean(moments, _within(scale.points))
    contrast = torch.log((across.mean + _JITTER) / (within.mean + _JITTER))
    seen = torch.minimum(across.share, within.share)
    return contrast * (seen / _ENOUGH_SEEN).clamp(max=1)


def _evidence(contrast: Tensor, lengths: Tensor, scale: Scale) -> Tensor:
    """``(B, H)`` what one scale adds to the log-odds."""
    evidence = scale.contrast * contrast
    for reach, weight in zip(_NEIGHBOURS, scale.prominence, strict=True):
        evidence = evidence + weight * _prominence(contrast, lengths, reach)
    return evidence


def _prominence(contrast: Tensor, lengths: Tensor, reach: int) -> Tensor:
    """``(B, H)`` contrast less the highest of its neighbours up to ``reach`` half-beats away."""
    places = torch.arange(contrast.shape[1], device=contrast.device)
    ended = torch.where(places < lengths[:, None], contrast, -torch.inf)
    outside = ended.new_full((len(ended), reach), -torch.inf)
    windows = torch.cat([outside, ended, outside], dim=1).unfold(1, 2 * reach + 1, 1)
    neighbours = torch.cat([windows[..., :reach], windows[..., reach + 1 :]], dim=2).amax(dim=2)
    return (contrast - neighbours).clamp(-_MOST_PROMINENT, _MOST_PROMINENT)


def _across(points: int) -> Ranges:
    """Pairs of one of the ``points`` before a moment and one of those from it on."""
    return _ranges([(lag, max(-points, -lag), min(0, points - lag)) for lag in range(1, 2 * points)])


def _within(points: int) -> Ranges:
    """Pairs among the ``points`` before a moment, and among those from it on."""
    lags = range(1, points)
    return _ranges([(lag, -points, -lag) for lag in lags] + [(lag, 0, points - lag) for lag in lags])


def _ranges(rows: Sequence[tuple[int, int, int]]) -> Ranges:
    lag, start, stop = torch.tensor(rows, device=device()).T
    return Ranges(lag, start, stop)
