"""``moment-N.png``: both dancers over each other at a moment in which they differ much."""

from __future__ import annotations

import io

from gpu_job.comparison.figures import STUDENT, TEACHER, Box, Stage, draw_pair
from gpu_job.comparison.findings import Comparison, Moment
from gpu_job.comparison.wording import clock, limb_name, points
from gpu_job.drawing import FAINT, GREY, INK, Colour, Sheet, text_width

WIDTH, HEIGHT, MARGIN = 600, 800, 36
_TITLE, _FACTS, _LEGEND = 34, 21, 20  # heights of letters
_FIGURES = Box(MARGIN, 116, WIDTH - 2 * MARGIN, 586)
_LEGEND_Y = HEIGHT - 42


def moment_png(comparison: Comparison, moment: Moment) -> bytes:
    """The picture as PNG, :data:`WIDTH` × :data:`HEIGHT` pixels."""
    sheet = Sheet(WIDTH, HEIGHT)
    _draw_words(sheet, moment)
    bodies = comparison.bodies.at(moment.point)
    stage = Stage.of(bodies)
    teacher, student = (stage.body(each[0], _FIGURES) for each in (bodies.teacher, bodies.student))
    sheet.ellipse((WIDTH / 2, _FIGURES.y + _FIGURES.height), (150, 12), FAINT)
    draw_pair(sheet, teacher, student, moment.limb)
    _draw_legend(sheet)
    file = io.BytesIO()
    sheet.finished().save(file, "PNG")
    return file.getvalue()


def _draw_words(sheet: Sheet, moment: Moment) -> None:
    name = limb_name(moment.limb)
    sheet.text((MARGIN, 26), f"{clock(moment.teacher_s)}   {name}", INK, _TITLE, weight=0.6)
    facts = f"differs most here   ·   score {points(moment.score)}   ·   in your video at {clock(moment.student_s)}"
    sheet.text((MARGIN, 74), facts, GREY, _FACTS)


def _draw_legend(sheet: Sheet) -> None:
    _draw_key(sheet, MARGIN, "your teacher", TEACHER, 16.0)
    _draw_key(sheet, MARGIN + 72 + text_width("your teacher", _LEGEND), "you", STUDENT, 8.0)


def _draw_key(sheet: Sheet, x: float, words: str, colour: Colour, width: float) -> None:
    sheet.line([(x + 8, _LEGEND_Y), (x + 26, _LEGEND_Y)], colour, width, rounded=True)
    sheet.text((x + 44, _LEGEND_Y), words, INK, _LEGEND, anchor="lm")
