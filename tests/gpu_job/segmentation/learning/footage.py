"""Recordings of dancers who move as nobody else does, whole and in pieces, and clips that hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gpu_job.segmentation.learning.clips import Clip
from shared.couple import COLOURS, Couple
from shared.features import BLAZEPOSE_LANDMARKS, AudioFeatures, PoseFeatures

RATE_HZ = 15.0
SLOWEST_HZ, FASTEST_HZ = 0.3, 1.5
REACH_IMAGE_HEIGHTS = 0.1


def recorded(seed: int, seconds: float = 12.0, rate_hz: float = RATE_HZ) -> PoseFeatures:
    """Each landmark swings about its place as the sum of three waves of its own."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(round(seconds * rate_hz))[:, None, None, None] / rate_hz
    waves = (3, BLAZEPOSE_LANDMARKS, 2)
    phases = 2 * np.pi * (rng.uniform(SLOWEST_HZ, FASTEST_HZ, waves) * times_s + rng.random(waves))
    points = rng.uniform(0.3, 0.7, waves[1:]) + REACH_IMAGE_HEIGHTS * np.sin(phases).mean(axis=1)
    return PoseFeatures.from_landmarks(points, np.ones(points.shape[:2]), rate_hz)


def piece(pose: PoseFeatures, start_s: float, end_s: float) -> PoseFeatures:
    """Cut out, and a recording of its own."""
    start, stop = round(start_s * pose.rate_hz), round(end_s * pose.rate_hz)
    image, world, visibility = (each[start:stop] for each in (pose.image, pose.world, pose.visibility))
    return replace(pose, image=image, world=world, visibility=visibility)


def jittered(pose: PoseFeatures, by_image_heights: float, seed: int = 0) -> PoseFeatures:
    """As an estimator sees the same pictures encoded anew."""
    noise = np.random.default_rng(seed).normal(0, by_image_heights, pose.image.shape).astype(np.float32)
    return replace(pose, image=pose.image + noise)


def coupled(one: PoseFeatures, other: PoseFeatures) -> Couple:
    """Two dancers, one in dark and one in light clothes."""
    colours = np.broadcast_to(np.array([0.1, 0.9], np.float32)[:, None], (len(one), 2, COLOURS))
    return Couple(one, other, colours)


def clip(name: str, label: str | None = "basic", pose: PoseFeatures | None = None, seed: int = 0) -> Clip:
    pose = recorded(seed, 4.0) if pose is None else pose
    return Clip(name, name, label, pose, None, AudioFeatures.silent(len(pose) / pose.rate_hz, pose.rate_hz))
