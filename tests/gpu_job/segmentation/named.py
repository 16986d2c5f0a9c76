"""Clips of one drawn move each, as a teacher's library has them, and dances that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gpu_job.segmentation.learning.naming_training import Clip
from gpu_job.segmentation.performance import Performance
from infra.local.sample.dancer import Camera, Dance, Step
from infra.local.sample.moves import VOCABULARY, Move
from shared.features import COCO_TO_BLAZEPOSE, PoseFeatures
from shared.timeline import BeatGrid, IntArray
from tests.gpu_job.segmentation.truth import heard

MOVES = VOCABULARY[:4]
COUNTS = 8
RATE_HZ = 15.0
Seen = tuple[PoseFeatures, BeatGrid]
JITTER = 0.004  # image heights, of every coordinate


def performed(
    moves: Sequence[Move], seed: int = 0, *, tempo_bpm: float = 125.0, rate_hz: float = RATE_HZ,
) -> Seen:  # fmt: skip
    """These moves, eight counts each, from the first beat to the last; the pose as an estimator sees it."""
    rng = np.random.default_rng(seed)
    steps = tuple(Step(move, COUNTS * i, COUNTS * (i + 1)) for i, move in enumerate(moves))
    duration_s = COUNTS * len(moves) * 60 / tempo_bpm
    beats = BeatGrid.regular(60 / tempo_bpm, duration_s + 1e-6)
    pose = Dance(beats, steps, Camera()).features(rate_hz, duration_s)
    image = pose.image + rng.normal(0, JITTER, pose.image.shape).astype(np.float32)
    return replace(pose, image=image), beats


def performance(pose: PoseFeatures, beats: BeatGrid) -> Performance:
    duration_s = len(pose) / pose.rate_hz
    return Performance(pose.smoothed(), heard(beats, 60 / beats.period_s, duration_s))


def clip(move: Move, seed: int) -> Clip:
    """Two or three eights of one move, at a tempo of its own."""
    tempo_bpm = 112.0 + 5 * (seed % 7)
    pose, beats = performed([move] * (2 + seed % 2), seed, tempo_bpm=tempo_bpm)
    return Clip(f"{move.name}-{seed}", move.name, performance(pose, beats))


def library(each: int = 5, moves: Sequence[Move] = MOVES) -> list[Clip]:
    return [clip(move, seed) for move in moves for seed in range(each)]


def folds(clips: Sequence[Clip], count: int = 2) -> dict[str, int]:
    return {one.name: i % count for i, one in enumerate(clips)}


def eights_of(performance: Performance) -> IntArray:
    """Half-beats at which eights begin and end, from the first beat of the music on."""
    beats = performance.grid.beats
    starts = np.arange(0, float(beats[-1]) + 1, COUNTS)
    return np.clip(np.round(2 * (starts - beats[0])).astype(int), 0, len(beats) - 1)


def coco(pose: PoseFeatures) -> PoseFeatures:
    """Only the 17 landmarks of COCO, in the picture."""
    places = list(COCO_TO_BLAZEPOSE)
    return PoseFeatures.from_landmarks(
        pose.image[:, places], pose.visibility[:, places], pose.rate_hz, layout="coco17"
    )  # fmt: skip


def masked(pose: PoseFeatures, share: float, seed: int = 0) -> PoseFeatures:
    """So many of the landmarks unseen, here and there."""
    hidden = np.random.default_rng(seed).random(pose.visibility.shape) < share
    image, world = (np.where(hidden[..., None], np.nan, each).astype(np.float32) for each in (pose.image, pose.world))
    return replace(pose, image=image, world=world, visibility=np.where(hidden, 0, pose.visibility).astype(np.float32))
