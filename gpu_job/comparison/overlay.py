"""``overlay.mp4``: teacher and student side by side, in step on the music, with the score as it goes.

The teacher's time runs as it is; the student's is fetched from the clock of the comparison. One frame after the
other, whatever the length. Knows no bucket and no job.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu_job.comparison.charts import places
from gpu_job.comparison.findings import Bodies, Comparison
from gpu_job.comparison.overlay_sheet import Layout, Now, OverlayPainter
from shared.errors import PermanentError
from shared.media import Picture, Soundtrack, Source, film, probe, shown_at
from shared.timeline import FloatArray, Segment

RATE_HZ = 30.0
FIGURE_ASPECT = 0.75
"""Width / height of the place of a dancer who has no picture."""
MOST_ASPECT = 2.4
NOTHING_MISSING_S = 2.0
"""For so long may a video show nothing: its sound outlasts its picture by less than that, or its header rounds."""

logger = logging.getLogger(__name__)


def overlay_video(comparison: Comparison, teacher: Source | None, student: Source | None, target: Path) -> bool:
    """Write the MP4 file ``target``, 960 × 540 pixels, from the first moment that both dance to the last.

    Where a source is None, or shows nothing that decodes, the figure dances on paper instead. The sound is the
    teacher's. Returns whether both videos are shown throughout. Raises OSError where ``target`` cannot be written,
    and what the sources' own ``read`` raises.
    """
    lain = comparison.alignment
    screens = (
        Screen.of(teacher, turns=lain.teacher_rolled_deg // 90),
        Screen.of(student, turns=lain.rolled_deg // 90, is_mirrored=lain.mirrored),
    )
    clock = comparison.clock
    count = max(1, round(float(clock.teacher_s[-1] - clock.teacher_s[0]) * RATE_HZ))
    times_s = clock.teacher_s[0] + np.arange(count) / RATE_HZ
    span = Segment(float(times_s[0]), float(times_s[0]) + count / RATE_HZ)
    soundtrack = None if teacher is None else Soundtrack(teacher, span)
    film(_frames(comparison, screens, times_s), RATE_HZ, target, soundtrack)
    return all(screen.is_complete for screen in screens)


@dataclass(slots=True)
class Screen:
    """A video to be shown upright.

    ``turns``    by how many quarter turns clockwise its dancer lies
    ``missing``  how many pictures there were not, so far
    ``is_broken``it could not be read any further
    """

    source: Source | None
    width: int = 0
    height: int = 0
    turns: int = 0
    is_mirrored: bool = False
    missing: int = 0
    is_broken: bool = False

    @classmethod
    def of(cls, source: Source | None, *, turns: int = 0, is_mirrored: bool = False) -> Screen:
        """Without a source where nothing is to be seen."""
        try:
            video = None if source is None else probe(source).video
        except PermanentError as error:
            logger.info("a video is left out: %s", error)
            video = None
        return cls(source, video.width, video.height, turns, is_mirrored) if video else cls(None)

    @property
    def aspect(self) -> float:
        """Width / height as it will be shown."""
        if self.source is None:
            return FIGURE_ASPECT
        aspect = self.height / self.width if self.turns % 2 else self.width / self.height
        return min(max(aspect, 1 / MOST_ASPECT), MOST_ASPECT)

    @property
    def is_complete(self) -> bool:
        """Whether all was shown that was asked for."""
        return self.source is not None and not self.is_broken and self.missing <= NOTHING_MISSING_S * RATE_HZ

    def pictures(self, times_s: FloatArray, height: int) -> Iterator[Picture | None]:
        """One for each time and then None for ever; ``height`` pixels high or, if very wide, less."""
        source_height = round(self.aspect * height) if self.turns % 2 else height
        try:
            for picture in shown_at(self.source, times_s.tolist(), max_height=source_height) if self.source else ():
                self.missing += picture is None
                yield None if picture is None else self._upright(picture)
        except PermanentError as error:
            logger.info("a video breaks off: %s", error)
            self.is_broken = True
        yield from itertools.repeat(None)

    def _upright(self, picture: Picture) -> Picture:
        upright = np.rot90(picture, self.turns)
        return upright[:, ::-1] if self.is_mirrored else upright


def _frames(comparison: Comparison, screens: tuple[Screen, Screen], times_s: FloatArray) -> Iterator[Picture]:
    teacher, student = screens
    clock, layout = comparison.clock, Layout.of(teacher.aspect, student.aspect)
    painter = OverlayPainter(comparison, layout, "you, mirrored" if student.is_mirrored and student.source else "you")
    points = np.interp(times_s, clock.teacher_s, np.arange(len(clock)))
    student_s = np.interp(points, np.arange(len(clock)), clock.student_s)
    watched = zip(
        times_s.tolist(),
        points.tolist(),
        teacher.pictures(times_s, layout.teacher.height),
        student.pictures(student_s, layout.student.height),
        strict=False,
    )
    for time_s, point, one, other in watched:
        yield painter.frame(one, other, _bodies_at(comparison.bodies, point), _now(comparison, time_s, point))


def _bodies_at(bodies: Bodies, point: float) -> Bodies:
    """Between two points of the clock on a straight line; at the nearer one where the other is unseen."""
    low, share = int(point), point % 1
    one, other = bodies.at(low), bodies.at(min(low + 1, len(bodies.teacher) - 1))
    teacher, student = _mixed(one.teacher, other.teacher, share), _mixed(one.student, other.student, share)
    return Bodies(teacher, student, bodies.is_flat)


def _mixed(one: FloatArray, other: FloatArray, share: float) -> FloatArray:
    between = one + (other - one) * share
    return np.where(np.isfinite(between), between, one if share < 0.5 else other)


def _now(comparison: Comparison, time_s: float, point: float) -> Now:
    label = next((move.label for move in comparison.moves if time_s in move.teacher), "")
    share = float(places(comparison, np.array([time_s]))[0])
    curves = comparison.curves
    return Now(share, label, _known(curves.score[round(point)]), _known(curves.lateness_ms[round(point)]))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
