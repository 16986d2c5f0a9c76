"""Songs and libraries with the structure of real ones, made up: nobody has seen or heard anything.

A song has sections that come again, and an energy of its own in each. A library has clips of two or three
blocks that go on from one another; the dancers begin and end them in one of a few postures, as dancers of
one style do, each a little differently.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np

from shared.library import JOINTS, POSE_EMBEDDING, QUALITIES, Annotation, Difficulty, Edges, Energy, Move, MoveLibrary
from shared.music import COUNTS_PER_EIGHT, EMBEDDING, Music, Role, Section
from shared.timeline import BEATS_PER_BAR, BeatGrid, FloatArray, IntArray, Segment

Part = tuple[Role, int]
"""What a section does, and how many eights it lasts."""
FORM: tuple[Part, ...] = (
    (Role.INTRO, 2), (Role.VERSE, 8), (Role.CHORUS, 8), (Role.VERSE, 8), (Role.CHORUS, 8), (Role.MAMBO, 4),
    (Role.CHORUS, 8), (Role.OUTRO, 2),
)  # fmt: skip
"""Of a usual bachata: 48 eights, three minutes at 128 beats a minute."""
LABELS = ("basic", "bodywaves", "cross_body_lead", "footwork", "golpes", "hammerlock", "headrolls", "lady_turn")
FRAME_RATE_HZ = 30.0
_ENERGY = {Role.INTRO: 0.25, Role.VERSE: 0.4, Role.CHORUS: 0.75, Role.MAMBO: 0.95, Role.BRIDGE: 0.3, Role.OUTRO: 0.2}
_POSTURES = 6
# A standing dancer in torso lengths from the middle of the hips, y down, in the order of JOINTS: nose, shoulders,
# elbows, wrists, hips, knees, ankles.
_STANDING = np.array([
    (0, -1.5), (0.35, -1), (-0.35, -1), (0.5, -0.45), (-0.5, -0.45), (0.4, 0), (-0.4, 0), (0.18, 0), (-0.18, 0),
    (0.2, 0.85), (-0.2, 0.85), (0.2, 1.65), (-0.2, 1.65),
])  # fmt: skip


def a_song(
    form: Sequence[Part] = FORM, *, tempo_bpm: float = 128.0, seed: int = 0, pickup: int = 0, tail: int = 0,
    broken_after: Sequence[int] = (), drift: float = 0.0,
) -> Music:  # fmt: skip
    """A song of these sections. Those of one role and length are repetitions of one another.

    ``pickup``       beats before the first one, of the first section
    ``tail``         beats after the last eight, of the last
    ``broken_after`` numbers of the eights after which two beats too many are played
    ``drift``        how much faster, in all, the end is than the beginning: 0.02 is two per cent
    """
    rng = np.random.default_rng(seed)
    counts: list[int] = list(range(COUNTS_PER_EIGHT - pickup + 1, COUNTS_PER_EIGHT + 1))
    edges = [0]
    eights = itertools.count()
    for _, many in form:
        for _ in range(many):
            counts += range(1, COUNTS_PER_EIGHT + 1)
            counts += [1, 2] if next(eights) in broken_after else []
        edges.append(len(counts))
    counts += range(1, tail + 1)
    edges[-1] = len(counts)
    periods = 60 / tempo_bpm * (1 - drift * np.linspace(0, 1, len(counts)))
    beats = 0.4 + np.concatenate([[0.0], np.cumsum(periods)])
    per_part = [_ENERGY[role] for role, _ in form]
    energy = np.repeat(per_part, np.diff(edges)) + 0.06 * rng.normal(size=len(counts))
    sections = _sections(form, edges, beats, energy)
    return Music(
        float(beats[-1] + 1.0), tempo_bpm, 0.9, 0.9, 0.8,
        BeatGrid(beats[:-1], (np.array(counts, dtype=np.int64) - 1) % BEATS_PER_BAR + 1), np.array(counts),
        np.clip(energy, 0, 1), np.full(len(counts), 0.5), sections, 0.6, 0.7, 0.4,
        _units(rng.normal(size=(1, EMBEDDING)))[0],
    )  # fmt: skip


def _sections(form: Sequence[Part], edges: Sequence[int], beats: FloatArray, energy: FloatArray) -> tuple[Section, ...]:
    groups: dict[Part, int] = {}
    return tuple(
        Section(
            part[0], first, end, Segment(float(beats[first]), float(beats[end])),
            groups.setdefault(part, len(groups)), float(np.clip(energy[first:end].mean(), 0, 1)), 0.8,
        )
        for part, (first, end) in zip(form, itertools.pairwise(edges), strict=True)
    )  # fmt: skip


def a_library(clips: int = 150, seed: int = 0, *, tempo_bpm: tuple[float, float] = (112.0, 144.0)) -> MoveLibrary:
    """``clips`` clips of one to four whole blocks each, about 2.6 in the mean, their tempi drawn between two."""
    rng = np.random.default_rng(seed)
    postures = _Postures(rng)
    return MoveLibrary.of(a_move(f"clip_{number:04}", rng, postures, tempo_bpm) for number in range(clips))


class _Postures:
    """A few ways in which a couple may stand, to begin and to end from."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.joints = _STANDING + 0.35 * rng.normal(size=(_POSTURES, 2, len(JOINTS), 2))
        self.facing = rng.uniform(-np.pi, np.pi, (_POSTURES, 2))
        self.hold = rng.choice([0.0, 1.0], _POSTURES, p=[0.3, 0.7])
        self.after = rng.dirichlet(np.full(_POSTURES, 0.7), _POSTURES)

    def walk(self, steps: int) -> IntArray:
        """``(steps,)`` postures, one after the other."""
        way = [int(self._rng.integers(_POSTURES))]
        while len(way) < steps:
            way.append(int(self._rng.choice(_POSTURES, p=self.after[way[-1]])))
        return np.array(way)

    def edges(self, blocks: int) -> Edges:
        """Of blocks that go on from one another: where one ends the next begins."""
        way, rng, moments = self.walk(blocks + 1), self._rng, blocks + 1
        still = self.joints[way] + 0.08 * rng.normal(size=(moments, 2, len(JOINTS), 2))
        moving = 0.25 * rng.normal(size=still.shape)
        joints = np.concatenate([still, moving], axis=-1)
        joints[rng.random(joints.shape[:3]) < 0.08] = np.nan
        place = np.array([[0.7, 0.55], [0.9, 0.55]]) + 0.06 * rng.normal(size=(moments, 2, 2))
        facing = (self.facing[way] + 0.25 * rng.normal(size=(moments, 2)) + np.pi) % (2 * np.pi) - np.pi
        facing[rng.random(facing.shape) < 0.1] = np.nan
        hold = np.clip(self.hold[way] + 0.1 * rng.normal(size=moments), 0, 1)
        return Edges(*(_both_edges(of_moments) for of_moments in (joints, place, facing, hold)))


