"""The frames of ``overlay.mp4``: where everything is, and how it is drawn. Knows no files and no time but a share.

A frame is 960 × 540 pixels, on paper. What changes seldom is drawn once and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from gpu_job.comparison import wording
from gpu_job.comparison.charts import places
from gpu_job.comparison.figures import STUDENT, TEACHER, Box, Stage, draw_pair
from gpu_job.comparison.findings import Bodies, Comparison
from gpu_job.drawing import FAINT, GREY, INK, MOVE_COLOURS, PAPER, Colour, Sheet, draw_body, mixed, text_width
from shared.media import Picture

WIDTH, HEIGHT = 960, 540
SCORE_COLOURS: dict[str, Colour] = {
    "low": (192, 69, 47), "mid": (201, 138, 27), "high": (47, 133, 120), "none": GREY,
}  # fmt: skip
_BAND_HEIGHT = 8  # of colour beneath the student
_CURVE_HEIGHT = 46  # with the moves, along the lower edge
_LOWEST = HEIGHT - _CURVE_HEIGHT
_MIDDLE_WIDTH = 240  # at least, for the figures between two pictures
_TALLEST_ABOVE = 300  # pictures above the figures
_CURVE_COLOUR: Colour = (84, 80, 140)
_NUMBER, _WORDS, _SMALL = 72, 24, 17  # heights of letters
_WORDS_SIZE = (230, 128)


@dataclass(frozen=True, slots=True)
class Patch:
    """A place on a frame, whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def lay(self, frame: Picture, picture: Picture) -> None:
        """Where the picture has another size, it is scaled into the middle."""
        scale = min(self.width / picture.shape[1], self.height / picture.shape[0])
        width, height = (max(1, round(scale * side)) for side in (picture.shape[1], picture.shape[0]))
        if (height, width) != picture.shape[:2]:
            picture = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
        x, y = self.x + (self.width - width) // 2, self.y + (self.height - height) // 2
        frame[y : y + height, x : x + width] = picture


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pictures, the figures and the words are."""

    teacher: Patch
    student: Patch
    figures: Patch
    score: Patch
    now: Patch

    @classmethod
    def of(cls, teacher_aspect: float, student_aspect: float) -> Layout:
        """Upright pictures have the figures between them, wide ones beneath: as it leaves them larger."""
        both = teacher_aspect + student_aspect
        between = min(_LOWEST - _BAND_HEIGHT, (WIDTH - _MIDDLE_WIDTH) / both)
        above = min(_TALLEST_ABOVE, WIDTH / both)
        widths = [max(2, int(aspect * max(between, above))) for aspect in (teacher_aspect, student_aspect)]
        return _between(int(between), widths) if between > above else _above(int(above), widths)


def _between(height: int, widths: Sequence[int]) -> Layout:
    y, (one, other) = (_LOWEST - _BAND_HEIGHT - height) // 2, widths
    room, words_height = WIDTH - one - other, _WORDS_SIZE[1]
    x = one + (room - _WORDS_SIZE[0]) // 2
    return Layout(
        teacher=Patch(0, y, one, height),
        student=Patch(WIDTH - other, y, other, height),
        figures=Patch(one + 6, words_height, room - 12, _LOWEST - 2 * words_height),
        score=Patch(x, _LOWEST - words_height, *_WORDS_SIZE),
        now=Patch(x, 0, *_WORDS_SIZE),
    )


def _above(height: int, widths: Sequence[int]) -> Layout:
    one, other = widths
    y, gap = height + _BAND_HEIGHT, (WIDTH - one - other) // 3
    middle = y + (_LOWEST - y - _WORDS_SIZE[1]) // 2
    return Layout(
        teacher=Patch(gap, 0, one, height),
        student=Patch(WIDTH - gap - other, 0, other, height),
        figures=Patch((WIDTH - 320) // 2, y, 320, _LOWEST - y),
        score=Patch(WIDTH - 60 - _WORDS_SIZE[0], middle, *_WORDS_SIZE),
        now=Patch(60, middle, *_WORDS_SIZE),
    )


@dataclass(frozen=True, slots=True)
class Now:
    """What is told at one moment. ``share`` 0 … 1 of the time that both dance."""

    share: float
    label: str
    score: float | None
    lateness_ms: float | None


class OverlayPainter:
    """Draws frames of one comparison."""

    def __init__(self, comparison: Comparison, layout: Layout, student_name: str) -> None:
        self._layout = layout
        self._stage = Stage.of(comparison.bodies)
        self._base = _base(comparison)
        self._names = (_tag("your teacher", TEACHER), _tag(student_name, STUDENT))

    def frame(self, teacher: Picture | None, student: Picture | None, bodies: Bodies, now: Now) -> Picture:
        """One frame; ``bodies`` are those of the moment. Where a picture is missing, the figure dances alone."""
        frame, layout = self._base.copy(), self._layout
        points = (bodies.teacher[0], bodies.student[0])
        shown = zip((layout.teacher, layout.student), (teacher, student), points, (TEACHER, STUDENT), strict=True)
        for (patch, picture, body, colour), name in zip(shown, self._names, strict=True):
            patch.lay(frame, self._alone(patch, body, colour) if picture is None else picture)
            _tag_on(frame, patch, name)
        self._layout.figures.lay(frame, self._together(*points))
        layout.score.lay(frame, _score_words(None if now.score is None else round(now.score)))
        layout.now.lay(frame, _now_words(now.label, None if now.lateness_ms is None else round(now.lateness_ms, -1)))
        self._mark(frame, now)
        return frame

    def _alone(self, patch: Patch, body: np.ndarray, colour: Colour) -> Picture:
        sheet = Sheet(patch.width, patch.height, mixed(PAPER, FAINT, 0.45))
        draw_body(sheet, self._stage.body(body, _inside(patch)), colour)
        return np.asarray(sheet.finished())

    def _together(self, teacher: np.ndarray, student: np.ndarray) -> Picture:
        patch = self._layout.figures
        sheet, box = Sheet(patch.width, patch.height), _inside(patch)
        draw_pair(sheet, self._stage.body(teacher, box), self._stage.body(student, box))
        return np.asarray(sheet.finished())

    def _mark(self, frame: Picture, now: Now) -> None:
        """The score's colour beneath the student, and where in the dance this is."""
        patch = self._layout.student
        below = slice(patch.y + patch.height, patch.y + patch.height + _BAND_HEIGHT)
        frame[below, patch.x : patch.x + patch.width] = SCORE_COLOURS[wording.band(now.score)]
        x = min(WIDTH - 2, int(now.share * WIDTH))
        frame[_LOWEST + 4 :, max(0, x - 1) : x + 2] = STUDENT


