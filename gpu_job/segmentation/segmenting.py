"""A dance cut into moves: half-beats, boundary probabilities, the best cut, names, letters for what repeats."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from gpu_job.notice import Notice
from gpu_job.segmentation.decoding import boundaries
from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT, times_of
from gpu_job.segmentation.labels import NAMELESS, Label, Named, labels
from gpu_job.segmentation.methods import Method, Methods, method
from gpu_job.segmentation.moves import Curves, Move, Options, Segmentation
from gpu_job.segmentation.performance import BoundaryCurve, Performance
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import FloatArray, IntArray

ONE_MOVE = Notice("ONE_MOVE", "This video is too short for two moves, so it is one.")


def segment(
    pose: PoseFeatures, audio: AudioFeatures, options: Options | None = None, methods: Methods = method
) -> Segmentation:
    """Cut one dance, as the estimator saw it, into moves. Raises NobodyFound where no dancer is seen, UnfitNetwork
    where there is no network to do it."""
    return segment_batch([Performance(pose.smoothed(), audio)], [options or Options()], methods)[0]


def segment_batch(
    performances: Sequence[Performance], options: Sequence[Options] | None = None, methods: Methods = method
) -> list[Segmentation]:
    """Cut many dances at once, each by its own method; each comes out as it would alone. ``options`` are one for each,
    or none. Raises UnfitNetwork."""
    wishes = [Options()] * len(performances) if options is None else options
    asked = list(zip(performances, wishes, strict=True))
    found: dict[int, Segmentation] = {}
    for name in dict.fromkeys(wish.method for wish in wishes):
        chosen, places = methods(name), [i for i, (_, wish) in enumerate(asked) if wish.method == name]
        curves = chosen.boundaries.probabilities([performances[i] for i in places])
        for i, curve in zip(places, curves, strict=True):
            found[i] = _decoded(*asked[i], curve, chosen)
    return [found[i] for i in range(len(asked))]


def _decoded(performance: Performance, options: Options, curve: BoundaryCurve, chosen: Method) -> Segmentation:
    judged = _with_absences(curve, performance)
    cuts = boundaries(judged.probability, options)
    too_short = (len(performance.grid) - 1) / 2 < 2 * options.min_counts
    return Segmentation(
        moves=_moves(performance, judged, cuts, _labels(performance, cuts, chosen)),
        curves=_on_samples(performance, judged),
        tempo_bpm=performance.audio.tempo_bpm,
        beats=performance.audio.beats,
        method=chosen.name,
        warnings=(*performance.grid.notices, *([ONE_MOVE] if too_short else [])),
    )


def _labels(performance: Performance, cuts: IntArray, chosen: Method) -> Sequence[Label]:
    namer, named = chosen.namer, [NAMELESS] * (len(cuts) - 1)
    if namer is not None:
        named = [Named(names, namer.told(names)) for names in namer.names(performance, cuts)]
    return labels(performance.motion, cuts * POINTS_PER_HALF_BEAT, named)


def _with_absences(curve: BoundaryCurve, performance: Performance) -> BoundaryCurve:
    """The curve, sure where the dancer goes out of sight for long and comes back, silent in between."""
    probability = curve.probability.copy()
    for start, end in performance.absences():
        probability[start : end + 1] = 0.0
        probability[[start, end]] = 1.0
    return BoundaryCurve(probability, curve.novelty)


def _moves(performance: Performance, curve: BoundaryCurve, cuts: IntArray, named: Sequence[Label]) -> tuple[Move, ...]:
    grid = performance.grid
    times_s = grid.times_s
    return tuple(
        Move(
            start_s=float(times_s[start]),
            end_s=float(times_s[end]),
            counts=float(grid.beats[end] - grid.beats[start]) if grid.counted else None,
            label=label.label,
            confidence=label.confidence,
            names=label.names,
            letter=label.letter,
            probability=float(curve.probability[start]) if start else 1.0,
        )
        for (start, end), label in zip(itertools.pairwise(cuts), named, strict=True)
    )


def _on_samples(performance: Performance, curve: BoundaryCurve) -> Curves:
    """The curves at the samples of the pose; a half-beat's value stands at the sample next to it."""
    time_s = times_of(performance.pose)
    rate_hz = performance.pose.rate_hz
    knots_s = np.round(performance.grid.times_s * rate_hz) / rate_hz
    return Curves(
        time_s=time_s,
        boundary_probability=np.interp(time_s, knots_s, curve.probability, left=0.0, right=0.0),
        novelty=np.interp(time_s, knots_s, curve.novelty, left=0.0, right=0.0),
        onset=_onset(performance.audio, time_s),
    )


def _onset(audio: AudioFeatures, time_s: FloatArray) -> FloatArray:
    """The strongest onset between each sample and the next, of all bands, 0 … 1."""
    strength = audio.onset.sum(axis=1)
    highest = float(strength.max(initial=0.0))
    if not highest > 0:
        return np.zeros(len(time_s))
    samples = np.searchsorted(time_s, np.arange(len(strength)) / audio.onset_rate_hz + 1e-9, side="right") - 1
    onset = np.zeros(len(time_s))
    inside = samples >= 0
    np.maximum.at(onset, samples[inside], strength[inside] / highest)
    return onset
