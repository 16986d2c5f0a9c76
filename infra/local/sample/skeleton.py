"""A human body that is moved by a few controls, and its 33 BlazePose landmarks.

Metres; stage coordinates are x to the right of the picture, y up from the floor, z away from the
viewer. The dancer faces the viewer where the yaw is 0, so the dancer's left is the picture's right.
Legs and arms follow from where feet and hands are (two-bone inverse kinematics). This module knows
no music, no moves and no picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from shared.timeline import FloatArray, IntArray

# Lengths of a body of 1.72 m, between the centres of joints.
HIP_HALF_WIDTH_M = 0.105
SHOULDER_HALF_WIDTH_M = 0.175
LOWER_SPINE_M = 0.25
UPPER_SPINE_M = 0.25
NECK_M = 0.205  # from between the shoulders to the middle of the head
THIGH_M = 0.41
SHIN_M = 0.40
ANKLE_HEIGHT_M = 0.085
UPPER_ARM_M = 0.275
FOREARM_M = 0.25
# Where an arm goes on its way between opposite directions: outwards, up, front.
AROUND = np.array([0.7, 0.0, 0.7])
# The thumb is at right angles to the forearm and to this; no forearm points there.
THUMB_FROM = np.array([0.74, 0.54, -0.40])
REACH = 0.995  # of a limb's length: a straight limb has no direction to bend in
STANDING_M = 0.875  # hips above the floor, the knees a little soft

# Points of the face and the ears in the head's own axes: left, up, front.
FACE_M: dict[int, tuple[float, float, float]] = {
    0: (0.0, -0.01, 0.112), 1: (0.018, 0.026, 0.09), 2: (0.033, 0.027, 0.085), 3: (0.045, 0.026, 0.078),
    4: (-0.018, 0.026, 0.09), 5: (-0.033, 0.027, 0.085), 6: (-0.045, 0.026, 0.078),
    7: (0.075, 0.005, 0.005), 8: (-0.075, 0.005, 0.005), 9: (0.026, -0.055, 0.085), 10: (-0.026, -0.055, 0.085),
}  # fmt: skip
# Points of the left hand in its own axes: along the forearm, towards the thumb, in metres.
HAND_M: dict[int, tuple[float, float]] = {17: (0.075, -0.032), 19: (0.085, 0.022), 21: (0.045, 0.038)}
# Points of the left foot: along it and up, from the ankle.
FOOT_M: dict[int, tuple[float, float]] = {29: (-0.045, -0.055), 31: (0.14, -0.065)}
TOES_OUT_RAD = 0.2
LANDMARKS = 33


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """What moves the body, at T instants. Sides are left, right; front and left are the dancer's.

    ``place``     ``(T, 2)`` metres on the stage: right in the picture, away from the viewer
    ``yaw``       ``(T,)`` radians, turned towards the dancer's left
    ``feet``      ``(T, 2, 2)`` metres from ``place``: left, front; the hips stay between them
    ``lift``      ``(T, 2)`` metres of a foot above the floor
    ``heel``      ``(T, 2)`` 0 … 1: how far a heel is off the floor
    ``shift``     ``(T, 2)`` metres of the hips off the middle of the feet: left, front
    ``drop``      ``(T,)`` metres the hips are lower than in standing
    ``sway``      ``(T,)`` radians: the left hip above the right
    ``twist``     ``(T,)`` radians: the hips turned against the body
    ``bend``      ``(T, 2, 2)`` radians: lower and upper spine to the left, to the front
    ``shoulders`` ``(T, 2)`` radians: the left shoulder above the right, and before it
    ``arms``      ``(T, 2, 2, 3)`` directions of upper arm and forearm: outwards, up, front
    """

    place: FloatArray
    yaw: FloatArray
    feet: FloatArray
    lift: FloatArray
    heel: FloatArray
    shift: FloatArray
    drop: FloatArray
    sway: FloatArray
    twist: FloatArray
    bend: FloatArray
    shoulders: FloatArray
    arms: FloatArray

    def __len__(self) -> int:
        return len(self.yaw)

    @classmethod
    def zeros(cls, count: int) -> Controls:
        shapes = ((2,), (), (2, 2), (2,), (2,), (2,), (), (), (), (2, 2), (2,), (2, 2, 3))
        return cls(*(np.zeros((count, *shape)) for shape in shapes))

    def add(self, rows: IntArray, weights: FloatArray, other: Controls) -> None:
        """Add ``weights`` × ``other`` to the rows: how a move fades into the next."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            mine[rows] += weights.reshape(-1, *[1] * (theirs.ndim - 1)) * theirs


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Three orthogonal unit vectors, each ``(T, 3)`` in stage coordinates."""

    left: FloatArray
    up: FloatArray
    front: FloatArray

    def at(self, left: FloatArray | float, up: FloatArray | float, front: FloatArray | float) -> FloatArray:
        """The vector of these components. ``(T, 3)``."""
        return _column(left) * self.left + _column(up) * self.up + _column(front) * self.front

    def rolled(self, angle: FloatArray) -> Axes:
        """Turned so that the left goes up."""
        return Axes(*_turned(self.left, self.up, angle), self.front)

    def pitched(self, angle: FloatArray) -> Axes:
        """Turned so that the top goes to the front."""
        up, front = _turned(self.up, self.front, angle)
        return Axes(self.left, up, front)

    def yawed(self, angle: FloatArray) -> Axes:
        """Turned so that the front goes to the left."""
        front, left = _turned(self.front, self.left, angle)
        return Axes(left, self.up, front)

    @classmethod
    def stage(cls, count: int) -> Axes:
        """Those of a dancer who faces the viewer."""
        return cls(*(np.tile(axis, (count, 1)) for axis in ([1.0, 0, 0], [0, 1.0, 0], [0, 0, -1.0])))


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A posed body at T instants.

    ``joints`` ``(T, 33, 3)`` the landmarks in stage coordinates
    ``waist``  ``(T, 3)`` the middle of the spine, which no landmark marks
    ``skull``  ``(T, 3)`` the middle of the head
    ``head``   the head's axes
    """

    joints: FloatArray
    waist: FloatArray
    skull: FloatArray
    head: Axes

    def __len__(self) -> int:
        return len(self.joints)

    def __getitem__(self, rows: slice) -> Figure:
        """The figure at some of the instants."""
        head = Axes(self.head.left[rows], self.head.up[rows], self.head.front[rows])
        return Figure(self.joints[rows], self.waist[rows], self.skull[rows], head)

    @property
    def world(self) -> FloatArray:
        """``(T, 33, 3)`` metres from the middle of the hips, x right, y down, z away."""
        middle = self.joints[:, [23, 24]].mean(axis=1, keepdims=True)
        return (self.joints - middle) * [1, -1, 1]


