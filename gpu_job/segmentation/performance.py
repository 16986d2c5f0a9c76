"""One job as the boundary models see it: features, the half-beats to judge, and the motion on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT, HalfBeats, half_beats
from gpu_job.segmentation.motion import Motion, motion
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import FloatArray

# A dancer's posture changes from half-beat to half-beat, that of somebody who waits by less than this
# part of it: of squares, above what the stillest beat has, which is the estimator's jitter.
_STILL_SHARE = 0.3
_BEAT = 2 * POINTS_PER_HALF_BEAT
_LONG_ABSENCE_HALF_BEATS = 8  # a bar: less is a turn behind somebody


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """A dancer and the music.

    ``pose``   smoothed: an estimator's jitter is no motion
    ``grid``   half-beats of the danced part: where somebody is seen, less any waiting before the dance
               and after it
    ``motion`` what the dancer does on the grid

    Raises NobodyFound where there is no dancer at all.
    """

    pose: PoseFeatures
    audio: AudioFeatures
    grid: HalfBeats = field(init=False)
    motion: Motion = field(init=False)

    def __post_init__(self) -> None:
        grid = half_beats(self.pose, self.audio)
        seen = motion(self.pose, grid)
        first, last = _danced(seen, len(grid))
        object.__setattr__(self, "grid", grid.between(first, last))
        object.__setattr__(self, "motion", seen.between(first * POINTS_PER_HALF_BEAT, last * POINTS_PER_HALF_BEAT))

    def absences(self) -> list[tuple[int, int]]:
        """First and last half-beat of each stretch in which the dancer is long out of sight."""
        here = np.concatenate([[True], self.motion.seen.any(axis=1), [True]])
        leaves, returns = np.flatnonzero(here[:-1] & ~here[1:]), np.flatnonzero(~here[:-1] & here[1:])
        half_beats = np.stack([-(-leaves // POINTS_PER_HALF_BEAT), returns // POINTS_PER_HALF_BEAT], axis=1)
        return [(int(a), int(b)) for a, b in half_beats if b - a >= _LONG_ABSENCE_HALF_BEATS]


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryCurve:
    """What a model says of one performance, per half-beat of its grid. Each ``(H,)``.

    ``probability`` 0 … 1, that a move ends and another starts there
    ``novelty``     ≥ 0, how much the motion after it differs from that before it
    """

    probability: FloatArray
    novelty: FloatArray


class BoundaryModel(Protocol):
    """What tells boundaries. The grid before it and the decoding after it are the same for every model."""

    @property
    def name(self) -> str:
        """What results say they were made with."""
        ...

    def probabilities(self, batch: Sequence[Performance]) -> Sequence[BoundaryCurve]:
        """A curve for each performance, the same whether it comes alone or in a batch."""
        ...


def _danced(motion: Motion, half_beats: int) -> tuple[int, int]:
    """First and last half-beat between which the dancer does not stand and wait."""
    change = motion.posture_change()
    first, last = _set_in(change), half_beats - 1 - _set_in(change[::-1])
    return (first, last) if last > first else (0, half_beats - 1)


def _set_in(change: FloatArray) -> int:
    """The half-beat at which motion sets in; 0 where it does from the start. ``change`` is between points."""
    known = np.nan_to_num(change)
    if len(known) < 2 * _BEAT or not np.any(known > 0):
        return 0
    stillest = np.convolve(known, np.ones(_BEAT) / _BEAT, "valid").min()
    typical = float(np.median(known[known > 0]))
    active = np.flatnonzero(known > stillest + _STILL_SHARE * (typical - stillest))
    if not len(active) or active[0] == 0:
        return 0
    # Motion sets in before the count that it leads to, and is fastest about there. Gap i is half a
    # point before point i.
    fastest = int(active[0]) + int(np.argmax(known[active[0] : active[0] + _BEAT]))
    return round((fastest - 0.5) / POINTS_PER_HALF_BEAT)
