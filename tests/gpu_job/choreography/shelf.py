"""Libraries of which only what is looked for is told; all else is of one kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpu_job.choreography.fit import Context
from shared.library import JOINTS, POSE_EMBEDDING, Annotation, Difficulty, Edges, Energy, Move, MoveLibrary
from shared.music import EMBEDDING, Role
from shared.timeline import BeatGrid, FloatArray


def unit(seed: int, dimension: int, rows: int | None = None) -> FloatArray:
    """Of unit length, in a direction of its own for every seed."""
    drawn = np.random.default_rng(seed).normal(size=(rows or 1, dimension))
    drawn = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return drawn if rows else drawn[0]


def a_clip(
    clip_id: str = "clip",
    label: str = "basic",
    *,
    difficulty: Difficulty = Difficulty.INTERMEDIATE,
    energy: Energy = Energy.MEDIUM,
    styles: tuple[str, ...] = (),
    tempo_bpm: float = 125.0,
    energies: Sequence[float] = (0.5,),
    detection: float = 1.0,
    smoothness: float = 0.5,
    bar_confidence: float = 0.8,
    audio: FloatArray | None = None,
    pose: FloatArray | None = None,
) -> Move:
    """A clip of as many blocks as ``energies`` are told."""
    many = len(energies)
    qualities = np.array([(value, 0.5, smoothness, 0.5, detection) for value in energies])
    return Move(
        Annotation(clip_id, label, difficulty, energy, tempo_bpm, styles), f"{clip_id}.mp4", clip_id, f"{clip_id}.mp4",
        "2026-01-01T00:00:00Z", 30.0, 900, BeatGrid.regular(60 / tempo_bpm, 0.1 + 60 / tempo_bpm * 8 * many),
        tempo_bpm, bar_confidence, np.arange(many) * 8, qualities,
        unit(hash_of(clip_id), POSE_EMBEDDING, many) if pose is None else np.tile(pose, (many, 1)),
        unit(hash_of(clip_id) + 1, EMBEDDING) if audio is None else audio,
        Edges(
            np.zeros((many, 2, 2, len(JOINTS), 4)), np.zeros((many, 2, 2, 2)), np.zeros((many, 2, 2)),
            np.zeros((many, 2)),
        ),
    )  # fmt: skip


def hash_of(word: str) -> int:
    """The same in every process, unlike ``hash``."""
    return int.from_bytes(word.encode()) % 2**31


def shelf(*clips: Move) -> MoveLibrary:
    return MoveLibrary.of(clips)


def places(
    *roles: Role, energy: float | Sequence[float] = 0.5, tempo_bpm: float = 125.0, audio: FloatArray | None = None
) -> Context:
    """Some places of a song, in sections of these roles; one of a verse if none are told."""
    roles = roles or (Role.VERSE,)
    return Context(
        np.full(len(roles), tempo_bpm), np.broadcast_to(np.asarray(energy, dtype=float), (len(roles),)), roles,
        unit(7, EMBEDDING) if audio is None else audio,
    )  # fmt: skip