def posed(controls: Controls) -> Figure:
    """The body that the controls describe."""
    body = Axes.stage(len(controls)).yawed(controls.yaw)
    ankles = _ankles(controls, body)
    pelvis, pelvis_axes = _pelvis(controls, body)
    waist, neck, chest = _spine(controls, body, pelvis)
    joints = np.zeros((len(controls), LANDMARKS, 3))
    for side, sign in enumerate((1, -1)):
        hip = pelvis + sign * HIP_HALF_WIDTH_M * pelvis_axes.left
        joints[:, 23 + side] = hip
        joints[:, 25 + side], joints[:, 27 + side] = _two_bones(hip, ankles[side], THIGH_M, SHIN_M, body.front)
        _add_foot(joints, side, body.yawed(np.full(len(controls), sign * TOES_OUT_RAD)), controls.heel[:, side])
        _add_arm(joints, side, neck, chest, controls.arms[:, side])
    skull, head = _head(neck, chest)
    for landmark, place in FACE_M.items():
        joints[:, landmark] = skull + head.at(*place)
    return Figure(joints, waist, skull, head)


def _ankles(controls: Controls, body: Axes) -> Sequence[FloatArray]:
    place = _on_stage(controls)
    heights = ANKLE_HEIGHT_M + controls.lift + 0.05 * controls.heel
    return [place + body.at(controls.feet[:, side, 0], heights[:, side], controls.feet[:, side, 1]) for side in (0, 1)]


def _on_stage(controls: Controls) -> FloatArray:
    right, away = controls.place.T
    return np.stack([right, np.zeros_like(right), away], axis=1)


def _pelvis(controls: Controls, body: Axes) -> tuple[FloatArray, Axes]:
    left, front = (controls.feet.mean(axis=1) + controls.shift).T
    middle = _on_stage(controls) + body.at(left, STANDING_M - controls.drop, front)
    return middle, body.yawed(controls.twist).rolled(controls.sway)


