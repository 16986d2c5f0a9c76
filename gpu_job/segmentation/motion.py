"""A dancer's motion, looked at a few times a beat: posture, directions of the limbs, and how they change.

Every number is free of the dancer's place, size and the picture's resolution. What was not seen is
masked. Knows the grid of half-beats, not what a boundary is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT, HalfBeats
from shared.features import HIPS, SHOULDERS, PoseFeatures
from shared.timeline import BoolArray, FloatArray

# Landmarks whose place tells a posture; hands, feet and face jitter more than they tell.
JOINTS = (0, 11, 12, 13, 14, 15, 16, 25, 26, 27, 28)
# Limbs and trunk, by the numbers of their landmarks.
LIMBS = ((11, 12), (23, 24), (11, 23), (12, 24), (11, 13), (13, 15), (12, 14), (14, 16),
         (23, 25), (25, 27), (24, 26), (26, 28))  # fmt: skip
# A torso's length is averaged over so long to either side, so that leaning over does not enlarge the dancer.
_SCALE_WINDOW_S = 4.0
# Weights of the three kinds of channel. A direction is a unit vector, a joint's place up to three torsos
# away, and a step moves a joint by about half a torso a beat: these bring them to about equal parts.
POSTURE_WEIGHT, DIRECTION_WEIGHT, CHANGE_WEIGHT = 1.0, 1.0, 0.5
_MAX_PLACE_TORSOS = 3.0  # a place further off is an error of the estimator


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What a dancer does at the points of a grid.

    ``values`` ``(P, D)`` weighted so that all channels count alike; 0 where unseen
    ``seen``   ``(P, D)``
    """

    values: FloatArray
    seen: BoolArray

    def __len__(self) -> int:
        return len(self.values)

    def between(self, first: int, last: int) -> Motion:
        """Only the points from ``first`` to ``last``, both included."""
        return Motion(self.values[first : last + 1], self.seen[first : last + 1])

    @property
    def presence(self) -> FloatArray:
        """``(P,)`` share of the channels that are seen at each point."""
        return self.seen.mean(axis=1)

    def posture_change(self) -> FloatArray:
        """``(P + 1,)`` mean square difference of the half-beats before and after each gap between points.

        The first gap is before the first point, the last behind the last one; NaN where unseen.
        """
        posture = np.where(self.seen, self.values, np.nan)[:, : 2 * len(JOINTS)]
        width = POINTS_PER_HALF_BEAT
        padded = np.pad(posture, ((width, width), (0, 0)), mode="edge")
        halves = _mean_between(
            np.nan_to_num(padded), np.isfinite(padded),
            np.arange(len(padded) - width + 1), np.arange(width, len(padded) + 1),
        )  # fmt: skip
        squares = (halves[width:] - halves[:-width]) ** 2
        seen = np.isfinite(squares)
        count = seen.sum(axis=1)
        total = np.nan_to_num(squares).sum(axis=1)
        return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def seen_image(pose: PoseFeatures) -> FloatArray:
    """``(T, 33, 2)`` the landmarks in image heights, NaN also where the estimator only guessed."""
    return np.where(pose.visibility[..., None] > 0, pose.image, np.nan).astype(np.float64)


def motion(pose: PoseFeatures, grid: HalfBeats) -> Motion:
    """The motion at :meth:`HalfBeats.point_times_s`."""
    times_s, image = grid.point_times_s(), seen_image(pose)
    channels = np.concatenate([_place(image, pose.rate_hz), _directions(image)], axis=1)
    sampled = _averaged(channels, pose, times_s)
    change = _change(sampled[:, : len(JOINTS) + 1])
    # How far the dancer travels matters, not where she is: the last place is that of the hips.
    posture = np.delete(sampled, len(JOINTS), axis=1)
    weights = [POSTURE_WEIGHT] * len(JOINTS) + [DIRECTION_WEIGHT] * len(LIMBS) + [CHANGE_WEIGHT] * change.shape[1]
    flat = (np.concatenate([posture, change], axis=1) * np.sqrt(weights)[:, None]).reshape(len(times_s), -1)
    seen = np.isfinite(flat)
    return Motion(np.where(seen, flat, 0.0), seen)


def _place(image: FloatArray, rate_hz: float) -> FloatArray:
    """Joints from the middle of the hips, and that middle itself, in torsos. ``(T, J + 1, 2)``, NaN unseen."""
    hips = image[:, HIPS].mean(axis=1, keepdims=True)
    torso = np.linalg.norm(image[:, SHOULDERS].mean(axis=1) - hips[:, 0], axis=1)
    scale = _running_mean(torso, max(1, round(_SCALE_WINDOW_S * rate_hz)))[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        joints, middle = (image[:, JOINTS] - hips) / scale, hips / scale
    return np.concatenate([np.clip(joints, -_MAX_PLACE_TORSOS, _MAX_PLACE_TORSOS), middle], axis=1)


def _directions(image: FloatArray) -> FloatArray:
    """Unit vectors along the limbs. ``(T, L, 2)``, NaN where unseen."""
    start, end = np.array(LIMBS).T
    vectors = image[:, end] - image[:, start]
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    return np.divide(vectors, length, out=np.full_like(vectors, np.nan), where=length > 1e-6)


def _averaged(values: FloatArray, pose: PoseFeatures, times_s: FloatArray) -> FloatArray:
    """Means over the seen samples around each point, halfway to its neighbours. ``(P, C, 2)``, NaN where none."""
    edges = np.concatenate([times_s[:1], (times_s[1:] + times_s[:-1]) / 2, times_s[-1:]])
    edges[0], edges[-1] = 2 * times_s[0] - edges[1], 2 * times_s[-1] - edges[-2]
    rows = np.clip(np.ceil(edges * pose.rate_hz - 1e-6).astype(int) - pose.first_sample, 0, len(pose))
    seen = np.isfinite(values)
    return _mean_between(np.where(seen, values, 0.0), seen, rows[:-1], rows[1:])


def _mean_between(
    values: FloatArray, seen: BoolArray, start: npt.NDArray[np.int_], stop: npt.NDArray[np.int_]
) -> FloatArray:
    total = _sums(values)[stop] - _sums(values)[start]
    count = _sums(seen)[stop] - _sums(seen)[start]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _sums(values: npt.ArrayLike) -> FloatArray:
    """Sums of all rows before each row, one more than there are rows."""
    values = np.asarray(values, dtype=float)
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])


def _running_mean(values: FloatArray, reach: int) -> FloatArray:
    """Means over the seen values up to ``reach`` samples to either side; NaN where none is seen."""
    rows = np.arange(len(values))
    seen = np.isfinite(values)
    start, stop = np.maximum(0, rows - reach), np.minimum(len(values), rows + reach + 1)
    return _mean_between(np.where(seen, values, 0.0), seen, start, stop)


def _change(places: FloatArray) -> FloatArray:
    """Change of each place per half-beat, from the point before to the point after. ``(P, J + 1, 2)``."""
    padded = np.pad(places, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return (padded[2:] - padded[:-2]) * (POINTS_PER_HALF_BEAT / 2)
