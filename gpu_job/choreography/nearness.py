"""Two curves of nearness, 1 at no distance: of arrays and tensors alike, in place of the squares that are given."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from torch import Tensor

from shared.timeline import FloatArray

M = TypeVar("M", FloatArray, Tensor)


def bell(squared: M) -> M:
    """exp(-x² / 2) of x²."""
    squared *= -0.5
    return squared.exp_() if isinstance(squared, Tensor) else np.exp(squared, out=squared)


def hill(squared: M) -> M:
    """1 / (1 + x²) of x². Falls more slowly: of two tempi that are both out of reach the nearer is better yet."""
    squared += 1
    return squared.reciprocal_() if isinstance(squared, Tensor) else np.reciprocal(squared, out=squared)