def _both_edges(of_moments: FloatArray) -> FloatArray:
    """``(K + 1, …)`` at the moments between blocks → ``(K, 2, …)`` at the start and the end of each."""
    return np.stack([of_moments[:-1], of_moments[1:]], axis=1)


def a_move(clip_id: str, rng: np.random.Generator, postures: _Postures, tempo_bpm: tuple[float, float]) -> Move:
    blocks = int(rng.choice([1, 2, 3, 4], p=[0.1, 0.35, 0.4, 0.15]))
    tempo, offset = rng.uniform(*tempo_bpm), int(rng.integers(4))
    beats_s = 0.3 + 60 / tempo * np.arange(offset + COUNTS_PER_EIGHT * blocks + 2)
    liveliness = rng.random()
    qualities = np.clip(liveliness * np.array([1, 0.7, 0, 0.4, 0]) + rng.random((blocks, len(QUALITIES))) * 0.4, 0, 1)
    difficulty = list(Difficulty)[min(2, int(3 * np.clip(0.6 * qualities[:, 1].mean() + 0.5 * rng.random(), 0, 0.99)))]
    label = str(rng.choice(LABELS))
    annotation = Annotation(clip_id, label, difficulty, list(Energy)[int(2.99 * liveliness)], round(tempo, 1))
    return Move(
        annotation, f"{label}/{clip_id}.mp4", hashlib.sha256(clip_id.encode()).hexdigest(), f"mezzanine/{clip_id}.mp4",
        "2025-01-01T00:00:00Z", FRAME_RATE_HZ, int(beats_s[-1] * FRAME_RATE_HZ) + 30,
        BeatGrid(beats_s, (np.arange(len(beats_s)) - offset) % BEATS_PER_BAR + 1), tempo, 0.8,
        offset + COUNTS_PER_EIGHT * np.arange(blocks), qualities, _units(rng.normal(size=(blocks, POSE_EMBEDDING))),
        _units(rng.normal(size=(1, EMBEDDING)))[0], postures.edges(blocks),
    )  # fmt: skip


def a_fit(music_energy: FloatArray, library: MoveLibrary, seed: int = 0) -> dict[str, FloatArray]:
    """What speaks for each block in each slot, ``(S, N)`` each 0 … 1: how near its energy is to the song's, and taste.

    A stand-in where it is the planner that is looked at.
    """
    rng = np.random.default_rng(seed)
    ranks = np.argsort(np.argsort(library.qualities[:, 0])) / max(1, len(library) - 1)
    energy = np.exp(-0.5 * ((music_energy[:, None] - ranks) / 0.2) ** 2)
    return {"energy": energy, "taste": np.broadcast_to(rng.random(len(library)), energy.shape)}


def _units(rows: FloatArray) -> FloatArray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
