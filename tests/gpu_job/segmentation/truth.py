"""Dances whose boundaries are known, as an estimator and a beat tracker might report them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpu_job.segmentation import Options, Segmentation, segment
from infra.local.sample.dancer import Dance, dance
from infra.local.sample.song import Song
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import BeatGrid
from shared.wishes import MethodName

SHOULDER, ANKLE = 11, 27
NOVELTY = Options(method=MethodName.NOVELTY)
HEAD_SHARE = 1.25  # of the distance from shoulders to ankles: about the height of a body


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    pose: PoseFeatures
    audio: AudioFeatures
    dance: Dance

    @property
    def boundaries_s(self) -> list[float]:
        """Between one move and the next."""
        return [move.start_s for move in self.dance.moves[1:]]


def danced(
    seed: int, *, duration_s: float = 60.0, tempo_bpm: float | None = None, rate_hz: float = 15.0,
    jitter: float = 0.0, missed: float = 0.0,
) -> Truth:  # fmt: skip
    """A random dance.

    ``jitter`` standard deviation of every coordinate, in body heights
    ``missed`` share of the samples in which nobody is detected
    """
    rng = np.random.default_rng(seed)
    tempo_bpm = tempo_bpm or float(rng.uniform(108, 150))
    beats = BeatGrid.regular(60 / tempo_bpm, duration_s, first_beat_s=0.5)
    moves = dance(Song(1, np.zeros(int(duration_s), np.float32), beats, tempo_bpm, ()), seed)
    perfect = moves.features(rate_hz, duration_s).image.astype(float)
    height = HEAD_SHARE * np.median(np.abs(perfect[:, ANKLE, 1] - perfect[:, SHOULDER, 1]))
    points = perfect + rng.normal(0, 1, perfect.shape) * jitter * height
    seen = np.repeat(rng.random((len(points), 1)) >= missed, points.shape[1], axis=1)
    return Truth(PoseFeatures.from_landmarks(points, seen, rate_hz), heard(beats, tempo_bpm, duration_s), moves)


def cut(pose: PoseFeatures, audio: AudioFeatures) -> Segmentation:
    """Without a network: what it finds is the same in every release."""
    return segment(pose, audio, NOVELTY)


def heard(beats: BeatGrid, tempo_bpm: float | None, duration_s: float) -> AudioFeatures:
    """Sound of which nothing but the beats is known."""
    silent = AudioFeatures.silent(duration_s, 15.0)
    return replace(silent, beats=beats, tempo_bpm=tempo_bpm, tempo_confidence=1.0 if tempo_bpm else 0.0)


def unseen(pose: PoseFeatures, start: int, stop: int) -> PoseFeatures:
    """The same, nobody detected in these samples."""
    image, world, visibility = pose.image.copy(), pose.world.copy(), pose.visibility.copy()
    image[start:stop], world[start:stop], visibility[start:stop] = np.nan, np.nan, 0.0
    return replace(pose, image=image, world=world, visibility=visibility)
