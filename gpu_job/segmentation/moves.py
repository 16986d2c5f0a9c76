"""What segmentation takes and gives: options, moves, curves. Values only, no method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gpu_job import titles
from gpu_job.notice import Notice
from gpu_job.segmentation.naming import Name
from shared.errors import BadOption
from shared.timeline import BeatGrid, FloatArray, Segment
from shared.wishes import MethodName

MIN_COUNTS_RANGE = (1, 32)
DEFAULT_METHOD = MethodName.NETWORK


@dataclass(frozen=True, slots=True)
class Options:
    """A dancer's wishes.

    ``min_probability`` 0 … 1: no boundary between two moves is less probable than this
    ``min_counts``      1 … 32 counts: no move is shorter, unless the whole dance is. Where no beat was
                        found a count is taken for half a second, or for one pulse of the motion
    ``method``          what tells the boundaries and the names

    Raises BadOption for what is out of range.
    """

    min_probability: float = 0.5
    min_counts: int = 2
    method: MethodName = DEFAULT_METHOD

    def __post_init__(self) -> None:
        probability, counts = self.min_probability, self.min_counts
        if not _is_number(probability) or not 0 <= probability <= 1:
            raise BadOption(f"min_probability must be a number from 0 to 1, not {probability!r}")
        low, high = MIN_COUNTS_RANGE
        if not _is_number(counts) or counts != int(counts) or not low <= counts <= high:
            raise BadOption(f"min_counts must be a whole number from {low} to {high}, not {counts!r}")
        if self.method not in [*MethodName]:
            raise BadOption(f"method must be one of {', '.join(MethodName)}, not {self.method!r}")

    @classmethod
    def read(cls, wishes: Mapping[str, Any]) -> Options:
        """Options as a job carries them. Raises BadOption also for a name that is not known."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(wishes) - known):
            raise BadOption(f"{unknown[0]!r} is no option; there are {', '.join(sorted(known))}")
        return cls(**wishes)


@dataclass(frozen=True, slots=True)
class Move:
    """One move.

    ``counts``      how many counts it lasts, a multiple of ½; None where no beat was found
    ``label``       its category in the move library, ``cross_body_lead``; ``unknown`` where no name is sure enough,
                    ``unseen`` where the dancer is out of sight
    ``confidence``  0 … 1, that the label is right; 0 of ``unknown``
    ``names``       the likeliest categories, three at most, best first: also where none is sure enough
    ``letter``      ``A``, ``B``, …: the same where the dancer repeats a move; empty where she is out of sight
    ``probability`` 0 … 1, that a boundary is at ``start_s`` or half a beat beside it; 1 for the first, where the dance
                    starts
    """

    start_s: float
    end_s: float
    counts: float | None
    label: str
    confidence: float
    names: tuple[Name, ...]
    letter: str
    probability: float

    @property
    def title(self) -> str:
        """What people are told: ``cross body lead``, ``move A``."""
        return titles.title(self.label, self.letter)

    @property
    def segment(self) -> Segment:
        return Segment(self.start_s, self.end_s)


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What the moves were cut from, one value per sample of the pose. Each ``(T,)``.

    ``time_s``               seconds
    ``boundary_probability`` 0 … 1; 0 outside the danced part
    ``novelty``              ≥ 0, how much the motion after a moment differs from that before it
    ``onset``                0 … 1, strength of musical onsets, 1 for the strongest; 0 in silence
    """

    time_s: FloatArray
    boundary_probability: FloatArray
    novelty: FloatArray
    onset: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """A dance cut into moves, which tile its danced part in order."""

    moves: tuple[Move, ...]
    curves: Curves
    tempo_bpm: float | None
    beats: BeatGrid
    method: str
    warnings: tuple[Notice, ...]

    @property
    def boundaries_s(self) -> tuple[float, ...]:
        """The boundaries between moves: one fewer than moves."""
        return tuple(move.start_s for move in self.moves[1:])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
