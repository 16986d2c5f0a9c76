"""A sheet to draw on, in its own units, and a stick figure. Edges come out smooth: everything is drawn
larger and scaled down. Knows colours, lines and bodies, not what they are for.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from shared.features import EARS, HIPS, NOSE, SHOULDERS
from shared.timeline import FloatArray

Colour = tuple[int, int, int]
Point = tuple[float, float]

PAPER: Colour = (250, 248, 244)
INK: Colour = (43, 42, 51)
GREY: Colour = (137, 134, 143)
FAINT: Colour = (226, 222, 215)

# Calm, and apart from one another also for most who see colours differently.
MOVE_COLOURS: tuple[Colour, ...] = (
    (62, 132, 138), (222, 124, 96), (92, 107, 178), (208, 160, 66), (129, 170, 128),
    (156, 104, 150), (103, 160, 204), (204, 124, 142), (146, 148, 82), (112, 124, 148),
)  # fmt: skip

_OVERSAMPLING = 2
_LIMBS = ((11, 13), (13, 15), (12, 14), (14, 16), (23, 25), (25, 27), (24, 26), (26, 28), (27, 31), (28, 32))
_TRUNK = (11, 12, 24, 23)
_HEAD_TORSOS = 0.21  # radius
_LIMB_TORSOS = 0.13  # width


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """``share`` of the other colour in this one: on paper, what a translucent ink looks like."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


class Sheet:
    """Paper of ``width`` × ``height`` units; a unit becomes a pixel."""

    def __init__(self, width: int, height: int, paper: Colour = PAPER) -> None:
        self._large = Image.new("RGB", (width * _OVERSAMPLING, height * _OVERSAMPLING), paper)
        self._draw = ImageDraw.Draw(self._large)

    def finished(self) -> Image.Image:
        return self._large.reduce(_OVERSAMPLING)

    def line(self, points: Sequence[Point], colour: Colour, width: float = 1.0, *, rounded: bool = False) -> None:
        scaled = _scaled(points)
        self._draw.line(scaled, fill=colour, width=max(1, round(width * _OVERSAMPLING)), joint="curve")
        if rounded:
            for x, y in scaled:
                self._dot(x, y, width * _OVERSAMPLING / 2, colour)

    def area(self, points: Sequence[Point], colour: Colour) -> None:
        if len(points) > 2:
            self._draw.polygon(_scaled(points), fill=colour)

    def box(self, corner: Point, opposite: Point, colour: Colour, radius: float = 0.0) -> None:
        self._draw.rounded_rectangle(_scaled([corner, opposite]), radius * _OVERSAMPLING, fill=colour)

    def ellipse(self, centre: Point, radii: Point, colour: Colour) -> None:
        (x, y), (rx, ry) = centre, radii
        self._draw.ellipse(_scaled([(x - rx, y - ry), (x + rx, y + ry)]), fill=colour)

    def text(
        self, at: Point, words: str, colour: Colour, size: float, *, anchor: str = "la", weight: float = 0.0
    ) -> None:
        """Words at a point; ``anchor`` as Pillow has it, ``weight`` in units thickens the strokes."""
        (place,) = _scaled([at])
        self._draw.text(
            place, words, fill=colour, font=_font(size), anchor=anchor,
            stroke_width=weight * _OVERSAMPLING, stroke_fill=colour,
        )  # fmt: skip

    def _dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self._draw.ellipse([(x - radius, y - radius), (x + radius, y + radius)], fill=colour)


def text_width(words: str, size: float) -> float:
    """How wide words are, in units."""
    return _font(size).getlength(words) / _OVERSAMPLING


def fitting(choices: Sequence[str], room: float, size: float) -> str:
    """The first of the choices that is no wider than the room; nothing where none is."""
    return next((words for words in choices if text_width(words, size) <= room), "")


def wrapped(messages: Sequence[str], room: float, size: float) -> list[str]:
    """Messages in lines that are no wider than the room, as far as their words allow."""
    lines: list[str] = []
    for message in messages:
        line = ""
        for word in message.split():
            longer = f"{line} {word}".strip()
            if line and text_width(longer, size) > room:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def clock(time_s: float, digits: int = 0) -> str:
    """75.25 → 1:15, or 1:15.3 with one digit."""
    ticks = round(time_s * 10**digits)
    minutes, rest = divmod(ticks, 60 * 10**digits)
    return f"{minutes}:{rest / 10**digits:0{digits + 3 if digits else 2}.{digits}f}"


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A pose to draw: ``points`` ``(33, 2)`` in units of the sheet, NaN where unseen; ``torso`` its scale."""

    points: FloatArray
    torso: float


def draw_body(sheet: Sheet, body: Body, colour: Colour, *, breadth: float = 1.0, filled: bool = True) -> None:
    """A stick figure of what is seen of a body. ``breadth`` of its usual one; the trunk an outline or ``filled``."""
    trunk = [body.points[i] for i in _TRUNK]
    if all(np.isfinite(point).all() for point in trunk):
        outline = [_point(point) for point in trunk]
        if filled:
            sheet.area(outline, colour)
        sheet.line([*outline, outline[0]], colour, _width(body, breadth), rounded=True)
    draw_bones(sheet, body, _LIMBS, colour, breadth=breadth)
    draw_head(sheet, body, colour, breadth=breadth)


def draw_bones(
    sheet: Sheet, body: Body, bones: Sequence[tuple[int, int]], colour: Colour, *, breadth: float = 1.0
) -> None:
    """Those of the bones, from landmark to landmark, both of whose ends are seen."""
    for start, end in bones:
        if np.isfinite(body.points[[start, end]]).all():
            ends = [_point(body.points[start]), _point(body.points[end])]
            sheet.line(ends, colour, _width(body, breadth), rounded=True)


def placed(points: FloatArray, hips_at: Point, unit: float) -> FloatArray:
    """Landmarks moved and scaled so that the middle of the hips lies at a point; ``unit`` per image height."""
    return (points - points[list(HIPS)].mean(axis=0)) * unit + np.array(hips_at)


def draw_head(sheet: Sheet, body: Body, colour: Colour, *, breadth: float = 1.0) -> None:
    """Head and neck, where they are seen."""
    ears = body.points[list(EARS)].mean(axis=0)
    centre = ears if np.isfinite(ears).all() else body.points[NOSE]
    if np.isfinite(centre).all():
        radius = body.torso * _HEAD_TORSOS * (0.5 + breadth / 2)
        neck = body.points[list(SHOULDERS)].mean(axis=0)
        if np.isfinite(neck).all():
            sheet.line([_point(neck), _point(centre)], colour, _width(body, breadth))
        sheet.ellipse(_point(centre), (radius, radius * 1.15), colour)


def _width(body: Body, breadth: float) -> float:
    return max(2.0, body.torso * _LIMB_TORSOS * breadth)


def _point(xy: FloatArray) -> Point:
    return float(xy[0]), float(xy[1])


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]


@functools.cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size * _OVERSAMPLING)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType and has no font that scales")
    return font
