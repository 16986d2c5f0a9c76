"""How early or late the student is, from count to count: a path through lags of up to a beat.

Dynamic time warping (Sakoe and Chiba, 1978) in a band of a beat to either side, that has to pay for every
change of lag: what looks alike for a moment must not hide that somebody is late. Knows no seconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gpu_job.comparison.concordance import JITTER, balanced, centred
from gpu_job.movement import Movement
from shared.timeline import FloatArray

LAGS_PER_POINT = 2
"""The student is looked at twice as finely as the teacher."""
HOP_BEATS, WINDOW_BEATS = 0.5, 2.0
CHANGE_COST = 0.03
"""Concordance of a window that a change by one lag, a sixteenth of a beat, must gain."""
MOST_CHANGE = 2
"""Lags within half a beat: nobody makes up more."""
LEAST_SEEN = 0.5
"""Of what is seen at the lag at which most is."""


def lag_path(fine: Movement, teacher: Movement, points_per_beat: int) -> FloatArray:
    """By how many beats the student is late at every point of the clock, ``(P,)``, −1 … 1.

    ``fine`` is the student at ``LAGS_PER_POINT`` rows a point, a beat more at either end.
    """
    reach = points_per_beat * LAGS_PER_POINT
    middles, costs = _costs(fine, teacher, reach, points_per_beat)
    steps = _cheapest(costs)
    points = np.arange(len(teacher))
    exact = np.interp(points, middles, steps - reach) + _between(costs, steps)
    return np.clip(exact / reach, -1.0, 1.0)


def _costs(fine: Movement, teacher: Movement, reach: int, points_per_beat: int) -> tuple[FloatArray, FloatArray]:
    """Middles of windows in points, ``(W,)``, and what each lag costs there, ``(W, L)``: the share of both motions
    in which they differ, times how much the teacher moves. A lag at which the student is unseen costs it all."""
    apart, power = _sums(fine, teacher, reach)
    middles, (apart, power) = _windows((apart, power), points_per_beat)
    moved = power.max(axis=1, keepdims=True)
    differing = np.divide(apart, power, out=np.ones_like(apart), where=power > LEAST_SEEN * moved)
    return middles, differing * moved / max(float(moved.mean()), 1e-9)


def _sums(fine: Movement, teacher: Movement, reach: int) -> tuple[FloatArray, FloatArray]:
    """``(P, L)`` squares of what differs at every lag, and of both."""
    (ours, _), (theirs, _) = centred(fine), centred(teacher)
    rows, weights = LAGS_PER_POINT * np.arange(len(teacher)), balanced(teacher)
    apart, power = np.empty((2, len(teacher), 2 * reach + 1))
    for lag in range(2 * reach + 1):
        values = ours.values[rows + lag]
        weight = np.minimum(theirs.seen, ours.seen[rows + lag]) * weights
        apart[:, lag] = np.einsum("pf,pf->p", weight, (values - theirs.values) ** 2)
        power[:, lag] = np.einsum("pf,pf->p", weight, values**2 + theirs.values**2 + JITTER)
    return apart, power


def _windows(sums: tuple[FloatArray, FloatArray], points_per_beat: int) -> tuple[FloatArray, list[FloatArray]]:
    count, half = len(sums[0]), round(WINDOW_BEATS * points_per_beat / 2)
    middles = np.arange(0, count, round(HOP_BEATS * points_per_beat))
    low, high = np.maximum(0, middles - half), np.minimum(count, middles + half)
    totals = [np.concatenate([np.zeros((1, each.shape[1])), np.cumsum(each, axis=0)]) for each in sums]
    return middles.astype(float), [total[high] - total[low] for total in totals]


def _cheapest(costs: FloatArray) -> npt.NDArray[np.intp]:
    """The path of least cost, ``(W,)`` places among the lags; of equal ones that of least lag."""
    count = costs.shape[1]
    change = np.arange(-MOST_CHANGE, MOST_CHANGE + 1)
    # Equal costs must not be decided by rounding: a hair for every lag.
    costs = costs + 1e-6 * np.abs(np.arange(count) - count // 2)
    total, came_from = costs[0], np.zeros(costs.shape, dtype=np.intp)
    for row in range(1, len(costs)):
        padded = np.pad(total, MOST_CHANGE, constant_values=np.inf)
        reached = np.lib.stride_tricks.sliding_window_view(padded, len(change)) + CHANGE_COST * np.abs(change)
        best = reached.argmin(axis=1)
        came_from[row] = np.arange(count) + change[best]
        total = reached[np.arange(count), best] + costs[row]
    path = np.empty(len(costs), dtype=np.intp)
    path[-1] = int(total.argmin())
    for row in range(len(costs) - 1, 0, -1):
        path[row - 1] = came_from[row, path[row]]
    return path


def _between(costs: FloatArray, path: npt.NDArray[np.intp]) -> float:
    """Where between two lags the whole path would be cheapest, by a parabola: −½ … ½ lags."""
    inside = (path > 0) & (path < costs.shape[1] - 1)
    if not inside.any():
        return 0.0
    rows, places = np.flatnonzero(inside), path[inside]
    before, here, after = (float(costs[rows, places + k].sum()) for k in (-1, 0, 1))
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend > 0 else 0.0
