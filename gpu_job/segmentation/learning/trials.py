"""Dances by which boundary models are judged, the baselines beside them, and how sure the figures are.

What a model is given is what it would get of an upload; what is true it never sees. Knows no clips' folders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_job.segmentation.learning.calibration import calibration_error
from gpu_job.segmentation.learning.joins import PLAIN, Block, Joined, Manner, Source, joined
from gpu_job.segmentation.learning.looks import MIRRORED
from gpu_job.segmentation.performance import Performance
from gpu_job.segmentation.scoring import f_measure, matches
from shared.features import PoseFeatures
from shared.timeline import BeatGrid, BoolArray, FloatArray

FINE_S, COARSE_S = 0.25, 0.5
ON_GRID_S = 0.035
MISSING_SHARE, LATE_S, TEMPO_CHANGE = 0.2, 0.05, 0.1
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A dance and where its joins and null joins are, in seconds; ``blocks`` of which clips it is made, if it is."""

    performance: Performance
    joins_s: FloatArray
    nulls_s: FloatArray
    blocks: tuple[Block, ...] = ()

    @classmethod
    def of(cls, dance: Joined) -> Trial:
        return cls(Performance(dance.pose.smoothed(), dance.audio), dance.joins_s, dance.nulls_s, dance.blocks)


def as_filmed(dance: Joined, _: np.random.Generator) -> Joined:
    return dance


def with_landmarks_missing(dance: Joined, rng: np.random.Generator) -> Joined:
    """A fifth of all landmarks, each sample by itself."""
    seen = (dance.pose.visibility > 0) & (rng.random(dance.pose.visibility.shape) >= MISSING_SHARE)
    return replace(dance, pose=_of(dance.pose, dance.pose.image, seen))


def mirrored(dance: Joined, _: np.random.Generator) -> Joined:
    """Left is right."""
    image = dance.pose.image[:, MIRRORED] * [-1, 1]
    return replace(dance, pose=_of(dance.pose, image, dance.pose.visibility[:, MIRRORED] > 0))


def with_sound_late(dance: Joined, _: np.random.Generator) -> Joined:
    """What is true is what is danced, wherever the beats are heard."""
    audio, heard = dance.audio, BeatGrid(dance.audio.beats.beats_s + LATE_S, dance.audio.beats.positions)
    late = replace(
        audio, beats=heard,
        log_mel=_late(audio.log_mel, audio.rate_hz), chroma=_late(audio.chroma, audio.rate_hz),
        onset=_late(audio.onset, audio.onset_rate_hz),
    )  # fmt: skip
    return replace(dance, audio=late, joins=heard.beat_of(dance.joins_s), nulls=heard.beat_of(dance.nulls_s))


def _late(values: FloatArray, rate_hz: float) -> FloatArray:
    """By whole rows; what was there before is the first row."""
    return values[np.maximum(0, np.arange(len(values)) - round(LATE_S * rate_hz))]


@dataclass(frozen=True, slots=True)
class Condition:
    """How the dances of a row of the table are seen; ``manner`` says at which rate."""

    change: Callable[[Joined, np.random.Generator], Joined] = as_filmed
    manner: Manner = PLAIN


def _at_tempo(change: float) -> Manner:
    """As :data:`PLAIN`, every dance so many times as fast: the same seed is the same dance."""
    slowest, fastest = PLAIN.tempi
    return replace(PLAIN, tempi=(slowest * change, fastest * change))


CONDITIONS: Mapping[str, Condition] = {
    "as seen, at 30 samples/s": Condition(),
    "20 % of the landmarks missing": Condition(with_landmarks_missing),
    "15 samples/s": Condition(manner=replace(PLAIN, rates_hz=(15.0,))),
    "10 % faster": Condition(manner=_at_tempo(1 + TEMPO_CHANGE)),
    "10 % slower": Condition(manner=_at_tempo(1 - TEMPO_CHANGE)),
    "mirrored": Condition(mirrored),
    "sound 50 ms late": Condition(with_sound_late),
}
"""Clips that were seen at fewer samples a second are told in between by straight lines: such 30 are not seen 30."""
USUAL = next(iter(CONDITIONS))
OTHER_DANCES: Mapping[str, Condition] = {
    "blocks in their place in the bar, of 2, 4, 8 or 16 counts": Condition(manner=replace(PLAIN, musical=1.0)),
    "blocks of 8 counts at most": Condition(manner=replace(PLAIN, brief=1.0)),
}
"""Other dances than those of the bars."""


def trials(sources: Sequence[Source], seeds: Sequence[int], condition: Condition) -> list[Trial]:
    """One for each seed; the same seed is the same dance in every condition."""
    dances = (joined(sources, seed, condition.manner) for seed in seeds)
    changed = (condition.change(dance, np.random.default_rng(seed)) for dance, seed in zip(dances, seeds, strict=True))
    return [Trial.of(dance) for dance in changed]


