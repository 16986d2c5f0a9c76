"""A dancer who dances known moves on the counts of a song, seen by a known camera.

This module knows how moves follow one another and what a camera sees; not how a move goes
(:mod:`~infra.local.sample.moves`) nor how a picture is drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from infra.local.sample.moves import VOCABULARY, Move, waiting
from infra.local.sample.skeleton import Controls, Figure, posed
from infra.local.sample.song import Song
from shared.features import PoseFeatures
from shared.timeline import BeatGrid, FloatArray, Segment, sample_count, sample_times_s

BLEND_BEATS = 0.8  # from one move to the next, the boundary in the middle

STAGE_WIDTH_M = 2.7  # what the dancer needs from side to side …
STAGE_HEIGHT_M = 2.4  # … and up to the hands above the head
DISTANCE_M = 4.5
EYE_HEIGHT_M = 1.02


@dataclass(frozen=True, slots=True)
class LabelledSegment:
    """A move that was danced: when, for how many counts, and its name."""

    start_s: float
    end_s: float
    counts: int
    name: str

    @property
    def segment(self) -> Segment:
        return Segment(self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole at the height of the belly, level; ``aspect`` is the picture's width / height."""

    aspect: float = 16 / 9

    @property
    def focal(self) -> float:
        """Image heights per metre, at a metre's distance; the whole stage fits into the picture."""
        return DISTANCE_M * min(1 / STAGE_HEIGHT_M, self.aspect / STAGE_WIDTH_M)

    def scale(self, points: FloatArray) -> FloatArray:
        """``(…, 3)`` metres on the stage → ``(…,)`` image heights per metre there."""
        return self.focal / (DISTANCE_M + points[..., 2])

    def project(self, points: FloatArray) -> FloatArray:
        """``(…, 3)`` metres on the stage → ``(…, 2)`` image heights, x right, y down."""
        off_axis = (points[..., :2] - [0.0, EYE_HEIGHT_M]) * [1.0, -1.0] * self.scale(points)[..., None]
        return off_axis + np.array([self.aspect / 2, 0.5])


@dataclass(frozen=True, slots=True, eq=False)
class PoseTruth:
    """Where the landmarks are at T instants.

    ``image`` ``(T, 33, 2)`` image heights, x right, y down
    ``world`` ``(T, 33, 3)`` metres from the middle of the hips, x right, y down, z away
    """

    image: FloatArray
    world: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A move in its place in the dance: the beats it starts and ends on."""

    move: Move
    start_beat: int
    end_beat: int


@dataclass(frozen=True, slots=True, eq=False)
class Dance:
    """A dance and its truth, at any instant.

    Before the first move and after the last the dancer stands and waits.
    """

    beats: BeatGrid
    steps: tuple[Step, ...]
    camera: Camera

    @property
    def moves(self) -> tuple[LabelledSegment, ...]:
        """The moves in order; each starts where the one before it ends."""
        return tuple(
            LabelledSegment(
                float(self.beats.time_of(step.start_beat)), float(self.beats.time_of(step.end_beat)),
                step.end_beat - step.start_beat, step.move.name,
            )
            for step in self.steps
        )  # fmt: skip

    def figure(self, times_s: FloatArray) -> Figure:
        """The body at these times. ``(T,)`` seconds."""
        return posed(self._controls(times_s))

    def pose(self, times_s: FloatArray) -> PoseTruth:
        """The landmarks at these times. ``(T,)`` seconds."""
        figure = self.figure(times_s)
        return PoseTruth(self.camera.project(figure.joints), figure.world)

    def features(self, rate_hz: float, duration_s: float) -> PoseFeatures:
        """What a perfect estimator would see of the first ``duration_s`` seconds."""
        truth = self.pose(sample_times_s(sample_count(duration_s, rate_hz), rate_hz))
        image, world = truth.image.astype(np.float32), truth.world.astype(np.float32)
        return PoseFeatures(rate_hz, image, world, np.ones(image.shape[:2], np.float32))

    def _controls(self, times_s: FloatArray) -> Controls:
        """All moves, each weighed by how far it is faded in. The weights of an instant sum to one."""
        controls = Controls.zeros(len(times_s))
        if not self.steps:
            controls.add(np.arange(len(times_s)), np.ones(len(times_s)), waiting(np.zeros(len(times_s))))
            return controls
        beat = self.beats.beat_of(times_s)
        started = [_risen(beat - step.start_beat) for step in self.steps]
        started.append(_risen(beat - self.steps[-1].end_beat))
        _fade(controls, 1 - started[0] + started[-1], beat, waiting)
        for step, (start, end) in zip(self.steps, itertools.pairwise(started), strict=True):
            _fade(controls, start - end, beat - step.start_beat, step.move.dance)
        return controls


def dance(song: Song, seed: int = 0, *, aspect: float = 16 / 9, vocabulary: Sequence[Move] = VOCABULARY) -> Dance:
    """A random sequence of moves from the song's first beat on; a move never follows itself.

    It fills the song as far as whole moves fit; a song too short for any is waited through.
    """
    rng = np.random.default_rng(seed)
    steps: list[Step] = []
    start, last_beat = 0, max(0, len(song.beats) - 1)
    while fitting := _fitting(vocabulary, steps, last_beat - start):
        move, counts = fitting[rng.integers(len(fitting))]
        steps.append(Step(move, start, start + counts))
        start += counts
    return Dance(song.beats, tuple(steps), Camera(aspect))


def _fitting(vocabulary: Sequence[Move], before: Sequence[Step], room: int) -> list[tuple[Move, int]]:
    """The moves that may follow and the lengths that fit: those danced least so far, so that all get their turn."""
    fitting = [(move, n) for move in vocabulary for n in move.counts if n <= room]
    fitting = [(move, n) for move, n in fitting if not before or move is not before[-1].move]
    times = [sum(step.move is move for step in before) for move, _ in fitting]
    return [choice for choice, danced in zip(fitting, times, strict=True) if danced == min(times)]


def _fade(controls: Controls, weights: FloatArray, beat: FloatArray, going: Callable[[FloatArray], Controls]) -> None:
    rows = np.flatnonzero(weights > 0)
    controls.add(rows, weights[rows], going(beat[rows]))


def _risen(beat: FloatArray) -> FloatArray:
    """0 before and 1 after a boundary at beat 0, smooth in between."""
    x = np.clip(beat / BLEND_BEATS + 0.5, 0, 1)
    return x * x * (3 - 2 * x)
