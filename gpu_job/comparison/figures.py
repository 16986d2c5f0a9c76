"""Both dancers on a sheet: the teacher a pale silhouette, the student slim before it, the limb in question stressed.

Knows no scores and no time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gpu_job.comparison.findings import Bodies, Limb
from gpu_job.drawing import PAPER, Body, Colour, Sheet, draw_body, draw_bones, draw_head, mixed
from shared.timeline import FloatArray

# Blue and orange: apart from one another for every kind of colour vision.
TEACHER: Colour = (44, 104, 176)
STUDENT: Colour = (217, 105, 26)
PALE = 0.62  # of paper in the colour of what is not stressed
SLIM = 0.45  # of a limb's usual width

# The landmarks that a figure needs.
SHOWN = (0, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 32)

LIMB_BONES: Mapping[Limb, tuple[tuple[int, int], ...]] = {
    Limb.LEFT_ARM: ((11, 13), (13, 15)), Limb.RIGHT_ARM: ((12, 14), (14, 16)),
    Limb.LEFT_LEG: ((23, 25), (25, 27), (27, 31)), Limb.RIGHT_LEG: ((24, 26), (26, 28), (28, 32)),
    Limb.TORSO: ((11, 12), (12, 24), (24, 23), (23, 11)), Limb.HEAD: (),
}  # fmt: skip

# What is always in view, torso lengths from the hips; and beyond the landmarks, hands and the top of the head.
_LEAST = np.array([[-1.1, -1.9], [1.1, 1.9]])
_MARGIN = np.array([[-0.2, -0.35], [0.2, 0.2]])
_MOST = 4.0  # beyond, an estimator erred


@dataclass(frozen=True, slots=True)
class Box:
    """A place on a sheet, in its units."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Stage:
    """What has to be in view of two dancers, torso lengths from their hips: x right, y down."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, bodies: Bodies) -> Stage:
        """Wide enough for nearly all that they do."""
        points = np.concatenate([bodies.teacher, bodies.student])[:, list(SHOWN), :2].reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        low, high = _LEAST
        if len(points):
            reach = np.quantile(points, [0.002, 0.998], axis=0) + _MARGIN
            low, high = np.clip(np.minimum(low, reach[0]), -_MOST, 0), np.clip(np.maximum(high, reach[1]), 0, _MOST)
        return cls(float(low[0]), float(low[1]), float(high[0]), float(high[1]))

    def body(self, points: FloatArray, box: Box) -> Body:
        """A dancer ``(33, 3)`` in torso lengths, as large as the box allows, the feet at its lower edge."""
        unit = min(box.width / (self.right - self.left), box.height / (self.bottom - self.top))
        x = box.x + box.width / 2 - unit * (self.left + self.right) / 2
        y = box.y + box.height - unit * self.bottom
        return Body(points[:, :2] * unit + np.array([x, y]), unit)


def draw_pair(sheet: Sheet, teacher: Body, student: Body, limb: Limb | None = None, paper: Colour = PAPER) -> None:
    """One over the other. Without a limb to stress, the student stands out."""
    draw_body(sheet, teacher, mixed(TEACHER, paper, PALE))
    draw_body(sheet, student, STUDENT if limb is None else mixed(STUDENT, paper, PALE / 2), breadth=SLIM, filled=False)
    if limb is not None:
        _draw_limb(sheet, teacher, limb, TEACHER, 1.0)
        _draw_limb(sheet, student, limb, STUDENT, 0.6)


def _draw_limb(sheet: Sheet, body: Body, limb: Limb, colour: Colour, breadth: float) -> None:
    draw_bones(sheet, body, LIMB_BONES[limb], colour, breadth=breadth)
    if limb is Limb.HEAD:
        draw_head(sheet, body, colour, breadth=breadth)
