"""A couple on the counts of its blocks: both dancers' bodies, where they are, how they face and hold each other.

Everything is looked at :data:`POINTS_PER_BEAT` times a beat, so a dance is the same at every tempo. What was not
seen is NaN. Knows no annotation and no file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_job.bodies import Body, body, has_depth, sampled, torso_length
from shared.features import HIPS, SHOULDERS, PoseFeatures
from shared.library import JOINTS
from shared.music import COUNTS_PER_EIGHT
from shared.timeline import BeatGrid, BoolArray, FloatArray, IntArray

POINTS_PER_BEAT = 8
"""Poses come seven times a beat at 130 BPM; a whole number, so that every beat is a point."""
MARGIN = 3
"""Points before the first beat of a block and after its last, for what is measured around its edges."""
POINTS = COUNTS_PER_EIGHT * POINTS_PER_BEAT + 1 + 2 * MARGIN
WITHIN = slice(MARGIN, POINTS - MARGIN)
"""The points from a block's first beat to that after its last."""


HANDS = ((15, 17, 19), (16, 18, 20))
"""Left, right: wrist and the roots of the little and the index finger, whose middle is the palm."""
HELD, APART = 0.35, 0.8
"""Torso lengths from palm to palm: hands that hold each other are 0.2 apart as landmarks tell, and further blurred
by motion; at 0.8, some 40 cm, they surely don't."""
HAND_SEEN = 0.2
"""Least visibility of a hand: below, it is guessed behind a body. In turns hands are seen poorly but not wrongly."""


@dataclass(frozen=True, slots=True, eq=False)
class Dancer:
    """One dancer at ``P`` points of each of ``K`` blocks.

    ``body``   of all K · P points in a row, in space where the estimator knows depth
    ``joints`` ``(K, P, 13, 2)`` torso lengths from the middle of the hips, of the picture; NaN where unseen
    ``place``  ``(K, P, 2)`` of the middle of the hips, image heights
    ``hands``  ``(K, P, 2, 2)`` left and right palm, image heights
    ``facing`` ``(K, P)`` radians, 0 towards the camera, positive towards the right of the picture
    ``torso``  image heights
    """

    body: Body
    joints: FloatArray
    place: FloatArray
    hands: FloatArray
    facing: FloatArray
    torso: float

    def only(self, kept: BoolArray) -> Dancer:
        """In these of the blocks, ``(K,)``."""
        rows = np.repeat(kept, self.place.shape[1])
        solid = Body(self.body.points[rows], self.body.seen[rows], self.body.is_flat)
        return Dancer(solid, self.joints[kept], self.place[kept], self.hands[kept], self.facing[kept], self.torso)

    @property
    def detected(self) -> BoolArray:
        """``(K, P)`` where seen at all."""
        return np.isfinite(self.place[..., 0])


@dataclass(frozen=True, slots=True, eq=False)
class Dance:
    """Lead and follow in each of ``K`` blocks."""

    lead: Dancer
    follow: Dancer

    def __len__(self) -> int:
        return len(self.lead.place)

    def only(self, kept: BoolArray) -> Dance:
        """In these of the blocks, ``(K,)``."""
        return Dance(self.lead.only(kept), self.follow.only(kept))

    @property
    def dancers(self) -> tuple[Dancer, Dancer]:
        return self.lead, self.follow

    @property
    def torso(self) -> float:
        """Image heights, the mean of both."""
        return (self.lead.torso + self.follow.torso) / 2

    def apart(self) -> FloatArray:
        """``(K, P, 2)`` from the lead's hips to the follow's, torso lengths in the picture."""
        return (self.follow.place - self.lead.place) / self.torso

    def hold(self) -> FloatArray:
        """``(K, P)`` 0 apart … 1 hand in hand, of the two nearest hands; NaN where no two are seen."""
        between = self.lead.hands[:, :, :, None] - self.follow.hands[:, :, None]
        distance = np.linalg.norm(between, axis=-1).reshape(*between.shape[:2], 4) / self.torso
        nearest = np.min(np.where(np.isfinite(distance), distance, np.inf), axis=2)
        return np.where(np.isfinite(nearest), np.clip((APART - nearest) / (APART - HELD), 0.0, 1.0), np.nan)


def danced(beats: BeatGrid, firsts: IntArray, lead: PoseFeatures, follow: PoseFeatures) -> Dance:
    """The blocks that begin at these beats; poses as the estimator saw them, not smoothed."""
    steps = (np.arange(POINTS) - MARGIN) / POINTS_PER_BEAT
    times_s = beats.time_of(firsts[:, None] + steps)
    return Dance(_dancer(lead, times_s), _dancer(follow, times_s))


def _dancer(seen: PoseFeatures, times_s: FloatArray) -> Dancer:
    pose, shape = seen.smoothed(), times_s.shape
    rows = times_s.ravel() * pose.rate_hz - pose.first_sample
    flat, torso = body(pose, is_flat=True), torso_length(pose.image)
    solid = sampled(body(pose, is_flat=not has_depth(pose)), rows)
    picture = sampled(Body(np.pad(pose.image, ((0, 0), (0, 0), (0, 1))), pose.visibility, is_flat=True), rows)
    joints = sampled(flat, rows)
    return Dancer(
        solid,
        np.where(joints.seen[..., None] > 0, joints.points[..., :2], np.nan)[:, JOINTS].reshape(*shape, len(JOINTS), 2),
        picture.points[:, HIPS, :2].mean(axis=1).reshape(*shape, 2),
        _palms(picture).reshape(*shape, 2, 2),
        _facing(solid).reshape(shape),
        torso,
    )


def _palms(picture: Body) -> FloatArray:
    """``(T, 2, 2)``; NaN where it is but guessed."""
    palms = np.stack([picture.points[:, hand, :2].mean(axis=1) for hand in HANDS], axis=1)
    seen = np.stack([picture.seen[:, hand[0]] for hand in HANDS], axis=1)
    return np.where(seen[..., None] >= HAND_SEEN, palms, np.nan)


def _facing(solid: Body) -> FloatArray:
    """``(T,)`` from the lines through the shoulders and through the hips; NaN without depth."""
    if solid.is_flat:
        return np.full(len(solid), np.nan)
    across = sum((solid.points[:, left] - solid.points[:, right] for left, right in (SHOULDERS, HIPS)), np.zeros(3))
    return np.arctan2(across[:, 2], across[:, 0])
