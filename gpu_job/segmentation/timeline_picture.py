"""``timeline.png``: a dance on paper. Figures, moves, the boundary curve, the music's beats, the time.

Drawn a row at a time, so that ten minutes need no more memory than a quarter of one.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gpu_job.drawing import (
    FAINT,
    GREY,
    INK,
    MOVE_COLOURS,
    PAPER,
    Body,
    Colour,
    Sheet,
    clock,
    draw_body,
    fitting,
    mixed,
    placed,
    text_width,
    wrapped,
)
from gpu_job.segmentation.grid import times_of
from gpu_job.segmentation.motion import seen_image
from gpu_job.segmentation.moves import Move, Segmentation
from gpu_job.titles import UNKNOWN, UNSEEN
from shared.features import HIPS, SHOULDERS, PoseFeatures
from shared.timeline import FloatArray, IntArray, Segment

WIDTH, MARGIN = 1200, 40
MAX_ROW_S = 15.0  # nearly four 8-counts: a move of four counts still has room for its name
_MIN_ROW_S = 4.0
_HEADER_HEIGHT, _ROW_HEIGHT, _NOTICE_HEIGHT = 124, 382, 36
_TITLE, _FACTS, _DETAIL, _NOTE = 40, 23, 17, 18  # heights of letters
_NAMES = (24, 20, 17)  # of a move's name: the largest with room for it
_LEAST_OF_A_NAME = 4  # letters: fewer tell nobody which it is

# Heights within a row, from its top.
_FIGURES_TOP, _FIGURES_BOTTOM = 10, 164
_BAR_TOP, _BAR_BOTTOM = 176, 244
_CURVE_TOP, _CURVE_BOTTOM = 258, 326
_BEATS_TOP, _BEATS_BOTTOM = 329, 344
_SECONDS_TOP = 349

_CURVE_COLOUR: Colour = (84, 80, 140)
_ONSET_COLOUR: Colour = (214, 209, 200)
_UNSEEN_COLOUR: Colour = (190, 187, 182)
_FIGURE_SPACING = 82  # units that a figure needs for itself
_POSE_SEARCH_S = 0.4  # a figure may be taken from so far away where the dancer is out of sight


def timeline_png(segmentation: Segmentation, pose: PoseFeatures) -> bytes:
    """The picture as PNG, :data:`WIDTH` pixels wide; a row for every :data:`MAX_ROW_S` seconds or less."""
    rows = _rows(float(max(segmentation.moves[-1].end_s, times_of(pose)[-1] + 1 / pose.rate_hz)))
    notices = wrapped([notice.message for notice in segmentation.warnings], WIDTH - 2 * MARGIN, _NOTE)
    height = _HEADER_HEIGHT + len(rows) * _ROW_HEIGHT + len(notices) * _NOTICE_HEIGHT + MARGIN // 2
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    picture.paste(_header(segmentation, rows[-1].end_s), (0, 0))
    figures = _Figures.of(pose)
    for number, span in enumerate(rows):
        row = _Row(Sheet(WIDTH, _ROW_HEIGHT), span, rows[0].duration_s)
        _draw_row(row, segmentation, figures)
        picture.paste(row.sheet.finished(), (0, _HEADER_HEIGHT + number * _ROW_HEIGHT))
    picture.paste(_notes(notices), (0, _HEADER_HEIGHT + len(rows) * _ROW_HEIGHT))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """A stretch of time on a sheet of its own; all rows have the scale of a full one."""

    sheet: Sheet
    span: Segment
    full_s: float

    @property
    def units_per_s(self) -> float:
        return (WIDTH - 2 * MARGIN) / self.full_s

    def x(self, time_s: float) -> float:
        return MARGIN + (time_s - self.span.start_s) * self.units_per_s

    def shown(self, times_s: FloatArray) -> FloatArray:
        """Those of the times that are in this row, its end included."""
        return times_s[(times_s >= self.span.start_s) & (times_s <= self.span.end_s)]


@dataclass(frozen=True, slots=True, eq=False)
class _Figures:
    """The dancer, ready to be drawn at any time: ``unit`` on the sheet per image height."""

    image: FloatArray
    rows: IntArray
    rows_s: FloatArray
    unit: float
    torso: float

    @classmethod
    def of(cls, pose: PoseFeatures) -> _Figures:
        image = seen_image(pose)
        hips, shoulders = (image[:, list(pair)].mean(axis=1) for pair in (HIPS, SHOULDERS))
        torsos = np.linalg.norm(shoulders - hips, axis=1)
        rows = np.flatnonzero(np.isfinite(torsos))
        torso = float(np.median(torsos[rows])) if len(rows) else 1.0
        # A standing body with its arms up is about five torsos high.
        unit = (_FIGURES_BOTTOM - _FIGURES_TOP) / (5.0 * max(torso, 1e-6))
        return cls(image, rows, times_of(pose)[rows], unit, torso * unit)

    def at(self, time_s: float, x: float) -> Body | None:
        """The body nearest to a time, its hips above ``x``; None where it is out of sight."""
        if not len(self.rows):
            return None
        nearest = int(np.argmin(np.abs(self.rows_s - time_s)))
        if abs(self.rows_s[nearest] - time_s) > _POSE_SEARCH_S:
            return None
        hips_y = _FIGURES_BOTTOM - 0.47 * (_FIGURES_BOTTOM - _FIGURES_TOP)
        return Body(placed(self.image[self.rows[nearest]], (x, hips_y), self.unit), self.torso)


def _rows(duration_s: float) -> list[Segment]:
    """The recording in rows of equal length."""
    count = max(1, math.ceil(duration_s / MAX_ROW_S - 1e-6))
    row_s = max(_MIN_ROW_S, duration_s / count)
    return [Segment(i * row_s, max(min((i + 1) * row_s, duration_s), i * row_s)) for i in range(count)]


def _draw_row(row: _Row, segmentation: Segmentation, figures: _Figures) -> None:
    _draw_curves(row, segmentation)
    _draw_beats(row, segmentation)
    _draw_seconds(row)
    for move in segmentation.moves:
        if piece := move.segment & row.span:
            _draw_bar(row, move, piece)
            _draw_figures(row, move, piece, figures)


def _draw_bar(row: _Row, move: Move, piece: Segment) -> None:
    left, right = row.x(piece.start_s) + 1.5, row.x(piece.end_s) - 1.5
    if right - left < 1:
        return
    row.sheet.box((left, _BAR_TOP), (right, _BAR_BOTTOM), colour_of(move.letter), min(9.0, (right - left) / 2))
    room = right - left - 16
    name, size = _name(move, room)
    row.sheet.text((left + 10, 196), name, PAPER, size, anchor="lm", weight=0.5)
    row.sheet.text((left + 10, _lifted(215)), _subtitle(move, room), PAPER, _DETAIL)


def _lifted(y: float) -> float:
    """Text is placed by the top of its line, which is above that of its letters."""
    return y - 3


def _name(move: Move, room: float) -> tuple[str, float]:
    """What a move is called, and how large there is room for it; the beginning of it where the bar is narrow, and
    only its letter where it is very narrow."""
    sizes = [size for size in _NAMES if text_width(move.title, size) <= room]
    if sizes:
        return move.title, sizes[0]
    begun = [f"{move.title[:end].rstrip()}…" for end in range(len(move.title) - 1, _LEAST_OF_A_NAME - 1, -1)]
    short = fitting(begun if _is_named(move) else [], room, _NAMES[-1])
    return (short, _NAMES[-1]) if short else (fitting([move.letter], room, _NAMES[0]), _NAMES[0])


def _subtitle(move: Move, room: float) -> str:
    """Letter, counts and times, as far as there is room for them."""
    letter = f"{move.letter}  ·  " if _is_named(move) else ""
    times = f"{clock(move.start_s, 1)} - {clock(move.end_s, 1)}"
    if move.counts is None:
        return fitting([f"{letter}{times}", times, clock(move.start_s, 1)], room, _DETAIL)
    number = f"{move.counts:g}"
    counts = f"{number} counts" if move.counts != 1 else "1 count"
    choices = [f"{letter}{counts}  ·  {times}", f"{letter}{counts}", f"{letter}{number}", number]
    return fitting(choices, room, _DETAIL)


def _is_named(move: Move) -> bool:
    """Whether its letter is not already its title."""
    return move.label not in (UNKNOWN, UNSEEN)


def _draw_figures(row: _Row, move: Move, piece: Segment, figures: _Figures) -> None:
    """The move's first and middle pose, where most of it is; the first one paler."""
    if piece.duration_s * 2 < move.segment.duration_s - 1e-6 or not move.letter:
        return
    left, right = row.x(piece.start_s), row.x(piece.end_s)
    colour = colour_of(move.letter)
    if right - left >= 2 * _FIGURE_SPACING:
        quarter = min((right - left) / 4, 1.2 * _FIGURE_SPACING)
        middle = (left + right) / 2
        _draw_figure(row.sheet, figures.at(move.start_s, middle - quarter), mixed(colour, PAPER, 0.55))
        _draw_figure(row.sheet, figures.at(move.segment.middle_s, middle + quarter), colour)
    elif right - left >= _FIGURE_SPACING / 2:
        _draw_figure(row.sheet, figures.at(move.segment.middle_s, (left + right) / 2), colour)


