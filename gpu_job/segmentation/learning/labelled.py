"""Examples from videos in which people have marked where moves begin and end.

Knows no form of table, and no network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu_job.segmentation.grid import HalfBeats
from gpu_job.segmentation.learning.boundary_labels import Labelled, Unit, matched, soft_labels
from gpu_job.segmentation.learning.boundary_table import read_labels
from gpu_job.segmentation.learning.clips import Clip, extracted
from gpu_job.segmentation.learning.examples import Example, taught
from gpu_job.segmentation.performance import Performance
from shared.errors import BadLabels
from shared.timeline import FloatArray

_SLACK_BEATS = 4.0  # a bar: people mark the end, too, and may be late
_ANY_SUFFIX = ".video"  # a clip's name has none, and may have other dots


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """What people marked.

    ``examples`` one for each dancer of each video
    ``clips``    the videos
    ``table``    SHA-256 of the table, hexadecimal
    """

    examples: Sequence[Example] = ()
    clips: Sequence[Clip] = ()
    table: str = ""


def marked(table: Path, videos: Path, work: Path) -> Marked:
    """What the table tells of the videos. ``work`` is where the videos' features are kept.

    Raises BadLabels where the table cannot be read or tells of none of the videos, and NotExtracted.
    """
    data = _content(table)
    labels = read_labels(_text(table, data))
    clips = {Path(clip.name + _ANY_SUFFIX): clip for clip in extracted(videos, None, work)}
    told = {clips[path]: labelled for path, labelled in matched(labels, clips).items()}
    if not told:
        raise BadLabels(f"No video in {videos} is one that {table} tells of.")
    examples = [one for clip, labelled in told.items() for one in _examples(clip, labelled)]
    return Marked(examples, list(told), hashlib.sha256(data).hexdigest())


def _content(table: Path) -> bytes:
    try:
        return table.read_bytes()
    except OSError as error:
        raise BadLabels(f"{table} cannot be read: {error}") from error


def _text(table: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadLabels(f"{table} cannot be read: {error}") from error


def _examples(clip: Clip, told: Labelled) -> Iterator[Example]:
    for pose in clip.views():
        performance = Performance(pose.smoothed(), clip.audio)
        target = soft_labels(_beats(told, performance.grid), performance.grid.beats)
        yield taught(performance, target)


def _beats(told: Labelled, grid: HalfBeats) -> list[FloatArray]:
    """Each annotator's points on the beat grid; count 0 is the first beat that is heard.

    Raises BadLabels for a point after the end of the dance.
    """
    beats = list(told.points) if told.unit is Unit.COUNTS else [grid.pulse.beat_of(points) for points in told.points]
    last = float(grid.pulse.beat_of(grid.seen.end_s)) + _SLACK_BEATS
    for points, on_grid in zip(told.points, beats, strict=True):
        if np.any(on_grid > last):
            point = float(points[on_grid > last][0])
            raise BadLabels(f"{told.video}: the point {point:g} ({told.unit}) is after the end of what is danced.")
    return beats
