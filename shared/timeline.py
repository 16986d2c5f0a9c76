"""Time, and the only conversions between seconds, samples, beats and counts.

Seconds are floats from the start of the container (its earliest stream), as a player shows them.
This module knows nothing of files, sound or poses.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]

CHUNK_S = 9.375
"""Poses are followed in chunks of this length: ten minutes, the usual limit, are 32 shards of two chunks."""

BEATS_PER_BAR = 4  # bachata, and nearly all music that people dance to socially


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A stretch of time, ``start_s`` included and ``end_s`` excluded.

    Raises ValueError where it would end before it starts.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.end_s >= self.start_s:
            raise ValueError(f"a segment cannot end ({self.end_s}) before it starts ({self.start_s})")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2

    def __contains__(self, time_s: float) -> bool:
        return self.start_s <= time_s < self.end_s

    def __and__(self, other: Segment) -> Segment | None:
        """What both cover, or None where they do not meet."""
        start_s, end_s = max(self.start_s, other.start_s), min(self.end_s, other.end_s)
        return Segment(start_s, end_s) if start_s < end_s else None

    def padded(self, by_s: float) -> Segment:
        return Segment(self.start_s - by_s, self.end_s + by_s)


def sample_count(duration_s: float, rate_hz: float) -> int:
    """How many samples at ``rate_hz``, the first at 0 s, fall before ``duration_s``."""
    return max(0, int(np.ceil(duration_s * rate_hz - 1e-6)))


def sample_times_s(count: int, rate_hz: float) -> FloatArray:
    """Times of the samples 0 … count-1. Shape ``(count,)``, seconds."""
    return np.arange(count) / rate_hz


def nearest_sample(time_s: float, rate_hz: float) -> int:
    return int(np.floor(time_s * rate_hz + 0.5))


@dataclass(frozen=True, slots=True, eq=False)
class BeatGrid:
    """The beats of a recording and their place in the bar.

    ``beats_s``   ``(B,)`` seconds, strictly increasing
    ``positions`` ``(B,)`` 1 … 4: the beat's count in its bar; 1 is a downbeat

    Raises ValueError where the two differ in length or the beats do not increase.
    """

    beats_s: FloatArray
    positions: IntArray

    def __post_init__(self) -> None:
        if self.beats_s.shape != self.positions.shape or self.beats_s.ndim != 1:
            raise ValueError("one position per beat")
        if np.any(np.diff(self.beats_s) <= 0):
            raise ValueError("beats must increase")

    @classmethod
    def none(cls) -> BeatGrid:
        return cls(np.zeros(0), np.zeros(0, dtype=np.int64))

    @classmethod
    def regular(cls, period_s: float, duration_s: float, first_beat_s: float = 0.0) -> BeatGrid:
        """Evenly spaced beats, the first of them a downbeat."""
        beats_s = np.arange(first_beat_s, duration_s, period_s)
        return cls(beats_s, np.arange(len(beats_s)) % BEATS_PER_BAR + 1)

    def __len__(self) -> int:
        return len(self.beats_s)

    @property
    def downbeats_s(self) -> FloatArray:
        return self.beats_s[self.positions == 1]

    @property
    def period_s(self) -> float:
        """Median time from beat to beat. Raises ValueError with fewer than two beats."""
        if len(self) < 2:
            raise ValueError("fewer than two beats have no period")
        return float(np.median(np.diff(self.beats_s)))

    def beat_of(self, time_s: npt.ArrayLike) -> FloatArray:
        """Times in seconds → beats as real numbers: 2.5 is halfway from the third to the fourth.

        Before the first and after the last beat the grid goes on at its median period.
        Needs two beats or more.
        """
        time_s = np.asarray(time_s, dtype=float)
        inside = np.interp(time_s, self.beats_s, np.arange(len(self)))
        before = np.minimum(0, time_s - self.beats_s[0]) / self.period_s
        after = np.maximum(0, time_s - self.beats_s[-1]) / self.period_s
        return inside + before + after

    def time_of(self, beat: npt.ArrayLike) -> FloatArray:
        """The inverse of :meth:`beat_of`."""
        beat = np.asarray(beat, dtype=float)
        inside = np.interp(beat, np.arange(len(self)), self.beats_s)
        before = np.minimum(0, beat) * self.period_s
        after = np.maximum(0, beat - (len(self) - 1)) * self.period_s
        return inside + before + after

    def counts_between(self, segment: Segment) -> float:
        """How many counts (beats) a segment lasts."""
        start, end = self.beat_of([segment.start_s, segment.end_s])
        return float(end - start)


@dataclass(frozen=True, slots=True, order=True)
class SampleSpan:
    """A run of samples on one clock, ``start`` included and ``stop`` excluded.

    Raises ValueError where it would begin before the recording or stop before it starts.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"no samples run from {self.start} to {self.stop}")

    def __len__(self) -> int:
        return self.stop - self.start


def chunks(count: int, rate_hz: float, chunk_s: float) -> tuple[SampleSpan, ...]:
    """The samples of a recording in chunks of ``chunk_s``, which tile them in order.

    A chunk starts at a whole multiple of ``chunk_s`` on the clock of the recording, so where it lies
    depends on length and rate alone. What is left at the end joins the chunk before it where it is
    shorter than half a chunk. Raises ValueError where a chunk would be shorter than one sample.
    """
    samples_per_chunk = chunk_s * rate_hz
    if not samples_per_chunk >= 1:
        raise ValueError(f"a chunk of {chunk_s} s has no sample at {rate_hz} Hz")
    if count <= 0:
        return ()
    whole = max(1, round(count / samples_per_chunk))
    edges = [nearest_sample(i * chunk_s, rate_hz) for i in range(whole)] + [count]
    return tuple(SampleSpan(start, stop) for start, stop in itertools.pairwise(edges))


def shards(
    count: int, rate_hz: float, *, chunk_s: float, max_shards: int, chunks_per_shard: int = 2
) -> tuple[SampleSpan, ...]:
    """Runs of whole :func:`chunks` for workers side by side: as even as can be, ``max_shards`` at most.

    A shard has ``chunks_per_shard`` chunks or fewer while ``max_shards`` allows. Raises ValueError
    where either is less than one.
    """
    if max_shards < 1 or chunks_per_shard < 1:
        raise ValueError("one shard and one chunk a shard are the least")
    pieces = chunks(count, rate_hz, chunk_s)
    wanted = min(max_shards, math.ceil(len(pieces) / chunks_per_shard))
    edges = [i * len(pieces) // wanted for i in range(wanted + 1)] if wanted else []
    return tuple(SampleSpan(pieces[a].start, pieces[b - 1].stop) for a, b in itertools.pairwise(edges))
