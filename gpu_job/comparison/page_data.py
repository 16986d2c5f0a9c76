"""A comparison as the numbers that the page plays: whole numbers where that is fine enough, null where unknown.

Safe inside a ``<script>`` whatever the labels say. Knows no layout.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpu_job.comparison.figures import SHOWN, Stage
from gpu_job.comparison.findings import Comparison
from shared.timeline import FloatArray

UNITS_PER_TORSO = 100
TENTHS = 10
_MOST_UNITS = 9999  # a body so large is an error, but still a number
_TIME_DIGITS = 3


def page_data(sections: Sequence[tuple[str, Comparison]]) -> str:
    """JSON in ASCII, without ``<``, ``>`` and ``&``."""
    text = json.dumps(
        {"landmarks": SHOWN, "sections": [_section(comparison) for _, comparison in sections]},
        allow_nan=False,
        separators=(",", ":"),
    )
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _section(comparison: Comparison) -> dict[str, Any]:
    clock, curves, bodies = comparison.clock, comparison.curves, comparison.bodies
    stage = Stage.of(bodies)
    return {
        "stage": [round(edge, 2) for edge in (stage.left, stage.top, stage.right, stage.bottom)],
        "teacher_s": _rounded(clock.teacher_s, _TIME_DIGITS),
        "student_s": _rounded(clock.student_s, _TIME_DIGITS),
        "score": _whole(TENTHS * curves.score),
        "lateness_ms": _whole(curves.lateness_ms),
        "teacher": [_figure(body) for body in bodies.teacher],
        "student": [_figure(body) for body in bodies.student],
        "moves": [
            {"label": move.label, "start_s": round(move.teacher.start_s, 3), "end_s": round(move.teacher.end_s, 3)}
            for move in comparison.moves
        ],
        "worst": [{"point": moment.point, "limb": moment.limb} for moment in comparison.worst],
    }


def _figure(body: FloatArray) -> list[int | None]:
    """x, y, x, y, … of the landmarks shown, hundredths of a torso."""
    shown = np.where(np.isfinite(body).all(axis=1, keepdims=True), body, np.nan)[list(SHOWN), :2]
    return _whole(np.clip(UNITS_PER_TORSO * shown, -_MOST_UNITS, _MOST_UNITS).ravel())


def _whole(values: FloatArray) -> list[int | None]:
    return [round(float(value)) if np.isfinite(value) else None for value in values]


def _rounded(values: FloatArray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
