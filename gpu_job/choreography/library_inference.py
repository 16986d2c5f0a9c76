"""A job of kind ``library``: an annotated clip's features in; its mezzanine and a move of the library out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Protocol

import numpy as np

from gpu_job.choreography.entry import Entered, Examined, Filed, entries, examined, refiled
from gpu_job.choreography.shelf import MEZZANINES, MOVES
from gpu_job.notice import Notice
from gpu_job.recordings import SURE, Danced, danced
from shared.job import Job, Step
from shared.library import QUALITIES, Annotation, Move
from shared.music import COUNTS_PER_EIGHT
from shared.ports import Ports
from shared.timeline import FloatArray

WHO_LEADS = Notice("WHO_LEADS", "We could not tell for sure who leads in this clip: each may be taken for the other.")


class Written(Protocol):
    """A mezzanine as it was written."""

    @property
    def frames(self) -> int: ...

    @property
    def frame_rate_hz(self) -> float: ...


class Transcode(Protocol):
    """Brings a video into the one form of the library, with key frames at these times, ``(K,)`` seconds."""

    def __call__(self, source: BinaryIO, target: Path, key_frames_s: FloatArray) -> Written: ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """``seconds`` that the steps took."""

    clip: Examined
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answer:
    """``seconds`` of the batch it was in."""

    entered: Entered
    seconds: float


class LibraryInference:
    """``frame_rate_hz`` is that of every mezzanine which ``transcode`` writes."""

    def __init__(self, transcode: Transcode, frame_rate_hz: float) -> None:
        self._transcode = transcode
        self._frame_rate_hz = frame_rate_hz

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> Loaded:
        """Raises NobodyFound, NoBeat, NoBlock."""
        found = danced(job.own_steps, steps, ports)
        clip = examined(
            Annotation.read(job.options), found.music, found.lead, found.follow, self._filed(job, found.sha256)
        )
        return Loaded(replace(clip, findings=(*clip.findings, *_of_sureness(found))), found.seconds)

    def infer(self, loaded: Sequence[Loaded]) -> Sequence[Answer]:
        started_s = time.monotonic()
        moves = entries([one.clip for one in loaded])
        seconds = round(time.monotonic() - started_s, 3)
        return [Answer(entered, seconds) for entered in moves]

    def record(self, job: Job, loaded: Loaded, answer: Answer, ports: Ports) -> Mapping[str, Any]:
        """Raises NoBlock where the clip turns out to be shorter than its container says."""
        started_s = time.monotonic()
        move = _kept(job, self._filmed(job, answer.entered.move, ports), ports)
        timings_s = {**loaded.seconds, "infer": answer.seconds, "record": round(time.monotonic() - started_s, 3)}
        return summary(move, answer.entered.findings, timings_s, _move_name(job))

    def _filed(self, job: Job, sha256: str) -> Filed:
        """As it will be filed; how many frames there are is known when they are written."""
        frames = int(job.media["duration_s"] * self._frame_rate_hz)
        name = job.source.name.rpartition("/")[2]
        mezzanine = f"{MEZZANINES}{_stem(job)}.mp4"
        return Filed(name, sha256, mezzanine, job.created_at.isoformat(), self._frame_rate_hz, frames)

    def _filmed(self, job: Job, move: Move, ports: Ports) -> Move:
        """The move with its mezzanine as it is, which is kept."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "mezzanine.mp4"
            with ports.blobs.open(job.source) as video:
                written = self._transcode(video, path, key_frames_s(move))
            filmed = refiled(move, written.frame_rate_hz, written.frames)
            ports.blobs.create(ports.settings.library_bucket, move.mezzanine, path, "video/mp4")
        return filmed


def key_frames_s(move: Move) -> FloatArray:
    """Times at which a take may begin: the downbeats, and where blocks end."""
    return np.union1d(move.beats.downbeats_s, move.beats.time_of(move.blocks + COUNTS_PER_EIGHT))


def summary(move: Move, findings: Sequence[Notice], timings_s: Mapping[str, float], move_object: str) -> dict[str, Any]:
    """What a client sees of a move."""
    said = move.annotation
    return {
        "clip_id": said.clip_id,
        "label": said.label,
        "difficulty": str(said.difficulty),
        "energy": str(said.energy),
        "tempo_bpm": round(move.tempo_bpm, 2),
        "blocks": [_block(move, number) for number in range(len(move.blocks))],
        "warnings": [asdict(finding) for finding in findings],
        "timings_s": dict(timings_s),
        "objects": {"mezzanine": move.mezzanine, "move": move_object},
    }


def _block(move: Move, number: int) -> dict[str, Any]:
    segment, told = move.block_segment(number), move.qualities[number].tolist()
    named = {name: round(value, 3) for name, value in zip(QUALITIES, told, strict=True)}
    return {"start_s": round(segment.start_s, 3), "end_s": round(segment.end_s, 3), "qualities": named}


def _kept(job: Job, move: Move, ports: Ports) -> Move:
    """The move, written last: what is in the library is whole. One that an earlier attempt has written counts."""
    bucket, name = ports.settings.library_bucket, _move_name(job)
    if ports.blobs.create(bucket, name, move.to_bytes(), "application/octet-stream"):
        return move
    return Move.from_bytes(ports.blobs.read(bucket, name))


def _stem(job: Job) -> str:
    return f"{job.options['clip_id']}-{job.id[:8]}"


def _move_name(job: Job) -> str:
    return f"{MOVES}{_stem(job)}.npz"


def _of_sureness(found: Danced) -> Sequence[Notice]:
    return [WHO_LEADS] if found.sureness < SURE else []
