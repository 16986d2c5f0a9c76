"""Dances whose every joint is known, with the song that they go to, as an extractor would tell of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ, extract
from gpu_job.comparison.findings import Take
from infra.local.sample.dancer import dance
from infra.local.sample.song import Song, bachata
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import FloatArray

RATE_HZ = 15.0
DURATION_S = 20.0


@cache
def song(seed: int = 0, tempo_bpm: float = 126.0, duration_s: float = DURATION_S) -> Song:
    return bachata(duration_s, tempo_bpm, seed=seed)


@cache
def heard(seed: int = 0, tempo_bpm: float = 126.0, duration_s: float = DURATION_S) -> AudioFeatures:
    played = song(seed, tempo_bpm, duration_s)
    return extract(played.samples, SAMPLE_RATE_HZ, RATE_HZ, duration_s)


@cache
def taken(dance_seed: int = 0, *, tempo_bpm: float = 126.0, duration_s: float = DURATION_S) -> Take:
    """Somebody dances; another seed is another dance to the same song."""
    danced = dance(song(0, tempo_bpm, duration_s), dance_seed)
    return Take(danced.features(RATE_HZ, duration_s).smoothed(), heard(0, tempo_bpm, duration_s))


def late(take: Take, samples: int) -> Take:
    """The picture so many samples behind the sound; before the start she stands."""
    pose = take.pose
    rows = np.clip(np.arange(len(pose)) - samples, 0, len(pose) - 1)
    return Take(_rows(pose, rows), take.audio)


def standing(take: Take) -> Take:
    return Take(_rows(take.pose, np.zeros(len(take.pose), int)), take.audio)


def silent(take: Take) -> Take:
    return Take(take.pose, AudioFeatures.silent(take.audio.duration_s, RATE_HZ))


def turned(take: Take, degrees: float) -> Take:
    """Seen by a camera that stands elsewhere, as far as the body in space goes."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    about_vertical = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    return Take(replace(take.pose, world=take.pose.world @ about_vertical), take.audio)


def rolled(take: Take) -> Take:
    """The picture turned a quarter clockwise: the phone was held sideways and did not say so."""
    image, world = take.pose.image, take.pose.world
    lying = np.stack([1.0 - image[..., 1], image[..., 0]], axis=-1)
    return Take(replace(take.pose, image=lying, world=np.stack([-world[..., 1], world[..., 0], world[..., 2]], -1)),
                take.audio)  # fmt: skip


def noisy(take: Take, metres: float, seed: int = 0) -> Take:
    rng = np.random.default_rng(seed)
    pose = take.pose
    noise = rng.normal(0, metres, pose.world.shape).astype(np.float32)
    return Take(replace(pose, world=pose.world + noise, image=pose.image + noise[..., :2] / 2), take.audio)


def without(take: Take, landmarks: list[int]) -> Take:
    """These landmarks were never seen."""
    pose = take.pose
    image, world, visibility = pose.image.copy(), pose.world.copy(), pose.visibility.copy()
    image[:, landmarks], world[:, landmarks], visibility[:, landmarks] = np.nan, np.nan, 0.0
    return Take(replace(pose, image=image, world=world, visibility=visibility), take.audio)


def with_points(take: Take, world: FloatArray) -> Take:
    return Take(replace(take.pose, world=world.astype(np.float32)), take.audio)


def _rows(pose: PoseFeatures, rows: np.ndarray) -> PoseFeatures:
    return replace(pose, image=pose.image[rows], world=pose.world[rows], visibility=pose.visibility[rows])
