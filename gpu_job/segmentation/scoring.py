"""How well boundaries that were found agree with true ones.

Knows only lists of times. Matching is one to one: a second boundary beside a true one counts as wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_ROUNDING_S = 1e-9  # a distance of exactly the tolerance counts as a match, whatever the last bit says


@dataclass(frozen=True, slots=True)
class Match:
    """A true boundary and the one that was found for it, in seconds."""

    estimated_s: float
    true_s: float

    @property
    def error_s(self) -> float:
        return self.estimated_s - self.true_s


def matches(estimated_s: Sequence[float], true_s: Sequence[float], tolerance_s: float) -> tuple[Match, ...]:
    """As many pairs as can be made, each boundary used once, no pair further apart than ``tolerance_s``.

    Raises ValueError for a negative tolerance and for times that are not finite numbers in order.
    """
    estimated, true = _checked(estimated_s), _checked(true_s)
    if not tolerance_s >= 0:
        raise ValueError(f"a tolerance cannot be {tolerance_s}")
    # Taking the earliest pair that fits is never worse than leaving it: both lists are in order and
    # the tolerance is the same everywhere.
    found: list[Match] = []
    e = t = 0
    while e < len(estimated) and t < len(true):
        match = Match(estimated[e], true[t])
        fits = abs(match.error_s) <= tolerance_s + _ROUNDING_S
        if fits:
            found.append(match)
        e += fits or match.error_s < 0
        t += fits or match.error_s > 0
    return tuple(found)


def f_measure(estimated_s: Sequence[float], true_s: Sequence[float], tolerance_s: float) -> float:
    """Harmonic mean of precision and recall, 0 … 1; 1 where there was nothing to find and nothing found."""
    if not len(estimated_s) and not len(true_s):
        return 1.0
    return 2 * len(matches(estimated_s, true_s, tolerance_s)) / (len(estimated_s) + len(true_s))


def _checked(times_s: Sequence[float]) -> list[float]:
    times = [float(time_s) for time_s in times_s]
    if times != sorted(times) or any(abs(time) == float("inf") for time in times) or any(t != t for t in times):
        raise ValueError("boundaries must be finite and in order")
    return times