def _draw_figure(sheet: Sheet, body: Body | None, colour: Colour) -> None:
    if body is None:
        return
    feet = body.points[27:33]
    if np.isfinite(feet).all():
        floor = (float(feet[:, 0].mean()), float(feet[:, 1].max()) + 2)
        sheet.ellipse(floor, (0.75 * body.torso, 0.1 * body.torso), FAINT)
    draw_body(sheet, body, colour)


def _draw_curves(row: _Row, segmentation: Segmentation) -> None:
    curves = segmentation.curves
    inside = (curves.time_s >= row.span.start_s) & (curves.time_s <= row.span.end_s)
    xs = np.array([row.x(float(time_s)) for time_s in curves.time_s[inside]])
    ground = float(_CURVE_BOTTOM)
    row.sheet.line([(xs.min(initial=MARGIN), ground), (xs.max(initial=MARGIN), ground)], FAINT)
    for x, strength in zip(xs, curves.onset[inside], strict=True):
        if strength > 0.02:
            row.sheet.line([(x, ground), (x, _height(strength))], _ONSET_COLOUR, 1.6)
    outline = [(float(x), _height(p)) for x, p in zip(xs, curves.boundary_probability[inside], strict=True)]
    if len(outline) > 1:
        row.sheet.area([(outline[0][0], ground), *outline, (outline[-1][0], ground)], mixed(_CURVE_COLOUR, PAPER, 0.72))
        row.sheet.line(outline, _CURVE_COLOUR, 2.0)


