"""What is usual in a couple's dance, and how much it varies: what embeddings are told from.

Medians and half the width of the middle 68 % over the 279 blocks of 115 real clips, alike for left and right, for
lead and follow and for every count, rounded: ``python -m tests.benchmarks.moves FOLDER`` prints them as they are. They
only set what is near and what is far; an embedding stays comparable as long as they stay. Knows no poses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shared.music import COUNTS_PER_EIGHT
from shared.timeline import FloatArray

CHANNEL_KINDS = (0, 1, 0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 11, 12, 13, 14, 13, 14, 15)
"""Of the bones of :data:`gpu_job.movement.BONES`, then of the joints: upper arm, forearm, thigh, shin, foot, spine, the
lines of hips and of shoulders, neck, ears, face; elbow, shoulder, knee, hip, twist."""
LIMB_KINDS = (0, 0, 1, 1, 2, 3)
"""Of the limbs: arm, leg, trunk, head."""

_POSTURE = (
    (0.71, -0.01, 0.97, 0.93, 0.68, -0.99, 0.0, 0.0, -0.94, 0.0, 0.2, 1.06, 2.43, 0.46, 2.92, 0.19),
    (0.26, 0.36, 0.02, 0.05, 0.1, 0.01, 0.04, 0.07, 0.04, 0.14, 0.14, 0.26, 0.35, 0.15, 0.08, 0.06),
)
_SPREAD = (
    (-1.37, -1.03, -2.88, -2.55, -1.93, -3.3, -2.57, -2.13, -2.74, -2.06, -1.71, -1.05, -1.05, -1.53, -1.96, -2.07),
    (0.85, 0.41, 0.33, 0.48, 0.27, 0.23, 0.32, 0.34, 0.32, 0.47, 0.34, 0.39, 0.66, 0.35, 0.38, 0.37),
)
_SPEED = (
    (-2.24, -1.9, -3.71, -3.31, -2.56, -4.32, -3.5, -2.99, -3.65, -2.99, -2.6, -1.77, -1.85, -2.14, -2.61, -2.82),
    (0.73, 0.43, 0.32, 0.52, 0.3, 0.23, 0.33, 0.34, 0.34, 0.47, 0.38, 0.45, 0.54, 0.34, 0.33, 0.36),
)
_COUNTS = ((-2.03, -2.66, -2.98, -2.85), (0.67, 0.44, 0.55, 0.69))
_TURNING = ((*[0.22] * COUNTS_PER_EIGHT, 0.0), (*[0.38] * COUNTS_PER_EIGHT, 1.65))
_RHYTHM = (
    ((-1.46, -2.06, -1.95, -1.74), (-1.55, -2.19, -2.05, -1.89), (-1.74, -2.27, -2.28, -2.12),
     (-1.7, -2.22, -2.31, -2.15), (-1.91, -2.4, -2.56, -2.37), (-2.11, -2.67, -2.77, -2.61),
     (-2.4, -2.94, -2.97, -2.87)),
    ((0.57, 0.49, 0.56, 0.6), (0.49, 0.43, 0.57, 0.6), (0.41, 0.35, 0.49, 0.56), (0.39, 0.35, 0.47, 0.52),
     (0.42, 0.31, 0.46, 0.5), (0.43, 0.31, 0.49, 0.51), (0.42, 0.28, 0.45, 0.46)),
)  # fmt: skip
_TRAVEL = ((-1.65, -2.45), (0.69, 0.28))
_TOGETHER = ((0.9, 0.96, -0.8, 0.0), (0.35, 0.26, 0.79, 0.54))


def _channels(values: Sequence[Sequence[float]]) -> FloatArray:
    return np.array(values)[:, CHANNEL_KINDS]


def _limbs(values: Sequence[Sequence[float]] | Sequence[Sequence[Sequence[float]]]) -> FloatArray:
    return np.array(values)[..., LIMB_KINDS].reshape(2, -1)


OF: Mapping[str, FloatArray] = {
    "posture": _channels(_POSTURE), "spread": _channels(_SPREAD), "speed": _channels(_SPEED),
    "counts": np.tile(_limbs(_COUNTS), COUNTS_PER_EIGHT), "turning": np.array(_TURNING), "rhythm": _limbs(_RHYTHM),
    "travel": np.array(_TRAVEL), "together": np.tile(np.array(_TOGETHER), COUNTS_PER_EIGHT),
}  # fmt: skip
"""By the part of the embedding, ``(2, n)``: the middle, and how far from it is usual."""
