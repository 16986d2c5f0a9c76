"""The curves of a comparison as SVG that stretches to any width. Knows no bodies and no words.

x is 0 … 1000 over the time that both dance, y 0 … 100 downwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpu_job.comparison.findings import Comparison
from shared.timeline import FloatArray

MOST_LATE_MS = 300.0
"""What the chart of lateness shows; more is drawn at its edge."""


def places(comparison: Comparison, times_s: FloatArray) -> FloatArray:
    """Seconds of the teacher's recording → 0 … 1 over the time that both dance."""
    first_s, last_s = (float(edge) for edge in comparison.clock.teacher_s[[0, -1]])
    return np.clip((times_s - first_s) / max(last_s - first_s, 1e-6), 0.0, 1.0)


def score_chart(comparison: Comparison) -> str:
    """The score, filled down to 0, with lines at 25, 50 and 75."""
    runs = _runs(comparison, 100 - comparison.curves.score)
    lines = "".join(f'<path class="grid" d="M0 {y}H1000"/>' for y in (25, 50, 75))
    areas = "".join(f'<path class="area" d="{_line(run)}V100H{run[0][0]:g}Z"/>' for run in runs)
    return _svg(lines + areas + _strokes(runs))


def lateness_chart(comparison: Comparison) -> str:
    """Late above the line, early below it."""
    late = np.clip(comparison.curves.lateness_ms / MOST_LATE_MS, -1, 1)
    return _svg('<path class="axis" d="M0 50H1000"/>' + _strokes(_runs(comparison, 50 - 48 * late)))


def _svg(content: str) -> str:
    return f'<svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">{content}</svg>'


def _strokes(runs: Sequence[Sequence[tuple[float, float]]]) -> str:
    """A run of one point is a dot: a line without length, with round ends."""
    return "".join(f'<path class="line" d="{_line(run)}{"h0" if len(run) == 1 else ""}"/>' for run in runs)


def _line(run: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in run)


def _runs(comparison: Comparison, heights: FloatArray) -> list[list[tuple[float, float]]]:
    """Points without a gap between them, each run by itself."""
    known = np.flatnonzero(np.isfinite(heights))
    xs = 1000 * places(comparison, comparison.clock.teacher_s)
    runs = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if len(known) else []
    return [[(round(float(xs[i]), 1), round(float(heights[i]), 1)) for i in run] for run in runs]
