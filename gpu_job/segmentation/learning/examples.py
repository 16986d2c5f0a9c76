"""What a boundary network is taught: dances whose boundaries are known, seen and heard as recordings are.

Every example is a function of its seed and of the clips it is made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gpu_job.segmentation.grid import HalfBeats
from gpu_job.segmentation.inputs import Inputs, inputs
from gpu_job.segmentation.learning.joins import Joined, Manner, Source, joined
from gpu_job.segmentation.learning.solos import drill, solo
from gpu_job.segmentation.performance import Performance
from shared.features import BLAZEPOSE_LANDMARKS, AudioFeatures, PoseFeatures
from shared.timeline import BEATS_PER_BAR, BeatGrid, BoolArray, FloatArray

_NOISE_IMAGE_HEIGHTS, _NOISY_SHARE = 0.006, 0.6
_MOST_MISSED, _PATCHY_SHARE = 0.3, 0.5  # of single landmarks in single samples
_GAPPED_SHARE, _LONGEST_GAP_S = 0.25, 2.0
_PARTIAL_SHARE, _MOST_HIDDEN = 0.2, 7  # landmarks that are never seen
_SOUND_LATE_SD_S = 0.03
_DRILL_WEIGHT = 0.3
_BARS_UNKNOWN_SHARE, _BEATS_UNKNOWN_SHARE = 0.15, 0.04


@dataclass(frozen=True, slots=True)
class Diet:
    """What examples are made of.

    ``solos``  share of choreographies of an imagined dancer
    ``drills`` share of imagined drills. Where their units begin is often anybody's guess, so they count for less
    """

    solos: float = 0.2
    drills: float = 0.06
    manner: Manner = field(default_factory=Manner)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A dance and what is true of it.

    ``target`` ``(H,)`` 0 … 1, that a boundary is at each half-beat
    ``weight`` ``(H,)`` 0 where it is not to be judged: at the two ends
    """

    inputs: Inputs
    target: FloatArray
    weight: FloatArray


def example(sources: Sequence[Source], seed: int, diet: Diet) -> Example:
    """One dance, spoilt as recordings are."""
    rng = np.random.default_rng([seed, 7])  # not the dance's own
    kind = rng.choice(3, p=[diet.solos, diet.drills, 1 - diet.solos - diet.drills])
    dance = _dance(int(kind), sources, seed, diet)
    performance = Performance(spoilt(dance.pose, rng).smoothed(), _misheard(dance, rng))
    told = taught(performance, nearest_half_beats(performance.grid, dance.joins_s))
    told = replace(told, weight=told.weight * (_DRILL_WEIGHT if kind == 1 else 1.0))
    return _without_bars(told) if rng.random() < _BARS_UNKNOWN_SHARE else told


def _dance(kind: int, sources: Sequence[Source], seed: int, diet: Diet) -> Joined:
    match kind:
        case 0:
            return solo(seed)
        case 1:
            return drill(seed)
        case _:
            return joined(sources, seed, diet.manner)


def taught(performance: Performance, target: FloatArray) -> Example:
    """A performance with what is true of its half-beats, ``(H,)`` 0 … 1; its two ends are not judged."""
    (seen,) = inputs([performance])
    weight = np.ones(len(seen), np.float32)
    weight[[0, -1]] = 0
    return Example(_packed(seen), target.astype(np.float32), weight)


def nearest_half_beats(grid: HalfBeats, boundaries_s: FloatArray) -> FloatArray:
    """``(H,)`` 1 at the half-beat next to each boundary, 0 elsewhere; boundaries outside are left out."""
    target = np.zeros(len(grid), np.float32)
    places = np.round(2 * (grid.pulse.beat_of(boundaries_s) - grid.beats[0])).astype(int)
    target[places[(places > 0) & (places < len(grid) - 1)]] = 1
    return target


def spoilt(pose: PoseFeatures, rng: np.random.Generator) -> PoseFeatures:
    """With an estimator's jitter, with landmarks and samples missing."""
    image, seen = pose.image.astype(float), pose.visibility > 0
    if rng.random() < _NOISY_SHARE:
        image = image + rng.normal(0, _NOISE_IMAGE_HEIGHTS * rng.random(), image.shape)
    if rng.random() < _PATCHY_SHARE:
        seen = seen & (rng.random(seen.shape) >= _MOST_MISSED * rng.random())
    if rng.random() < _GAPPED_SHARE:
        seen = seen & ~_gaps(rng, len(seen), pose.rate_hz)[:, None]
    if rng.random() < _PARTIAL_SHARE:
        hidden = rng.permutation(BLAZEPOSE_LANDMARKS)[: rng.integers(1, _MOST_HIDDEN)]
        seen[:, hidden] = False
    return PoseFeatures.from_landmarks(np.where(seen[..., None], image, np.nan), seen.astype(np.float32), pose.rate_hz)


def _gaps(rng: np.random.Generator, samples: int, rate_hz: float) -> BoolArray:
    gaps = np.zeros(samples, bool)
    for start in rng.integers(0, samples, rng.integers(1, 4)):
        gaps[start : start + max(1, int(rng.uniform(0, _LONGEST_GAP_S) * rate_hz))] = True
    return gaps


def _misheard(dance: Joined, rng: np.random.Generator) -> AudioFeatures:
    audio = dance.audio
    if rng.random() < _BEATS_UNKNOWN_SHARE:
        return AudioFeatures.silent(audio.duration_s, audio.rate_hz)
    late_s = rng.normal(0, _SOUND_LATE_SD_S)
    return replace(audio, beats=BeatGrid(audio.beats.beats_s + late_s, audio.beats.positions))


def _without_bars(told: Example) -> Example:
    meter = np.zeros_like(told.inputs.meter)
    meter[:, BEATS_PER_BAR] = told.inputs.meter[:, BEATS_PER_BAR]
    return replace(told, inputs=replace(told.inputs, meter=meter))


def _packed(seen: Inputs) -> Inputs:
    """In half precision: thousands are kept."""
    half = {name: getattr(seen, name).astype(np.float16) for name in ("motion", "likeness", "sound")}
    return replace(seen, **half, seen=seen.seen.astype(np.uint8), meter=seen.meter.astype(np.uint8))
