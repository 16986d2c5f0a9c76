"""Dances whose every joint is known, with the song that they go to, as an extractor would tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ, extract
from gpu_job.bodies import OTHER_SIDE
from gpu_job.comparison.findings import Limb, Take
from infra.local.sample.dancer import dance
from infra.local.sample.moves import VOCABULARY, Move
from infra.local.sample.song import Song, bachata
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import BeatGrid, FloatArray, sample_count, sample_times_s

RATE_HZ = 15.0
DURATION_S = 20.0
HALVES = VOCABULARY[::2], VOCABULARY[1::2]
"""Moves for dancers who have nothing to do with one another."""


@cache
def song(seed: int = 0, tempo_bpm: float = 126.0, duration_s: float = DURATION_S) -> Song:
    return bachata(duration_s, tempo_bpm, sample_rate_hz=SAMPLE_RATE_HZ, seed=seed)


@cache
def heard(seed: int = 0, tempo_bpm: float = 126.0, duration_s: float = DURATION_S) -> AudioFeatures:
    played = song(seed, tempo_bpm, duration_s)
    return extract(played.samples, SAMPLE_RATE_HZ, RATE_HZ, duration_s)


@cache
def taken(dance_seed: int = 0, *, tempo_bpm: float = 126.0, duration_s: float = DURATION_S) -> Take:
    """Somebody dances; another seed is another dance to the same song."""
    return performed(dance_seed, tempo_bpm=tempo_bpm, duration_s=duration_s)


@cache
def performed(
    dance_seed: int = 0,
    *,
    tempo_bpm: float = 126.0,
    duration_s: float = DURATION_S,
    start_s: float = 0.0,
    late_s: float = 0.0,
    frame_rate_hz: float | None = None,
    vocabulary: Sequence[Move] = VOCABULARY,
) -> Take:
    """A dance that is recorded from ``start_s`` on, danced ``late_s`` after the music, by a camera that takes so
    many pictures a second (at every sample one if None)."""
    played = song(0, tempo_bpm, duration_s)
    danced = dance(played, dance_seed, vocabulary=vocabulary)
    times_s = sample_times_s(sample_count(duration_s - start_s, RATE_HZ), RATE_HZ)
    shown_s = times_s if frame_rate_hz is None else np.floor(times_s * frame_rate_hz + 1e-6) / frame_rate_hz
    truth = danced.pose(shown_s + start_s - late_s)
    image, world = truth.image.astype(np.float32), truth.world.astype(np.float32)
    pose = PoseFeatures(RATE_HZ, image, world, np.ones(image.shape[:2], np.float32))
    if start_s == 0:
        return Take(pose.smoothed(), heard(0, tempo_bpm, duration_s))
    samples = played.samples[round(start_s * SAMPLE_RATE_HZ) :]
    return Take(pose.smoothed(), extract(samples, SAMPLE_RATE_HZ, RATE_HZ, duration_s - start_s))


def mirrored(take: Take, aspect: float = 16 / 9) -> Take:
    """As a selfie camera shows her."""
    pose = take.pose
    image, world = pose.image[:, OTHER_SIDE], pose.world[:, OTHER_SIDE]
    image, world = image * np.float32([-1, 1]) + np.float32([aspect, 0]), world * np.float32([-1, 1, 1])
    return Take(replace(pose, image=image, world=world, visibility=pose.visibility[:, OTHER_SIDE]), take.audio)


# What moves with a limb, and about which landmarks' middle it swings.
SWINGING: Mapping[Limb, tuple[tuple[int, ...], tuple[int, ...]]] = {
    Limb.LEFT_ARM: ((13, 15, 17, 19, 21), (11,)),
    Limb.RIGHT_ARM: ((14, 16, 18, 20, 22), (12,)),
    Limb.LEFT_LEG: ((25, 27, 29, 31), (23,)),
    Limb.RIGHT_LEG: ((26, 28, 30, 32), (24,)),
    Limb.TORSO: ((11, 12), (23, 24)),
    Limb.HEAD: (tuple(range(11)), (11, 12)),
}
# What hangs on the shoulders and goes where they go, without swinging itself.
CARRIED: Mapping[int, tuple[int, ...]] = {11: SWINGING[Limb.LEFT_ARM][0], 12: SWINGING[Limb.RIGHT_ARM][0]}


def disturbed(take: Take, limb: Limb, radians: float = 0.6, seed: int = 0) -> Take:
    """One limb swings to and fro in the plane of the picture as it did not, all else is as it was."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(len(take.pose)) / take.pose.rate_hz
    angle = radians * np.sin(2 * np.pi * (rng.uniform(0.5, 0.9) * times_s + rng.uniform()))
    image, world = (_swung(points, limb, angle) for points in (take.pose.image, take.pose.world))
    return Take(replace(take.pose, image=image, world=world), take.audio)