def _height(share: float) -> float:
    return _CURVE_BOTTOM - float(share) * (_CURVE_BOTTOM - _CURVE_TOP)


def _draw_beats(row: _Row, segmentation: Segmentation) -> None:
    for beat_s in row.shown(segmentation.beats.beats_s):
        row.sheet.line([(row.x(beat_s), _BEATS_TOP), (row.x(beat_s), _BEATS_TOP + 7)], GREY, 1.5)
    for downbeat_s in row.shown(segmentation.beats.downbeats_s):
        row.sheet.line([(row.x(downbeat_s), _BEATS_TOP), (row.x(downbeat_s), _BEATS_BOTTOM)], INK, 2.5)


def _draw_seconds(row: _Row) -> None:
    step_s = 1 if row.full_s <= 8 else 2
    for second in row.shown(np.arange(math.ceil(row.span.start_s), math.floor(row.span.end_s) + 1.0)):
        if second % step_s == 0:
            row.sheet.text((row.x(second), _lifted(_SECONDS_TOP + 2)), clock(second), GREY, _DETAIL, anchor="ma")


def _header(segmentation: Segmentation, duration_s: float) -> Image.Image:
    sheet = Sheet(WIDTH, _HEADER_HEIGHT)
    danced = [move.letter for move in segmentation.moves if move.letter]
    kinds = len(set(danced))
    moves = f"{len(danced)} moves" if len(danced) != 1 else "1 move"
    sheet.text((MARGIN, 20), moves, INK, _TITLE, weight=0.8)
    facts = [f"{kinds} different" if kinds != 1 else "all alike"] if len(danced) > 1 else []
    facts += [f"{segmentation.tempo_bpm:.0f} BPM"] if segmentation.tempo_bpm else ["no beat found"]
    facts += [clock(duration_s)]
    sheet.text((MARGIN + text_width(moves, _TITLE) + 26, 35), "   ·   ".join(facts), GREY, _FACTS)
    _draw_legend(sheet)
    return sheet.finished()


def _draw_legend(sheet: Sheet) -> None:
    x, y = float(MARGIN), 94
    for words, colour, width in (
        ("how likely a move ends and the next begins", _CURVE_COLOUR, 3.0),
        ("sound", _ONSET_COLOUR, 8.0),
        ("beats, the 1 of each bar longer", INK, 2.5),
    ):
        sheet.line([(x, y), (x + 20, y)] if width == 3.0 else [(x + 10, y - 7), (x + 10, y + 7)], colour, width)
        sheet.text((x + 28, y), words, GREY, _DETAIL, anchor="lm")
        x += 28 + text_width(words, _DETAIL) + 30


def _notes(lines: Sequence[str]) -> Image.Image:
    sheet = Sheet(WIDTH, max(1, len(lines) * _NOTICE_HEIGHT))
    for number, line in enumerate(lines):
        sheet.text((MARGIN, (number + 0.5) * _NOTICE_HEIGHT), line, GREY, _NOTE, anchor="lm")
    return sheet.finished()


def colour_of(letter: str) -> Colour:
    """The colour of a move's letter; after the tenth lighter, then darker shades. Grey where there is none."""
    if not letter:
        return _UNSEEN_COLOUR
    place = 0
    for sign in letter:
        place = place * 26 + ord(sign) - ord("A") + 1
    cycle, number = divmod(place - 1, len(MOVE_COLOURS))
    shade, share = ((PAPER, 0.0), (INK, 0.3), (PAPER, 0.3))[cycle % 3]
    return mixed(MOVE_COLOURS[number], shade, share)
