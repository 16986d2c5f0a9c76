"""A choreography before it is a video: which block of the library is danced when. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.timeline import Segment


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of the song to be filled with one block: eight counts, fewer at its ends and before a broken bar.

    ``first_beat`` place in the song's beats of the first
    ``counts``     1 … 8 beats; the first of a block are danced where there are fewer than eight
    ``segment``    in seconds of the song
    ``section``    number of the song's section that holds most of it
    ``energy``     0 … 1, of the song
    """

    first_beat: int
    counts: int
    segment: Segment
    section: int
    energy: float


@dataclass(frozen=True, slots=True)
class Placed:
    """One block in its slot.

    ``block``  of the library's row of blocks
    ``ratio``  seconds of the song for a second of the clip: above 1 the clip is slowed down
    ``scores`` what speaks for it, by name, each 0 … 1
    ``costs``  what speaks against it, by name, ≥ 0: ``transition`` (from the block before), ``retime``, ``repetition``
    ``why``    a sentence
    """

    slot: Slot
    block: int
    ratio: float
    scores: Mapping[str, float]
    costs: Mapping[str, float]
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Blocks in the order of the song, without a gap from the first slot to the last.

    ``value`` what the planner maximised: the sum of fits less the sum of costs
    """

    placed: tuple[Placed, ...]
    value: float
