"""The lay that is taken, and from where each camera looked: upright, mirrored, turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_job.bodies import Body, body, has_depth, lying, sampled
from gpu_job.comparison.concordance import at_best_lag, balanced
from gpu_job.comparison.findings import Take
from gpu_job.comparison.laying import LEAST_BEATS, Dancer, Lay, Search
from gpu_job.movement import facing, movement
from shared.errors import CannotCompare
from shared.timeline import FloatArray

POINTS_PER_BEAT = 8
MIRROR_MARGIN = 0.05
"""So much better the mirrored dance must fit: someone who does the same with both sides is not mirrored."""
CONTRADICTION = 0.3
"""So much better than by sound must the dances fit by counts to say that the sound may mislead."""


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """The lay that was taken, and the student seen as the teacher is.

    ``fit``         concordance as they lie, less what lateness costs, −1 … 1
    ``better_moved``by so many counts the student's motion alone would have been moved later, where it fits far
                    better there than where the sound puts it; else 0
    """

    lay: Lay
    student: Dancer
    teacher: Dancer
    rolled_deg: int
    teacher_rolled_deg: int = 0
    mirrored: bool = False
    turned_rad: float = 0.0
    fit: float = 0.0
    better_moved: float = 0.0

    def student_at(self, beats: FloatArray) -> Body:
        """Mirrored and turned as the teacher."""
        there = _at(self.student, self.lay.student.time_of(beats))
        return (there.mirrored() if self.mirrored else there).turned(self.turned_rad)

    def teacher_at(self, beats: FloatArray) -> Body:
        return _at(self.teacher, self.lay.teacher.time_of(beats))

    def common_beats(self) -> FloatArray:
        """The points of the clock at which both are recorded, in beats."""
        points = np.arange((len(self.lay.teacher) - 1) * POINTS_PER_BEAT + 1) / POINTS_PER_BEAT
        inside = np.ones(len(points), bool)
        for counts, dancer in ((self.lay.teacher, self.teacher), (self.lay.student, self.student)):
            place = dancer.places(counts.time_of(points))
            inside &= (place >= 0) & (place <= len(dancer.body) - 1)
        return points[inside]

    def turned_by(self, more_rad: float) -> Aligned:
        return replace(self, turned_rad=self.turned_rad + more_rad)


def aligned(student: Take, teacher: Take) -> Aligned:
    """Raises CannotCompare where the two never overlap by a bar."""
    return aligned_all([student], [teacher])[0]


def aligned_all(students: Sequence[Take], teachers: Sequence[Take]) -> list[Aligned]:
    """Of all who dance together in one video, those in the same place held against one another: all laid alike and
    mirrored alike, as fits all of them best. Raises CannotCompare where the two never overlap by a bar."""
    if min(len(take.pose) for take in (*students, *teachers)) < 2:
        raise CannotCompare
    pairs = [_upright(*pair) for pair in zip(students, teachers, strict=True)]
    search = Search([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    by_sound, by_counts = search.by_sound(), search.by_counts()
    lays = by_sound or by_counts or search.by_motion()
    found = [fitted for lay in lays if (fitted := _fitted([Aligned(lay, *pair) for pair in pairs])) is not None]
    if not found:
        raise CannotCompare
    best = max(found, key=lambda fitted: _fit(fitted) - len(fitted) * fitted[0].lay.handicap)
    better_moved = _contradiction(best[0].lay, by_counts, search) if by_sound else 0.0
    return [replace(each, better_moved=better_moved) for each in best]


def _upright(student: Take, teacher: Take) -> tuple[Dancer, Dancer, int, int]:
    """And by how many degrees the student's picture lay on its side, and the teacher's."""
    is_flat = not (has_depth(student.pose) and has_depth(teacher.pose))
    ours, theirs = body(student.pose, is_flat=is_flat), body(teacher.pose, is_flat=is_flat)
    quarters, their_quarters = lying(ours), lying(theirs)
    one, other = Dancer(student, ours.rolled(quarters)), Dancer(teacher, theirs.rolled(their_quarters))
    return one, other, 90 * (-quarters % 4), 90 * (-their_quarters % 4)


def _at(dancer: Dancer, times_s: FloatArray) -> Body:
    return sampled(dancer.body, dancer.places(times_s))


def _fitted(plain: Sequence[Aligned]) -> Sequence[Aligned] | None:
    """Each with the facing that fits best, all mirrored if that is clearly better; None where they never overlap by
    a bar."""
    if any(len(each.common_beats()) <= LEAST_BEATS * POINTS_PER_BEAT for each in plain):
        return None
    as_they_are, mirrored = zip(*(_turned(each) for each in plain), strict=True)
    return mirrored if _fit(mirrored) > _fit(as_they_are) + MIRROR_MARGIN else as_they_are


def _fit(dancers: Sequence[Aligned]) -> float:
    return sum(each.fit for each in dancers)


def _turned(plain: Aligned) -> tuple[Aligned, Aligned]:
    """As he is and mirrored, facing as the teacher, and the concordance then, late or not."""
    beats = plain.common_beats()
    student, teacher = plain.student_at(beats), plain.teacher_at(beats)
    taught = movement(teacher, POINTS_PER_BEAT)
    weights = balanced(taught)

    def facing_alike(one: Body, *, mirrored: bool) -> Aligned:
        turn = facing(one, teacher)
        fit = at_best_lag(movement(one.turned(turn), POINTS_PER_BEAT), taught, weights, POINTS_PER_BEAT)
        return replace(plain, mirrored=mirrored, turned_rad=turn, fit=fit)

    return facing_alike(student, mirrored=False), facing_alike(student.mirrored(), mirrored=True)


def _contradiction(taken: Lay, by_counts: list[Lay], search: Search) -> float:
    witness = max(by_counts, key=search.fit, default=None)
    if witness is None or search.fit(witness) < search.fit(taken) + CONTRADICTION:
        return 0.0
    apart_s = float(np.median(witness.student.beats_s - taken.student.beats_s))
    return apart_s / taken.student.period_s
