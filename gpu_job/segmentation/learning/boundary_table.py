"""Boundary labels as people keep them: a table of text, with commas, semicolons or tabs between its cells.

A row is one annotator's points in one video. The column of the video (its URL or file name) is called ``url``,
``video``, ``file`` …; that of the annotator may be missing; points stand in one cell or in several. Whether they are
seconds or counts is told by a column ``unit``, by their header (``points_s``, ``counts``) or by the caller. A table
without headers has the video, the annotator and then the points. Knows no files and no music.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import numpy as np

from gpu_job.segmentation.learning.boundary_labels import Labelled, Unit
from shared.errors import BadLabels

_VIDEO = frozenset({"url", "video", "file", "name", "video_url", "video_name", "video_id", "file_name", "filename"})
_ANNOTATOR = frozenset({"annotator", "user", "rater", "annotator_id", "annotator_name", "user_id", "rater_id"})
_UNIT = frozenset({"unit", "units"})
_POINTS = re.compile(
    r"(?:(?:segmentation_)?(?:points?|boundar(?:y|ies)|labels?|times?))?_?(?P<unit>s|secs?|seconds?|counts?)?_?\d*"
)
_DELIMITERS = ",;\t"
_BETWEEN_POINTS = re.compile(r"[\s,;]+")
_DECIMAL_COMMAS = re.compile(r"\d,\d.*[\s;]|[\s;].*\d,\d|^\d+,\d+$")
"""Commas without a space among other signs between points, or one comma alone."""


def read_labels(text: str, unit: Unit | None = None) -> tuple[Labelled, ...]:
    """The videos of a table, in its order. ``unit`` is that of the points where the table does not tell.

    Raises BadLabels, which names the line.
    """
    told: dict[str, dict[str, _Row]] = {}
    for row in _rows(text, unit):
        of_video = told.setdefault(row.video, {})
        before = of_video.setdefault(row.annotator or str(len(of_video) + 1), row)
        if before is not row:
            raise _refused(row.line, f"{row.annotator} has told of {row.video} before, in line {before.line}")
        first = next(iter(of_video.values()))
        if first.unit is not row.unit:
            raise _refused(
                row.line, f"{row.video} is told in {row.unit} here, and in {first.unit} in line {first.line}"
            )
    return tuple(_labelled(video, rows) for video, rows in told.items())


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    video: str
    annotator: str
    points: tuple[float, ...]
    unit: Unit


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where things stand in a row, counted from 0.

    ``width``       how many columns have a header
    ``points_unit`` that of the points, where their header tells it
    """

    width: int
    video: int
    annotator: int | None
    unit: int | None
    points: tuple[int, ...]
    points_unit: Unit | None


_HEADLESS = _Columns(3, 0, 1, None, (2,), None)


def _labelled(video: str, rows: Mapping[str, _Row]) -> Labelled:
    points = tuple(np.unique(np.array(row.points, dtype=np.float64)) for row in rows.values())
    return Labelled(video, tuple(rows), points, next(iter(rows.values())).unit)


def _rows(text: str, unit: Unit | None) -> Iterator[_Row]:
    lines = _lines(text)
    columns = _columns(*lines[0])
    for line, cells in lines if columns is _HEADLESS else lines[1:]:
        yield _row(line, cells, columns, unit)


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """Those that are not empty, each with its number, in cells."""
    text = text.removeprefix("\ufeff")  # as spreadsheets begin a file
    header = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=max(_DELIMITERS, key=header.count))
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise _refused(reader.line_num, str(error)) from error
    found = [(line, cells) for line, cells in lines if any(cells)]
    if not found:
        raise BadLabels("There are no boundary labels in this table.")
    return found


def _columns(line: int, header: Sequence[str]) -> _Columns:
    names = [re.sub(r"[\s-]+", "_", cell.lower()) for cell in header]
    video, annotator, unit = (_place(names, known) for known in (_VIDEO, _ANNOTATOR, _UNIT))
    if video is None:
        if any(header[2:]) and all(_is_points(cell) for cell in header[2:]):
            return _HEADLESS
        raise _refused(line, f"no column names the video; there are {', '.join(header)}")
    found = [(place, _POINTS.fullmatch(name)) for place, name in enumerate(names)]
    points = {place: match["unit"] for place, match in found if match}
    if not points:
        raise _refused(line, f"no column has the boundary points; there are {', '.join(header)}")
    units = {Unit.of(word) for word in points.values() if word}
    if len(units) > 1:
        raise _refused(line, "there are points in seconds and points in counts; leave one of them out")
    return _Columns(len(header), video, annotator, unit, tuple(points), next(iter(units), None))


def _place(names: Sequence[str], known: frozenset[str]) -> int | None:
    return next((place for place, name in enumerate(names) if name in known), None)


def _row(line: int, cells: Sequence[str], columns: _Columns, unit: Unit | None) -> _Row:
    def cell(place: int | None) -> str:
        return cells[place] if place is not None and place < len(cells) else ""

    if not (video := _stem(cell(columns.video))):
        raise _refused(line, "it names no video")
    if not (told := _unit(line, cell(columns.unit)) or columns.points_unit or unit):
        raise _refused(line, "nothing tells whether its points are seconds or counts")
    beyond = [text for text in cells[columns.width :] if text]
    if beyond and columns.points[-1] != columns.width - 1:
        raise _refused(line, f"it has more cells than there are columns: {beyond[0]}")
    points = [point for text in (*map(cell, columns.points), *beyond) for point in _points(line, text)]
    return _Row(line, video, cell(columns.annotator), tuple(points), told)


def _unit(line: int, word: str) -> Unit | None:
    try:
        return Unit.of(word) if word else None
    except ValueError as error:
        raise _refused(line, f"its unit is {word!r}, not seconds or counts") from error


def _points(line: int, text: str) -> Iterator[float]:
    """Those in a cell; a list in brackets is one, too. With commas between, each a whole number or with a point."""
    if _DECIMAL_COMMAS.search(text):
        raise _refused(line, f"{text!r} may have commas for decimals, or between points: write 1.5 for one and a half")
    inside = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    for word in filter(None, _BETWEEN_POINTS.split(inside)):
        try:
            point = float(word)
        except ValueError as error:
            raise _refused(line, f"{word!r} is no number") from error
        if not 0 <= point < float("inf"):
            raise _refused(line, f"no boundary can be at {word}")
        yield point


def _is_points(text: str) -> bool:
    try:
        list(_points(0, text))
    except BadLabels:
        return False
    return True


def _stem(name: str) -> str:
    """Of the file that a URL or a path names."""
    path = unquote(urlsplit(name).path) if "://" in name else name.replace("\\", "/")
    return PurePosixPath(path).stem


def _refused(line: int, why: str) -> BadLabels:
    return BadLabels(f"The boundary labels cannot be read: line {line}: {why}.")
