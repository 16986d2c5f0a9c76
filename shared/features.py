"""What the functions extract and the GPU job reads: frozen arrays on one clock, and their npz form.

Sample ``i`` of every array at ``rate_hz`` is at ``i / rate_hz`` seconds. A pose that was not seen is
masked, never invented. This module knows no estimator and no file system.
"""

from __future__ import annotations

import io
import itertools
import math
import zipfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.errors import BadMessage
from shared.timeline import BeatGrid, FloatArray

SCHEMA = 1
MEL_BANDS = 81

# The connections of MediaPipe's pose graph, by landmark number.
BLAZEPOSE_BONES: tuple[tuple[int, int], ...] = (
    (0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10),
    (11, 12), (11, 13), (13, 15), (15, 17), (15, 19), (15, 21), (17, 19),
    (12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (18, 20),
    (11, 23), (12, 24), (23, 24), (23, 25), (24, 26), (25, 27), (26, 28),
    (27, 29), (28, 30), (29, 31), (30, 32), (27, 31), (28, 32),
)  # fmt: skip
BLAZEPOSE_LANDMARKS = 33
NOSE, EARS, SHOULDERS, HIPS = 0, (7, 8), (11, 12), (23, 24)  # a pair is left, right
KNEES, ANKLES = (25, 26), (27, 28)

# 97 % of a movement at 2 Hz, the beat of 120 BPM, is kept; a sixth of a jitter of 7 Hz.
SMOOTHING_SIGMA_S = 0.05

# What NumPy, zipfile and zlib raise at bytes that are not what they should be.
UNREADABLE = (ValueError, KeyError, TypeError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)

# COCO keypoint k is BlazePose landmark COCO_TO_BLAZEPOSE[k].
COCO_TO_BLAZEPOSE: tuple[int, ...] = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)


