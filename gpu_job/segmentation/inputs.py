"""What the boundary network looks at: one dance as arrays on its half-beats and the points between.

Everything is on the grid of beats, so a network knows no seconds, rates or tempi; what was not seen or heard is
masked. :data:`INPUT_SCHEMA` names this form: a network trained on another one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT, HalfBeats, Rhythm
from gpu_job.segmentation.motion import JOINTS, LIMBS
from gpu_job.segmentation.performance import Performance
from gpu_job.segmentation.similarity import Band, band
from shared.features import AudioFeatures
from shared.timeline import BEATS_PER_BAR, FloatArray

INPUT_SCHEMA = 1
CHANNELS = 2 * (2 * len(JOINTS) + len(LIMBS)) + 2
"""Of a :class:`~gpu_job.segmentation.motion.Motion`: postures, directions, changes."""
LAGS = 32
"""Half-beats, 16 counts: the longest move that is compared with what surrounds it."""
METER = BEATS_PER_BAR + 2
"""Which beat of the bar, whether between two beats, whether bars are heard at all."""
MEL_BANDS = 9
SOUND = 3 + 1 + MEL_BANDS + 1
"""Onsets low, middle and high; change of chroma; bands of log mel; whether there is sound."""
JITTER = 0.02  # squared torsos: two postures nearer than this are the same
_DECIBELS = 20.0  # about the standard deviation of music's log mel: brings it near 1
_LEAST_SEEN = 0.05  # of a half-beat's channels, or nothing is said of it


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """One dance of H half-beats and P = 2 (H - 1) + 1 points.

    ``motion``   ``(P, 70)`` as in :class:`~gpu_job.segmentation.motion.Motion`, 0 where unseen
    ``seen``     ``(P, 70)`` 0 or 1
    ``likeness`` ``(H, 32)`` at lag l, log of the mean squared distance of the half-beats l/2 before and l/2 after
    ``meter``    ``(H, 6)`` 0 or 1
    ``sound``    ``(H, 14)``
    """

    motion: FloatArray
    seen: FloatArray
    likeness: FloatArray
    meter: FloatArray
    sound: FloatArray

    def __len__(self) -> int:
        return len(self.meter)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Several dances, padded with what counts as unseen; what is a dance is told by ``mask`` ``(B, H, 1)`` of
    half-beats and ``point_mask`` ``(B, P, 1)`` of points."""

    motion: Tensor
    seen: Tensor
    likeness: Tensor
    meter: Tensor
    sound: Tensor
    mask: Tensor
    point_mask: Tensor

    @classmethod
    def of(cls, dances: Sequence[Inputs], where: torch.device) -> Batch:
        padded = {field.name: _padded([getattr(dance, field.name) for dance in dances]) for field in fields(Inputs)}
        padded["mask"] = _mask([len(dance) for dance in dances])
        padded["point_mask"] = _mask([len(dance.motion) for dance in dances])
        return cls(**{name: array.to(where) for name, array in padded.items()})

    def as_taught(self) -> Batch:
        """With one point too many, unseen, behind every dance that is shorter than the longest.

        The networks of schema 1 were taught so, and can be taught again only so. Alone a dance has no such point, so
        what judges must not have it either; the next schema need not keep it.
        """
        points = self.mask.repeat_interleave(POINTS_PER_HALF_BEAT, dim=1)[:, : self.motion.shape[1]]
        return replace(self, point_mask=points)


def inputs(performances: Sequence[Performance]) -> list[Inputs]:
    """Each as it would be alone."""
    return [_inputs(performance) for performance in performances]


def _inputs(performance: Performance) -> Inputs:
    grid, moved = performance.grid, performance.motion
    pairs = band([moved], POINTS_PER_HALF_BEAT * LAGS + 1)
    return Inputs(
        motion=moved.values.astype(np.float32),
        seen=moved.seen.astype(np.float32),
        likeness=likeness(pairs, len(grid))[0].cpu().numpy().astype(np.float32),
        meter=meter(grid),
        sound=sound(performance.audio, grid),
    )


def likeness(pairs: Band, half_beats: int) -> Tensor:
    """``(B, H, 32)``: at half-beat h and lag l, how unlike half-beat h - ⌈l/2⌉ and the one l later are.

    A boundary at h stands in the middle of what it parts, at every lag. 0 where one of them is outside or unseen.
    """
    distance, weight = (_by_half_beat(sums, half_beats) for sums in (pairs.distance, pairs.weight))
    seen = weight >= _LEAST_SEEN * POINTS_PER_HALF_BEAT
    apart = torch.log(distance / weight.clamp(min=1e-9) + JITTER)
    return torch.stack([_centred(torch.where(seen, apart, 0.0)[..., lag], lag) for lag in range(1, LAGS + 1)], dim=2)


