"""What a body does, as numbers to be compared: where its bones point, how its joints are bent, and both in motion.

Knows no sound, no scores and no second dancer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gpu_job.bodies import Body, Limb
from shared.timeline import FloatArray

MID_HIPS, MID_SHOULDERS, MID_EARS = 33, 34, 35

# Limb, from, to, weight. Feet are small and hard to see. The lines through hips and shoulders say where she faces.
BONES: tuple[tuple[Limb, int, int, float], ...] = (
    (Limb.LEFT_ARM, 11, 13, 1.0), (Limb.LEFT_ARM, 13, 15, 1.0),
    (Limb.RIGHT_ARM, 12, 14, 1.0), (Limb.RIGHT_ARM, 14, 16, 1.0),
    (Limb.LEFT_LEG, 23, 25, 1.0), (Limb.LEFT_LEG, 25, 27, 1.0), (Limb.LEFT_LEG, 27, 31, 0.3),
    (Limb.RIGHT_LEG, 24, 26, 1.0), (Limb.RIGHT_LEG, 26, 28, 1.0), (Limb.RIGHT_LEG, 28, 32, 0.3),
    (Limb.TORSO, MID_HIPS, MID_SHOULDERS, 2.0), (Limb.TORSO, 24, 23, 1.0), (Limb.TORSO, 12, 11, 1.0),
    (Limb.HEAD, MID_SHOULDERS, MID_EARS, 1.0), (Limb.HEAD, 8, 7, 0.5), (Limb.HEAD, MID_EARS, 0, 0.5),
)  # fmt: skip

# Limb and the two bones between which an angle is: elbows, shoulders, knees, hips, the twist of the trunk.
JOINTS: tuple[tuple[Limb, int, int], ...] = (
    (Limb.LEFT_ARM, 0, 1), (Limb.LEFT_ARM, 0, 10), (Limb.RIGHT_ARM, 2, 3), (Limb.RIGHT_ARM, 2, 10),
    (Limb.LEFT_LEG, 4, 5), (Limb.LEFT_LEG, 4, 10), (Limb.RIGHT_LEG, 7, 8), (Limb.RIGHT_LEG, 7, 10),
    (Limb.TORSO, 11, 12),
)  # fmt: skip

ANGLE_WEIGHT = 0.5
"""An angle turns by what both of its bones turn, so half of it is theirs. One camera guesses how far away a hand is:
depth turns bodies and bends joints, but where a bone points away from the camera does not count (decision 12)."""
BEATS_PER_RADIAN = 1 / np.pi
"""Makes the speed of a swing there in one beat and back in the next as large as the swing itself."""
SPEED_REACH_BEATS = 0.25
"""Speeds are those from so long before to as long after: shorter, and an estimator's jitter outweighs the dance."""
SPEED_WEIGHT = 1.0

AXES = "xy"
"""The picture's: of a bone's direction these two are features."""

_LIMBS = tuple(Limb)
LIMB_WEIGHT = np.array([0.5 if limb is Limb.HEAD else 1.0 for limb in _LIMBS])
"""What a limb counts in the whole: as much as any other, however far it swings; the head, which is small, half."""
_ends = np.array([bone[1:3] for bone in BONES])
_joints = np.array([joint[1:] for joint in JOINTS])


def _layout() -> tuple[npt.NDArray[np.intp], FloatArray, npt.NDArray[np.bool_]]:
    """Of every posture feature: its limb, its weight, and whether it is the same from wherever one looks."""
    limbs = [bone[0] for bone in BONES for _ in AXES] + [joint[0] for joint in JOINTS]
    weights = [bone[3] for bone in BONES for _ in AXES] + [ANGLE_WEIGHT] * len(JOINTS)
    from_anywhere = [axis == "y" for _ in BONES for axis in AXES] + [True] * len(JOINTS)
    return np.array([_LIMBS.index(limb) for limb in limbs]), np.array(weights), np.array(from_anywhere)


_limb, _weight, _from_anywhere = _layout()

