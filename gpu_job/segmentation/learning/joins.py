"""Dances joined from blocks of clips, so that it is known where one move ends and the next begins.

A join leads from a block of one clip to a block of another, on a beat or a half-beat. A null join is cut, retimed,
moved and blended in the same way, and the same clip goes on: how a seam looks tells nothing, only what is danced
before and after it. Blocks last 2 to 16 counts and begin anywhere; were they all eights, counting would find the joins.

Works on poses and beats; knows no files, no features and no network. Every dance is a function of its seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.segmentation.learning.looks import Look, looked
from gpu_job.segmentation.learning.soundtrack import soundtrack
from shared.features import BLAZEPOSE_LANDMARKS, HIPS, AudioFeatures, PoseFeatures
from shared.timeline import BEATS_PER_BAR, BeatGrid, FloatArray, sample_count

LEAST_COUNTS, MOST_COUNTS, BRIEF_COUNTS = 2, 16, 8
DANCE_BEATS = 112  # a minute at 112 BPM
USUAL_TEMPO_BPM = 128.0  # of the clips
_LOOSE_BEATS = 0.6  # by which a clip's pose may begin after its first beat, or end before its last
_HALF_BEAT_SHARE = 0.12  # of the blocks that end between two beats
_OFF_BEAT_SHARE = 0.2  # of those that begin between two beats of their clip
_MUSICAL_COUNTS, _MUSICAL_ODDS = (2, 4, 8, 16), (0.25, 0.35, 0.3, 0.1)
_NULLS_PER_BEAT = 0.05
_BLEND_BEATS = (0.2, 1.0)
_WARP, _WARP_BEATS = 0.05, 0.12  # a piece is so much faster or slower than the beat, if it strays no further from it
_STUMBLE_SHARE, _STUMBLE_BEATS = 0.4, 0.5  # of the null joins that skip or repeat a little
_JUMP = 0.3  # image heights that the hips may be off after a cut
_LEAST_WEIGHT = 0.05  # of a landmark that is seen in one of two pieces that are mixed


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A clip to take blocks of.

    ``views`` one or more dancers of it, on one clock
    ``label`` the category of its move, None where nobody said
    """

    name: str
    label: str | None
    views: tuple[PoseFeatures, ...]
    audio: AudioFeatures

    @property
    def beats(self) -> BeatGrid:
        return self.audio.beats

    @property
    def first_beat(self) -> float:
        """The first whole beat that is in the pose."""
        return float(np.ceil(self.beats.beat_of(0.0) - _LOOSE_BEATS))

    @property
    def last_beat(self) -> float:
        """The last whole beat that is in it."""
        pose = self.views[0]
        return float(np.floor(self.beats.beat_of(len(pose) / pose.rate_hz) + _LOOSE_BEATS))

    @property
    def counts(self) -> float:
        """How long a block of it can be."""
        return self.last_beat - self.first_beat

    @property
    def is_usable(self) -> bool:
        """Whether it has beats, and room for a block and a bar of music."""
        return len(self.beats) > BEATS_PER_BAR and self.counts >= LEAST_COUNTS

    def positions(self, beats: FloatArray) -> FloatArray:
        """Places in the bar of these beats of the clip, 1 up to 5."""
        known = np.clip(np.floor(beats), 0, len(self.beats) - 1).astype(int)
        return (self.beats.positions[known] - 1 + beats - known) % BEATS_PER_BAR + 1


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A stretch of one clip in a dance: ``counts`` beats from ``start`` on in the dance, from ``first_beat`` on in
    the clip."""

    source: Source
    view: int
    start: float
    counts: float
    first_beat: float

    @property
    def end(self) -> float:
        return self.start + self.counts


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A dance and its truth.

    ``pose``   as an estimator sees it: not smoothed
    ``blocks`` of which clips it is made, if it is
    ``joins``  ``(J,)`` beats of the dance at which one move ends and the next begins
    ``nulls``  ``(N,)`` beats at which a clip was cut and goes on
    """

    pose: PoseFeatures
    audio: AudioFeatures
    blocks: tuple[Block, ...]
    joins: FloatArray
    nulls: FloatArray

    @property
    def joins_s(self) -> FloatArray:
        return self.audio.beats.time_of(self.joins)

    @property
    def nulls_s(self) -> FloatArray:
        return self.audio.beats.time_of(self.nulls)


