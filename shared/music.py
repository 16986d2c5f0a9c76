"""What a song is made of, as a choreographer hears it: beats, eights, sections, energy.

This module knows no sound: ``functions.audio`` finds all this, the GPU job plans upon it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from shared.features import pack, unpacked
from shared.timeline import BeatGrid, FloatArray, IntArray, Segment

COUNTS_PER_EIGHT = 8
"""Dancers count two bars: 1 to 8."""
EIGHTS_PER_PHRASE = 2
"""A phrase of bachata is two eights."""
EMBEDDING = 128
PEAKS = 8000
"""Points of a picture of the sound: 38 a second of a song of three and a half minutes."""


class Role(StrEnum):
    """What a section does in a bachata."""

    INTRO = "intro"
    VERSE = "verse"
    """Derecho: güira in eight strokes a bar."""
    CHORUS = "chorus"
    """Majao: güira in four."""
    MAMBO = "mambo"
    """The guitar leads; the most energy."""
    BRIDGE = "bridge"
    """A part that is like no other, or quieter."""
    OUTRO = "outro"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a song, on its beats.

    ``first_beat`` and ``end_beat`` places in :attr:`Music.beats`, the end excluded
    ``segment``    the same in seconds
    ``group``      sections of one group are repetitions of one another; groups count from 0 in order of appearance
    ``energy``     0 … 1, mean over its beats
    ``confidence`` 0 … 1, of boundary and role
    """

    role: Role
    first_beat: int
    end_beat: int
    segment: Segment
    group: int
    energy: float
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Music:
    """A song, or the music of a clip. Without a beat all that stands on beats is empty.

    ``tempo_bpm``        None where no beat was found
    ``tempo_confidence`` 0 … 1, that there is a beat
    ``bar_confidence``   0 … 1, that the downbeats are downbeats
    ``eight_confidence`` 0 … 1, that the ones of the counts are those of dancers, and not their fives
    ``counts``           ``(B,)`` 1 … 8 of each beat; ``(count - 1) % 4 + 1`` is its position in the bar
    ``energy``           ``(B,)`` 0 … 1 from each beat to the next, 1 the most energetic of this song
    ``guira``            ``(B,)`` 0 … 1 around each beat: 0 on the beat only (majao), 1 as strong between (derecho)
    ``energy_level``     0 … 1 of the song beside other songs
    ``pattern_strength`` 0 … 1, how alike its bars are in rhythm
    ``syncopation``      0 … 1, share of the onsets' strength that lies off the beats
    ``embedding``        ``(128,)`` of unit length: timbre, harmony, rhythm; zeros in silence
    ``peaks``            ``(8000,)`` 0 … 1: the highest sample of each of as many even stretches, to be drawn
    """

    duration_s: float
    tempo_bpm: float | None
    tempo_confidence: float
    bar_confidence: float
    eight_confidence: float
    beats: BeatGrid
    counts: IntArray
    energy: FloatArray
    guira: FloatArray
    sections: tuple[Section, ...]
    energy_level: float
    pattern_strength: float
    syncopation: float
    embedding: FloatArray
    peaks: FloatArray = field(default_factory=lambda: np.zeros(PEAKS, np.float32))

    def __post_init__(self) -> None:
        of_beats = {self.counts.shape, self.energy.shape, self.guira.shape}
        if of_beats != {(len(self.beats),)} or self.embedding.shape != (EMBEDDING,):
            raise ValueError("counts, energy and guira have one value a beat, the embedding 128")

    @classmethod
    def none(cls, duration_s: float, tempo_confidence: float = 0.0) -> Music:
        """A recording without a beat."""
        nothing = np.zeros(0)
        return cls(
            duration_s, None, tempo_confidence, 0.0, 0.0, BeatGrid.none(), np.zeros(0, np.int64), nothing, nothing,
            (), 0.0, 0.0, 0.0, np.zeros(EMBEDDING, np.float32),
        )  # fmt: skip

    def role(self, section: int) -> Role:
        """Of a section by its number; a song without sections is a verse."""
        return self.sections[section].role if self.sections else Role.VERSE

    def to_bytes(self) -> bytes:
        sections = [
            [s.role, s.first_beat, s.end_beat, s.segment.start_s, s.segment.end_s, s.group, s.energy, s.confidence]
            for s in self.sections
        ]
        return pack(
            "music", duration_s=self.duration_s, tempo_bpm=np.nan if self.tempo_bpm is None else self.tempo_bpm,
            tempo_confidence=self.tempo_confidence, bar_confidence=self.bar_confidence,
            eight_confidence=self.eight_confidence, beats_s=self.beats.beats_s, positions=self.beats.positions,
            counts=self.counts, energy=self.energy, guira=self.guira, sections=json.dumps(sections),
            energy_level=self.energy_level, pattern_strength=self.pattern_strength, syncopation=self.syncopation,
            embedding=self.embedding, peaks=self.peaks,
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> Music:
        """Raises BadMessage where the bytes are no music of this schema."""
        with unpacked("music", data) as a:
            tempo_bpm = float(a["tempo_bpm"])
            sections = tuple(
                Section(Role(role), first, end, Segment(start_s, end_s), group, energy, confidence)
                for role, first, end, start_s, end_s, group, energy, confidence in json.loads(str(a["sections"]))
            )
            return cls(
                float(a["duration_s"]), None if np.isnan(tempo_bpm) else tempo_bpm, float(a["tempo_confidence"]),
                float(a["bar_confidence"]), float(a["eight_confidence"]), BeatGrid(a["beats_s"], a["positions"]),
                a["counts"], a["energy"], a["guira"], sections, float(a["energy_level"]),
                float(a["pattern_strength"]), float(a["syncopation"]), a["embedding"], a["peaks"],
            )  # fmt: skip
