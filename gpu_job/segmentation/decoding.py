"""From boundary probabilities to boundaries: the most plausible way to cut a dance on its half-beats.

Shared by every boundary model. Knows half-beats and probabilities, neither poses nor seconds.

The score of a cut is the sum over its inner boundaries of how far their log-odds exceed those of
``min_probability``, plus the sum over its moves of a mild prior on their length. Dynamic programming
finds the best cut exactly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gpu_job.segmentation.moves import Options
from shared.timeline import FloatArray, IntArray

HALF_BEATS_PER_BEAT = 2
# Log weights of a move's length. Choreographies are written in 8-counts, taught in halves and doubles of
# them; an odd number of counts is rare, half a count rarer. Mild: a clear boundary outweighs any of them.
_PRIOR_OF_EIGHTS = 0.0
_PRIOR_OF_FOURS = -0.2
_PRIOR_OF_TWOS = -0.5
_PRIOR_OF_ODD = -1.0
_PRIOR_OF_HALVES = -1.5
_LONG_COUNTS = 16  # two 8-counts; beyond, each further count is a little less plausible
_PRIOR_PER_COUNT_TOO_LONG = -0.1
_SURE = 0.999  # log-odds of 0 and 1 are infinite


def boundaries(probability: FloatArray, options: Options) -> IntArray:
    """Where to cut: indices of half-beats, the first and the last always among them.

    ``probability`` ``(H,)`` that a boundary is at each half-beat, 0 … 1; the values at the two ends are
                    not looked at

    No inner boundary is less probable than ``min_probability``, no move shorter than ``min_counts``
    unless the whole is. Fewer than two half-beats are returned as they are.
    """
    if len(probability) < 2:
        return np.arange(len(probability))
    places = _candidates(probability, options.min_probability)
    gain = _log_odds(probability[places]) - _log_odds(np.array(options.min_probability))
    gain[[0, -1]] = 0.0
    best = np.full(len(places), -np.inf)
    best[0], came_from = 0.0, np.zeros(len(places), dtype=np.int64)
    shortest = options.min_counts * HALF_BEATS_PER_BEAT
    for j in range(1, len(places)):
        reachable = int(np.searchsorted(places, places[j] - shortest, side="right"))
        if reachable:
            scores = best[:reachable] + length_prior(places[j] - places[:reachable])
            came_from[j] = np.argmax(scores)
            best[j] = scores[came_from[j]] + gain[j]
    return _walk_back(places, came_from)


def length_prior(half_beats: npt.ArrayLike) -> FloatArray:
    """Log weight of a move of so many half-beats, ≤ 0, and 0 for a whole 8-count."""
    lengths = np.asarray(half_beats)
    kinds = [lengths % 16 == 0, lengths % 8 == 0, lengths % 4 == 0, lengths % 2 == 0]
    weights = [_PRIOR_OF_EIGHTS, _PRIOR_OF_FOURS, _PRIOR_OF_TWOS, _PRIOR_OF_ODD]
    too_long = np.maximum(0, lengths / HALF_BEATS_PER_BEAT - _LONG_COUNTS)
    return np.select(kinds, weights, _PRIOR_OF_HALVES) + too_long * _PRIOR_PER_COUNT_TOO_LONG


def _candidates(probability: FloatArray, min_probability: float) -> IntArray:
    inner = 1 + np.flatnonzero(probability[1:-1] >= min_probability)
    return np.concatenate([[0], inner, [len(probability) - 1]])


def _log_odds(probability: FloatArray) -> FloatArray:
    p = np.clip(probability, 1 - _SURE, _SURE)
    return np.log(p / (1 - p))


def _walk_back(places: IntArray, came_from: IntArray) -> IntArray:
    path = [len(places) - 1]
    while path[-1] > 0:
        path.append(int(came_from[path[-1]]))
    return places[path[::-1]]