def _by_half_beat(sums: Tensor, half_beats: int) -> Tensor:
    """Running sums over points, ``(B, P + 1, L)`` → sums over each half-beat, at lags of whole half-beats."""
    edges = torch.arange(half_beats + 1, device=sums.device) * POINTS_PER_HALF_BEAT
    rows = sums[:, edges.clamp(max=sums.shape[1] - 1), ::POINTS_PER_HALF_BEAT]
    return rows.diff(dim=1)


def _centred(at_first: Tensor, lag: int) -> Tensor:
    """Moved from the first of each pair to the middle; 0 where the second is past the end."""
    half_beats = at_first.shape[1]
    inside = at_first[:, : max(0, half_beats - lag)]
    before = min(-(-lag // 2), half_beats - inside.shape[1])  # a dance may be shorter than the lag
    return pad(inside, (before, half_beats - before - inside.shape[1]))


def meter(grid: HalfBeats) -> FloatArray:
    """``(H, 6)``; where no music is heard, bars are not known."""
    places = np.zeros((len(grid), METER), np.float32)
    positions = grid.positions
    places[:, BEATS_PER_BAR] = positions % 1 != 0
    if grid.rhythm is Rhythm.MUSIC:
        beats = np.flatnonzero(positions % 1 == 0)
        places[beats, positions[beats].astype(int) - 1] = 1
        places[:, BEATS_PER_BAR + 1] = 1
    return places


def sound(audio: AudioFeatures, grid: HalfBeats) -> FloatArray:
    """``(H, 14)`` from each half-beat to the next; zeros in silence."""
    heard = np.zeros((len(grid), SOUND), np.float32)
    if audio.is_silent or not len(audio.onset):
        return heard
    times_s = grid.pulse.time_of(np.append(grid.beats, grid.beats[-1] + 0.5))
    heard[:, :3] = _onsets(audio, times_s)
    heard[:, 3] = _chroma_change(audio, times_s)
    heard[:, 4 : 4 + MEL_BANDS] = _mel(audio, times_s)
    heard[:, -1] = 1
    return heard


def _onsets(audio: AudioFeatures, times_s: FloatArray) -> FloatArray:
    thirds = np.array_split(audio.onset, 3, axis=1) if audio.onset.shape[1] >= 3 else [audio.onset] * 3
    strength = np.stack([third.sum(axis=1) for third in thirds], axis=1)
    means = _means(strength, audio.onset_rate_hz, times_s)
    return means / np.maximum(means.mean(axis=0), 1e-6) - 1


def _chroma_change(audio: AudioFeatures, times_s: FloatArray) -> FloatArray:
    """How far the four half-beats from each on are from the four before it, 0 … 1."""
    chroma = _means(audio.chroma, audio.rate_hz, times_s)
    sums = np.concatenate([np.zeros((1, chroma.shape[1])), np.cumsum(chroma, axis=0)])
    places = np.arange(len(chroma))
    after = sums[np.minimum(places + 4, len(chroma))] - sums[places]
    before = sums[places] - sums[np.maximum(places - 4, 0)]
    norm = np.linalg.norm(after, axis=1) * np.linalg.norm(before, axis=1)
    return np.where(norm > 0, 1 - (after * before).sum(axis=1) / np.maximum(norm, 1e-9), 0)


def _mel(audio: AudioFeatures, times_s: FloatArray) -> FloatArray:
    bands = np.stack([part.mean(axis=1) for part in np.array_split(audio.log_mel, MEL_BANDS, axis=1)], axis=1)
    means = _means(bands, audio.rate_hz, times_s)
    return (means - means.mean(axis=0)) / _DECIBELS


def _means(values: FloatArray, rate_hz: float, times_s: FloatArray) -> FloatArray:
    """Means of the rows from each time to the next, the nearest row where there is none between."""
    rows = np.clip(np.round(times_s * rate_hz).astype(int), 0, len(values))
    start, stop = np.minimum(rows[:-1], len(values) - 1), np.minimum(np.maximum(rows[1:], rows[:-1] + 1), len(values))
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=float)])
    return (sums[stop] - sums[start]) / np.maximum(stop - start, 1)[:, None]


def _mask(lengths: Sequence[int]) -> Tensor:
    """``(B, longest, 1)``."""
    return _padded([np.ones((length, 1), np.float32) for length in lengths])


def _padded(arrays: Sequence[FloatArray]) -> Tensor:
    padded = np.zeros((len(arrays), max(map(len, arrays)), arrays[0].shape[1]), np.float32)
    for place, array in zip(padded, arrays, strict=True):
        place[: len(array)] = array
    return torch.from_numpy(padded)
