"""A comparison in plain words and numbers, the same on paper, on the page and in the video. Knows no layout."""

from __future__ import annotations

from gpu_job.comparison.findings import Comparison, Grade, Lateness, Limb
from gpu_job.comparison.grading import LEAST_FORM

IN_TIME_MS = 33.0
"""Less is within one picture of a phone's video."""
IN_TIME = "in time"
LOW_BELOW, HIGH_FROM = 45.0, 75.0
"""Where scores change their colour."""

TOO_LITTLE = "Too little could be seen to give a score"
ADVICE = "Film the whole body, from head to feet, in good light, with nobody in between."
SCALE = "0 is what a dance that has nothing to do with your teacher's would get, 100 is your teacher again."
_NEARNESS = (
    (90.0, "You dance very nearly what your teacher dances"),
    (65.0, "You dance most of what your teacher dances"),
    (40.0, "You dance part of what your teacher dances"),
    (LEAST_FORM, "You dance little of what your teacher dances"),
    (-1.0, "You dance something else than your teacher"),
)  # fmt: skip


def sentence(comparison: Comparison) -> str:
    """What came out, in one sentence."""
    form, score = comparison.form, comparison.overall.score
    if form is None or score is None:
        return f"{TOO_LITTLE}."
    nearness = next(words for least, words in _NEARNESS if form >= least)
    if form < LEAST_FORM:
        return f"{nearness}."
    return f"{nearness}{_timing(comparison.overall.lateness, round(form) - round(score))}."


def _timing(lateness: Lateness | None, cost: int) -> str:
    if lateness is None:
        return "; whether in time cannot be told"
    costs = f"; being out of time costs {cost} {'point' if cost == 1 else 'points'}" if cost > 0 else ""
    if abs(lateness.ms) < IN_TIME_MS:
        return f", in time on the whole{costs}"
    return f", but {'late' if lateness.ms > 0 else 'early'}{costs.replace('being out of time', 'that')}"


def certainty(grade: Grade) -> str:
    """Empty without an interval."""
    if grade.interval is None:
        return ""
    low, high = (round(edge) for edge in grade.interval)
    return f"Between {low} and {high} with 90 % certainty." if low < high else f"{low} with 90 % certainty."


def early_or_late(lateness: Lateness | None) -> str:
    """``90 ms late``; a dash where it cannot be told."""
    return "–" if lateness is None else early_or_late_ms(lateness.ms)


def early_or_late_ms(ms: float) -> str:
    return IN_TIME if abs(ms) < IN_TIME_MS else f"{abs(ms):.0f} ms {'late' if ms > 0 else 'early'}"


def counts(value: float | None) -> str:
    """8 rather than 8.0; a dash where no beat was found."""
    return "–" if value is None else f"{value:g}"


def points(score: float | None) -> str:
    return "–" if score is None else f"{score:.0f}"


def limb_name(limb: Limb) -> str:
    return limb.replace("_", " ")


def band(score: float | None) -> str:
    """``low``, ``mid`` or ``high``, what a score is coloured by; ``none`` without one."""
    if score is None:
        return "none"
    return "low" if score < LOW_BELOW else "mid" if score < HIGH_FROM else "high"


def clock(time_s: float, digits: int = 1) -> str:
    """75.25 → 1:15.3; −2 → −0:02.0."""
    ticks = round(abs(time_s) * 10**digits)
    minutes, rest = divmod(ticks, 60 * 10**digits)
    sign = "−" if time_s < 0 and ticks else ""
    return f"{sign}{minutes}:{rest / 10**digits:0{digits + 3 if digits else 2}.{digits}f}"