@dataclass(frozen=True, slots=True, eq=False)
class AudioFeatures:
    """The sound of a recording.

    ``log_mel``  ``(T, 81)`` decibels below the loudest, at ``rate_hz``
    ``chroma``   ``(T, 12)`` 0 … 1, C first, at ``rate_hz``
    ``onset``    ``(N, bands)`` onset strength ≥ 0 by frequency band, low first, at ``onset_rate_hz``,
                 a whole multiple of ``rate_hz``
    ``tempo_bpm``and ``beats``: None and empty where no beat was found
    ``tempo_confidence`` 0 … 1
    """

    rate_hz: float
    duration_s: float
    log_mel: FloatArray
    chroma: FloatArray
    onset_rate_hz: float
    onset: FloatArray
    tempo_bpm: float | None
    tempo_confidence: float
    beats: BeatGrid

    @classmethod
    def silent(cls, duration_s: float, rate_hz: float) -> AudioFeatures:
        """The features of a recording that has no sound."""
        return cls(
            rate_hz=rate_hz, duration_s=duration_s,
            log_mel=np.zeros((0, MEL_BANDS), np.float32), chroma=np.zeros((0, 12), np.float32),
            onset_rate_hz=rate_hz, onset=np.zeros((0, 1), np.float32),
            tempo_bpm=None, tempo_confidence=0.0, beats=BeatGrid.none(),
        )  # fmt: skip

    @property
    def is_silent(self) -> bool:
        return len(self.log_mel) == 0

    def to_bytes(self) -> bytes:
        return pack(
            "audio", rate_hz=self.rate_hz, duration_s=self.duration_s,
            log_mel=self.log_mel, chroma=self.chroma, onset_rate_hz=self.onset_rate_hz, onset=self.onset,
            tempo_bpm=np.nan if self.tempo_bpm is None else self.tempo_bpm,
            tempo_confidence=self.tempo_confidence,
            beats_s=self.beats.beats_s, positions=self.beats.positions,
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> AudioFeatures:
        """Raises BadMessage where the bytes are no audio features of this schema."""
        with unpacked("audio", data) as a:
            tempo_bpm = float(a["tempo_bpm"])
            return cls(
                rate_hz=float(a["rate_hz"]), duration_s=float(a["duration_s"]),
                log_mel=a["log_mel"], chroma=a["chroma"],
                onset_rate_hz=float(a["onset_rate_hz"]), onset=a["onset"],
                tempo_bpm=None if np.isnan(tempo_bpm) else tempo_bpm,
                tempo_confidence=float(a["tempo_confidence"]), beats=BeatGrid(a["beats_s"], a["positions"]),
            )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PoseFeatures:
    """One dancer's pose over time, 33 BlazePose landmarks.

    ``image``      ``(T, 33, 2)`` x right, y down, in image heights (x is 0 … width / height)
    ``world``      ``(T, 33, 3)`` metres from the middle of the hips, x right, y down, z away; NaN
                   where the estimator gives none
    ``visibility`` ``(T, 33)`` 0 … 1; 0 for a landmark that was not seen

    Coordinates of a sample in which nobody was detected are NaN and its visibility is 0.
    ``first_sample`` is the place of the first row on the clock of the whole recording.
    """

    rate_hz: float
    image: FloatArray
    world: FloatArray
    visibility: FloatArray
    first_sample: int = 0

    def __post_init__(self) -> None:
        rows = (len(self), BLAZEPOSE_LANDMARKS)
        shapes = (self.image.shape, self.world.shape, self.visibility.shape)
        if shapes != ((*rows, 2), (*rows, 3), rows):
            raise ValueError(f"shapes {shapes} do not belong together")

    def __len__(self) -> int:
        return len(self.image)

    @property
    def detected(self) -> npt.NDArray[np.bool_]:
        """``(T,)`` whether a dancer was seen."""
        seen = np.isfinite(self.image).all(axis=2) & (self.visibility > 0)
        return np.any(seen, axis=1)

    @property
    def detected_share(self) -> float:
        return float(self.detected.mean()) if len(self) else 0.0

    def bones(self) -> FloatArray:
        """Unit vectors along the 35 connections, from the image. ``(T, 35, 2)``; NaN where unseen.

        A bone without length, or with an unseen end, is NaN.
        """
        start, end = np.array(BLAZEPOSE_BONES).T
        vectors = self.image[:, end] - self.image[:, start]
        length = np.linalg.norm(vectors, axis=2, keepdims=True)
        return np.divide(vectors, length, out=np.full_like(vectors, np.nan), where=length > 1e-9)

    def smoothed(self, sigma_s: float = SMOOTHING_SIGMA_S) -> PoseFeatures:
        """The same pose without its jitter, not delayed: a symmetric kernel, for poses that are complete.

        Twicing (Tukey, 1977): a Gaussian average of ``sigma_s`` seconds, plus the same average of
        what that left over. Slow movement passes whole, a straight one exactly. Each landmark is
        averaged within a run of samples in which it was seen: what is masked stays masked and
        nothing is carried over a gap. Towards the ends of a run the kernel narrows.
        """
        reach = math.ceil(3 * sigma_s * self.rate_hz)
        weights = np.exp(-0.5 * (np.arange(reach + 1) / max(sigma_s * self.rate_hz, 1e-9)) ** 2)
        return replace(self, image=_twiced(self.image, weights), world=_twiced(self.world, weights))

    @classmethod
    def from_landmarks(
        cls, points: npt.ArrayLike, confidence: npt.ArrayLike, rate_hz: float, layout: str = "blazepose33"
    ) -> PoseFeatures:
        """Keypoints of any estimator.

        ``points``     ``(T, J, 2 or 3)``, y down, in one unit for all axes (pixels or image heights);
                       depth, if given, is left out: estimators disagree on what it means
        ``confidence`` ``(T, J)`` 0 … 1; a point of confidence 0 or NaN coordinates is unseen
        ``layout``     ``blazepose33`` (J = 33) or ``coco17`` (J = 17)

        Landmarks that the layout does not have are masked. Raises ValueError for other layouts, for shapes that do not
        fit, and for a rate that is none.
        """
        if not 0 < rate_hz < math.inf:
            raise ValueError(f"no samples come at a rate of {rate_hz} Hz")
        points, confidence = np.asarray(points, dtype=np.float32), np.asarray(confidence, dtype=np.float32)
        places = _places(layout)
        if points.shape[:2] != confidence.shape or points.shape[1:] not in ((len(places), 2), (len(places), 3)):
            raise ValueError(f"{layout} does not fit points {points.shape} and confidence {confidence.shape}")
        points = points[..., :2]
        seen = np.isfinite(points).all(axis=2) & (confidence > 0)
        rows = (len(points), BLAZEPOSE_LANDMARKS)
        image, world = np.full((*rows, 2), np.nan, np.float32), np.full((*rows, 3), np.nan, np.float32)
        visibility = np.zeros(rows, np.float32)
        image[:, places] = np.where(seen[..., None], points, np.nan)
        visibility[:, places] = np.where(seen, np.clip(confidence, 0, 1), 0)
        return cls(float(rate_hz), image, world, visibility)

    @classmethod
    def joined(cls, parts: Sequence[PoseFeatures]) -> PoseFeatures:
        """The parts of one recording, in any order, as one.

        Raises ValueError where a part is missing, two overlap, or their rates differ.
        """
        ordered = sorted(parts, key=lambda part: part.first_sample)
        if not ordered:
            raise ValueError("no parts to join")
        for one, following in itertools.pairwise(ordered):
            if one.rate_hz != following.rate_hz or one.first_sample + len(one) != following.first_sample:
                raise ValueError(f"a part ends at sample {one.first_sample + len(one)}, the next starts at "
                                 f"{following.first_sample}")  # fmt: skip
        return replace(
            ordered[0],
            image=np.concatenate([part.image for part in ordered]),
            world=np.concatenate([part.world for part in ordered]),
            visibility=np.concatenate([part.visibility for part in ordered]),
        )

    def to_bytes(self) -> bytes:
        return pack(
            "pose", rate_hz=self.rate_hz, image=self.image, world=self.world,
            visibility=self.visibility, first_sample=self.first_sample,
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> PoseFeatures:
        """Raises BadMessage where the bytes are no pose features of this schema."""
        with unpacked("pose", data) as a:
            return cls(float(a["rate_hz"]), a["image"], a["world"], a["visibility"], int(a["first_sample"]))


def _twiced(points: FloatArray, weights: FloatArray) -> FloatArray:
    """``points`` ``(T, J, D)``; ``weights`` of the samples 0, 1, 2, … before and after."""
    once = _averaged(points, weights)
    return (once + _averaged(points - once, weights)).astype(points.dtype)


def _averaged(points: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean of each point and as many before as after it, in so far as it is seen without a gap."""
    seen = np.asarray(np.isfinite(points).all(axis=2))
    known = np.where(seen[..., None], points, 0).astype(float)
    total, norm, linked = weights[0] * known, weights[0] * seen.astype(float), seen.copy()
    for k, weight in enumerate(weights[1:], 1):
        linked[:k] = linked[len(linked) - k :] = False
        linked[k:-k] &= seen[2 * k :] & seen[: -2 * k]
        total[k:-k] += weight * np.where(linked[k:-k, :, None], known[2 * k :] + known[: -2 * k], 0)
        norm[k:-k] += 2 * weight * linked[k:-k]
    return np.divide(total, norm[..., None], out=np.full_like(total, np.nan), where=seen[..., None])


def _places(layout: str) -> Sequence[int]:
    match layout:
        case "blazepose33":
            return range(BLAZEPOSE_LANDMARKS)
        case "coco17":
            return COCO_TO_BLAZEPOSE
        case _:
            raise ValueError(f"unknown layout {layout!r}: blazepose33 or coco17")


def pack(kind: str, **arrays: npt.ArrayLike) -> bytes:
    """Named arrays as an npz file that says what it holds."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(buffer, schema=SCHEMA, kind=kind, **named)
    return buffer.getvalue()


@contextmanager
def unpacked(kind: str, data: bytes) -> Generator[dict[str, npt.NDArray[Any]]]:
    """The arrays that :func:`pack` packed. What cannot be read, also by the caller, is a BadMessage."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = dict(archive)
        found = (str(arrays.pop("kind")), int(arrays.pop("schema")))
        if found != (kind, SCHEMA):
            raise BadMessage(f"expected {kind} features of schema {SCHEMA}, found {found[0]} of schema {found[1]}")
        yield arrays
    except UNREADABLE as error:
        raise BadMessage(f"these bytes are no {kind} features: {error}") from error