def _spine(controls: Controls, body: Axes, pelvis: FloatArray) -> tuple[FloatArray, FloatArray, Axes]:
    """The waist, the point between the shoulders, and the axes of the chest."""
    (lower_side, lower_front), (upper_side, upper_front) = controls.bend[:, 0].T, controls.bend[:, 1].T
    lower, upper = (
        body.rolled(-side).pitched(front) for side, front in ((lower_side, lower_front), (upper_side, upper_front))
    )
    roll, turn = controls.shoulders.T
    waist = pelvis + LOWER_SPINE_M * lower.up
    return waist, waist + UPPER_SPINE_M * upper.up, upper.yawed(-turn).rolled(roll)


def reaching(hand: FloatArray, elbow_to: FloatArray) -> FloatArray:
    """Directions of upper arm and forearm that bring the wrist there, the elbow pointing to ``elbow_to``.

    ``hand`` ``(T, 3)`` metres from the shoulder, ``elbow_to`` ``(3,)``: outwards, up, front. ``(T, 2, 3)``.
    """
    elbow, wrist = _two_bones(np.zeros_like(hand), hand, UPPER_ARM_M, FOREARM_M, elbow_to)
    return np.stack([_unit(elbow), _unit(wrist - elbow)], axis=1)


def _add_arm(joints: FloatArray, side: int, neck: FloatArray, chest: Axes, arm: FloatArray) -> None:
    """Shoulder, elbow, wrist and the points of the hand."""
    sign = 1 - 2 * side
    upper, lower = (_unit(_around(arm[:, bone])) for bone in (0, 1))
    thumb = _unit(np.cross(lower, THUMB_FROM))
    upper, lower, thumb = (chest.at(sign * v[:, 0], v[:, 1], v[:, 2]) for v in (upper, lower, thumb))
    shoulder = neck + sign * SHOULDER_HALF_WIDTH_M * chest.left
    elbow = shoulder + UPPER_ARM_M * upper
    wrist = elbow + FOREARM_M * lower
    joints[:, 11 + side], joints[:, 13 + side], joints[:, 15 + side] = shoulder, elbow, wrist
    for landmark, (length_m, breadth_m) in HAND_M.items():
        joints[:, landmark + side] = wrist + length_m * lower + breadth_m * thumb


def _around(direction: FloatArray) -> FloatArray:
    """A mixture of directions, which is short where they were opposite, led around. ``(T, 3)``."""
    return direction + np.maximum(1 - np.linalg.norm(direction, axis=1, keepdims=True), 0) * AROUND


def _add_foot(joints: FloatArray, side: int, axes: Axes, heel: FloatArray) -> None:
    tipped = axes.pitched(0.6 * heel)
    for landmark, (length_m, height_m) in FOOT_M.items():
        joints[:, landmark + side] = joints[:, 27 + side] + tipped.at(0.0, height_m, length_m)


def _head(neck: FloatArray, chest: Axes) -> tuple[FloatArray, Axes]:
    """Its middle and axes; it stays half upright where the chest leans."""
    up = _unit(chest.up + np.array([0, 1.0, 0]))
    left = _unit(_across(chest.left, up))
    head = Axes(left, up, np.cross(up, left))
    return neck + NECK_M * up + 0.02 * head.front, head


def _two_bones(
    start: FloatArray, end: FloatArray, first_m: float, second_m: float, towards: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The joint between two bones that bends ``towards``, and the end as far as the bones reach."""
    direction = _unit(end - start)
    distance = np.linalg.norm(end - start, axis=1, keepdims=True)
    distance = np.clip(distance, abs(first_m - second_m) + 0.02, REACH * (first_m + second_m))
    along = (first_m**2 - second_m**2 + distance**2) / (2 * distance)
    aside = np.sqrt(np.maximum(first_m**2 - along**2, 0))
    return start + along * direction + aside * _unit(_across(towards, direction)), start + distance * direction


def _turned(one: FloatArray, other: FloatArray, angle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two axes turned in their plane, ``one`` towards ``other``."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return cos * one + sin * other, cos * other - sin * one


def _across(vector: FloatArray, direction: FloatArray) -> FloatArray:
    """The part of the vector at right angles to the unit direction."""
    return vector - (vector * direction).sum(axis=1, keepdims=True) * direction


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-9)


def _column(component: FloatArray | float) -> FloatArray:
    return np.atleast_1d(np.asarray(component, dtype=float))[:, None]
