"""Poses as bodies that can be held against one another: hips at the origin, torso one long, upright.

Knows no music and no second dancer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from shared.features import HIPS, SHOULDERS, PoseFeatures
from shared.timeline import FloatArray

# Where the other side's landmark of the same name is: left and right exchanged.
OTHER_SIDE = np.array([0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21,
                       24, 23, 26, 25, 28, 27, 30, 29, 32, 31])  # fmt: skip

# MediaPipe gives limbs that it guesses behind a partner a visibility of 0.1 to 0.5, those it sees 0.9 and more.
UNSEEN_BELOW, SEEN_FROM = 0.3, 0.7


class Limb(StrEnum):
    """A part of the body. Left and right are the dancer's."""

    LEFT_ARM = "left_arm"
    RIGHT_ARM = "right_arm"
    LEFT_LEG = "left_leg"
    RIGHT_LEG = "right_leg"
    TORSO = "torso"
    HEAD = "head"


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A dancer at some moments.

    ``points`` ``(T, 33, 3)`` torso lengths, x right, y down, z away; z is 0 throughout if ``is_flat``
    ``seen``   ``(T, 33)`` 0 … 1, how far a landmark counts; 0 where its point is NaN
    """

    points: FloatArray
    seen: FloatArray
    is_flat: bool

    def __len__(self) -> int:
        return len(self.points)

    def mirrored(self) -> Body:
        points = self.points[:, OTHER_SIDE] * np.array([-1.0, 1.0, 1.0])
        return replace(self, points=points, seen=self.seen[:, OTHER_SIDE])

    def turned(self, angle_rad: float) -> Body:
        """About the vertical, so that what pointed right points ``angle_rad`` towards the camera."""
        cos, sin = np.cos(angle_rad), np.sin(angle_rad)
        return replace(self, points=self.points @ np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]]))

    def rolled(self, quarters: int) -> Body:
        """In the picture's plane, by so many quarter turns clockwise."""
        points = self.points
        for _ in range(quarters % 4):
            points = np.stack([-points[..., 1], points[..., 0], points[..., 2]], axis=-1)
        return replace(self, points=points)


def has_depth(pose: PoseFeatures) -> bool:
    """Whether the estimator told where in space the landmarks are, wherever it saw somebody."""
    seen = pose.detected
    return bool(seen.any()) and bool(np.isfinite(pose.world[seen][:, HIPS]).all(axis=(1, 2)).mean() > 0.5)


def body(pose: PoseFeatures, *, is_flat: bool) -> Body:
    """The dancer at the samples of a pose, as the camera held her; flat bodies are those of the image."""
    points = pose.world.astype(float) if not is_flat else np.pad(pose.image.astype(float), ((0, 0), (0, 0), (0, 1)))
    points = (points - points[:, HIPS].mean(axis=1, keepdims=True)) / torso_length(points)
    share = np.clip((pose.visibility - UNSEEN_BELOW) / (SEEN_FROM - UNSEEN_BELOW), 0.0, 1.0)
    return Body(points, np.where(np.isfinite(points).all(axis=2), share, 0.0), is_flat)


def torso_length(points: FloatArray) -> float:
    """From between the hips to between the shoulders, ``points`` ``(T, 33, D)``: the median, so that leaning over
    shortens nobody; 1 where none is seen."""
    torso = np.linalg.norm(points[:, SHOULDERS].mean(axis=1) - points[:, HIPS].mean(axis=1), axis=1)
    known = torso[np.isfinite(torso) & (torso > 0)]
    return float(np.median(known)) if len(known) else 1.0


def lying(body: Body) -> int:
    """By how many quarter turns clockwise it has to be turned to stand: 0 for one that stands."""
    spine = body.points[:, SHOULDERS].mean(axis=1)[:, :2]
    spine = spine[np.isfinite(spine).all(axis=1)]
    if not len(spine):
        return 0
    x, y = spine.mean(axis=0)
    return round(np.arctan2(-x, -y) / (np.pi / 2)) % 4


def sampled(body: Body, places: FloatArray) -> Body:
    """The dancer between her samples, at ``(P,)`` rows as real numbers: a cubic through four samples
    (Catmull and Rom, 1974), a straight line beside a gap. Unseen outside, and where a neighbour is unseen."""
    last = len(body) - 1
    at = np.clip(np.floor(places + 1e-9).astype(int), 0, max(0, last - 1))
    share = (places - at)[:, None, None]
    rows = [body.points[np.clip(at + k, 0, last)] for k in (-1, 0, 1, 2)]
    curve = _cubic(rows, share)
    points = np.where(np.isfinite(curve), curve, rows[1] + share * (rows[2] - rows[1]))
    seen = np.minimum(body.seen[at], body.seen[np.minimum(at + 1, last)])
    points[(places < -1e-6) | (places > last + 1e-6)] = np.nan
    return Body(points, np.where(np.isfinite(points).all(axis=2), seen, 0.0), body.is_flat)


def _cubic(rows: list[FloatArray], share: FloatArray) -> FloatArray:
    before, here, there, after = rows
    bend = 2 * before - 5 * here + 4 * there - after
    twist = 3 * (here - there) + after - before
    return here + 0.5 * share * (there - before + share * (bend + share * twist))
