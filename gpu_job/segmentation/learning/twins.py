"""Clips of which one gives the other away: two seconds of them show the same footage, or the same all but in name.

Clips that were cut from one recording may overlap, and a dancer may repeat a move at the same place almost to a hand's
breadth. Was one of them learned from, the other one is no test. They are told by the pose alone: the same posture at
the same place in the picture at the same time. Whether it is the same footage or the same dancer once more is not
known here, and makes no difference to a fold. Footage that was mirrored, cropped or shown at another speed is not known
again, nor is an overlap of less than two seconds. Drawn dancers, who repeat a move exactly and on the spot, are twins
of one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from shared.features import PoseFeatures
from shared.library import JOINTS
from shared.timeline import FloatArray

WINDOW_S = 2.0
# Root mean square over the joints, mean over the window. Of 44 clips that were cut, encoded or sampled anew each lay
# within 0.018 of the original. Of the 6,555 pairs of 115 clips four lie below it, at 0.017 to 0.024: their pictures
# differ, it is the same couple at the same step again. The next lie at 0.027, 0.028 and 0.029.
MOST_APART_IMAGE_HEIGHTS = 0.025
UNSEEN_IMAGE_HEIGHTS = 10.0
"""Apart from everything, so far that no window with such a sample passes at any rate up to 200 Hz."""


def twins(poses: Sequence[PoseFeatures]) -> list[tuple[int, int]]:
    """The pairs of recordings that are alike for :data:`WINDOW_S`, by their numbers, the lower one first.

    Raises ValueError where the recordings are not at one rate.
    """
    window, rows = _window(poses), [_rows(pose) for pose in poses]
    candidates = [(i, i + 1 + j) for i, mine in enumerate(rows) for j in _near(mine, rows[i + 1 :])]
    return [(i, j) for i, j in candidates if _least_apart(rows[i], rows[j], window) <= MOST_APART_IMAGE_HEIGHTS]


def twins_between(some: Sequence[PoseFeatures], others: Sequence[PoseFeatures]) -> list[tuple[int, int]]:
    """The pairs of one of ``some`` and one of the ``others`` that are twins, by their numbers there.

    Raises ValueError where the recordings are not at one rate.
    """
    window, rows = _window([*some, *others]), [_rows(pose) for pose in others]
    mine = [_rows(pose) for pose in some]
    candidates = [(i, j) for i, each in enumerate(mine) for j in _near(each, rows)]
    return [(i, j) for i, j in candidates if _least_apart(mine[i], rows[j], window) <= MOST_APART_IMAGE_HEIGHTS]


def _window(poses: Sequence[PoseFeatures]) -> int:
    """Samples of :data:`WINDOW_S`."""
    if len(rates := {pose.rate_hz for pose in poses}) > 1:
        raise ValueError(f"poses at {sorted(rates)} samples a second cannot be held against one another")
    return math.ceil(WINDOW_S * max(rates, default=1.0))


def _rows(pose: PoseFeatures) -> FloatArray:
    """``(T, 26)`` float32, image heights; their distances are root mean squares over the joints. NaN unseen."""
    points = pose.smoothed().image[:, JOINTS].reshape(len(pose), 2 * len(JOINTS))
    return (points / math.sqrt(len(JOINTS))).astype(np.float32)


def _near(mine: FloatArray, others: Sequence[FloatArray]) -> list[int]:
    """Those of the others with a sample that is near enough to one of mine: a mean over samples is no less than the
    least of them."""
    seen = [number for number, rows in enumerate(others) if len(rows)]
    if not len(mine) or not seen:
        return []
    nearest = _apart(mine, np.concatenate([others[number] for number in seen])).min(axis=0)
    starts = np.cumsum([0, *(len(others[number]) for number in seen[:-1])])
    least = np.minimum.reduceat(nearest, starts)
    return [seen[place] for place in np.flatnonzero(least <= MOST_APART_IMAGE_HEIGHTS)]


def _apart(some: FloatArray, others: FloatArray) -> FloatArray:
    """``(T, U)`` image heights between samples ``(T, 26)`` and ``(U, 26)``."""
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T
    return np.nan_to_num(np.sqrt(np.maximum(squares, 0)), nan=UNSEEN_IMAGE_HEIGHTS)


def _least_apart(some: FloatArray, others: FloatArray, window: int) -> float:
    """The least mean over ``window`` samples, over all offsets of one recording against the other; inf where one is
    shorter."""
    count, width = len(some), len(some) + len(others)
    padded = np.full((count, width), UNSEEN_IMAGE_HEIGHTS)
    padded[:, : len(others)] = _apart(some, others)[:, ::-1]
    # Read in rows that are one sample shorter, the diagonals of the one stand upright in the other.
    upright = padded.ravel()[: count * (width - 1)].reshape(count, width - 1)
    sums = np.cumsum(np.vstack([np.zeros(width - 1), upright]), axis=0)
    means = (sums[window:] - sums[:-window]) / window
    return float(means.min(initial=np.inf))