POSTURES = len(_limb)
ANGLES = len(JOINTS)
"""So many of them, the last, are those of joints."""
LIMB_OF = np.concatenate([_limb, _limb])
"""``(F,)`` the limb of each feature, as a place in ``tuple(Limb)``: postures, then their speeds."""
WEIGHT_OF = np.concatenate([_weight, SPEED_WEIGHT * _weight])
FROM_ANYWHERE = np.concatenate([_from_anywhere, _from_anywhere])
"""``(F,)`` whether a feature does not change when the dancer faces elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """A body's motion at evenly spaced moments.

    ``values`` ``(P, F)`` direction cosines, radians, and both per beat / π; 0 where unseen
    ``seen``   ``(P, F)`` 0 … 1, how far each counts
    """

    values: FloatArray
    seen: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    def at(self, rows: npt.NDArray[np.intp]) -> Movement:
        return replace(self, values=self.values[rows], seen=self.seen[rows])

    def only(self, features: npt.NDArray[np.bool_]) -> Movement:
        return replace(self, values=self.values[:, features], seen=self.seen[:, features])


def directions(body: Body) -> tuple[FloatArray, FloatArray]:
    """Unit vectors along the bones ``(P, B, 3)``, 0 where unseen, and how far they count ``(P, B)``."""
    points = np.concatenate([body.points, *(body.points[:, pair].mean(axis=1, keepdims=True) for pair in _MIDDLES)], 1)
    seen = np.concatenate([body.seen, *(body.seen[:, pair].min(axis=1, keepdims=True) for pair in _MIDDLES)], 1)
    vectors = points[:, _ends[:, 1]] - points[:, _ends[:, 0]]
    length = np.linalg.norm(vectors, axis=2)
    known = np.isfinite(length) & (length > 1e-6)
    counts = np.where(known, np.minimum(seen[:, _ends[:, 0]], seen[:, _ends[:, 1]]), 0.0)
    return np.where(known[..., None], vectors / np.where(known, length, 1.0)[..., None], 0.0), counts


_MIDDLES = ((23, 24), (11, 12), (7, 8))


def movement(body: Body, points_per_beat: float) -> Movement:
    """The motion of a body that is sampled ``points_per_beat`` times a beat."""
    reach = max(1, round(SPEED_REACH_BEATS * points_per_beat))
    bones, seen = directions(body)
    one, other = bones[:, _joints[:, 0]], bones[:, _joints[:, 1]]
    angles = np.arccos(np.clip((one * other).sum(axis=2), -1.0, 1.0))
    bent = np.minimum(seen[:, _joints[:, 0]], seen[:, _joints[:, 1]])
    pointing = bones[..., : len(AXES)].reshape(len(bones), len(AXES) * len(BONES))
    postures = np.concatenate([pointing, np.where(bent > 0, angles, 0.0)], axis=1)
    counts = np.concatenate([np.repeat(seen, len(AXES), axis=1), bent], axis=1)
    speeds, speeds_count = _speeds(postures, counts, points_per_beat, reach)
    return Movement(np.concatenate([postures, speeds], axis=1), np.concatenate([counts, speeds_count], axis=1))


def _speeds(values: FloatArray, seen: FloatArray, points_per_beat: float, reach: int) -> tuple[FloatArray, FloatArray]:
    """Per beat / π; unknown at the ends and beside a gap."""
    speeds, counts = np.zeros_like(values), np.zeros_like(seen)
    if len(values) > 2 * reach:
        counts[reach:-reach] = np.minimum(seen[2 * reach :], seen[: -2 * reach])
        change = (values[2 * reach :] - values[: -2 * reach]) * (points_per_beat / (2 * reach) * BEATS_PER_RADIAN)
        speeds[reach:-reach] = np.where(counts[reach:-reach] > 0, change, 0.0)
    return speeds, counts


def facing(student: Body, teacher: Body) -> float:
    """The turn about the vertical, radians, that makes the student face as the teacher does, on the whole:
    the best in the least-squares sense (Kabsch, 1976, in the plane). 0 for flat bodies."""
    (one, one_seen), (other, other_seen) = directions(student), directions(teacher)
    weight = np.minimum(one_seen, other_seen) * np.array([bone[3] for bone in BONES])
    cross = (weight * (one[..., 2] * other[..., 0] - one[..., 0] * other[..., 2])).sum()
    dot = (weight * (one[..., 0] * other[..., 0] + one[..., 2] * other[..., 2])).sum()
    return 0.0 if student.is_flat or (cross == 0 and dot == 0) else float(np.arctan2(cross, dot))