def best_grid_s(trial: Trial, tolerance_s: float) -> list[float]:
    """Every so many beats from such a beat on, as fits this very dance best: what counting could reach at most.

    None at the dance's beginning or end, where nobody is asked.
    """
    pulse = trial.performance.audio.beats
    grids = [
        pulse.time_of(np.arange(phase or period, len(pulse) - 1, period)).tolist()
        for period in np.arange(1, 16.5, 0.5)
        for phase in np.arange(0, period, 0.5)
    ]
    return max(grids, key=lambda grid: f_measure(grid, trial.joins_s.tolist(), tolerance_s))


def f_of(estimates_s: Sequence[Sequence[float]], given: Sequence[Trial], tolerance_s: float) -> FloatArray:
    """``(dances,)`` F of each, 0 … 1."""
    pairs = zip(estimates_s, given, strict=True)
    return np.array([f_measure(found, one.joins_s.tolist(), tolerance_s) for found, one in pairs])


def false_at_nulls(estimates_s: Sequence[Sequence[float]], given: Sequence[Trial]) -> float:
    """Share of the null joins at which (±0.25 s) a boundary is told that is none of a true join's; 0 of none."""
    told = [share for found, one in zip(estimates_s, given, strict=True) for share in _is_told(found, one)]
    return float(np.mean(told)) if told else 0.0


def _is_told(found_s: Sequence[float], trial: Trial) -> BoolArray:
    """``(N,)`` of each null join."""
    true = {match.estimated_s for match in matches(found_s, trial.joins_s.tolist(), FINE_S)}
    false = np.array([time_s for time_s in found_s if time_s not in true])
    return np.abs(trial.nulls_s[:, None] - false).min(axis=1, initial=np.inf) <= FINE_S


def on_grid(estimates_s: Sequence[Sequence[float]], given: Sequence[Trial]) -> float:
    """Share of the boundaries that lie on a beat or a half-beat, ±35 ms."""
    off: list[float] = []
    for found, one in zip(estimates_s, given, strict=True):
        pulse = one.performance.audio.beats
        half_beats = pulse.time_of(np.arange(-4, 2 * len(pulse) + 4) / 2)
        off += [float(np.abs(half_beats - time_s).min()) for time_s in found]
    return float(np.mean(np.array(off) <= ON_GRID_S)) if off else 1.0


@dataclass(frozen=True, slots=True)
class Sureness:
    """Of what is told as probable: the mean ``probability``, and the share that is ``right``, 0 … 1; by how much the
    two differ in ten classes of probability, each weighed by how many are in it, is ``off``."""

    told: int
    probability: float
    right: float
    off: float


def sureness(curves: Sequence[FloatArray], given: Sequence[Trial], least: float) -> Sureness:
    """Of half-beats ``(H,)`` of each dance that are ``least`` probable or more and likelier than their neighbours: they
    are right where a join is there or on a neighbour."""
    probable, right = zip(*(_peaks(curve, one, least) for curve, one in zip(curves, given, strict=True)), strict=True)
    told, true = np.concatenate(probable), np.concatenate(right)
    if not len(told):
        return Sureness(0, 0.0, 0.0, 0.0)
    return Sureness(len(told), float(told.mean()), float(true.mean()), calibration_error(told, true))


def _peaks(curve: FloatArray, trial: Trial, least: float) -> tuple[FloatArray, BoolArray]:
    inner = curve[1:-1]
    places = 1 + np.flatnonzero((inner >= least) & (inner >= curve[:-2]) & (inner > curve[2:]))
    grid = trial.performance.grid
    joins = np.round(2 * (grid.pulse.beat_of(trial.joins_s) - grid.beats[0]))
    near: BoolArray = np.abs(places[:, None] - joins).min(axis=1, initial=np.inf) <= 1
    return curve[places], near


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two means over the same dances, and its 95 % interval."""

    mean: float
    low: float
    high: float


def difference(one: FloatArray, other: FloatArray, seed: int = 0) -> Difference:
    """Of two figures of the same dances, each ``(dances,)``. Paired bootstrap (Efron & Tibshirani 1993, percentiles).

    Raises ValueError where they are not figures of the same dances, or there are none.
    """
    if one.shape != other.shape or not len(one):
        raise ValueError(f"{one.shape} and {other.shape} are not figures of the same dances")
    apart = one - other
    rows = np.random.default_rng(seed).integers(len(apart), size=(_RESAMPLES, len(apart)))
    low, high = np.quantile(apart[rows].mean(axis=1), [0.025, 0.975])
    return Difference(float(apart.mean()), float(low), float(high))


def _of(pose: PoseFeatures, image: FloatArray, seen: BoolArray) -> PoseFeatures:
    return PoseFeatures.from_landmarks(np.where(seen[..., None], image, np.nan), seen, pose.rate_hz)
