"""The move library: annotated clips, analysed, in blocks of eight counts.

A move is one clip; a block of it is what a choreography is laid of. Where the clip's own frames are
meant, they are those of its mezzanine: the one form in which all clips of a library can be joined
without encoding. This module knows neither songs nor files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from shared.features import ANKLES, HIPS, KNEES, NOSE, SHOULDERS, pack, unpacked
from shared.music import COUNTS_PER_EIGHT, EMBEDDING
from shared.timeline import BeatGrid, FloatArray, IntArray, Segment, nearest_sample

POSE_EMBEDDING = 384
ELBOWS, WRISTS = (13, 14), (15, 16)
JOINTS: tuple[int, ...] = (NOSE, *SHOULDERS, *ELBOWS, *WRISTS, *HIPS, *KNEES, *ANKLES)
"""The landmarks by which two poses are held against each other at a cut."""

QUALITIES = ("energy", "complexity", "smoothness", "coverage", "detection")
"""Of a block, each 0 … 1: how much moves; in how many ways; how fluently; over how much of the floor; and in what
share of its samples both dancers were seen."""


class Difficulty(StrEnum):
    """From the easiest on. An annotation may say low, medium or high."""

    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"

    @property
    def rank(self) -> int:
        return list(Difficulty).index(self)

    @classmethod
    def of(cls, word: str) -> Difficulty:
        """Raises ValueError for a word that is none."""
        said = {"low": cls.BEGINNER, "medium": cls.INTERMEDIATE, "high": cls.ADVANCED}
        return said.get(word) or cls(word)


class Energy(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Style(StrEnum):
    TRADITIONAL = "traditional"
    """Basic steps, footwork, hits on the accents."""
    MODERN = "modern"
    """Turns and figures."""
    SENSUAL = "sensual"
    """Body waves, head and hip movement."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a teacher says of a clip.

    ``label``     the category of its move, in snake_case: ``cross_body_lead``
    ``tempo_bpm`` None where nobody said
    ``styles``    what it suits, beside what its label suits
    """

    clip_id: str
    label: str
    difficulty: Difficulty
    energy: Energy
    tempo_bpm: float | None = None
    styles: tuple[Style, ...] = ()

    @classmethod
    def read(cls, options: Mapping[str, float | str]) -> Annotation:
        """From a job's options, as intake has accepted them."""
        tempo_bpm, styles = options.get("tempo_bpm"), str(options.get("styles", ""))
        return cls(
            str(options["clip_id"]),
            str(options["label"]),
            Difficulty(str(options["difficulty"])),
            Energy(str(options["energy"])),
            None if tempo_bpm is None else float(tempo_bpm),
            tuple(Style(style) for style in styles.split(",") if style),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """How the dancers are at the two edges of each of ``K`` blocks. The last axes but one are: edge (start,
    end), dancer (lead, follow).

    ``joints`` ``(K, 2, 2, 13, 4)`` x, y of :data:`JOINTS` in torso lengths from the middle of the dancer's hips
               (x right, y down, as seen in the picture), then their velocity in the picture, the dancer's
               travel included, in torso lengths a beat; NaN where unseen
    ``place``  ``(K, 2, 2, 2)`` x, y of the middle of the hips in image heights, NaN where unseen
    ``facing`` ``(K, 2, 2)`` radians, 0 towards the camera, positive towards the right of the picture; NaN where unseen
    ``hold``   ``(K, 2)`` 0 apart … 1 hand in hand (of the nearest hands); NaN where unseen
    """

    joints: FloatArray
    place: FloatArray
    facing: FloatArray
    hold: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """One clip of the library.

    ``name``             of the uploaded file
    ``sha256``           of it
    ``mezzanine``        name of the object in the library bucket
    ``frame_rate_hz``    and ``frames`` of the mezzanine
    ``beats``            in its time
    ``tempo_bpm``        measured
    ``bar_confidence``   0 … 1
    ``blocks``           ``(K,)`` place in ``beats`` of the first beat of each block, a downbeat; increasing, eight
                         beats or more apart
    ``qualities``        ``(K, 5)`` 0 … 1 in the order of :data:`QUALITIES`
    ``pose_embedding``   ``(K, 384)`` of unit length
    ``audio_embedding``  ``(128,)`` of unit length, zeros where silent
    """

    annotation: Annotation
    name: str
    sha256: str
    mezzanine: str
    added_at: str
    frame_rate_hz: float
    frames: int
    beats: BeatGrid
    tempo_bpm: float
    bar_confidence: float
    blocks: IntArray
    qualities: FloatArray
    pose_embedding: FloatArray
    audio_embedding: FloatArray
    edges: Edges

    def __post_init__(self) -> None:
        many = len(self.blocks)
        shapes = (self.qualities.shape, self.pose_embedding.shape, self.audio_embedding.shape)
        if shapes != ((many, len(QUALITIES)), (many, POSE_EMBEDDING), (EMBEDDING,)):
            raise ValueError(f"shapes {shapes} do not fit {many} blocks")

    @property
    def id(self) -> str:
        return self.annotation.clip_id

    def block_segment(self, block: int) -> Segment:
        first = int(self.blocks[block])
        return Segment(float(self.beats.time_of(first)), float(self.beats.time_of(first + COUNTS_PER_EIGHT)))

    def frame_of(self, time_s: float) -> int:
        """The frame of the mezzanine that is shown nearest to a time."""
        return min(max(0, nearest_sample(time_s, self.frame_rate_hz)), self.frames)

    def to_bytes(self) -> bytes:
        told = {
            "annotation": asdict(self.annotation), "name": self.name, "sha256": self.sha256,
            "mezzanine": self.mezzanine, "added_at": self.added_at, "frame_rate_hz": self.frame_rate_hz,
            "frames": self.frames, "tempo_bpm": self.tempo_bpm, "bar_confidence": self.bar_confidence,
        }  # fmt: skip
        return pack(
            "move", told=json.dumps(told), beats_s=self.beats.beats_s, positions=self.beats.positions,
            blocks=self.blocks, qualities=self.qualities, pose_embedding=self.pose_embedding,
            audio_embedding=self.audio_embedding, joints=self.edges.joints, place=self.edges.place,
            facing=self.edges.facing, hold=self.edges.hold,
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> Move:
        """Raises BadMessage where the bytes are no move of this schema."""
        with unpacked("move", data) as a:
            told = json.loads(str(a["told"]))
            said = told.pop("annotation")
            annotation = Annotation(
                said["clip_id"], said["label"], Difficulty(said["difficulty"]), Energy(said["energy"]),
                said["tempo_bpm"], tuple(Style(style) for style in said["styles"]),
            )  # fmt: skip
            return cls(
                annotation=annotation, **told, beats=BeatGrid(a["beats_s"], a["positions"]), blocks=a["blocks"],
                qualities=a["qualities"], pose_embedding=a["pose_embedding"], audio_embedding=a["audio_embedding"],
                edges=Edges(a["joints"], a["place"], a["facing"], a["hold"]),
            )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class MoveLibrary:
    """Moves in the order of their ids, and all their blocks in one row, ``N`` in all.

    ``version``         16 hexadecimal digits: another content is another version
    ``owner``           ``(N,)`` the block's move
    ``number``          ``(N,)`` which of that move's blocks it is
    ``goes_on``         ``(N,)`` whether the next block begins, in the same clip, where it ends
    ``difficulty``      ``(N,)`` 0 … 2
    ``tempo_bpm``       ``(N,)``
    ``qualities``       ``(N, 5)``
    ``pose_embedding``  ``(N, 384)``
    ``audio_embedding`` ``(N, 128)``
    ``edges``           of all
    """

    moves: tuple[Move, ...]
    version: str
    owner: IntArray
    number: IntArray
    goes_on: npt.NDArray[np.bool_]
    difficulty: IntArray
    tempo_bpm: FloatArray
    qualities: FloatArray
    pose_embedding: FloatArray
    audio_embedding: FloatArray
    edges: Edges

    def __len__(self) -> int:
        """How many blocks there are."""
        return len(self.owner)

    @classmethod
    def of(cls, moves: Iterable[Move]) -> MoveLibrary:
        """Of moves with different ids, in any order. Raises ValueError where two have the same."""
        ordered = tuple(sorted(moves, key=lambda move: move.id))
        if len({move.id for move in ordered}) < len(ordered):
            raise ValueError("two moves of one id")
        each = [len(move.blocks) for move in ordered]

        def repeated(values: Sequence[float]) -> FloatArray:
            return np.repeat(np.asarray(values), each)

        owner = np.repeat(np.arange(len(ordered)), each)
        return cls(
            ordered, _version(ordered), owner,
            np.concatenate([np.zeros(0, np.int64), *(np.arange(many) for many in each)]),
            np.concatenate([np.zeros(0, np.bool_), *(_goes_on(move) for move in ordered)]),
            repeated([move.annotation.difficulty.rank for move in ordered]).astype(np.int64),
            repeated([move.tempo_bpm for move in ordered]),
            _rows([move.qualities for move in ordered], (len(QUALITIES),)),
            _rows([move.pose_embedding for move in ordered], (POSE_EMBEDDING,)),
            _rows([move.audio_embedding for move in ordered], None)[owner] if ordered else np.zeros((0, EMBEDDING)),
            Edges(
                _rows([move.edges.joints for move in ordered], (2, 2, len(JOINTS), 4)),
                _rows([move.edges.place for move in ordered], (2, 2, 2)),
                _rows([move.edges.facing for move in ordered], (2, 2)),
                _rows([move.edges.hold for move in ordered], (2,)),
            ),
        )  # fmt: skip

    def move_of(self, block: int) -> Move:
        return self.moves[int(self.owner[block])]

    def segment_of(self, block: int) -> Segment:
        """Where the block lies in its mezzanine."""
        return self.move_of(block).block_segment(int(self.number[block]))

    def is_followed_by(self, block: int, other: int) -> bool:
        """Whether ``other`` begins, in the same clip, where ``block`` ends: then there is no cut to see."""
        return other == block + 1 and bool(self.goes_on[block])


def _goes_on(move: Move) -> npt.NDArray[np.bool_]:
    """``(K,)`` of its blocks; the last never does."""
    return np.append(np.diff(move.blocks) == COUNTS_PER_EIGHT, [False])[: len(move.blocks)]


def _rows(parts: Sequence[FloatArray], shape: tuple[int, ...] | None) -> FloatArray:
    if shape is None:
        return np.stack(parts)
    return np.concatenate([np.zeros((0, *shape), np.float32), *parts])


def _version(moves: Sequence[Move]) -> str:
    digest = hashlib.sha256()
    for move in moves:
        digest.update(json.dumps(asdict(move.annotation)).encode())
        digest.update(move.sha256.encode() + move.mezzanine.encode())
        digest.update(np.ascontiguousarray(move.blocks, dtype=np.int64).tobytes())
        digest.update(np.ascontiguousarray(move.beats.beats_s, dtype=np.float64).tobytes())
    return digest.hexdigest()[:16]
