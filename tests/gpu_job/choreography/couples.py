"""Couples whose dance and music are known: drawn dancers on beats that are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_job.choreography.dancing import Dance as Danced
from gpu_job.choreography.dancing import danced
from infra.local.sample.dancer import Camera, Dance, Step
from infra.local.sample.moves import Move, basic, cross_body, lunge, shimmy
from shared.features import PoseFeatures
from shared.library import Annotation, Difficulty, Energy
from shared.music import EMBEDDING, Music
from shared.timeline import BeatGrid

RATE_HZ = 15.0
BASIC, LUNGE, SHIMMY = Move("basic", (8,), basic), Move("lunge", (8,), lunge), Move("shimmy", (8,), shimmy)
ASIDE = Move("cross body", (8,), cross_body)
"""Danced in profile: turned 1.1 radians towards the right of the picture."""
ANNOTATION = Annotation("basic_1", "basic", Difficulty.BEGINNER, Energy.MEDIUM)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A couple's clip, as its steps would tell of it."""

    music: Music
    lead: PoseFeatures
    follow: PoseFeatures

    def dance(self, *firsts: int) -> Danced:
        return danced(self.music.beats, np.array(firsts), self.lead, self.follow)


def music(beats: BeatGrid, duration_s: float, bar_confidence: float = 1.0) -> Music:
    """With nothing to be heard but the beat."""
    places, none = np.arange(len(beats)), np.zeros(len(beats))
    return replace(
        Music.none(duration_s), tempo_bpm=60 / beats.period_s, tempo_confidence=1.0, bar_confidence=bar_confidence,
        beats=beats, counts=places % 8 + 1, energy=none, guira=none, embedding=np.eye(EMBEDDING, dtype=np.float32)[0],
    )  # fmt: skip


def clip(
    lead: Sequence[Move] = (BASIC, LUNGE),
    follow: Sequence[Move] = (BASIC, SHIMMY),
    *,
    tempo_bpm: float = 125.0,
    rate_hz: float = RATE_HZ,
) -> Clip:
    """Each dances moves of eight counts, from the first beat on, half a second into the clip; they stand side by
    side, an image height apart, and the clip lasts half a second longer than they dance."""
    period_s, counts = 60 / tempo_bpm, 8 * max(len(lead), len(follow))
    duration_s = 1.0 + counts * period_s
    beats = BeatGrid.regular(period_s, duration_s, 0.5)
    poses = [_performed(moves, beats).features(rate_hz, duration_s) for moves in (lead, follow)]
    return Clip(music(beats, duration_s), *(shown(pose, right) for pose, right in zip(poses, (-0.3, 0.3), strict=True)))


def shown(pose: PoseFeatures, right: float = 0.0, down: float = 0.0, scale: float = 1.0) -> PoseFeatures:
    """The dancer elsewhere in the picture, larger or smaller."""
    return replace(pose, image=(scale * pose.image + np.array([right, down])).astype(np.float32))


def unseen(pose: PoseFeatures, samples: slice = slice(None), landmarks: Sequence[int] = range(33)) -> PoseFeatures:
    """These landmarks hidden at these samples."""
    image, world, visibility = pose.image.copy(), pose.world.copy(), pose.visibility.copy()
    for landmark in landmarks:
        image[samples, landmark], world[samples, landmark], visibility[samples, landmark] = np.nan, np.nan, 0
    return replace(pose, image=image, world=world, visibility=visibility)


def guessed(pose: PoseFeatures, landmarks: Sequence[int]) -> PoseFeatures:
    """These landmarks anywhere, as an estimator guesses them that does not see them, and says so."""
    image, visibility = pose.image.copy(), pose.visibility.copy()
    image[:, landmarks] += np.random.default_rng(0).normal(0, 0.3, image[:, landmarks].shape)
    visibility[:, landmarks] = 0.1
    return replace(pose, image=image, visibility=visibility)


def trembling(pose: PoseFeatures, by: float, seed: int = 0) -> PoseFeatures:
    """With an estimator's jitter, image heights in the picture and as many metres in space."""
    rng = np.random.default_rng(seed)
    image, world = (each + rng.normal(0, by, each.shape).astype(np.float32) for each in (pose.image, pose.world))
    return replace(pose, image=image, world=world)


def _performed(moves: Sequence[Move], beats: BeatGrid) -> Dance:
    return Dance(beats, tuple(Step(move, 8 * k, 8 * k + 8) for k, move in enumerate(moves)), Camera())
