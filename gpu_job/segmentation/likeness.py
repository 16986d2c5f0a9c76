"""How like the moves of known clips a stretch of a dance is, moment for moment.

A moment is a count long: where limbs point and how they move. Each moment of a stretch is held against the nearest of
every known clip, as danced and as in a mirror, so that no order and no place in the bar is asked for. What is close to
many clips of a category, against what is usual among all, is likely of that category. Knows no names and no file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT
from gpu_job.segmentation.traits import Trace
from shared.timeline import FloatArray, IntArray

HALF_BEATS = 2
"""That a moment lasts. Of one, two and four counts one count is the best on clips held out."""
_POINTS = HALF_BEATS * POINTS_PER_HALF_BEAT
_LIMBS = ((11, 13), (13, 15), (12, 14), (14, 16), (23, 25), (25, 27), (24, 26), (26, 28), (11, 12), (23, 24))
_SHOULDERS = (11, 12)
_LINES_WEIGHT = 1.5  # shoulders and hips are short lines that tell which way she faces
_SPEED_WEIGHT = 1.5  # torso lengths in two points' time
VALUES = _POINTS * 4 * (len(_LIMBS) + 2)
_SHARPNESS = 20.0  # of closeness: of 8, 12, 20 and 33 the best on joins held out
_WEIGHT = 0.5  # beside the logits of the regression: of 0.5 and 1 the better on joins held out
_DOUBT = 1e-3  # of a category to which nothing is close


def moments(trace: Trace) -> FloatArray:
    """``(W, 192)`` torso lengths, of the moments from every half-beat on; 0 where unseen."""
    points = _postures(trace)
    points = np.pad(points, ((0, max(0, _POINTS - len(points))), (0, 0)), mode="edge")
    firsts = range(0, len(points) - _POINTS + 1, POINTS_PER_HALF_BEAT)
    return np.stack([points[first : first + _POINTS].ravel() for first in firsts])


def _postures(trace: Trace) -> FloatArray:
    """``(P, 48)`` limbs, then their speeds."""
    at = trace.joints
    limbs = np.stack([at[:, end] - at[:, start] for start, end in _LIMBS], axis=1)
    limbs[:, -2:] *= _LINES_WEIGHT
    middle = at[:, _SHOULDERS].mean(axis=1, keepdims=True)
    where = np.concatenate([limbs, at[:, :1] - middle, middle], axis=1).reshape(len(at), -1)
    speed = np.zeros_like(where)
    speed[1:-1] = where[2:] - where[:-2]
    return np.nan_to_num(np.concatenate([where, _SPEED_WEIGHT * speed], axis=1))


def nearest(found: FloatArray, known: FloatArray, first: IntArray) -> FloatArray:
    """``(W, Q)`` squared distances of moments ``(W, K)`` from the nearest of each of Q clips, whose moments begin at
    ``first`` ``(Q,)`` of ``known`` ``(N, K)``."""
    squares = (found**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * found @ known.T
    return np.minimum.reduceat(np.maximum(squares, 0.0), first, axis=1)


def over(distances: FloatArray, start: int, end: int) -> FloatArray:
    """``(Q,)`` mean of ``(W, Q)`` over the moments that are between two half-beats; of the first where none is."""
    low = min(start, len(distances) - 1)
    return distances[low : max(low + 1, end - HALF_BEATS + 1)].mean(axis=0)


def likeness(distances: Sequence[FloatArray], kind: IntArray, categories: int) -> FloatArray:
    """``(C,)`` weighed logarithms of how near the categories are, by the distances ``(Q,)`` of clips, of these ``kind``
    ``(Q,)``, from a stretch and from its mirror image."""
    best = np.minimum(*distances)
    close = np.exp(-_SHARPNESS * (best - best.min()) / max(float(np.median(best)), _DOUBT))
    count = np.bincount(kind, minlength=categories)
    share = np.bincount(kind, close, categories) / np.sqrt(np.maximum(count, 1))
    return _WEIGHT * np.log(share / share.sum() + _DOUBT)
