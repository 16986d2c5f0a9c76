"""Whether confidences are true."""

from __future__ import annotations

import numpy as np

from shared.timeline import BoolArray, FloatArray

CLASSES = 10


def calibration_error(confidence: FloatArray, right: BoolArray) -> float:
    """Expected: by how much confidence, 0 … 1, and what is right differ, over ten equal classes of confidence, each
    weighed by how many are in it (Naeini et al. 2015). ``(N,)`` each, N ≥ 1."""
    place = np.minimum((confidence * CLASSES).astype(int), CLASSES - 1)
    gap = np.bincount(place, weights=confidence - right, minlength=CLASSES)
    return float(np.abs(gap).sum() / len(right))
