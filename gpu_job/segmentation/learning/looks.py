"""How a dancer is seen: from which side, how large, mirrored or not. For dances that are made, not filmed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpu_job.bodies import OTHER_SIDE
from shared.features import HIPS, SHOULDERS, PoseFeatures
from shared.timeline import FloatArray

MIRRORED = OTHER_SIDE
"""The landmark that takes each one's place in a mirror."""
_TURNED_SHARE, _MIRRORED_SHARE = 0.5, 0.5
_MAX_YAW_RAD, _NUDGE_YAW_RAD = 0.7, 0.08
_SCALES, _NUDGE_SCALE, _ROLL_RAD, _NUDGE_ROLL_RAD = (0.7, 1.4), 0.03, 0.05, 0.01
_BLOCK_MIRRORED_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Look:
    """``yaw_rad`` turned about the vertical, None as filmed; ``roll_rad`` of the camera; ``scale`` of the picture."""

    mirrored: bool = False
    yaw_rad: float | None = None
    roll_rad: float = 0.0
    scale: float = 1.0

    @classmethod
    def varied(cls, rng: np.random.Generator) -> Look:
        """Any look, for a dance."""
        yaw = float(rng.uniform(-_MAX_YAW_RAD, _MAX_YAW_RAD)) if rng.random() < _TURNED_SHARE else None
        scale = float(np.exp(rng.uniform(*np.log(_SCALES))))
        return cls(bool(rng.random() < _MIRRORED_SHARE), yaw, float(rng.normal(0, _ROLL_RAD)), scale)

    def of_block(self, rng: np.random.Generator) -> Look:
        """Nearly the same, for one block of it."""
        return replace(self.nudged(rng), mirrored=self.mirrored ^ bool(rng.random() < _BLOCK_MIRRORED_SHARE))

    def nudged(self, rng: np.random.Generator) -> Look:
        """The same but for what a cut changes, be it between two blocks or within one."""
        yaw = None if self.yaw_rad is None else self.yaw_rad + float(rng.normal(0, _NUDGE_YAW_RAD))
        return replace(
            self,
            yaw_rad=yaw,
            roll_rad=self.roll_rad + float(rng.normal(0, _NUDGE_ROLL_RAD)),
            scale=self.scale * float(np.exp(rng.normal(0, _NUDGE_SCALE))),
        )


def looked(pose: PoseFeatures, times_s: FloatArray, look: Look) -> FloatArray:
    """The landmarks at these times, ``(N, 33, 2)`` image heights, NaN unseen.

    Where the picture's frame lies is not kept: a mirrored dancer stands left of its edge, a scaled one elsewhere.
    """
    image = _at(pose.image, pose, times_s)
    hips = image[:, HIPS].mean(axis=1, keepdims=True)
    about = image - hips
    if look.yaw_rad is not None:
        about = _turned(about, _at(pose.world, pose, times_s), look.yaw_rad)
    if look.mirrored:
        about, hips = about[:, MIRRORED] * [-1, 1], hips * [-1, 1]
    c, s = np.cos(look.roll_rad), np.sin(look.roll_rad)
    return (about @ np.array([[c, s], [-s, c]]) + hips) * look.scale


def _turned(about: FloatArray, world: FloatArray, yaw_rad: float) -> FloatArray:
    """Seen from elsewhere: the metric landmarks, turned and brought to the size of the picture's."""
    centred = world - world[:, HIPS].mean(axis=1, keepdims=True)
    flat, deep = (np.linalg.norm(x[:, SHOULDERS].mean(axis=1)[:, :2], axis=1) for x in (about, centred))
    with np.errstate(all="ignore"):
        ratio = float(np.nanmedian(flat / deep)) if np.isfinite(flat / deep).any() else np.nan
    if not np.isfinite(ratio):
        return about
    x = centred[..., 0] * np.cos(yaw_rad) + centred[..., 2] * np.sin(yaw_rad)
    # What the estimator's depth cannot tell stays as filmed.
    turned = np.stack([x, centred[..., 1]], axis=2) * ratio
    return np.where(np.isfinite(turned), turned, about)


def _at(points: FloatArray, pose: PoseFeatures, times_s: FloatArray) -> FloatArray:
    """Between samples, straight; held before the first and after the last. ``(N, 33, D)``.

    Where one of the two neighbours is unseen, the nearer one counts.
    """
    place = np.clip(times_s * pose.rate_hz - pose.first_sample, 0, len(pose) - 1)
    before = np.minimum(np.floor(place).astype(int), max(0, len(pose) - 2))
    share = (place - before)[:, None, None]
    after = np.minimum(before + 1, len(pose) - 1)
    mixed = points[before] * (1 - share) + points[after] * share
    nearest = np.where(share < 0.5, points[before], points[after])
    return np.where(np.isfinite(mixed), mixed, nearest)