def _swung(points: FloatArray, limb: Limb, angle: FloatArray) -> FloatArray:
    moving, about = SWINGING[limb]
    swung = points.copy()
    pivot = points[:, about].mean(axis=1, keepdims=True)[..., :2]
    x, y = np.moveaxis(points[:, moving, :2] - pivot, 2, 0)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    swung[:, moving, :2] = pivot + np.stack([cos * x - sin * y, sin * x + cos * y], axis=2)
    if limb is Limb.TORSO:
        change = swung - points
        for shoulder, carried in CARRIED.items():
            swung[:, carried] += change[:, [shoulder]]
        swung[:, :11] += change[:, [11, 12]].mean(axis=1, keepdims=True)
    return swung.astype(np.float32)


def late(take: Take, samples: int) -> Take:
    """The picture so many samples behind the sound; before the start she stands."""
    pose = take.pose
    rows = np.clip(np.arange(len(pose)) - samples, 0, len(pose) - 1)
    return Take(_rows(pose, rows), take.audio)


def standing(take: Take) -> Take:
    return Take(_rows(take.pose, np.zeros(len(take.pose), int)), take.audio)


def silent(take: Take) -> Take:
    return Take(take.pose, AudioFeatures.silent(take.audio.duration_s, RATE_HZ))


def to_other_music(take: Take, seed: int = 0) -> Take:
    """The beats stay, and nothing else of what is heard: drawn songs are all of one pattern."""
    heard = take.audio
    order = np.random.default_rng(seed).permutation(len(heard.onset))
    return Take(take.pose, replace(heard, onset=heard.onset[order]))


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


def with_arms(take: Take, other: Take) -> Take:
    """The arms are another's."""
    places = list(range(13, 23))
    image, world = take.pose.image.copy(), take.pose.world.copy()
    for mine, theirs in ((image, other.pose.image), (world, other.pose.world)):
        shoulders = np.repeat([[11, 12]], 5, axis=0).ravel()
        mine[:, places] = mine[:, shoulders] + theirs[:, places] - theirs[:, shoulders]
    return Take(replace(take.pose, image=image, world=world), take.audio)


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


def cut(take: Take, start_s: float, end_s: float) -> Take:
    """The picture from here to there and the beats, of which nothing else is heard."""
    rate_hz, beats_s = take.pose.rate_hz, take.audio.beats.beats_s
    rows = np.arange(round(start_s * rate_hz), round(end_s * rate_hz))
    inside = (beats_s >= start_s) & (beats_s < end_s)
    beats = BeatGrid(beats_s[inside] - start_s, take.audio.beats.positions[inside])
    return Take(_rows(take.pose, rows), replace(AudioFeatures.silent(end_s - start_s, rate_hz), beats=beats))


def hidden(take: Take, *spans_s: tuple[float, float]) -> Take:
    """Nobody was seen from here to there."""
    pose, times_s = take.pose, np.arange(len(take.pose)) / take.pose.rate_hz
    gone = np.zeros(len(pose), bool)
    for start_s, end_s in spans_s:
        gone |= (times_s >= start_s) & (times_s < end_s)
    image, world = (np.where(gone[:, None, None], np.float32(np.nan), each) for each in (pose.image, pose.world))
    visibility = np.where(gone[:, None], np.float32(0), pose.visibility)
    return Take(replace(pose, image=image, world=world, visibility=visibility), take.audio)


def with_points(take: Take, world: FloatArray) -> Take:
    return Take(replace(take.pose, world=world.astype(np.float32)), take.audio)


def _rows(pose: PoseFeatures, rows: np.ndarray) -> PoseFeatures:
    return replace(pose, image=pose.image[rows], world=pose.world[rows], visibility=pose.visibility[rows])