@dataclass(frozen=True, slots=True)
class Manner:
    """How dances are joined.

    ``musical``  share of the dances whose blocks last 2, 4, 8 or 16 counts and keep their place in the bar
    ``brief``    share of those whose blocks last 8 counts at most
    ``looks``    whether dancers are mirrored, turned and filmed from elsewhere
    ``rates_hz`` of the pose, one of these for each dance
    ``tempi``    least and most, relative to :data:`USUAL_TEMPO_BPM`
    ``beats``    that a dance lasts at least
    """

    musical: float = 0.35
    brief: float = 0.25
    looks: bool = True
    rates_hz: tuple[float, ...] = (15.0, 15.0, 20.0, 30.0)
    tempi: tuple[float, float] = (0.65, 1.15)
    beats: int = DANCE_BEATS


PLAIN = Manner(musical=0.0, brief=0.0, looks=False, rates_hz=(30.0,), tempi=(0.9, 1.1))
"""As clips are examined: any lengths from 2 to 16 counts at any place in the bar, filmed as they were."""


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Between two cuts: ``first_beat`` of the clip at ``start``, going on ``speed`` times as fast as the beat."""

    block: Block
    start: float
    end: float
    first_beat: float
    speed: float
    look: Look

    def shown(self, beat: FloatArray) -> FloatArray:
        """The landmarks at these beats of the dance, ``(N, 33, 2)`` image heights, NaN unseen."""
        source = self.block.source
        times_s = source.beats.time_of(self.first_beat + (beat - self.start) * self.speed)
        return looked(source.views[self.block.view], times_s, self.look)


def joined(sources: Sequence[Source], seed: int, manner: Manner = PLAIN) -> Joined:
    """A dance of blocks of these clips, no clip twice in a row.

    Raises ValueError with fewer than two clips, for a clip that is shorter than a block can be, and where none of them
    has sound with beats.
    """
    _check(sources)
    rng = np.random.default_rng(seed)
    musical = bool(rng.random() < manner.musical)
    blocks = _blocks(rng, sources, manner, musical=musical)
    pieces = _pieces(rng, blocks, manner)
    rate_hz = float(rng.choice(manner.rates_hz))
    beats = _beats(rng, blocks[-1].end, manner, musical=musical)
    times_s = np.arange(sample_count(float(beats.time_of(blocks[-1].end)), rate_hz)) / rate_hz
    pose = _danced(rng, pieces, beats.beat_of(times_s), rate_hz)
    joins = {block.start for block in blocks[1:]}
    audio = soundtrack([source.audio for source in sources], beats, len(times_s) / rate_hz, rng)
    nulls = [piece.start for piece in pieces[1:] if piece.start not in joins]
    return Joined(pose, audio, tuple(blocks), joins=np.array(sorted(joins)), nulls=np.array(nulls))


def _check(sources: Sequence[Source]) -> None:
    """Raises ValueError."""
    if len(sources) < 2:
        raise ValueError("a join needs two clips")
    for source in sources:
        if source.counts < LEAST_COUNTS:
            raise ValueError(f"{source.name} is shorter than {LEAST_COUNTS} counts")


def _beats(rng: np.random.Generator, beats: float, manner: Manner, *, musical: bool) -> BeatGrid:
    period_s = 60 / (USUAL_TEMPO_BPM * np.exp(rng.uniform(*np.log(manner.tempi))))
    numbers = np.arange(int(beats) + 1)
    first = 0 if musical else int(rng.integers(BEATS_PER_BAR))
    return BeatGrid(rng.uniform(0, 1) + period_s * numbers, (numbers + first) % BEATS_PER_BAR + 1)


def _blocks(rng: np.random.Generator, sources: Sequence[Source], manner: Manner, *, musical: bool) -> list[Block]:
    most = BRIEF_COUNTS if rng.random() < manner.brief else MOST_COUNTS
    blocks: list[Block] = []
    start, previous = 0.0, -1
    while start < manner.beats:
        previous = int((previous + rng.integers(1, len(sources))) % len(sources))
        counts = min(_counts(rng, musical=musical), most)
        blocks.append(_block(rng, sources[previous], start, counts, musical=musical))
        start = blocks[-1].end
    return blocks


def _counts(rng: np.random.Generator, *, musical: bool) -> float:
    if musical:
        return float(rng.choice(_MUSICAL_COUNTS, p=_MUSICAL_ODDS))
    half = 0.5 if rng.random() < _HALF_BEAT_SHARE else 0.0
    return float(rng.integers(LEAST_COUNTS, MOST_COUNTS + 1)) + half


def _block(rng: np.random.Generator, source: Source, start: float, counts: float, *, musical: bool) -> Block:
    first, last = source.first_beat, source.last_beat
    counts = min(counts, source.counts)
    step = 1.0 if musical or rng.random() >= _OFF_BEAT_SHARE else 0.5
    begins = np.arange(first, max(first, last - counts) + step / 2, step)
    in_place = begins[source.positions(begins) == start % BEATS_PER_BAR + 1]
    choices = in_place if musical and len(in_place) else begins
    return Block(source, int(rng.integers(len(source.views))), start, counts, float(rng.choice(choices)))


def _pieces(rng: np.random.Generator, blocks: Sequence[Block], manner: Manner) -> list[_Piece]:
    look = Look.varied(rng) if manner.looks else Look()
    return [piece for block in blocks for piece in _cut(rng, block, look.of_block(rng) if manner.looks else None)]


def _cut(rng: np.random.Generator, block: Block, look: Look | None) -> list[_Piece]:
    """The block in pieces, with null joins between them."""
    inner = block.start + 0.5 * np.arange(2, round(2 * block.counts) - 1)
    cuts = inner[rng.random(len(inner)) < _NULLS_PER_BEAT / 2]
    pieces: list[_Piece] = []
    beat = block.first_beat
    for start, end in itertools.pairwise([block.start, *cuts.tolist(), block.end]):
        most = min(_WARP, _WARP_BEATS / (end - start))
        speed = 1 + float(rng.uniform(-most, most))
        pieces.append(_Piece(block, start, end, beat, speed, look.nudged(rng) if look else Look()))
        stumble = _STUMBLE_BEATS if rng.random() < _STUMBLE_SHARE else 0.0
        beat += (end - start) * speed + float(rng.uniform(-stumble, stumble))
    return pieces


def _danced(rng: np.random.Generator, pieces: Sequence[_Piece], beat: FloatArray, rate_hz: float) -> PoseFeatures:
    """The pieces one after the other, each fading into the next: both go on while they are mixed."""
    image, weight = np.zeros((len(beat), BLAZEPOSE_LANDMARKS, 2)), np.zeros((len(beat), BLAZEPOSE_LANDMARKS))
    widths = rng.uniform(*_BLEND_BEATS, len(pieces) - 1)
    begun = [np.ones(len(beat)), *(risen((beat - p.start) / w) for p, w in zip(pieces[1:], widths, strict=True))]
    begun.append(np.zeros(len(beat)))
    for piece, shift, (one, following) in zip(pieces, _shifts(rng, pieces), itertools.pairwise(begun), strict=True):
        rows = np.flatnonzero(one > following)
        points = piece.shown(beat[rows]) + shift
        share = (one - following)[rows, None] * np.isfinite(points).all(axis=2)
        image[rows] += share[..., None] * np.nan_to_num(points)
        weight[rows] += share
    seen = weight > _LEAST_WEIGHT
    points = np.divide(image, weight[..., None], out=np.full_like(image, np.nan), where=seen[..., None])
    return PoseFeatures.from_landmarks(points, seen, rate_hz)


def _shifts(rng: np.random.Generator, pieces: Sequence[_Piece]) -> list[FloatArray]:
    """How far each piece is moved in the picture: the hips go on where they were, give or take.

    At joins and null joins alike: a jump of the hips tells nothing.
    """
    jump = _JUMP * float(rng.random()) ** 2
    shifts: list[FloatArray] = [np.zeros(2)]
    for before, after in itertools.pairwise(pieces):
        here, there = (piece.shown(np.array([after.start]))[0, list(HIPS)].mean(axis=0) for piece in (before, after))
        shifts.append(shifts[-1] + np.nan_to_num(here - there) + rng.normal(0, jump, 2) * [1.0, 0.3])
    return shifts


def risen(x: FloatArray) -> FloatArray:
    """0 before and 1 after a cut at 0, an S of width 1 in between."""
    x = np.clip(x + 0.5, 0, 1)
    return x * x * (3 - 2 * x)
