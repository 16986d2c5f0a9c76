"""What a stretch of a dance is like, as numbers: postures, how they vary and how fast, and what varies together.

Seen in the picture alone, from the 15 landmarks that every estimator has, so that a dance without coordinates in
space, or of 17 landmarks, has the same traits. Free of the dancer's place and size and of the tempo; not of where
she faces, which tells moves of a couple apart. Knows no names.

| block | numbers | what |
|---|---|---|
| posture    | 3 × 30 | of each joint from the hips: mean, logarithms of spread and of speed |
| front      | 6 × 2  | of the lines through shoulders and hips, right to left: negative where the back is turned |
| shape      | 5 × 21 | of distances between joints: mean, logarithms of spread and of speed, least, most |
| travel     | 8      | of the hips: how far and how fast, across and up |
| together   | 1176   | logarithm of the covariance of joints and of their speeds (Arsigny et al. 2006) |
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gpu_job.bodies import OTHER_SIDE, Body, sampled, torso_length
from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT
from gpu_job.segmentation.motion import seen_image
from gpu_job.segmentation.performance import Performance
from shared.features import HIPS, SHOULDERS
from shared.timeline import BoolArray, FloatArray, IntArray

BLOCKS = (("posture", 90), ("front", 12), ("shape", 105), ("travel", 8), ("together", 1176))
TRAITS = sum(count for _, count in BLOCKS)
BODILY = sum(count for _, count in BLOCKS[:3])
"""So many, the first, are of the body alone, not of where it goes."""

JOINTS = (0, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_MOVING = (0, 11, 12, 13, 14, 15, 16, 25, 26, 27, 28)
"""Whose covariance is looked at: ears and hips say little that others do not."""
_BETWEEN = ((15, 16), (15, 0), (16, 0), (15, 23), (16, 24), (15, 24), (16, 23), (27, 28), (25, 26), (11, 23), (12, 24))
"""Hand to hand, to head, to either hip; foot to foot; knee to knee; the sides of the trunk."""
_ARMS = ((11, 13, 15), (12, 14, 16))
_LEVELS = ((11, 12), (23, 24), (7, 8))  # left above right: shoulders, hips, ears

_BRIDGED_S = 0.3  # a joint unseen for less than half a beat is taken to have moved straight on
_FRONT_WEIGHT = 1.5  # a shoulder's breadth is as large as the swing of a foot
# What is added before a logarithm is taken, in torso lengths: an estimator's jitter.
_LEAST_SPREAD, _LEAST_SPEED, _LEAST_VARIANCE = 0.03, 0.01, 0.003
_LEAST_SEEN = 0.25  # of a stretch, for a trait of it


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Where a dancer's landmarks are at ``P`` points of a grid.

    ``joints`` ``(P, 33, 2)`` torso lengths from the middle of the hips, x right, y down; NaN where unseen
    ``place``  ``(P, 2)`` of that middle, torso lengths
    """

    joints: FloatArray
    place: FloatArray

    def __len__(self) -> int:
        return len(self.joints)

    def mirrored(self) -> Trace:
        """As in a mirror: left and right exchanged."""
        flip = np.array([-1.0, 1.0])
        return replace(self, joints=self.joints[:, OTHER_SIDE] * flip, place=self.place * flip)

    def between(self, first: int, last: int) -> Trace:
        """Only the points from ``first`` to ``last``, both included."""
        return Trace(self.joints[first : last + 1], self.place[first : last + 1])

    @property
    def is_seen(self) -> bool:
        """Whether anything can be said of the dancer."""
        return len(self) > 0 and bool(np.isfinite(self.joints[:, JOINTS, 0]).mean() >= _LEAST_SEEN)


def traced(performance: Performance) -> Trace:
    """The dancer at the points of the performance's grid."""
    pose = performance.pose
    image = _bridged(seen_image(pose), max(1, round(_BRIDGED_S * pose.rate_hz)))
    flat = np.pad(image / torso_length(image), ((0, 0), (0, 0), (0, 1)))
    seen = np.isfinite(flat).all(axis=2).astype(float)
    rows = performance.grid.point_times_s() * pose.rate_hz - pose.first_sample
    points = sampled(Body(flat, seen, is_flat=True), rows).points[..., :2]
    hips = points[:, HIPS].mean(axis=1)
    return Trace(points - hips[:, None], hips)


def traits(trace: Trace, edges: IntArray) -> FloatArray:
    """``(M, 1391)`` of the M stretches between half-beats ``edges`` ``(M + 1,)``; NaN where unseen."""
    stretches = [
        trace.between(int(a) * POINTS_PER_HALF_BEAT, int(b) * POINTS_PER_HALF_BEAT)
        for a, b in itertools.pairwise(edges)
    ]
    return np.stack([np.concatenate([bodily(each), *_travel(each.place), _together(each)]) for each in stretches])


def bodily(trace: Trace) -> FloatArray:
    """``(207,)`` the traits of one stretch that are of the body alone; NaN where unseen."""
    joints, shape = trace.joints[:, JOINTS].reshape(len(trace), -1), _shape(trace)
    return np.concatenate([*_varying(joints), *_front(trace), *_varying(shape), *_ends(shape)])


