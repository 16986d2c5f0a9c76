"""How much a couple moves in a block, in how many ways, how fluently, over how much of the floor, how well seen.

All is measured in torso lengths and beats, so that neither size, place nor tempo counts. Each measure becomes a
quality of 0 … 1 on a fixed scale. Knows no annotation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.dancing import POINTS_PER_BEAT, WITHIN, Dance, Dancer
from gpu_job.movement import ANGLES, POSTURES, movement
from shared.library import QUALITIES
from shared.timeline import FloatArray

SCALES: Mapping[str, tuple[float, float]] = {
    "energy": (0.2, 0.67), "complexity": (2.5, 6.4), "smoothness": (-3.4, -2.4), "coverage": (0.9, 2.8),
    "detection": (0.0, 1.0),
}  # fmt: skip
"""What is 0 and what is 1: quantiles of 5 % and 95 % over the 279 blocks of 115 real clips, as ``python -m
tests.benchmarks.moves FOLDER`` prints them. Detection is a share as it is."""

FASTEST = 4.0
"""Torso lengths a beat, a hand in a spin. What is faster is a jump of the estimator and counts as this."""
SHARPEST = FASTEST * POINTS_PER_BEAT
"""Torso lengths a beat²: from standing still to the fastest between two points."""
FORESHORTENED = 3.0
"""Feet that are lower in the picture by a torso length are nearer by about three, before a level camera at the
height of the belly (decision 13: a body grows by 2.4 an image height)."""
ON_THE_FLOOR = (0.05, 0.95)
"""Quantiles between which the feet are said to dance."""


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """One dancer's motion at ``Q`` points of each of ``K`` blocks, NaN where unseen.

    ``speed``                ``(K, Q, 13)`` of the joints in the picture, torso lengths a beat
    ``acceleration``         ``(K, Q, 13)`` of the joints, torso lengths a beat²
    ``angles``               ``(K, Q, 9)`` radians: elbows, shoulders, knees, hips, the twist of the trunk
    ``angular_speed``        ``(K, Q, 9)`` radians a beat
    ``angular_acceleration`` ``(K, Q, 9)`` radians a beat²
    ``postures``             ``(K, Q, 41)`` where bones point, and the angles
    """

    speed: FloatArray
    acceleration: FloatArray
    angles: FloatArray
    angular_speed: FloatArray
    angular_acceleration: FloatArray
    postures: FloatArray


def qualities(dance: Dance) -> FloatArray:
    """``(K, 5)`` 0 … 1 in the order of :data:`shared.library.QUALITIES`."""
    low, high = np.array([SCALES[name] for name in QUALITIES]).T
    return np.clip((measures(dance) - low) / (high - low), 0.0, 1.0).astype(np.float32)


def measures(dance: Dance) -> FloatArray:
    """``(K, 5)`` before they are put on their scales: torso lengths a beat, dimensions, logarithm of beats², torso
    lengths, share. What cannot be told is 0, of smoothness the lowest."""
    profiles = [profile(dancer) for dancer in dance.dancers]
    both = (dance.lead.detected & dance.follow.detected)[:, WITHIN].mean(axis=1)
    columns = [_energy(profiles), _complexity(profiles), _smoothness(profiles), _coverage(dance), both]
    return np.stack(columns, axis=1)


def profile(dancer: Dancer) -> Profiles:
    velocity = _change(dancer.joints + dancer.place[:, :, None] / dancer.torso)
    moved = movement(dancer.body, POINTS_PER_BEAT)
    postures = np.where(moved.seen > 0, moved.values, np.nan)[:, :POSTURES].reshape(*dancer.place.shape[:2], POSTURES)
    angles = postures[..., -ANGLES:]
    turning = _change(angles)
    kept = (
        np.minimum(np.linalg.norm(velocity, axis=-1), FASTEST),
        np.minimum(np.linalg.norm(_change(velocity), axis=-1), SHARPEST), angles,
        abs(turning), abs(_change(turning)), postures,
    )  # fmt: skip
    return Profiles(*(each[:, WITHIN] for each in kept))


def _change(values: FloatArray) -> FloatArray:
    """Per beat, along the second axis."""
    return np.gradient(values, 1 / POINTS_PER_BEAT, axis=1)


def _energy(profiles: Sequence[Profiles]) -> FloatArray:
    """Mean speed of all joints of both, each counted as often as it is seen."""
    return _mean(np.concatenate([each.speed for each in profiles], axis=2), (1, 2))


def _complexity(profiles: Sequence[Profiles]) -> FloatArray:
    """In how many independent ways the postures of both change: the participation ratio of their covariance,
    (Σλ)² / Σλ² of its eigenvalues λ: 1 where everything swings as one."""
    postures = np.concatenate([each.postures for each in profiles], axis=2)
    swings = np.nan_to_num(postures - _mean(postures, 1)[:, None])
    covariance = np.swapaxes(swings, 1, 2) @ swings
    squares = (covariance**2).sum(axis=(1, 2))
    total = np.trace(covariance, axis1=1, axis2=2) ** 2
    return np.divide(total, squares, out=np.zeros(len(squares)), where=squares > 0)


def _smoothness(profiles: Sequence[Profiles]) -> FloatArray:
    """Minus the logarithm of mean squared acceleration over mean squared speed, of all joints of both: the
    log dimensionless jerk (Hogan and Sternad, 2009) one derivative lower, for of 15 poses a second a third
    derivative is noise. The lowest there is where nothing moves."""
    speeds = np.concatenate([each.speed for each in profiles], axis=2)
    changes = np.concatenate([each.acceleration for each in profiles], axis=2)
    moves, swings = _mean(speeds**2, (1, 2)), _mean(changes**2, (1, 2))
    told = (moves > 0) & (swings > 0)
    return np.where(told, np.log(np.where(told, moves, 1.0) / np.where(told, swings, 1.0)), SCALES["smoothness"][0])


def _coverage(dance: Dance) -> FloatArray:
    """The side of a square as large as the floor that the feet of both are on."""
    ankles = [(d.joints[:, :, -2:] + d.place[:, :, None] / d.torso)[:, WITHIN] for d in dance.dancers]
    return np.array([_floor(feet.reshape(-1, 2)) for feet in np.concatenate(ankles, axis=2)])


def _floor(feet: FloatArray) -> float:
    feet = feet[np.isfinite(feet).all(axis=1)]
    if not len(feet):
        return 0.0
    low, high = np.quantile(feet, ON_THE_FLOOR, axis=0)
    return float(np.sqrt(FORESHORTENED * np.prod(high - low)))


def _mean(values: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """Over what is seen; 0 where nothing is."""
    seen = np.isfinite(values)
    return np.where(seen, values, 0.0).sum(axis=axis) / np.maximum(1, seen.sum(axis=axis))
