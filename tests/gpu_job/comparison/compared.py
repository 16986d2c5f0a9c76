"""Comparisons of which every number is known, made without comparing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gpu_job.comparison.findings import (
    AlignedBy,
    Alignment,
    Bodies,
    Clock,
    Comparison,
    Curves,
    Grade,
    Lateness,
    Limb,
    Moment,
    MoveGrade,
)
from gpu_job.notice import Notice
from infra.local.sample.dancer import dance
from shared.timeline import FloatArray, Segment
from tests.gpu_job.comparison.danced import song

BEAT_S = 0.5
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=\"alert('2')\">&<!--\u2028\u2029]]>"
NO_GRADE = Grade(None, None, 0.0)
GRADE = Grade(74.2, (64.8, 81.6), 0.99, Lateness(90.0, 0.18))


def compared(beats: int = 32, *, offset_s: float = 0.0, label: str = "move A", letter: str = "A") -> Comparison:
    """One move, one worst moment, always late; ``offset_s`` when in the student's recording the teacher's begins."""
    at = np.arange(beats * 8 + 1) / 8
    clock = Clock(at, 1.0 + BEAT_S * at, 1.0 + offset_s + BEAT_S * at)
    teacher, student = (_body(clock.teacher_s - late_s) for late_s in (0.0, 0.2))
    scores = 50 + 40 * np.sin(at)
    span = Segment(float(clock.teacher_s[0]), float(clock.teacher_s[-1]))
    worst = Moment(
        len(at) // 2, float(clock.teacher_s[len(at) // 2]), float(clock.student_s[len(at) // 2]), 12.0, Limb.RIGHT_ARM
    )
    limbs = dict.fromkeys(Limb, GRADE)
    return Comparison(
        alignment=Alignment(AlignedBy.SOUND, offset_s, 1.0, 1.0, mirrored=False, turned_deg=0.0, rolled_deg=0),
        clock=clock,
        overall=GRADE,
        form=86.0,
        punctuality=0.86,
        limbs=limbs,
        moves=(MoveGrade(label, letter, float(beats), span, span, GRADE, limbs),),
        worst=(worst,),
        curves=Curves(scores, np.full(len(at), 90.0)),
        bodies=Bodies(teacher, student, is_flat=False),
        unseen=(),
        method="known",
        warnings=(Notice("MIRRORED", "Left and right were exchanged."),),
    )


def blind(comparison: Comparison) -> Comparison:
    """Nobody was seen: no scores, no bodies."""
    none = np.full(len(comparison.clock), np.nan)
    nobody = np.full_like(comparison.bodies.teacher, np.nan)
    return replace(
        comparison,
        overall=NO_GRADE, form=None, punctuality=None, limbs=dict.fromkeys(Limb, NO_GRADE), worst=(),
        moves=tuple(replace(move, grade=NO_GRADE, limbs=dict.fromkeys(Limb, NO_GRADE)) for move in comparison.moves),
        curves=Curves(none, none), bodies=replace(comparison.bodies, teacher=nobody, student=nobody),
        unseen=("Too little of both dancers can be seen.",),
    )  # fmt: skip


def mirrored(comparison: Comparison) -> Comparison:
    return replace(comparison, alignment=replace(comparison.alignment, mirrored=True))


def rolled(comparison: Comparison, degrees: int, teacher_degrees: int = 0) -> Comparison:
    alignment = replace(comparison.alignment, rolled_deg=degrees, teacher_rolled_deg=teacher_degrees)
    return replace(comparison, alignment=alignment)


def _body(times_s: FloatArray) -> FloatArray:
    """The drawn dancer, half a metre a torso."""
    return dance(song()).pose(times_s).world / 0.5