def _inside(patch: Patch) -> Box:
    return Box(6, 6, patch.width - 12, patch.height - 12)


def _base(comparison: Comparison) -> Picture:
    """Paper, and along its lower edge the score over the whole dance and the teacher's moves."""
    sheet = Sheet(WIDTH, HEIGHT)
    letters = list(dict.fromkeys(move.letter for move in comparison.moves))
    for move in comparison.moves:
        left, right = WIDTH * places(comparison, np.array([move.teacher.start_s, move.teacher.end_s]))
        if right - left > 2:
            colour = MOVE_COLOURS[letters.index(move.letter) % len(MOVE_COLOURS)]
            sheet.box((left + 1, HEIGHT - 7), (right - 1, HEIGHT - 1), colour, 2)
    xs, scores = WIDTH * places(comparison, comparison.clock.teacher_s), comparison.curves.score
    for first, last in zip(range(len(xs) - 1), range(1, len(xs)), strict=True):
        if np.isfinite(scores[[first, last]]).all():
            ends = [(float(xs[i]), _curve_y(scores[i])) for i in (first, last)]
            foot = [(ends[1][0], _curve_y(0)), (ends[0][0], _curve_y(0))]
            sheet.area([*ends, *foot], mixed(_CURVE_COLOUR, PAPER, 0.75))
            sheet.line(ends, _CURVE_COLOUR, 1.6)
    return np.array(sheet.finished())


def _curve_y(score: float) -> float:
    top, bottom = _LOWEST + 7, HEIGHT - 10
    return bottom - float(score) / 100 * (bottom - top)


def _tag(words: str, colour: Colour) -> Picture:
    """A name on paper, a dot of its colour before it."""
    sheet = Sheet(round(text_width(words, _SMALL)) + 40, 28)
    sheet.ellipse((15, 14), (6, 6), colour)
    sheet.text((28, 14), words, INK, _SMALL, anchor="lm")
    return np.asarray(sheet.finished())


def _tag_on(frame: Picture, patch: Patch, tag: Picture) -> None:
    height, width = min(tag.shape[0], patch.height), min(tag.shape[1], patch.width)
    frame[patch.y : patch.y + height, patch.x : patch.x + width] = tag[:height, :width]


@lru_cache(maxsize=128)
def _score_words(score: int | None) -> Picture:
    sheet, middle = Sheet(*_WORDS_SIZE), _WORDS_SIZE[0] / 2
    words = "not seen" if score is None else str(score)
    colour = SCORE_COLOURS[wording.band(score)]
    sheet.text((middle, 54), words, colour, _WORDS if score is None else _NUMBER, anchor="mm", weight=0.8)
    sheet.text((middle, 108), "score", GREY, _SMALL, anchor="mm")
    return np.asarray(sheet.finished())


@lru_cache(maxsize=256)
def _now_words(label: str, lateness_ms: float | None) -> Picture:
    sheet, middle = Sheet(*_WORDS_SIZE), _WORDS_SIZE[0] / 2
    sheet.text((middle, 44), _shortened(label), INK, _WORDS, anchor="mm", weight=0.5)
    words = "" if lateness_ms is None else wording.early_or_late_ms(lateness_ms)
    sheet.text((middle, 84), words, INK if words != wording.IN_TIME else GREY, _WORDS, anchor="mm")
    return np.asarray(sheet.finished())


def _shortened(label: str) -> str:
    """As much of a label as fits."""
    printable = "".join(sign for sign in label if sign.isprintable())[:40]
    while printable and text_width(printable, _WORDS) > _WORDS_SIZE[0] - 8:
        printable = printable[:-1]
    return printable
