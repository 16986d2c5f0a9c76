"""A comparison as files: ``result.json`` and ``curves.npz``.

Plain JSON types, times in milliseconds' precision, nothing that is not a number. Knows no bucket.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpu_job.comparison.findings import Alignment, Comparison, Grade, Limb, Moment, MoveGrade

SCHEMA = 2
"""2: moves have names and letters. In 1 a move's ``label`` was ``move-A``."""
KIND = "compare"
_SCORE_DIGITS, _TIME_DIGITS, _SHARE_DIGITS = 1, 3, 4


@dataclass(frozen=True, slots=True)
class Dancer:
    """One student and what was found of her. ``role`` is ``dancer``, or ``lead`` and ``follow`` in a couple."""

    role: str
    comparison: Comparison


def result(
    dancers: Sequence[Dancer],
    student: Mapping[str, Any],
    teacher: Mapping[str, Any],
    timings_s: Mapping[str, float],
) -> dict[str, Any]:
    """The content of ``result.json``.

    ``student`` ``teacher`` what is known of the two videos
    ``timings_s``           seconds that each stage took

    ``score`` is the mean over the dancers; ``similarity_score`` is the same, as clients of the older interface
    know it. Both are null where nothing could be judged.
    """
    score = overall_score(dancers)
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "student": dict(student),
        "teacher": dict(teacher),
        "score": score,
        "similarity_score": score,
        "dancers": [_dancer(one) for one in dancers],
        "method": dancers[0].comparison.method,
        "timings_s": {stage: round(float(seconds), _TIME_DIGITS) for stage, seconds in timings_s.items()},
        "warnings": _warnings(dancers),
    }


def overall_score(dancers: Sequence[Dancer]) -> float | None:
    """0 … 100, the mean over those who could be judged; None where nobody could."""
    scores = [score for one in dancers if (score := one.comparison.overall.score) is not None]
    return _score(float(np.mean(scores))) if scores else None


def curves_npz(dancers: Sequence[Dancer]) -> bytes:
    """The content of ``curves.npz``, of the first dancer and, with ``follow_`` before their names, of the second:
    ``beats``, ``teacher_s``, ``student_s``, ``score`` and ``lateness_ms`` at every point of the clock."""
    arrays: dict[str, Any] = {}
    for one, prefix in zip(dancers, ("", "follow_"), strict=False):
        clock, curves = one.comparison.clock, one.comparison.curves
        named = {"beats": clock.beats, "teacher_s": clock.teacher_s, "student_s": clock.student_s,
                 "score": curves.score, "lateness_ms": curves.lateness_ms}  # fmt: skip
        arrays |= {prefix + name: np.asarray(values, np.float32) for name, values in named.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def moment_name(role: str, number: int) -> str:
    """What the picture of one of the worst moments is called; ``number`` from 1: ``moments/dancer_1.png``."""
    return f"moments/{role}_{number}.png"


def _dancer(one: Dancer) -> dict[str, Any]:
    found = one.comparison
    return {
        "role": one.role,
        **_grade(found.overall),
        "form": _score(found.form),
        "punctuality": None if found.punctuality is None else round(found.punctuality, _SHARE_DIGITS),
        "alignment": _alignment(found.alignment),
        "limbs": _limbs(found.limbs),
        "moves": [_move(move) for move in found.moves],
        "worst": [_moment(moment, moment_name(one.role, i)) for i, moment in enumerate(found.worst, 1)],
        "unseen": list(found.unseen),
    }


def _grade(grade: Grade) -> dict[str, Any]:
    late = grade.lateness
    return {
        "score": _score(grade.score),
        "interval": None if grade.interval is None else [_score(end) for end in grade.interval],
        "seen": round(grade.seen, _SHARE_DIGITS),
        "lateness": late and {"ms": round(late.ms, 1), "counts": round(late.counts, _TIME_DIGITS)},
    }


def _alignment(alignment: Alignment) -> dict[str, Any]:
    return {
        "by": str(alignment.by),
        "offset_s": round(alignment.offset_s, _TIME_DIGITS),
        "tempo_ratio": round(alignment.tempo_ratio, _SHARE_DIGITS),
        "confidence": round(alignment.confidence, _SHARE_DIGITS),
        "mirrored": alignment.mirrored,
        "turned_deg": round(alignment.turned_deg, 1),
        "rolled_deg": alignment.rolled_deg,
        "teacher_rolled_deg": alignment.teacher_rolled_deg,
    }


def _limbs(limbs: Mapping[Limb, Grade]) -> dict[str, Any]:
    """Without lateness, which is the dancer's, not a limb's."""
    return {str(limb): {"score": _score(grade.score), "seen": round(grade.seen, _SHARE_DIGITS)}
            for limb, grade in limbs.items()}  # fmt: skip


def _move(move: MoveGrade) -> dict[str, Any]:
    return {
        "label": move.label,
        "letter": move.letter,
        "counts": move.counts,
        "teacher_start_s": round(move.teacher.start_s, _TIME_DIGITS),
        "teacher_end_s": round(move.teacher.end_s, _TIME_DIGITS),
        "student_start_s": round(move.student.start_s, _TIME_DIGITS),
        "student_end_s": round(move.student.end_s, _TIME_DIGITS),
        **_grade(move.grade),
        "limbs": _limbs(move.limbs),
    }


def _moment(moment: Moment, picture: str) -> dict[str, Any]:
    return {
        "teacher_s": round(moment.teacher_s, _TIME_DIGITS),
        "student_s": round(moment.student_s, _TIME_DIGITS),
        "score": _score(moment.score),
        "limb": str(moment.limb),
        "picture": picture,
    }


def _warnings(dancers: Sequence[Dancer]) -> list[dict[str, str]]:
    """Each once, though both of a couple may have it."""
    notices = dict.fromkeys(notice for one in dancers for notice in one.comparison.warnings)
    return [{"code": notice.code, "message": notice.message} for notice in notices]


def _score(score: float | None) -> float | None:
    return None if score is None else round(score, _SCORE_DIGITS)