def _bridged(points: FloatArray, samples: int) -> FloatArray:
    """``(T, J, D)``: gaps of no more than ``samples`` filled in along straight lines."""
    filled = points.copy()
    seen: BoolArray = np.asarray(np.isfinite(points).all(axis=2))
    for joint in np.flatnonzero(~seen.all(axis=0)):
        at = np.flatnonzero(seen[:, joint])
        for before in np.flatnonzero((np.diff(at) > 1) & (np.diff(at) <= samples + 1)):
            first, last = at[before], at[before + 1]
            share = (np.arange(first + 1, last) - first)[:, None] / (last - first)
            filled[first + 1 : last, joint] = (1 - share) * points[first, joint] + share * points[last, joint]
    return filled


def _varying(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of each column of ``(P, C)``: mean, logarithms of spread and of speed."""
    mean = _mean(values)
    spread = np.sqrt(_mean((values - mean) ** 2))
    return mean, np.log(_LEAST_SPREAD + spread), np.log(_LEAST_SPEED + _mean(np.abs(np.diff(values, axis=0))))


def _ends(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The least and the most of each column, NaN where unseen."""
    known: BoolArray = np.asarray(np.isfinite(values))
    enough = known.mean(axis=0) >= _LEAST_SEEN
    low, high = np.where(known, values, np.inf).min(axis=0), np.where(known, values, -np.inf).max(axis=0)
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def _front(trace: Trace) -> tuple[FloatArray, ...]:
    width = _widths(trace)
    mean, spread, _ = _varying(width)
    behind = np.where(np.isfinite(width), (width < 0).astype(float), np.nan)
    return mean, _mean(np.abs(width)), spread, *_ends(width), _mean(behind)


def _widths(trace: Trace) -> FloatArray:
    """``(P, 2)`` from the right to the left shoulder and hip, across the picture."""
    return np.stack([trace.joints[:, left, 0] - trace.joints[:, right, 0] for left, right in (SHOULDERS, HIPS)], 1)


def _travel(place: FloatArray) -> tuple[FloatArray, ...]:
    _, spread, speed = _varying(place)
    low, high = _ends(place)
    seen = place[np.isfinite(place).all(axis=1)]
    gone = seen[-1] - seen[0] if len(seen) else np.full(2, np.nan)
    return spread, np.log(_LEAST_SPREAD + high - low), speed, gone


def _shape(trace: Trace) -> FloatArray:
    """``(P, 21)`` distances between joints, how far arms reach, how head and shoulders lean."""
    at = trace.joints
    shoulders = at[:, SHOULDERS].mean(axis=1)
    head = at[:, 0] - shoulders
    columns = [
        *(_distance(at, a, b) for a, b in _BETWEEN),
        *(_distance(at, a, b) + _distance(at, b, c) for a, b, c in _ARMS),
        head[:, 0], head[:, 1], shoulders[:, 0], shoulders[:, 1],
        *(at[:, left, 1] - at[:, right, 1] for left, right in _LEVELS), at[:, 7, 0] - at[:, 8, 0],
    ]  # fmt: skip
    return np.stack(columns, axis=1)


def _distance(at: FloatArray, a: int, b: int) -> FloatArray:
    return np.linalg.norm(at[:, a] - at[:, b], axis=1)


def _together(trace: Trace) -> FloatArray:
    """``(1176,)`` upper triangle of the matrix logarithm, off its diagonal √2, so that distances are kept."""
    moving = np.concatenate([trace.joints[:, _MOVING].reshape(len(trace), -1), _FRONT_WEIGHT * _widths(trace)], 1)
    covariance = _covariance(np.concatenate([moving[:-1], np.diff(moving, axis=0)], axis=1))
    if covariance is None:
        return np.full(BLOCKS[-1][1], np.nan)
    variance, axes = np.linalg.eigh(covariance)
    logarithm = (axes * np.log(variance)) @ axes.T
    row, column = np.triu_indices(len(logarithm))
    return logarithm[row, column] * np.where(row == column, 1.0, np.sqrt(2))


def _covariance(values: FloatArray) -> FloatArray | None:
    """``(C, C)`` of what is seen; None where a column is hardly seen: then nothing varies with it."""
    seen: BoolArray = np.asarray(np.isfinite(values))
    share = seen.mean(axis=0) if len(values) else np.zeros(values.shape[1])
    if np.any(share < _LEAST_SEEN):
        return None
    off = np.where(seen, values - _mean(values), 0.0) / np.sqrt(share)
    return off.T @ off / len(values) + _LEAST_VARIANCE * np.eye(values.shape[1])


def _mean(values: FloatArray) -> FloatArray:
    """Of each column, over what is seen; NaN where that is too little."""
    seen: BoolArray = np.asarray(np.isfinite(values))
    count = seen.sum(axis=0)
    enough = count >= max(1.0, _LEAST_SEEN * len(values))
    total = np.where(seen, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=enough)


def block_weights(blocks: Sequence[tuple[str, int]] = BLOCKS) -> npt.NDArray[np.float64]:
    """``(1391,)`` so that every block counts the same, however many numbers it has."""
    return np.concatenate([np.full(count, 1 / np.sqrt(count)) for _, count in blocks])
