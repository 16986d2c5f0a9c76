"""Draws a dancer on a dance floor: rounded, shaded limbs, back to front.

This is the one module outside the pose function that uses OpenCV, for its anti-aliased polygons. It
knows no moves and no music. All outlines are in image heights until they are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from infra.local.sample.dancer import Camera
from infra.local.sample.skeleton import Figure
from infra.local.sample.stage import Picture, empty_stage
from shared.timeline import FloatArray

Colour = tuple[int, int, int]  # blue, green, red
Pixels = npt.NDArray[np.int32]

SUBPIXEL_BITS = 4  # polygons are placed to a sixteenth of a pixel
ROUND_POINTS = 10  # of each half circle around a limb
FRAMES_AT_ONCE = 64  # outlines of that many frames are computed together: fast, and little memory

# A rounded piece is drawn as a nest of outlines, from its shaded rim to where the light falls.
TO_LIGHT = np.array([-0.62, -0.42])  # where the nest leans to, in parts of the breadth taken away
LIMB_SHADES = 6
LARGE_SHADES = 10  # on the trunk and the head, where steps would be seen

SKIN: Colour = (126, 162, 214)
NOSE: Colour = (100, 130, 172)
HAIR: Colour = (36, 44, 66)
SHIRT: Colour = (70, 62, 204)
TROUSERS: Colour = (112, 72, 46)
SHOES: Colour = (206, 218, 226)
WHITE: Colour = (246, 246, 246)
DARK: Colour = (34, 30, 38)
LIPS: Colour = (92, 84, 184)

# Points of the body beside its 33 landmarks.
NECK, SKULL, WAIST, PELVIS, SLEEVE, FINGERS = 33, 34, 35, 36, 37, 39  # the last two once a side


@dataclass(frozen=True, slots=True)
class Bone:
    """A rounded stretch from one point of the body to another, with its radius at both ends."""

    start: int
    end: int
    start_m: float
    end_m: float


@dataclass(frozen=True, slots=True)
class Limb:
    """Bones that are drawn as one, without a seam.

    ``nearer_m`` puts it that much nearer to the viewer than it is, where two pieces touch.
    """

    bones: tuple[Bone, ...]
    colour: Colour
    nearer_m: float


def _leg_of(side: int) -> tuple[Limb, Limb]:
    """Shoe and trouser leg of the left (0) or right (1) side. The trunk is drawn over both."""
    hip, knee, ankle, heel, toe = 23 + side, 25 + side, 27 + side, 29 + side, 31 + side
    leg = (Bone(hip, knee, 0.080, 0.060), Bone(knee, ankle, 0.060, 0.043))
    return Limb((Bone(heel, toe, 0.034, 0.030),), SHOES, -0.30), Limb(leg, TROUSERS, -0.20)


def _arm_of(side: int) -> tuple[Limb, Limb]:
    """Bare arm and sleeve of the left (0) or right (1) side. Hanging, both are drawn over the trunk."""
    shoulder, elbow, wrist, thumb, sleeve = 11 + side, 13 + side, 15 + side, 21 + side, SLEEVE + side
    arm = (Bone(sleeve, elbow, 0.044, 0.036), Bone(elbow, wrist, 0.036, 0.026))
    hand = (Bone(wrist, FINGERS + side, 0.029, 0.022), Bone(wrist, thumb, 0.016, 0.012))
    return Limb((*arm, *hand), SKIN, 0.06), Limb((Bone(shoulder, sleeve, 0.053, 0.049),), SHIRT, 0.06)


THROAT = Bone(NECK, SKULL, 0.052, 0.046)
BEFORE_THE_SLEEVE_M = 0.18  # a hand that far in front of its shoulder may hide the sleeve

# Cross-sections of the trunk: height along the spine (0 at the hips, 1 between the shoulders), then
# half its width and half its depth.
TRUNK_M = np.array([
    (-0.24, 0.020, 0.050), (-0.16, 0.085, 0.085), (-0.06, 0.155, 0.105), (0.03, 0.184, 0.112), (0.18, 0.168, 0.106),
    (0.44, 0.130, 0.092), (0.70, 0.154, 0.110), (0.90, 0.178, 0.100), (1.00, 0.176, 0.080), (1.07, 0.140, 0.065),
    (1.13, 0.080, 0.058), (1.16, 0.055, 0.050),
])  # fmt: skip
BELT = 0.17  # where the shirt ends

SKULL_M = np.array([0.079, 0.116, 0.094])  # half its width, height and depth
HAIR_M = np.array([0.089, 0.106, 0.102])
HAIR_OFFSET_M = (0.022, -0.012)  # up and front of the skull: the chin is bare
BUN_OFFSET_M = (0.065, -0.095)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A nest of outlines that is drawn as one, over T frames.

    ``depth``    ``(T,)`` metres from the middle of the stage, away from the viewer
    ``outlines`` S of them, ``(T, N, 2)`` image heights each
    ``colours``  S of them
    ``shown``    ``(T,)`` whether it is drawn
    """

    depth: FloatArray
    outlines: Sequence[FloatArray]
    colours: Sequence[Colour]
    shown: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The points of the body, seen. ``stage`` ``(T, P, 3)``, ``image`` ``(T, P, 2)``, ``scale`` ``(T, P)``."""

    stage: FloatArray
    image: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, figure: Figure, camera: Camera) -> Points:
        joints = figure.joints
        neck, pelvis = joints[:, 11:13].mean(axis=1), joints[:, 23:25].mean(axis=1)
        sleeves = 0.45 * joints[:, 11:13] + 0.55 * joints[:, 13:15]
        fingers = (joints[:, 17:19] + joints[:, 19:21]) / 2
        extra = np.stack([neck, figure.skull, figure.waist, pelvis], axis=1)
        stage = np.concatenate([joints, extra, sleeves, fingers], axis=1)
        return cls(stage, camera.project(stage), camera.scale(stage))


@dataclass(frozen=True, slots=True)
class Painter:
    """Paints frames of one size. ``height`` is the unit of the outlines."""

    width: int
    height: int
    camera: Camera

    @classmethod
    def of_size(cls, width: int, height: int) -> Painter:
        return cls(width, height, Camera(width / height))

    def frames(self, figure: Figure) -> Iterator[Picture]:
        """One ``(height, width, 3)`` BGR picture for each instant of the figure."""
        stage = empty_stage(self.width, self.height, self.camera)
        for first in range(0, len(figure), FRAMES_AT_ONCE):
            part = figure[first : first + FRAMES_AT_ONCE]
            points = Points.of(part, self.camera)
            pieces = [*_legs(points), *_arms(points), *_trunk(points), *_head(part, points)]
            outlines = [[self._pixels(outline) for outline in piece.outlines] for piece in pieces]
            for row in range(len(part)):
                picture = stage.copy()
                self._cast_shadow(picture, points.stage[row, 27:33])
                _draw(picture, pieces, outlines, row)
                yield picture

    @staticmethod
    def for_codec(picture: Picture) -> Picture:
        """BGR → planar YUV 4:2:0, as encoders take it. ``(height * 3 / 2, width)``."""
        return cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).astype(np.uint8, copy=False)

    def _pixels(self, outlines: FloatArray) -> Pixels:
        """Image heights → OpenCV's fixed-point pixels, whose whole numbers are pixel centres."""
        return np.rint((outlines * self.height - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32)

    def _cast_shadow(self, picture: Picture, feet: FloatArray) -> None:
        """Darken the floor around the feet. ``feet`` ``(6, 3)`` stage metres."""
        middle = feet.mean(axis=0) * [1, 0, 1]
        reach_m = np.abs(feet - middle).max(axis=0)[[0, 2]] + [0.22, 0.16]
        corners = middle + np.array([[-1, 0, 1], [1, 0, -1]]) * [reach_m[0], 0, reach_m[1]]
        (left, top), (right, bottom) = np.rint(self.camera.project(corners) * self.height).astype(int)
        _darken(picture, max(left, 0), max(top, 0), right, bottom)


def _darken(picture: Picture, left: int, top: int, right: int, bottom: int) -> None:
    """A soft shadow that fills the rectangle."""
    floor = picture[top:bottom, left:right]
    if not floor.size:
        return
    down, across = (np.linspace(-1, 1, n, dtype=np.float32) for n in floor.shape[:2])
    light = 1 - 0.5 * np.clip(1 - np.hypot(down[:, None], across), 0, 1)
    floor[:] = floor * light[..., None]


def _draw(picture: Picture, pieces: Sequence[Piece], outlines: Sequence[Sequence[Pixels]], row: int) -> None:
    """Fill the outlines of one frame, the farthest piece first."""
    for number in sorted(range(len(pieces)), key=lambda number: -pieces[number].depth[row]):
        if pieces[number].shown[row]:
            for outline, colour in zip(outlines[number], pieces[number].colours, strict=True):
                cv2.fillPoly(picture, [outline[row]], colour, cv2.LINE_AA, SUBPIXEL_BITS)


def _shaded(colour: Colour, steps: int, rim: float = 0.62) -> tuple[Colour, ...]:
    """The colour from its shaded rim to where the light falls."""
    light = rim + (1.08 - rim) * np.sin(np.pi / 2 * np.linspace(0, 1, steps))
    return tuple(_lit(colour, float(part)) for part in light)


def _lit(colour: Colour, light: float) -> Colour:
    blue, green, red = colour
    return min(int(blue * light), 255), min(int(green * light), 255), min(int(red * light), 255)


def _always(depth: FloatArray) -> npt.NDArray[np.bool_]:
    return np.ones(len(depth), bool)


def _legs(points: Points) -> Iterator[Piece]:
    return (_limb(limb, points) for side in (0, 1) for limb in _leg_of(side))


def _arms(points: Points) -> Iterator[Piece]:
    for side in (0, 1):
        arm, sleeve = (_limb(limb, points) for limb in _arm_of(side))
        in_front_m = points.stage[:, 11 + side, 2] - points.stage[:, 15 + side, 2]
        covered = np.maximum(arm.depth, sleeve.depth + 0.001)
        yield replace(arm, depth=np.where(in_front_m < BEFORE_THE_SLEEVE_M, covered, arm.depth))
        yield sleeve


def _limb(limb: Limb, points: Points) -> Piece:
    nests = [_capsule(bone, points) for bone in limb.bones]
    # Shade by shade over all bones: so the shading runs on where they join.
    outlines = [nest[:, step] for step in range(LIMB_SHADES) for nest in nests]
    colours = [colour for colour in _shaded(limb.colour, LIMB_SHADES) for _ in nests]
    ends = [end for bone in limb.bones for end in (bone.start, bone.end)]
    depth = points.stage[:, ends, 2].mean(axis=1) - limb.nearer_m
    return Piece(depth, outlines, colours, _always(depth))


def _capsule(bone: Bone, points: Points) -> FloatArray:
    """Nested outlines around a bone. ``(T, S, N, 2)``."""
    ends, radii = points.image[:, [bone.start, bone.end]], points.scale[:, [bone.start, bone.end]]
    radii = radii * [bone.start_m, bone.end_m]
    along = ends[:, 1] - ends[:, 0]
    angle = np.arctan2(along[:, 1], along[:, 0])[:, None] + np.linspace(-np.pi / 2, np.pi / 2, ROUND_POINTS)
    half = np.stack([np.cos(angle), np.sin(angle)], axis=2)
    rim = np.concatenate([-half * radii[:, :1, None], half * radii[:, 1:, None]], axis=1)
    return _nested(np.repeat(ends, ROUND_POINTS, axis=1), rim, np.repeat(radii, ROUND_POINTS, axis=1))


def _nested(middle: FloatArray, rim: FloatArray, breadth: FloatArray, steps: int = LIMB_SHADES) -> FloatArray:
    """Outlines ``middle + rim``, shrunk step by step and leaning to the light. ``(T, N, 2)`` → ``(T, S, N, 2)``."""
    shrink = (1 - 0.75 * np.linspace(0, 1, steps) ** 1.3)[:, None, None]
    lean = (1 - shrink) * TO_LIGHT * breadth[:, None, :, None]
    return middle[:, None] + shrink * rim[:, None] + lean


def _trunk(points: Points) -> Iterator[Piece]:
    """The hips in trousers, the throat, and the shirt over both."""
    depth = points.stage[:, [PELVIS, NECK], 2].mean(axis=1)
    hips = _loft(points, np.linspace(TRUNK_M[0, 0], BELT + 0.05, 12))
    # A light rim: the hips run on into the legs below.
    yield _nest(depth + 0.02, hips, _shaded(TROUSERS, LARGE_SHADES, rim=0.85))
    yield _nest(depth + 0.01, _capsule(THROAT, points), _shaded(SKIN, LIMB_SHADES))
    yield _nest(depth, _loft(points, np.linspace(BELT, TRUNK_M[-1, 0], 22)), _shaded(SHIRT, LARGE_SHADES))


def _nest(depth: FloatArray, outlines: FloatArray, colours: Sequence[Colour]) -> Piece:
    """A piece of nested outlines ``(T, S, N, 2)``."""
    return Piece(depth, [outlines[:, step] for step in range(outlines.shape[1])], colours, _always(depth))


def _loft(points: Points, levels: FloatArray) -> FloatArray:
    """Nested outlines of the trunk between the levels, as wide as its cross-sections look from the viewer."""
    spine, tangent = _spine(points, levels)
    across = np.stack([tangent[..., 1], -tangent[..., 0]], axis=2)
    across /= np.maximum(np.linalg.norm(across, axis=2, keepdims=True), 1e-9)
    left, front = _trunk_axes(points, levels)
    width, depth = (np.interp(levels, TRUNK_M[:, 0], TRUNK_M[:, column]) for column in (1, 2))
    seen = np.hypot(width * (left[..., :2] * [1, -1] * across).sum(axis=2),
                    depth * (front[..., :2] * [1, -1] * across).sum(axis=2))  # fmt: skip
    half = seen * points.scale[:, [WAIST]]
    rim = across * half[..., None]
    both = [np.concatenate([a, b[:, ::-1]], axis=1) for a, b in ((spine, spine), (rim, -rim), (half, half))]
    return _nested(*both, steps=LARGE_SHADES)


def _spine(points: Points, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The parabola through pelvis, waist and neck in the picture, and its tangent. ``(T, L, 2)`` each."""
    pelvis, waist, neck = (points.image[:, [i]] for i in (PELVIS, WAIST, NECK))
    t = levels[:, None]
    place = pelvis * (1 - t) * (1 - 2 * t) + waist * 4 * t * (1 - t) + neck * t * (2 * t - 1)
    return place, pelvis * (4 * t - 3) + waist * (4 - 8 * t) + neck * (4 * t - 1)


def _trunk_axes(points: Points, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where left and front are at each level of the trunk, on the stage. ``(T, L, 3)`` each."""
    hips, shoulders = (points.stage[:, [i]] - points.stage[:, [i + 1]] for i in (23, 11))
    t = np.clip(levels, 0, 1)[:, None]
    left = _unit((1 - t) * _unit(hips) + t * _unit(shoulders))
    up = _unit(points.stage[:, [NECK]] - points.stage[:, [PELVIS]])
    return left, _unit(np.cross(np.broadcast_to(up, left.shape), left))


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """The head as an ellipsoid, seen. Places on it are unit vectors: left, up, front.

    ``middle``  ``(T, 2)`` and ``scale`` ``(T,)`` image heights (per metre)
    ``axes``    ``(T, 3, 3)`` its half axes as rows, in metres on the stage
    ``away``    ``(T, 3)`` a place is on the far side where its product with this is positive
    """

    middle: FloatArray
    scale: FloatArray
    axes: FloatArray
    away: FloatArray

    @classmethod
    def of(cls, figure: Figure, points: Points, half_m: FloatArray, offset_m: tuple[float, float] = (0, 0)) -> Ball:
        """A ball around the head's middle, or ``offset_m`` up and front of it."""
        axes = np.stack([figure.head.left, figure.head.up, figure.head.front], axis=1)
        scale = points.scale[:, SKULL]
        offset = offset_m[0] * figure.head.up + offset_m[1] * figure.head.front
        middle = points.image[:, SKULL] + scale[:, None] * offset[:, :2] * [1, -1]
        return cls(middle, scale, axes * half_m[:, None], _unit(axes[..., 2] / half_m))

    def at(self, places: FloatArray) -> FloatArray:
        """``(T, N, 3)`` or ``(N, 3)`` places → ``(T, N, 2)`` image heights."""
        return self.middle[:, None] + self.scale[:, None, None] * (places @ self.axes)[..., :2] * [1, -1]

    def patch(self, places: FloatArray) -> FloatArray:
        """The outline of a patch of the surface as far as it can be seen. ``(N, 3)`` → ``(T, N, 2)``."""
        hidden = np.maximum((places * self.away[:, None]).sum(axis=2, keepdims=True), 0)
        return self.at(_unit(places - hidden * self.away[:, None]))

    def silhouette(self) -> FloatArray:
        """``(T, N, 2)``."""
        seen = self.axes[..., :2] * [1, -1]
        spread = np.linalg.cholesky(np.swapaxes(seen, 1, 2) @ seen)
        angle = np.linspace(0, 2 * np.pi, 2 * ROUND_POINTS, endpoint=False)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return self.middle[:, None] + self.scale[:, None, None] * circle @ np.swapaxes(spread, 1, 2)

    def sees(self, place: Sequence[float]) -> npt.NDArray[np.bool_]:
        """``(T,)`` whether the place is well on the near side."""
        return self.away @ _unit(np.asarray(place)) < -0.12


def _head(figure: Figure, points: Points) -> Iterator[Piece]:
    """Hair, face, ears, eyes, brows, nose and mouth."""
    depth = points.stage[:, SKULL, 2] - 0.03
    hair = Ball.of(figure, points, HAIR_M, HAIR_OFFSET_M)
    bun = Ball.of(figure, points, np.full(3, 0.052), BUN_OFFSET_M)
    skull = Ball.of(figure, points, SKULL_M)
    behind_m = BUN_OFFSET_M[1] * figure.head.front[:, 2]
    yield _round(depth + behind_m, bun.silhouette(), bun, HAIR)
    yield _round(depth, hair.silhouette(), hair, HAIR)
    yield replace(_round(depth, skull.patch(_face_outline()), skull, SKIN), shown=skull.away[:, 2] < 0.75)
    for sign in (1, -1):
        yield from _features(skull, depth, sign)
    yield _spot(skull, depth, (0, -0.16, 1), _oval(0.09, 0.045), NOSE)
    yield _spot(skull, depth, (0, -0.46, 0.85), _smile(0.26, 0.055), LIPS)


def _features(skull: Ball, depth: FloatArray, sign: int) -> Iterator[Piece]:
    """One side of the face: ear, eye and brow."""
    yield _spot(skull, depth, (sign, 0.0, 0.06), _oval(0.12, 0.20), SKIN)
    eye = (0.42 * sign, 0.20, 0.85)
    yield _spot(skull, depth, eye, _oval(0.17, 0.085), WHITE)
    yield _spot(skull, depth, eye, _oval(0.085, 0.085), DARK)
    yield _spot(skull, depth, (0.42 * sign, 0.38, 0.80), _oval(0.20, 0.03) + _raised(0.20, 0.10 * sign), HAIR)


def _oval(half_width: float, half_height: float) -> FloatArray:
    """``(N, 2)`` in parts of the ball."""
    angle = np.linspace(0, 2 * np.pi, ROUND_POINTS + 2, endpoint=False)
    return np.stack([half_width * np.cos(angle), half_height * np.sin(angle)], axis=1)


def _raised(half_width: float, slope: float) -> FloatArray:
    """What lifts the end of an oval where the slope points to: the ball alone would let it droop."""
    across = _oval(half_width, 0.0)[:, 0]
    return np.stack([np.zeros_like(across), slope * across], axis=1)


def _smile(half_width: float, half_height: float) -> FloatArray:
    """A mouth whose corners are up."""
    mouth = _oval(half_width, half_height)
    return mouth + [0, 1] * (mouth[:, :1] / half_width) ** 2 * 0.13


def _round(depth: FloatArray, outline: FloatArray, ball: Ball, colour: Colour) -> Piece:
    """A rounded piece within an outline ``(T, N, 2)`` on a ball."""
    middle = outline.mean(axis=1, keepdims=True)
    breadth = np.repeat(0.07 * ball.scale[:, None], outline.shape[1], axis=1)
    nest = _nested(middle, outline - middle, breadth, LARGE_SHADES)
    return _nest(depth, nest, _shaded(colour, LARGE_SHADES))


def _spot(ball: Ball, depth: FloatArray, place: Sequence[float], outline: FloatArray, colour: Colour) -> Piece:
    """An outline ``(N, 2)`` laid on a ball at a place, where it can be seen."""
    flat = np.column_stack([outline, np.zeros(len(outline))])
    on_ball = ball.patch(_unit(_unit(np.asarray(place, float)) + flat))
    return Piece(depth, [on_ball], [colour], ball.sees(place))


def _face_outline() -> FloatArray:
    """The border of the face on the head: forehead, temples, cheeks and chin. ``(N, 3)`` places."""
    angle = np.linspace(0, 2 * np.pi, 2 * ROUND_POINTS, endpoint=False)
    reach = np.interp(np.sin(angle), [-1, -0.5, 0, 1], [1.75, 1.60, 1.25, 0.88])  # radians from the tip of the nose
    return np.stack([np.cos(angle) * np.sin(reach), np.sin(angle) * np.sin(reach), np.cos(reach)], axis=1)


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
