"""What a recording's frames say around given times: means between them, onsets at them.

This module knows neither what the rows are nor what the times are.
"""

from __future__ import annotations

import numpy as np

from shared.timeline import FloatArray

STROKE_S = 0.022  # an onset this close to a time belongs to it


def strokes(onset: FloatArray, rate_hz: float) -> FloatArray:
    """The strongest onset within :data:`STROKE_S` of each frame. ``(N, bands)`` → the same"""
    reach = round(STROKE_S * rate_hz)
    padded = np.pad(onset, ((reach, reach), (0, 0)))
    return np.max([padded[start : start + len(onset)] for start in range(2 * reach + 1)], axis=0)


def at(rows: FloatArray, frames: FloatArray) -> FloatArray:
    """The rows nearest to real frames; beyond the ends, the first and the last."""
    return rows[np.clip(np.round(frames).astype(int), 0, len(rows) - 1)]


def means(rows: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Mean of the rows from each start to each end, of one row at least. ``(N, k)`` → ``(B, k)``"""
    total = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=np.float64)])
    first = np.clip(np.round(start).astype(int), 0, len(rows) - 1)
    behind = np.maximum(np.clip(np.round(end).astype(int), 0, len(rows)), first + 1)
    return (total[behind] - total[first]) / (behind - first)[:, None]


def periods(times_s: FloatArray) -> FloatArray:
    """From each time to the next; the last is as long as that before. Needs two."""
    return np.diff(times_s, append=2 * times_s[-1] - times_s[-2])
