"""From an annotated clip to a move of the library, and what is to be said of it. Knows neither files nor jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_job.choreography.blocks import blocks, fitting
from gpu_job.choreography.dancing import WITHIN, Dance, danced
from gpu_job.choreography.edges import edges
from gpu_job.choreography.embedding import embeddings
from gpu_job.choreography.qualities import qualities
from gpu_job.notice import Notice
from shared.errors import NoBeat, NoBlock, NobodyFound
from shared.features import PoseFeatures
from shared.library import Annotation, Edges, Move
from shared.music import Music
from shared.timeline import FloatArray, IntArray

TEMPO_TOLERANCE = 0.06
"""Annotated tempi are rounded bins up to 5 % apart: one that is off by a bin, and rounded, is not contradicted."""
RELATED = {
    2.0: "twice", 0.5: "half", 3 / 2: "three halves of", 2 / 3: "two thirds of", 4 / 3: "four thirds of",
    3 / 4: "three quarters of",
}  # fmt: skip
"""What is taken for the tempo instead: another pulse of the same music."""
LEAST_SEEN = 0.25
"""Share of the samples with a dancer; below, a block tells no dance of hers, and a clip has but one dancer."""
SURE_BARS = 0.27
"""Confidence below which the ones of a clip may be its twos, threes or fours: of 109 real clips whose halves were heard
alone, these agreed on the ones in 57 % of the 28 below, and in 98 % of those above."""

BARS_UNSURE = Notice(
    "BARS_UNSURE", "We are not sure where the bars of this clip begin, so its counts may be off by a beat or more."
)
ONE_DANCER = Notice(
    "ONE_DANCER", "Only one dancer can be seen in this clip, so what the other does cannot be matched at cuts."
)


@dataclass(frozen=True, slots=True)
class Filed:
    """What is known of a clip's files.

    ``name``          of the uploaded file
    ``sha256``        of it
    ``mezzanine``     name of the object in the library bucket
    ``added_at``      ISO 8601
    ``frame_rate_hz`` and ``frames`` of the mezzanine
    """

    name: str
    sha256: str
    mezzanine: str
    added_at: str
    frame_rate_hz: float
    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class Entered:
    """A move, and what a teacher should know of it though it is there."""

    move: Move
    findings: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """A clip that can become a move. ``firsts`` ``(K,)`` the beats that begin its blocks, ``dance`` what is danced in
    them."""

    annotation: Annotation
    music: Music
    tempo_bpm: float
    source: Filed
    firsts: IntArray
    dance: Dance
    findings: tuple[Notice, ...]


def entered(annotation: Annotation, music: Music, lead: PoseFeatures, follow: PoseFeatures, source: Filed) -> Entered:
    """The move that a clip is. Poses as the estimator saw them, not smoothed.

    Raises NobodyFound, NoBeat, and NoBlock where there is no whole block of eight counts, or nobody in any.
    """
    return entries([examined(annotation, music, lead, follow, source)])[0]


def examined(annotation: Annotation, music: Music, lead: PoseFeatures, follow: PoseFeatures, source: Filed) -> Examined:
    """Raises what :func:`entered` raises."""
    if not (lead.detected.any() or follow.detected.any()):
        raise NobodyFound
    if music.tempo_bpm is None or not len(music.beats):
        raise NoBeat("We could not hear a beat in this clip. Please choose one with its music.")
    whole = blocks(music.beats, source.frame_rate_hz, source.frames)
    if not len(whole):
        raise NoBlock
    dance = danced(music.beats, whole, lead, follow)
    seen = _seen(dance) >= LEAST_SEEN
    if not seen.any():
        raise NoBlock
    found = [*_of_tempo(annotation, music.tempo_bpm), *_of_bars(music), *_of_dancers(lead, follow), *_of_blocks(seen)]
    return Examined(annotation, music, music.tempo_bpm, source, whole[seen], dance.only(seen), tuple(found))


def entries(clips: Sequence[Examined]) -> list[Entered]:
    """The moves of clips, their embeddings computed together."""
    each = embeddings([clip.dance for clip in clips])
    return [Entered(_move(clip, embedding), clip.findings) for clip, embedding in zip(clips, each, strict=True)]


def refiled(move: Move, frame_rate_hz: float, frames: int) -> Move:
    """The move with its mezzanine as it was written, less the blocks that this does not hold to their end.

    Raises NoBlock where none is left.
    """
    kept = fitting(move.beats, move.blocks, frame_rate_hz, frames)
    if not kept.any():
        raise NoBlock
    told = move.edges
    return replace(
        move, frame_rate_hz=frame_rate_hz, frames=frames, blocks=move.blocks[kept], qualities=move.qualities[kept],
        pose_embedding=move.pose_embedding[kept],
        edges=Edges(told.joints[kept], told.place[kept], told.facing[kept], told.hold[kept]),
    )  # fmt: skip


def _move(clip: Examined, embedding: FloatArray) -> Move:
    source, music = clip.source, clip.music
    return Move(
        annotation=clip.annotation, name=source.name, sha256=source.sha256, mezzanine=source.mezzanine,
        added_at=source.added_at, frame_rate_hz=source.frame_rate_hz, frames=source.frames, beats=music.beats,
        tempo_bpm=clip.tempo_bpm, bar_confidence=music.bar_confidence, blocks=clip.firsts,
        qualities=qualities(clip.dance), pose_embedding=embedding, audio_embedding=music.embedding,
        edges=edges(clip.dance),
    )  # fmt: skip


def _seen(dance: Dance) -> FloatArray:
    """``(K,)`` share of a block in which that dancer is seen who is seen more."""
    return np.max([dancer.detected[:, WITHIN].mean(axis=1) for dancer in dance.dancers], axis=0)


def _of_tempo(annotation: Annotation, measured_bpm: float) -> Iterator[Notice]:
    said_bpm = annotation.tempo_bpm
    if said_bpm is None or _is_near(measured_bpm, said_bpm):
        return
    related = [word for ratio, word in RELATED.items() if _is_near(measured_bpm, ratio * said_bpm)]
    likened = f": about {related[0]} the annotated tempo" if related else ""
    yield Notice(
        "TEMPO_DIFFERS",
        f"The annotation says {said_bpm:.4g} beats a minute, but we hear {measured_bpm:.1f}{likened}. "
        "We go by what we hear.",
    )


def _is_near(one_bpm: float, other_bpm: float) -> bool:
    return abs(float(np.log(one_bpm / other_bpm))) <= float(np.log1p(TEMPO_TOLERANCE))


def _of_bars(music: Music) -> Iterator[Notice]:
    if music.bar_confidence < SURE_BARS:
        yield BARS_UNSURE


def _of_dancers(lead: PoseFeatures, follow: PoseFeatures) -> Iterator[Notice]:
    if min(lead.detected_share, follow.detected_share) < LEAST_SEEN:
        yield ONE_DANCER


def _of_blocks(seen: np.ndarray) -> Iterator[Notice]:
    if not seen.all():
        yield Notice(
            "BLOCKS_UNSEEN", f"In {(~seen).sum()} of {len(seen)} blocks hardly anybody can be seen: they are left out."
        )
