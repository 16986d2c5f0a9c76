"""A segmentation as files: ``result.json``, ``curves.npz`` and the names of the clips.

Plain JSON types, times in milliseconds' precision, nothing that is not a number. Knows no bucket.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpu_job.segmentation.moves import Move, Segmentation
from gpu_job.segmentation.naming import Name
from gpu_job.told import as_now
from shared.features import PoseFeatures

SCHEMA = 2
"""2: moves have names. In 1 a move's ``label`` was its letter, ``move-A``."""
KIND = "segment"
SOURCE_FIELDS = ("name", "sha256", "container", "codecs", "width", "height", "rotation", "duration_s")
_TIME_DIGITS, _PROBABILITY_DIGITS, _TEMPO_DIGITS, _SHARE_DIGITS = 3, 4, 2, 6


def result(
    segmentation: Segmentation,
    pose: PoseFeatures,
    source: Mapping[str, Any],
    timings_s: Mapping[str, float],
    *,
    people: int = 1,
) -> dict[str, Any]:
    """The content of ``result.json``.

    ``source``    what is known of the upload: the fields named in :data:`SOURCE_FIELDS`; those that are
                  missing are null
    ``timings_s`` seconds that each stage took
    ``people``    how many dancers were tracked

    ``segmented_probs`` has one boundary probability per sample of the pose (``pose.rate_hz``), and
    ``segmented_percentages`` the boundaries between moves as fractions of the duration, as clients of
    the older interface know them.
    """
    beats = segmentation.beats
    duration_s = float(source.get("duration_s") or _end_s(pose))
    tempo_bpm = segmentation.tempo_bpm
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "source": {name: _plain(source.get(name)) for name in SOURCE_FIELDS},
        "tempo_bpm": None if tempo_bpm is None else round(float(tempo_bpm), _TEMPO_DIGITS),
        "beats_s": _rounded(beats.beats_s, _TIME_DIGITS),
        "downbeats_s": _rounded(beats.downbeats_s, _TIME_DIGITS),
        "moves": [_move(move) for move in segmentation.moves],
        "pose": {
            "frames": len(pose),
            "rate_hz": float(pose.rate_hz),
            "detected_share": round(pose.detected_share, _PROBABILITY_DIGITS),
            "people": people,
        },
        "segmented_probs": _rounded(segmentation.curves.boundary_probability, _PROBABILITY_DIGITS),
        "segmented_percentages": [
            round(min(1.0, boundary_s / duration_s), _SHARE_DIGITS) for boundary_s in segmentation.boundaries_s
        ],
        "method": segmentation.method,
        "timings_s": {stage: round(float(seconds), _TIME_DIGITS) for stage, seconds in timings_s.items()},
        "warnings": [{"code": notice.code, "message": notice.message} for notice in segmentation.warnings],
    }


def curves_npz(segmentation: Segmentation) -> bytes:
    """The content of ``curves.npz``: four arrays of one length, as in :class:`~.moves.Curves`."""
    curves = segmentation.curves
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        time_s=curves.time_s.astype(np.float64),
        boundary_probability=curves.boundary_probability.astype(np.float32),
        novelty=curves.novelty.astype(np.float32),
        onset=curves.onset.astype(np.float32),
    )
    return buffer.getvalue()


def clip_name(number: int, move: Move) -> str:
    """What the clip of a move is called; ``number`` from 1: ``03_spin.mp4``, ``03_move-A.mp4``."""
    return f"{number:02d}_{_slug(move.title)}.mp4"


def told_move(fields: Mapping[str, Any]) -> Move:
    """A move as a result told it, of whatever schema."""
    told = as_now(fields)
    names = tuple(Name(name["label"], name["confidence"]) for name in told["names"])
    same = ("start_s", "end_s", "counts", "label", "confidence", "letter", "probability")
    return Move(**{name: told[name] for name in same}, names=names)


def _move(move: Move) -> dict[str, Any]:
    return {
        "start_s": round(move.start_s, _TIME_DIGITS),
        "end_s": round(move.end_s, _TIME_DIGITS),
        "counts": _counts(move.counts),
        "label": move.label,
        "confidence": round(move.confidence, _PROBABILITY_DIGITS),
        "names": [_name(name) for name in move.names],
        "letter": move.letter,
        "probability": round(move.probability, _PROBABILITY_DIGITS),
    }


def _name(name: Name) -> dict[str, Any]:
    return {"label": name.label, "confidence": round(name.confidence, _PROBABILITY_DIGITS)}


def _counts(counts: float | None) -> float | int | None:
    """Whole counts as whole numbers: 8, not 8.0."""
    return counts if counts is None or counts % 1 else int(counts)


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def _plain(value: Any) -> Any:
    """The same in types that JSON has; a number that is none becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _end_s(pose: PoseFeatures) -> float:
    return max(1, pose.first_sample + len(pose)) / pose.rate_hz


def _slug(label: str) -> str:
    """A label as a part of a file name, in letters that every file system has."""
    ascii_label = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9-]+", "-", ascii_label).strip("-") or "move"
