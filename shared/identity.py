"""Who is who among two dancers that were followed: where the two tracks have to be exchanged.

A tracker that loses a dancer behind the other may go on with the wrong one. Over a whole recording
that shows: a body does not jump, and a dancer's clothes keep their colours. This module knows arrays
only: no estimator, no picture and no format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.timeline import BoolArray, FloatArray

# Shoulders, hips, knees, ankles; of each pair the middle, as an estimator takes left for right at times.
PAIRS = ((11, 12), (23, 24), (25, 26), (27, 28))
SPEED_TRUNKS_PER_S = 1.5  # twice what dancers' joints move at in the median
MOST_PER_STEP = 5.0  # a jump is a jump, however far: the estimator makes some
MOST_PER_SAMPLE = 0.3  # neighbouring samples show the same light and the same folds
PER_EXCHANGE = 1.0  # trackers seldom pass from one dancer to the other
COLOUR_NOISE = 0.05  # of 0 … 1, at least
ROUNDS = 3  # of colours from tracks and tracks from colours; more changed nothing in nearly all clips
SHORTEST = 1e-3  # image heights: a trunk seen from above still measures something


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """``points`` ``(4, 2)`` and ``trunk`` in image heights, at a time."""

    points: FloatArray
    trunk: float
    time_s: float


_Two = tuple[_Body | None, _Body | None]


@dataclass(frozen=True, slots=True)
class _Path:
    """The cheapest way to a sample, with where it last saw either dancer."""

    cost: float = 0.0
    last: _Two = (None, None)


def exchanged(image: FloatArray, colours: FloatArray, rate_hz: float) -> BoolArray:
    """``(T,)`` where track 0 shows dancer 1, and track 1 dancer 0.

    ``image``   ``(T, 2, 33, 2)`` image heights, NaN where a track shows nobody
    ``colours`` ``(T, 2, C)`` 0 … 1, NaN where unseen

    The shortest path (Viterbi, 1967) over the two answers of every sample: the ways between bodies
    that follow one another, plus what the colours say. The colours of either dancer are learnt from
    the path, and the path from them. Which of the two is dancer 0 is left open.
    """
    seen, paired = _bodies(image, rate_hz), np.asarray(np.isfinite(colours).all(axis=(1, 2)))
    answer = _parted(colours, paired)
    for _ in range(ROUNDS):
        before, answer = answer, _shortest(seen, _told(colours, answer, paired))
        if (before == answer).all():
            break
    return answer


def _bodies(image: FloatArray, rate_hz: float) -> list[_Two]:
    points = np.stack([image[:, :, pair].mean(axis=2) for pair in PAIRS], axis=2)
    trunks = np.linalg.norm(points[:, :, 0] - points[:, :, 1], axis=2)
    known = np.asarray(np.isfinite(points).all(axis=(2, 3)))

    def body(sample: int, track: int) -> _Body | None:
        if not known[sample, track]:
            return None
        return _Body(points[sample, track], max(SHORTEST, float(trunks[sample, track])), sample / rate_hz)

    return [(body(sample, 0), body(sample, 1)) for sample in range(len(image))]


def _parted(colours: FloatArray, paired: BoolArray) -> BoolArray:
    """A first answer: along the line on which the two differ most, each has an end."""
    differences = np.where(paired[:, None], colours[:, 0] - colours[:, 1], 0).astype(float)
    axis = np.linalg.eigh(differences.T @ differences).eigenvectors[:, -1]
    side = differences @ axis
    return side * (1 if side.sum() >= 0 else -1) < 0


def _told(colours: FloatArray, answer: BoolArray, paired: BoolArray) -> FloatArray:
    """``(T,)`` how far the colours speak against an exchange; below 0 they speak for it."""
    if not paired.any():
        return np.zeros(len(colours))
    own = np.where(answer[:, None, None], colours[:, ::-1], colours)[paired].astype(float)
    means, spread = own.mean(axis=0), own.var(axis=0).mean(axis=0) + COLOUR_NOISE**2
    score = (colours - means.mean(axis=0)) @ ((means[0] - means[1]) / spread)
    return np.clip(np.nan_to_num(score[:, 0]) - np.nan_to_num(score[:, 1]), -MOST_PER_SAMPLE, MOST_PER_SAMPLE)


def _shortest(seen: Sequence[_Two], told: FloatArray) -> BoolArray:
    came_from = np.zeros((len(seen), 2), np.intp)
    paths = [_Path(), _Path()]
    for sample, (one, other) in enumerate(seen):
        ways = [_best(paths, state, bodies) for state, bodies in enumerate(((one, other), (other, one)))]
        came_from[sample] = [way[0] for way in ways]
        against = (max(0.0, -float(told[sample])), max(0.0, float(told[sample])))
        paths = [_Path(path.cost + cost, path.last) for (_, path), cost in zip(ways, against, strict=True)]
    answer, state = np.zeros(len(seen), np.bool_), int(paths[1].cost < paths[0].cost)
    for sample in reversed(range(len(seen))):
        answer[sample], state = bool(state), int(came_from[sample, state])
    return answer


def _best(paths: Sequence[_Path], state: int, bodies: _Two) -> tuple[int, _Path]:
    """The path from which to come to these bodies, and what it becomes."""
    costs = [path.cost + sum(map(_way, path.last, bodies)) for path in paths]
    costs[1 - state] += PER_EXCHANGE
    best = int(costs[1] < costs[0])
    last = paths[best].last
    return best, _Path(costs[best], (bodies[0] or last[0], bodies[1] or last[1]))


def _way(before: _Body | None, body: _Body | None) -> float:
    if before is None or body is None:
        return 0.0
    trunks = float(np.hypot(*(body.points - before.points).T).mean()) / max(before.trunk, body.trunk)
    return min(MOST_PER_STEP, trunks / (SPEED_TRUNKS_PER_S * (body.time_s - before.time_s)))
