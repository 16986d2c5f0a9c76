"""What a dancer's landmarks tell of the dancer's body in the picture: outline, colours, whether it can be a body.

Knows one picture and the landmarks of :meth:`functions.pose.landmarker.Landmarker.landmarks`, called
``body`` here: ``(33, 6)``, x and y in image heights, x, y and z in metres, visibility. Knows nothing
of time nor of who is who.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.features import ANKLES, EARS, HIPS, KNEES, NOSE, SHOULDERS
from shared.timeline import FloatArray

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

JOINTS = [*SHOULDERS, *HIPS, *KNEES, *ANKLES]
JOINTS_MIRRORED = [12, 11, 24, 23, 26, 25, 28, 27]

CELL = 4  # pixels: outlines are drawn in squares of this side

# From landmark to landmark with this radius, in lengths of the trunk: an outline with room for clothes.
CAPSULES = (
    (11, 13, 0.16), (13, 15, 0.13), (15, 19, 0.13), (12, 14, 0.16), (14, 16, 0.13), (16, 20, 0.13),
    (23, 25, 0.20), (25, 27, 0.15), (27, 31, 0.14), (24, 26, 0.20), (26, 28, 0.15), (28, 32, 0.14),
)  # fmt: skip
TRUNK_RADIUS, NECK_RADIUS, HEAD_RADIUS = 0.19, 0.15, 0.34
ACROSS_TRUNK = np.linspace(0, 1, 6)  # one capsule over the other fills it
LEG_PER_TRUNK = 0.65  # a trunk seen from above is short, a leg then is not

# Places on the trunk (a share across, a share down) and along the thighs where cloth is seen.
ACROSS, DOWN = (part.ravel() for part in np.meshgrid((0.25, 0.5, 0.75), (0.15, 0.3, 0.5, 0.7, 0.85)))
TRUNK_PLACES = np.stack([(1 - ACROSS) * (1 - DOWN), ACROSS * (1 - DOWN), (1 - ACROSS) * DOWN, ACROSS * DOWN], axis=1)
THIGH_PLACES = np.linspace(0.3, 0.9, 5)[:, None]


def outline(body: FloatArray, height: int, width: int, breadth: float = 1.0) -> Mask:
    """Where the body is: ``(ceil(height / CELL), ceil(width / CELL))``. ``breadth`` widens all limbs."""
    mask = np.zeros((-(-height // CELL), -(-width // CELL)), np.bool_)
    points, unit = body[:, :2] * (height / CELL), trunk_length(body) * breadth * height / CELL
    for start, end, radius in CAPSULES:
        _add_capsule(mask, points[start], points[end], radius * unit)
    for share in ACROSS_TRUNK:
        top, bottom = ((1 - share) * points[a] + share * points[b] for a, b in (SHOULDERS, HIPS))
        _add_capsule(mask, top, bottom, TRUNK_RADIUS * unit)
    head = 0.6 * points[list(EARS)].mean(axis=0) + 0.4 * points[NOSE]
    _add_capsule(mask, head, head, HEAD_RADIUS * unit)
    _add_capsule(mask, head, points[list(SHOULDERS)].mean(axis=0), NECK_RADIUS * unit)
    return mask


def _add_capsule(mask: Mask, start: FloatArray, end: FloatArray, radius: float) -> None:
    low, high = np.minimum(start, end) - radius, np.maximum(start, end) + radius
    left, top = np.clip(np.floor(low).astype(int), 0, mask.shape[::-1])
    right, bottom = np.clip(np.ceil(high).astype(int) + 1, 0, mask.shape[::-1])
    y, x = np.mgrid[top:bottom, left:right]
    way = end - start
    along = ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / max(float(way @ way), 1e-9)
    along = np.clip(along, 0, 1)
    apart = (x - start[0] - along * way[0]) ** 2 + (y - start[1] - along * way[1]) ** 2
    mask[top:bottom, left:right] |= apart <= radius * radius


def without(picture: Picture, mask: Mask) -> Picture:
    """A copy of the picture in whose masked cells the usual colour of all others stands."""
    height, width, _ = picture.shape
    others = picture[::CELL, ::CELL][~mask]
    copy = picture.copy()
    wide = mask.repeat(CELL, axis=0).repeat(CELL, axis=1)[:height, :width]
    copy[wide] = np.median(others, axis=0) if len(others) else 128
    return copy


def trunk_length(body: FloatArray) -> float:
    """From shoulders to hips in image heights, or as long as the legs let expect."""
    trunk = np.linalg.norm(body[SHOULDERS, :2].mean(axis=0) - body[HIPS, :2].mean(axis=0))
    leg = np.linalg.norm(body[HIPS, :2] - body[ANKLES, :2], axis=1).mean()
    return max(float(trunk), float(leg) * LEG_PER_TRUNK, 1e-3)


def apart(one: FloatArray, other: FloatArray) -> float:
    """Mean way between shoulders, hips, knees and ankles, in lengths of the longer trunk: 0 for the same body twice.

    With left taken for right where that is nearer.
    """
    ways = (_mean_way(one[JOINTS, :2], other[joints, :2]) for joints in (JOINTS, JOINTS_MIRRORED))
    return min(ways) / max(trunk_length(one), trunk_length(other))


def _mean_way(points: FloatArray, others: FloatArray) -> float:
    return float(np.linalg.norm(points - others, axis=1).mean())


@dataclass(frozen=True, slots=True)
class Fit:
    """How the body in metres lies upon the body in the picture.

    ``scale``  image heights per metre
    ``misfit`` what is left of the body in the picture, as a share of its spread: 0 … 1
    """

    scale: float
    misfit: float


def fit(body: FloatArray) -> Fit:
    """The network tells picture and metres apart from each other; they agree where it saw a body."""
    metres = body[:, 2:4] - body[:, 2:4].mean(axis=0)
    picture = body[:, :2] - body[:, :2].mean(axis=0)
    scale = float((metres * picture).sum() / max(float((metres**2).sum()), 1e-9))
    left = ((picture - scale * metres) ** 2).sum() / max(float((picture**2).sum()), 1e-9)
    return Fit(scale, float(np.sqrt(left)))


def colours(picture: Picture, body: FloatArray) -> FloatArray:
    """``(6,)`` red, green and blue of the trunk, then of the thighs, 0 … 1.

    NaN where trunk or thighs lie outside the picture.
    """
    trunk = TRUNK_PLACES @ body[[*SHOULDERS, *HIPS], :2]
    hips, knees = body[HIPS, None, :2], body[KNEES, None, :2]
    thighs = (hips + THIGH_PLACES * (knees - hips)).reshape(-1, 2)
    return np.concatenate([_mean_colour(picture, trunk), _mean_colour(picture, thighs)])


def _mean_colour(picture: Picture, places: FloatArray) -> FloatArray:
    height, width, _ = picture.shape
    x, y = np.floor(places.T * height).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return picture[y[inside], x[inside]].mean(axis=0) / 255 if inside.any() else np.full(3, np.nan)
