"""A student's dance held against a teacher's: aligned, timed, graded, and told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.comparison.alignment import POINTS_PER_BEAT, Aligned, aligned, aligned_all
from gpu_job.comparison.concordance import agreement
from gpu_job.comparison.findings import (
    AlignedBy,
    Alignment,
    Bodies,
    Clock,
    Comparison,
    Curves,
    Grade,
    Limb,
    Moment,
    MoveGrade,
    Take,
)
from gpu_job.comparison.grading import (
    LEAST_SEEN,
    LIMBS,
    UNRELATED,
    Marks,
    Verdict,
    lateness_curve,
    score_curve,
    verdict,
)
from gpu_job.comparison.timing import LAGS_PER_POINT, lag_path
from gpu_job.movement import Movement, facing, movement
from gpu_job.notice import Notice
from gpu_job.segmentation.moves import Move
from shared.timeline import FloatArray, Segment

METHOD = "concordance-1"

WORST = 3
WORST_APART_BEATS = 4
LEAST_MOVE_BEATS = 1.0
TURN_RAD = 0.05
WHOLE_SHARE = 0.75
"""Of the teacher's dance has to lie in both videos, or else that is said."""
FLAWLESS = 95.0
"""No moment from here on is among the worst."""

BY_COUNTS = Notice(
    "OTHER_MUSIC", "The two videos do not play the same recording, so they were compared count by count."
)
BY_MOTION = Notice(
    "NO_COMMON_MUSIC",
    "At least one video has no music with a beat, so the dances were laid on one another as they fit best. "
    "Whether you were early or late cannot be told.",
)
SIDEWAYS = Notice("SIDEWAYS", "Your video lies on its side; it was turned.")
MIRRORED = Notice("MIRRORED", "You dance as your teacher's mirror image; left and right were exchanged.")
FLAT = Notice("NO_DEPTH", "Depth is not known, so how you face the camera counts as well.")
NOT_ALIKE = Notice("NOT_ALIKE", "Your dance and your teacher's have little in common. Are these the right videos?")


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Two dances laid on one another, before they are graded."""

    found: Aligned
    clock: Clock
    marks: Marks
    bodies: Bodies


def compare(student: Take, teacher: Take, moves: Sequence[Move] = ()) -> Comparison:
    """How near the student was; ``moves`` are the teacher's. Both poses are smoothed.

    Raises CannotCompare where the two have less than a bar in common.
    """
    return compare_all([student], [teacher], moves)[0]


def compare_all(students: Sequence[Take], teachers: Sequence[Take], moves: Sequence[Move] = ()) -> list[Comparison]:
    """All who dance together in one video, those in the same place held against one another, on one alignment.

    Raises CannotCompare.
    """
    return [told(_held(found), moves) for found in aligned_all(students, teachers)]


def held(student: Take, teacher: Take) -> Held:
    """Both on one clock, the student's lateness made up for. Raises CannotCompare."""
    return _held(aligned(student, teacher))


def _held(found: Aligned) -> Held:
    beats = found.common_beats()
    clock = Clock(beats - beats[0], found.lay.teacher.time_of(beats), found.lay.student.time_of(beats))
    shown = found.teacher_at(beats)
    taught = movement(shown, POINTS_PER_BEAT)
    lags = _lags(found, beats, taught)
    danced = found.student_at(beats + lags)
    # Who is late faces elsewhere at the same moment: look again, now that it is known by how much.
    turn = facing(danced, shown)
    if abs(turn) > TURN_RAD:
        found = found.turned_by(turn)
        lags = _lags(found, beats, taught)
        danced = found.student_at(beats + lags)
    both = agreement(movement(danced, POINTS_PER_BEAT), taught)
    marks = Marks(both, lags, found.lay.by is not AlignedBy.MOTION, found.lay.teacher.period_s)
    return Held(found, clock, marks, Bodies(shown.points, danced.points, danced.is_flat))


def _lags(found: Aligned, beats: FloatArray, taught: Movement) -> FloatArray:
    per_beat = POINTS_PER_BEAT * LAGS_PER_POINT
    fine_beats = np.arange(round((beats[0] - 1) * per_beat), round((beats[-1] + 1) * per_beat) + 1) / per_beat
    return lag_path(movement(found.student_at(fine_beats), per_beat), taught, POINTS_PER_BEAT)


