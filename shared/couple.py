"""Both dancers of a couple: what a pair of trackers saw, and what it becomes over a whole recording.

This module knows no estimator and no file system. Where one dancer hides the other, the other is
masked, never invented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.features import ANKLES, EARS, NOSE, PoseFeatures, pack, unpacked
from shared.identity import BoolArray, exchanged
from shared.timeline import FloatArray

ARRAYS = ("image", "world", "visibility")  # of a track
SHORTEST = 1e-3  # image heights: below it nobody stands
MOST_RATIO = 2.0  # of the heights of two who stand
GROWTH = 2.4  # a body's growth when its feet are an image height lower: a level camera before the belly
UPRIGHT = 0.75  # quantile of the heights
CLEAR = 0.05  # a twentieth taller is plain to see …
SUREST = 0.95  # … and that the taller one leads is no law
COLOURS = 6  # red, green, blue of the trunk, then of the thighs


@dataclass(frozen=True, slots=True, eq=False)
class Dancers:
    """The two dancers, each the same one throughout.

    ``lead`` and ``follow`` the taller one and the other: a guess
    ``confidence``          0 … 1 that the guess is right, 0.5 where nothing tells
    ``exchanged``           ``(T,)`` where the tracks they come from had them the other way round
    """

    lead: PoseFeatures
    follow: PoseFeatures
    confidence: float
    exchanged: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Couple:
    """Two tracks of one recording. A track may pass from one dancer to the other: see :meth:`settled`.

    ``one`` and ``other`` on one clock
    ``colours``           ``(T, 2, 6)`` 0 … 1 of their trunks and thighs, NaN where unseen
    """

    one: PoseFeatures
    other: PoseFeatures
    colours: FloatArray

    def __post_init__(self) -> None:
        mine, theirs = ((len(pose), pose.rate_hz, pose.first_sample) for pose in (self.one, self.other))
        if mine != theirs or self.colours.shape != (len(self), 2, COLOURS):
            raise ValueError(f"{mine}, {theirs} and colours {self.colours.shape} do not belong together")

    def __len__(self) -> int:
        return len(self.one)

    @property
    def rate_hz(self) -> float:
        return self.one.rate_hz

    @property
    def first_sample(self) -> int:
        return self.one.first_sample

    @property
    def detected(self) -> BoolArray:
        """``(T,)`` whether a dancer was seen, as of :attr:`PoseFeatures.detected`."""
        return self.one.detected | self.other.detected

    @property
    def both_detected(self) -> BoolArray:
        """``(T,)`` whether both were seen."""
        return self.one.detected & self.other.detected

    def settled(self) -> Dancers:
        """Each dancer throughout. To be called on a whole recording: its parts know too little."""
        image = np.stack([self.one.image, self.other.image], axis=1)
        swap = exchanged(image, self.colours, self.rate_hz)
        return _named(_mixed(self.one, self.other, swap), _mixed(self.other, self.one, swap), swap)

    @classmethod
    def joined(cls, parts: Sequence[Couple]) -> Couple:
        """The parts of one recording, in any order, as one.

        Raises ValueError where a part is missing, two overlap, or their rates differ.
        """
        ordered = sorted(parts, key=lambda part: part.first_sample)
        one, other = (PoseFeatures.joined([getattr(part, name) for part in ordered]) for name in ("one", "other"))
        return cls(one, other, np.concatenate([part.colours for part in ordered]))

    def to_bytes(self) -> bytes:
        tracks = {f"{name}_{track}": getattr(pose, name) for track, pose in self._tracks() for name in ARRAYS}
        return pack("couple", rate_hz=self.rate_hz, first_sample=self.first_sample, colours=self.colours, **tracks)

    @classmethod
    def from_bytes(cls, data: bytes) -> Couple:
        """Raises BadMessage where the bytes are no couple's features of this schema."""
        with unpacked("couple", data) as a:
            one, other = (_track(a, number) for number in (0, 1))
            return cls(one, other, a["colours"])

    def _tracks(self) -> enumerate[PoseFeatures]:
        return enumerate((self.one, self.other))


def _track(a: Mapping[str, npt.NDArray[Any]], number: int) -> PoseFeatures:
    image, world, visibility = (a[f"{name}_{number}"] for name in ARRAYS)
    return PoseFeatures(float(a["rate_hz"]), image, world, visibility, int(a["first_sample"]))


def _mixed(pose: PoseFeatures, other: PoseFeatures, swap: BoolArray) -> PoseFeatures:
    """The pose, with the other's samples where ``swap``."""
    image, world = (
        np.where(swap[:, None, None], theirs, mine)
        for mine, theirs in ((pose.image, other.image), (pose.world, other.world))
    )
    return replace(
        pose, image=image, world=world, visibility=np.where(swap[:, None], other.visibility, pose.visibility)
    )


def _named(one: PoseFeatures, other: PoseFeatures, swap: BoolArray) -> Dancers:
    taller = _taller(one, other)
    confidence = 0.5 + (SUREST - 0.5) * float(np.tanh(abs(taller) / CLEAR))
    lead, follow, swap = (one, other, swap) if taller >= 0 else (other, one, ~swap)
    return Dancers(lead, follow, confidence, swap)


def _taller(one: PoseFeatures, other: PoseFeatures) -> float:
    """Logarithm of the ratio of their heights were they equally far away; 0 where nothing tells.

    Who is nearer looks larger, and stands lower in the picture: that share is taken off. Who bends is
    not small: the heights are those reached in a quarter of the samples.
    """
    heights, feet = np.stack([_upright(one), _upright(other)]).transpose(2, 1, 0)
    logs = np.log(np.maximum(heights, SHORTEST))
    told = (heights > SHORTEST).all(axis=1) & (abs(logs[:, 0] - logs[:, 1]) < np.log(MOST_RATIO))
    if not told.any():
        return 0.0
    mine, theirs = np.quantile((logs - GROWTH * feet)[told], UPRIGHT, axis=0)
    return float(mine - theirs)


def _upright(pose: PoseFeatures) -> FloatArray:
    """``(T, 2)`` from the lower ankle to the head, and where that ankle is, in image heights."""
    ankle, head = pose.image[:, ANKLES, 1].max(axis=1), pose.image[:, [NOSE, *EARS], 1].mean(axis=1)
    return np.stack([ankle - head, ankle], axis=1)
