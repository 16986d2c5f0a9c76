"""How both dancers are at the start and at the end of each block, for joining one block to another.

A single sample jitters; what is told is a line laid through the points around the beat. Knows no plan.
"""

from __future__ import annotations

import numpy as np

from gpu_job.choreography.dancing import MARGIN, POINTS, POINTS_PER_BEAT, Dance, Dancer
from shared.library import Edges
from shared.timeline import FloatArray

AROUND = np.arange(-MARGIN, MARGIN + 1)
"""Points of an edge: three eighths of a beat to either side, 0.35 s in all at 130 BPM, five of the poses' samples."""
EDGES = (MARGIN, POINTS - 1 - MARGIN)
"""The points of a block's first beat and of the one after its last."""
LEAST_POINTS = 3
"""Of the seven, for there to be a line; a dancer who comes into sight later than that is unseen at the edge."""


def edges(dance: Dance) -> Edges:
    placed, moving = zip(*(_joints(dancer) for dancer in dance.dancers), strict=True)
    joints = np.concatenate([np.stack(placed, axis=2), np.stack(moving, axis=2)], axis=-1)
    facing = np.stack([_turned(dancer.facing) for dancer in dance.dancers], axis=2)
    place = np.stack([_at(_around(dancer.place)) for dancer in dance.dancers], axis=2)
    hold = _middle(_around(dance.hold()))
    return Edges(*(each.astype(np.float32) for each in (joints, place, facing, hold)))


def _joints(dancer: Dancer) -> tuple[FloatArray, FloatArray]:
    """``(K, 2, 13, 2)`` each: from the hips, and their velocity in the picture, travel of the hips included."""
    travelling = dancer.joints + dancer.place[:, :, None] / dancer.torso
    return _at(_around(dancer.joints)), _slope(_around(travelling))


def _around(values: FloatArray) -> FloatArray:
    """``(K, 2, 7, …)`` the points around both edges."""
    return np.stack([values[:, edge + AROUND] for edge in EDGES], axis=1)


def _slope(values: FloatArray) -> FloatArray:
    """``(K, 2, …)`` per beat: the median of the slopes between any two points (Theil 1950, Sen 1968), so that a
    jump of the estimator does not count; NaN where too little is seen."""
    first, second = np.triu_indices(len(AROUND), 1)
    runs = ((second - first) / POINTS_PER_BEAT).reshape(-1, *[1] * (values.ndim - 3))
    return np.where(_is_told(values), _middle((values[:, :, second] - values[:, :, first]) / runs), np.nan)


def _at(values: FloatArray) -> FloatArray:
    """``(K, 2, …)`` where that line is on the beat itself."""
    beats = (AROUND / POINTS_PER_BEAT).reshape(-1, *[1] * (values.ndim - 3))
    return _middle(values - _slope(values)[:, :, None] * beats)


def _is_told(values: FloatArray) -> FloatArray:
    return np.isfinite(values).sum(axis=2) >= LEAST_POINTS


def _middle(values: FloatArray) -> FloatArray:
    """Median over the third axis of what is seen; NaN where nothing is."""
    ordered, seen = np.sort(values, axis=2), np.isfinite(values).sum(axis=2, keepdims=True)
    low, high = (np.take_along_axis(ordered, np.maximum(0, at // 2), axis=2) for at in (seen - 1, seen))
    return ((low + high) / 2)[:, :, 0]


def _turned(facing: FloatArray) -> FloatArray:
    """``(K, 2)`` radians: the direction of the mean of the unit vectors."""
    around = _around(facing)
    told = np.isfinite(around).sum(axis=2) >= LEAST_POINTS
    pointing = np.where(np.isfinite(around), np.exp(1j * np.nan_to_num(around)), 0.0).sum(axis=2)
    return np.where(told, np.angle(pointing), np.nan)
