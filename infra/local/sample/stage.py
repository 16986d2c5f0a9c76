"""The empty dance floor behind the dancer: a lit wall, a skirting board, wooden planks.

It is calm on purpose: what moves in the picture is the dancer. This module knows no dancer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infra.local.sample.dancer import DISTANCE_M, EYE_HEIGHT_M, Camera
from shared.timeline import FloatArray

Picture = npt.NDArray[np.uint8]

WALL_AWAY_M = 2.2
SKIRTING_M = 0.12
PLANK_M = 0.22
PLANK_LENGTH_M = 2.4
FINER = 2  # rendered that much larger, then averaged: smooth edges
BAND = 48  # rows at a time, which keeps the memory small

WALL = np.array([150, 142, 122], np.float32)  # blue, green, red
LAMP = np.array([186, 204, 220], np.float32)
BOARD = np.array([196, 206, 212], np.float32)
WOOD = np.array([84, 128, 176], np.float32)


def empty_stage(width: int, height: int, camera: Camera) -> Picture:
    """``(height, width, 3)`` BGR."""
    return np.concatenate(
        [_band(top, min(BAND, height - top), width, height, camera) for top in range(0, height, BAND)]
    )


def _band(top: int, rows: int, width: int, height: int, camera: Camera) -> Picture:
    """Some rows of the picture."""
    down, across = np.mgrid[: rows * FINER, : width * FINER].astype(np.float32) + 0.5
    right = (across / (height * FINER) - camera.aspect / 2) / camera.focal
    below = ((down + top * FINER) / (height * FINER) - 0.5) / camera.focal  # both per metre of distance
    wall_m = WALL_AWAY_M + DISTANCE_M
    is_wall = (below * wall_m < EYE_HEIGHT_M)[..., None]
    picture = np.where(is_wall, _wall(right * wall_m, below * wall_m), _floor(right, below))
    return _averaged(picture * _vignette(right, below)[..., None])


def _wall(right_m: FloatArray, below_m: FloatArray) -> FloatArray:
    """A wall with a warm glow upon it, and the skirting board at its foot."""
    glow = np.exp(-((right_m / 2.2) ** 2) - ((below_m + 0.4) / 1.5) ** 2)[..., None]
    board = (below_m > EYE_HEIGHT_M - SKIRTING_M)[..., None]
    edge = (np.abs(below_m - EYE_HEIGHT_M + SKIRTING_M) < 0.008)[..., None]
    return np.where(board, BOARD, WALL + 0.75 * glow * (LAMP - WALL)) * np.where(edge, np.float32(0.8), np.float32(1))


def _floor(right: FloatArray, below: FloatArray) -> FloatArray:
    """Planks that run away from the viewer, each with its own shade."""
    distance_m = EYE_HEIGHT_M / np.maximum(below, 1e-3)
    plank, within = np.divmod(right * distance_m / PLANK_M, 1)
    board, along = np.divmod(distance_m / PLANK_LENGTH_M + 0.37 * plank, 1)
    shade = 0.94 + 0.10 * (np.sin(12.9898 * plank + 78.233 * board) * 43758.5453 % 1)
    seam = (within < 0.025) | (along < 0.004)
    sheen = 1 + 0.25 * np.exp(-((right * distance_m / 1.4) ** 2) - ((distance_m - DISTANCE_M) / 1.6) ** 2)
    return WOOD * (shade * np.where(seam, np.float32(0.82), np.float32(1)) * sheen)[..., None]


def _vignette(right: FloatArray, below: FloatArray) -> FloatArray:
    return 1 - 0.9 * np.clip(np.hypot(right, below) - 0.22, 0, None) ** 1.5


def _averaged(picture: FloatArray) -> Picture:
    height, width, _ = picture.shape
    blocks = picture.reshape(height // FINER, FINER, width // FINER, FINER, 3)
    return np.clip(blocks.mean(axis=(1, 3)), 0, 255).astype(np.uint8)
