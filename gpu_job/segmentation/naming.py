"""What tells the names of moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gpu_job.segmentation.performance import Performance
from shared.timeline import IntArray


@dataclass(frozen=True, slots=True)
class Name:
    """A category of the move library, ``cross_body_lead``, and how likely it is, 0 … 1."""

    label: str
    confidence: float


class Namer(Protocol):
    """What names moves."""

    def names(self, performance: Performance, edges: IntArray) -> Sequence[tuple[Name, ...]]:
        """Up to three for each move, best first. ``edges`` ``(M + 1,)`` half-beats at which the moves start and end."""
        ...

    def told(self, names: tuple[Name, ...]) -> Name:
        """The one to tell: the best, or ``unknown`` where that is not sure enough."""
        ...
