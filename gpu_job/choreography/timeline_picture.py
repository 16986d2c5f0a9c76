"""``timeline.png``: a choreography on paper. The song's sections, its sound and energy, and what is danced when."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gpu_job.choreography.plan import Placed, Plan
from gpu_job.drawing import (
    FAINT,
    GREY,
    INK,
    MOVE_COLOURS,
    PAPER,
    Colour,
    Sheet,
    clock,
    fitting,
    mixed,
    text_width,
    wrapped,
)
from gpu_job.titles import name_of
from shared.library import MoveLibrary
from shared.music import COUNTS_PER_EIGHT, Music, Role
from shared.timeline import FloatArray, Segment

WIDTH, MARGIN = 1400, 40
MAX_ROW_S = 36.0  # some ten eights: each has room for a name of two lines and for its counts
_LOUD = 99.5  # percentile of the peaks that is drawn at full height
_HEADER_HEIGHT, _ROW_HEIGHT = 128, 262
_TITLE, _FACTS, _NAME, _DETAIL, _COUNT = 38, 22, 18, 16, 13  # heights of letters

# Heights within a row, from its top.
_SECTION_TOP, _SECTION_BOTTOM = 8, 34
_WAVE_TOP, _WAVE_BOTTOM = 40, 124
_MOVE_TOP, _MOVE_BOTTOM = 134, 196
_COUNTS_MIDDLE = 208
_SECONDS_TOP = 222

_ENERGY_COLOUR: Colour = (190, 70, 52)
_ROLE_COLOURS: Mapping[Role, Colour] = {
    Role.INTRO: (148, 150, 160), Role.VERSE: (92, 128, 168), Role.CHORUS: (198, 120, 88), Role.MAMBO: (176, 96, 132),
    Role.BRIDGE: (118, 146, 116), Role.OUTRO: (148, 150, 160),
}  # fmt: skip
_NO_SECTION: Colour = GREY


def timeline_png(plan: Plan, music: Music, library: MoveLibrary, title: str) -> bytes:
    """The picture as PNG, :data:`WIDTH` pixels wide; a row for every :data:`MAX_ROW_S` seconds or less."""
    rows = _rows(music.duration_s)
    picture = Image.new("RGB", (WIDTH, _HEADER_HEIGHT + len(rows) * _ROW_HEIGHT + MARGIN // 2), PAPER)
    picture.paste(_header(plan, music, library, title), (0, 0))
    colours, waveform = _colours(plan, library), _waveform(music)
    for number, span in enumerate(rows):
        row = _Row(Sheet(WIDTH, _ROW_HEIGHT), span, rows[0].duration_s)
        _draw_sections(row, music)
        _draw_sound(row, music, waveform)
        _draw_energy(row, music)
        _draw_moves(row, plan, library, colours)
        _draw_counts(row, plan, music)
        _draw_seconds(row)
        picture.paste(row.sheet.finished(), (0, _HEADER_HEIGHT + number * _ROW_HEIGHT))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _waveform(music: Music) -> FloatArray:
    """Its peaks ``(N,)`` 0 … 1, the loud ones at full height."""
    return np.clip(music.peaks / max(float(np.percentile(music.peaks, _LOUD)), 1e-6), 0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """A stretch of time on a sheet of its own; all rows have the scale of a full one."""

    sheet: Sheet
    span: Segment
    full_s: float

    def x(self, time_s: float) -> float:
        return MARGIN + (time_s - self.span.start_s) * (WIDTH - 2 * MARGIN) / self.full_s


def _rows(duration_s: float) -> list[Segment]:
    """The song in rows of equal length."""
    count = max(1, math.ceil(duration_s / MAX_ROW_S - 1e-6))
    row_s = max(1.0, duration_s / count)
    return [Segment(i * row_s, max((i + 1) * row_s, i * row_s)) for i in range(count)]


def _draw_sections(row: _Row, music: Music) -> None:
    for section in music.sections:
        if piece := section.segment & row.span:
            left, right = row.x(piece.start_s) + 1, row.x(piece.end_s) - 1
            row.sheet.box((left, _SECTION_TOP), (right, _SECTION_BOTTOM), _ROLE_COLOURS[section.role], 5)
            middle = ((left + right) / 2, (_SECTION_TOP + _SECTION_BOTTOM) / 2)
            words = fitting([section.role.value, section.role.value[:1]], right - left - 12, _DETAIL)
            row.sheet.text(middle, words, PAPER, _DETAIL, anchor="mm", weight=0.4)


def _draw_sound(row: _Row, music: Music, waveform: FloatArray) -> None:
    """Bars to both sides of a line, in the colour of their section."""
    middle, half = (_WAVE_TOP + _WAVE_BOTTOM) / 2, (_WAVE_BOTTOM - _WAVE_TOP) / 2
    row.sheet.line([(row.x(row.span.start_s), middle), (row.x(row.span.end_s), middle)], FAINT)
    step_s = music.duration_s / max(1, len(waveform))
    first, end = (round(edge_s / step_s) for edge_s in (row.span.start_s, row.span.end_s))
    for number in range(first, min(end, len(waveform))):
        swing = half * float(waveform[number])
        x = row.x((number + 0.5) * step_s)
        if swing > 0.5:
            row.sheet.line([(x, middle - swing), (x, middle + swing)], _tint(music, (number + 0.5) * step_s), 0.7)


def _tint(music: Music, time_s: float) -> Colour:
    role = next((section.role for section in music.sections if time_s in section.segment), None)
    return mixed(_ROLE_COLOURS[role] if role else _NO_SECTION, PAPER, 0.45)


def _draw_energy(row: _Row, music: Music) -> None:
    """From beat to beat, over the sound."""
    middles_s = (
        (music.beats.beats_s + np.append(music.beats.beats_s[1:], music.duration_s)) / 2 if len(music.beats) else []
    )
    points = [
        (row.x(float(time_s)), _WAVE_BOTTOM - float(energy) * (_WAVE_BOTTOM - _WAVE_TOP))
        for time_s, energy in zip(middles_s, music.energy, strict=True)
        if float(time_s) in row.span
    ]
    if len(points) > 1:
        row.sheet.line(points, _ENERGY_COLOUR, 2.0)


def _draw_moves(row: _Row, plan: Plan, library: MoveLibrary, colours: Mapping[str, Colour]) -> None:
    for number, placed in enumerate(plan.placed):
        if piece := placed.slot.segment & row.span:
            goes_on = number + 1 < len(plan.placed) and library.is_followed_by(
                placed.block, plan.placed[number + 1].block
            )
            _draw_move(row, piece, library, placed, colours, gap=0.0 if goes_on else 3.0)


def _draw_move(
    row: _Row, piece: Segment, library: MoveLibrary, placed: Placed, colours: Mapping[str, Colour], *, gap: float
) -> None:
    """Without a gap where the next block goes on in the same clip."""
    label = library.move_of(placed.block).annotation.label
    left, right = row.x(piece.start_s), row.x(piece.end_s) - gap
    if not gap:  # beneath the round corners of the next
        end = min(right + 10, WIDTH - MARGIN)
        row.sheet.box((max(left, right - 10), _MOVE_TOP), (end, _MOVE_BOTTOM), colours[label])
    if right - left < 2:
        return
    row.sheet.box((left, _MOVE_TOP), (right, _MOVE_BOTTOM), colours[label], min(7.0, (right - left) / 2))
    room = right - left - 14
    lines = wrapped([name_of(label)], room, _NAME)[:2]
    lines = [line for line in lines if text_width(line, _NAME) <= room]
    for line, y in zip(lines, (_MOVE_TOP + 6, _MOVE_TOP + 25), strict=False):
        row.sheet.text((left + 8, y), line, PAPER, _NAME, weight=0.4)
    if len(lines) < 2:
        detail = fitting([library.move_of(placed.block).id, f"{placed.slot.counts}"], room, _COUNT)
        row.sheet.text((left + 8, _MOVE_BOTTOM - 20), detail, mixed(PAPER, colours[label], 0.25), _COUNT)


def _draw_counts(row: _Row, plan: Plan, music: Music) -> None:
    """Of every beat that is danced, the ones in ink."""
    for placed in plan.placed:
        for beat in range(placed.slot.first_beat, placed.slot.first_beat + placed.slot.counts):
            if beat < len(music.beats) and float(music.beats.beats_s[beat]) in row.span:
                count, x = int(music.counts[beat]), row.x(float(music.beats.beats_s[beat]))
                colour = INK if count % (COUNTS_PER_EIGHT // 2) == 1 else GREY
                row.sheet.text((x + 4, _COUNTS_MIDDLE), str(count), colour, _COUNT, anchor="mm")


def _draw_seconds(row: _Row) -> None:
    for second in range(math.ceil(row.span.start_s), math.ceil(row.span.end_s)):
        if second % 5 == 0:
            x = row.x(second)
            row.sheet.line([(x, _SECONDS_TOP), (x, _SECONDS_TOP + 5)], GREY)
            row.sheet.text((x, _SECONDS_TOP + 7), clock(second), GREY, _COUNT, anchor="ma")


def _header(plan: Plan, music: Music, library: MoveLibrary, title: str) -> Image.Image:
    sheet = Sheet(WIDTH, _HEADER_HEIGHT)
    shown = fitting([title, f"{title[:48]} …", f"{title[:24]} …"], WIDTH - 2 * MARGIN - 480, _TITLE)
    sheet.text((MARGIN, 18), shown, INK, _TITLE, weight=0.8)
    facts = "   ·   ".join(_facts(plan, music, library))
    sheet.text((MARGIN + (text_width(shown, _TITLE) + 26 if shown else 0), 32), facts, GREY, _FACTS)
    _draw_legend(sheet, music)
    return sheet.finished()


def _facts(plan: Plan, music: Music, library: MoveLibrary) -> list[str]:
    labels = {library.move_of(placed.block).annotation.label for placed in plan.placed}
    eights = f"{len(plan.placed)} eights" if len(plan.placed) != 1 else "1 eight"
    moves = f"{len(labels)} kinds of move" if len(labels) != 1 else "1 kind of move"
    tempo = [f"{music.tempo_bpm:.0f} BPM"] if music.tempo_bpm else []
    return [*tempo, eights, moves, clock(music.duration_s)]


def _draw_legend(sheet: Sheet, music: Music) -> None:
    roles = dict.fromkeys(section.role for section in music.sections)
    x, y = float(MARGIN), 96.0
    for words, colour in [("energy", _ENERGY_COLOUR)] + [(role.value, _ROLE_COLOURS[role]) for role in roles]:
        if words == "energy":
            sheet.line([(x, y), (x + 20, y)], colour, 3.0)
        else:
            sheet.box((x + 2, y - 8), (x + 18, y + 8), colour, 4)
        sheet.text((x + 28, y), words, GREY, _DETAIL, anchor="lm")
        x += 28 + text_width(words, _DETAIL) + 26


def _colours(plan: Plan, library: MoveLibrary) -> dict[str, Colour]:
    """Of the labels in the order of their appearance; those after the tenth are darker, then lighter shades."""
    labels: Sequence[str] = list(
        dict.fromkeys(library.move_of(placed.block).annotation.label for placed in plan.placed)
    )
    shades = ((INK, 0.0), (INK, 0.35), (PAPER, 0.25))
    return {
        label: mixed(MOVE_COLOURS[i % len(MOVE_COLOURS)], *shades[i // len(MOVE_COLOURS) % len(shades)])
        for i, label in enumerate(labels)
    }
