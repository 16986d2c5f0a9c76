"""Clips whose landmarks tell which clip they are and which beat of it, so that a dance of them can be read back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gpu_job.segmentation.learning.clips import Clip
from gpu_job.segmentation.learning.joins import Joined, Source
from shared.features import BLAZEPOSE_LANDMARKS, HIPS, MEL_BANDS, AudioFeatures, PoseFeatures
from shared.timeline import BeatGrid, FloatArray, sample_count
from tests.gpu_job.segmentation.truth import danced

TELLS = 11
"""The landmark that tells, by its place from the hips: the clip to the right, the beat downwards."""
CLIP_APART, BEAT_APART = 0.05, 0.01  # image heights
AUDIO_HZ, ONSET_HZ = 15.0, 60.0


def readable(
    number: int, *, tempo_bpm: float = 120.0, beats: int = 24, first: int = 0, rate_hz: float = 30.0, views: int = 1
) -> Source:
    """Clip ``number``; its first beat is at 0.5 s, on the count ``first`` + 1. Each band of its sound tells the same.

    Its views are told apart by their size, 1, 2, … times the first's.
    """
    period_s = 60 / tempo_bpm
    grid = BeatGrid(0.5 + period_s * np.arange(beats), (np.arange(beats) + first) % 4 + 1)
    duration_s = 0.5 + period_s * beats
    times_s = np.arange(sample_count(duration_s, rate_hz)) / rate_hz
    told = np.stack([np.full(len(times_s), number * CLIP_APART), grid.beat_of(times_s) * BEAT_APART], axis=1)
    points = np.full((len(times_s), BLAZEPOSE_LANDMARKS, 2), 0.5)
    points[:, TELLS] += told
    poses = [PoseFeatures.from_landmarks(points * view, np.ones(points.shape[:2]), rate_hz) for view in (1, 2, 3)]
    return Source(f"clip{number}", None, tuple(poses[:views]), sounding(grid, duration_s, number))


def sounding(grid: BeatGrid, duration_s: float, number: int) -> AudioFeatures:
    """Sound that tells its clip in the first column, its beat in the second."""

    def told(rate_hz: float, columns: int) -> FloatArray:
        times_s = np.arange(sample_count(duration_s, rate_hz)) / rate_hz
        rows = np.zeros((len(times_s), columns), np.float32)
        rows[:, 0], rows[:, 1] = number, grid.beat_of(times_s)
        return rows

    return AudioFeatures(
        AUDIO_HZ, duration_s, told(AUDIO_HZ, MEL_BANDS), told(AUDIO_HZ, 12), ONSET_HZ, told(ONSET_HZ, 3),
        60 / grid.period_s, 1.0, grid,
    )  # fmt: skip


def read(dance: Joined, landmark: int = TELLS) -> tuple[FloatArray, FloatArray]:
    """The clip and the beat of it at every sample of the pose, ``(T,)`` each; NaN where unseen."""
    image = dance.pose.image.astype(float)
    told = image[:, landmark] - image[:, HIPS].mean(axis=1)
    return told[:, 0] / CLIP_APART, told[:, 1] / BEAT_APART


def beats_of(dance: Joined) -> FloatArray:
    """``(T,)`` the beat of the dance at every sample."""
    return dance.audio.beats.beat_of(np.arange(len(dance.pose)) / dance.pose.rate_hz)


def lively(seed: int, duration_s: float = 12.0, rate_hz: float = 30.0) -> Source:
    """A drawn dancer's clip, with sound and with the metric landmarks."""
    truth = danced(seed, duration_s=duration_s, rate_hz=rate_hz)
    pose = truth.dance.features(rate_hz, duration_s)
    audio = replace(sounding(truth.audio.beats, duration_s, seed), tempo_bpm=truth.audio.tempo_bpm)
    return Source(f"dancer{seed}", None, (pose,), audio)


def drawn_clip(seed: int, duration_s: float = 12.0) -> Clip:
    """The same as a video's features."""
    one = lively(seed, duration_s, rate_hz=15.0)
    return Clip(one.name, f"{seed:064x}", one.label, one.views[0], None, one.audio)