def told(held: Held, moves: Sequence[Move] = ()) -> Comparison:
    """What the two are worth, in all and in parts."""
    clock, marks = held.clock, held.marks
    whole = verdict(marks, POINTS_PER_BEAT)
    scores = score_curve(marks, POINTS_PER_BEAT)
    limbs = {limb: verdict(marks, POINTS_PER_BEAT, limb).grade for limb in LIMBS}
    return Comparison(
        alignment=_alignment(held.found),
        clock=clock,
        overall=whole.grade,
        form=whole.form,
        punctuality=whole.punctuality,
        limbs=limbs,
        moves=tuple(_moves(clock, marks, moves)),
        worst=tuple(_worst(clock, marks, scores)),
        curves=Curves(scores, lateness_curve(marks, scores)),
        bodies=held.bodies,
        unseen=tuple(_unseen(whole, limbs)),
        method=METHOD,
        warnings=tuple(_warnings(held.found, clock)),
    )


def _alignment(found: Aligned) -> Alignment:
    lay = found.lay
    return Alignment(
        by=lay.by,
        offset_s=float(lay.student.time_of(lay.teacher.beat_of(0.0))),
        tempo_ratio=1 / lay.ratio,
        confidence=lay.confidence,
        mirrored=found.mirrored,
        turned_deg=(180 - float(np.rad2deg(found.turned_rad))) % 360 - 180,
        rolled_deg=found.rolled_deg,
        teacher_rolled_deg=found.teacher_rolled_deg,
    )


def _moves(clock: Clock, marks: Marks, moves: Sequence[Move]) -> Iterator[MoveGrade]:
    """Those of which both dance a beat or more."""
    for move in moves:
        first, last = np.searchsorted(clock.teacher_s, [move.start_s - 1e-6, move.end_s - 1e-6])
        if last - first < LEAST_MOVE_BEATS * POINTS_PER_BEAT:
            continue
        part = marks.within(slice(int(first), int(last)))
        starts, ends = (np.interp([move.start_s, move.end_s], clock.teacher_s, clock.student_s)).tolist()
        grades = {limb: verdict(part, POINTS_PER_BEAT, limb).grade for limb in LIMBS}
        grade = verdict(part, POINTS_PER_BEAT).grade
        yield MoveGrade(move.title, move.letter, move.counts, move.segment, Segment(starts, ends), grade, grades)


def _worst(clock: Clock, marks: Marks, scores: FloatArray) -> Iterator[Moment]:
    """The lowest points of the curve, apart from one another, and the limb that differs most around each."""
    is_seen = marks.agreement.seen.mean(axis=1) >= LEAST_SEEN
    open_ = np.where(np.isfinite(scores) & is_seen, scores, np.inf)
    width = WORST_APART_BEATS * POINTS_PER_BEAT
    for _ in range(WORST):
        point = int(np.argmin(open_))
        if not np.isfinite(open_[point]) or open_[point] >= FLAWLESS:
            return
        open_[max(0, point - width) : point + width + 1] = np.inf
        around = slice(max(0, point - POINTS_PER_BEAT), point + POINTS_PER_BEAT + 1)
        apart = (marks.agreement.whole - marks.agreement.common)[around].sum(axis=0)
        limb = LIMBS[int(np.argmax(apart))]
        yield Moment(point, float(clock.teacher_s[point]), float(clock.student_s[point]), float(scores[point]), limb)


def _unseen(whole: Verdict, limbs: Mapping[Limb, Grade]) -> Iterator[str]:
    if whole.grade.score is None:
        yield "Too little of both dancers can be seen at the same moments to give a score."
        return
    for limb, grade in limbs.items():
        if grade.score is None:
            yield f"The {limb.replace('_', ' ')} cannot be seen well enough to be judged."


def _warnings(found: Aligned, clock: Clock) -> Iterator[Notice]:
    lay = found.lay
    common_s, whole_s = float(clock.teacher_s[-1] - clock.teacher_s[0]), found.teacher.end_s
    if common_s < WHOLE_SHARE * whole_s:
        yield Notice("PART_ONLY", f"Only {common_s:.0f} of your teacher's {whole_s:.0f} seconds could be compared.")
    if lay.by is AlignedBy.BEATS:
        yield BY_COUNTS
    if lay.by is AlignedBy.MOTION:
        yield BY_MOTION
    if found.rolled_deg:
        yield SIDEWAYS
    if found.mirrored:
        yield MIRRORED
    if found.student.body.is_flat:
        yield FLAT
    if found.better_moved:
        yield Notice("SOUND_AND_DANCE_DISAGREE", _disagreement(found.better_moved))
    if found.fit < UNRELATED[None] and lay.by is not AlignedBy.SOUND:
        yield NOT_ALIKE


def _disagreement(counts: float) -> str:
    many = f"{abs(counts):.3g} counts {'later' if counts > 0 else 'earlier'}"
    return (
        f"You dance what your teacher dances, but {many} in the music. "
        "If you began on another count, that is why the score is low; or the sound was added later."
    )
