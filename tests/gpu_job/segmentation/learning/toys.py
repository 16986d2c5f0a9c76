"""Examples that are learnt in a moment: at a boundary the dancer does what she does nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT
from gpu_job.segmentation.inputs import CHANNELS, LAGS, METER, SOUND, Inputs
from gpu_job.segmentation.learning.examples import Example
from shared.timeline import FloatArray

HALF_BEATS, BOUNDARY_SHARE = 24, 0.15


def shown(motion: FloatArray) -> Inputs:
    """A dance of which only the motion is known, ``(P, 70)``, and the beats."""
    half_beats = (len(motion) - 1) // POINTS_PER_HALF_BEAT + 1
    meter = np.eye(METER)[np.arange(half_beats) // 2 % 4] * (np.arange(half_beats)[:, None] % 2 == 0)
    return Inputs(
        motion.astype(np.float32), np.ones_like(motion, np.float32), np.zeros((half_beats, LAGS), np.float32),
        meter.astype(np.float32), np.zeros((half_beats, SOUND), np.float32),
    )  # fmt: skip


def toy(seed: int) -> Example:
    rng = np.random.default_rng([seed, 99])
    target = (rng.random(HALF_BEATS) < BOUNDARY_SHARE).astype(np.float32)
    target[[0, -1]] = 0
    motion = rng.normal(0, 0.3, (POINTS_PER_HALF_BEAT * (HALF_BEATS - 1) + 1, CHANNELS))
    motion[::POINTS_PER_HALF_BEAT, :5] += 2 * target[:, None]
    weight = np.ones(HALF_BEATS, np.float32)
    weight[[0, -1]] = 0
    return Example(shown(motion), target, weight)


def toys_of(epoch: int, fresh: int = 12) -> Sequence[Example]:
    """A kitchen."""
    return [toy(seed) for seed in range(epoch * fresh, (epoch + 1) * fresh)]
