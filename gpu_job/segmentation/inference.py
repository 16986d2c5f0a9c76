"""A job of kind ``segment``: features in; moves, curves, a picture and clips out."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gpu_job.keeping import Keeper
from gpu_job.notice import Notice
from gpu_job.recordings import described, extracted
from gpu_job.segmentation.methods import Methods, method
from gpu_job.segmentation.moves import Move, Options, Segmentation
from gpu_job.segmentation.performance import Performance
from gpu_job.segmentation.report import clip_name, curves_npz, result
from gpu_job.segmentation.segmenting import segment_batch
from gpu_job.segmentation.timeline_picture import timeline_png
from gpu_job.titles import UNSEEN
from shared.errors import DamagedFile
from shared.features import PoseFeatures
from shared.job import POSE, Job, Step
from shared.media import Scissors
from shared.ports import Ports

log = logging.getLogger(__name__)

MAX_CLIPS = 400
"""More are of use to nobody, and each costs an opening of the video."""

NO_CLIP: Mapping[str, Any] = {"clip": None, "clip_start_s": None}

CLIPS_MISSING = Notice(
    "CLIPS_MISSING",
    "Some moves have no clip: their pictures are damaged or take too long to read, or there are too many moves.",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A job ready for inference, and what its steps told."""

    performance: Performance
    options: Options
    sha256: str
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answer:
    segmentation: Segmentation
    seconds: float
    """Of the batch it was in."""


@dataclass(frozen=True, slots=True)
class SegmentInference:
    methods: Methods = method

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> Loaded:
        """Raises NobodyFound, BadOption."""
        found = extracted(job.own_steps, steps, ports)
        performance = Performance(found.poses[0].smoothed(), found.audio)
        return Loaded(performance, Options.read(job.options), found.sha256, found.seconds)

    def infer(self, loaded: Sequence[Loaded]) -> Sequence[Answer]:
        started_s = time.monotonic()
        performances, wishes = [one.performance for one in loaded], [one.options for one in loaded]
        segmentations = segment_batch(performances, wishes, self.methods)
        seconds = round(time.monotonic() - started_s, 3)
        return [Answer(segmentation, seconds) for segmentation in segmentations]

    def record(self, job: Job, loaded: Loaded, answer: Answer, ports: Ports) -> Mapping[str, Any]:
        segmentation, pose = answer.segmentation, loaded.performance.pose
        started_s = time.monotonic()
        keep = _begun(job, segmentation, pose, ports)
        clips, lost = _clips(job, segmentation, keep, ports)
        timings_s = {**loaded.seconds, "infer": answer.seconds, "record": round(time.monotonic() - started_s, 3)}
        told = replace(segmentation, warnings=(*segmentation.warnings, *lost))
        full = result(told, pose, source=described(job.recording(POSE), loaded.sha256), timings_s=timings_s)
        full["moves"] = [{**move, **clip} for move, clip in zip(full["moves"], clips, strict=True)]
        return _summary(keep.result(full), keep.objects)


def _begun(job: Job, segmentation: Segmentation, pose: PoseFeatures, ports: Ports) -> Keeper:
    """The curves and the picture, which tell what was found. Another release or another network may have found
    something else before it died: then its clips and its result are none of ours."""
    keep = Keeper(job, ports).with_own("curves.npz", curves_npz(segmentation), "application/octet-stream")
    return keep.with_own("timeline.png", timeline_png(segmentation, pose), "image/png")


def _clips(
    job: Job, segmentation: Segmentation, keep: Keeper, ports: Ports
) -> tuple[list[Mapping[str, Any]], list[Notice]]:
    """For each move its clip, and where in the video that starts; and what to tell of those that are missing."""
    with TemporaryDirectory() as folder, ports.blobs.open(job.source) as video:
        path, scissors = Path(folder) / "clip.mp4", Scissors(video)
        clips = [
            _clip(scissors, number, move, path, keep) if number <= MAX_CLIPS and move.label != UNSEEN else NO_CLIP
            for number, move in enumerate(segmentation.moves, 1)
        ]
    missing = any(
        clip is NO_CLIP and move.label != UNSEEN for clip, move in zip(clips, segmentation.moves, strict=True)
    )
    return clips, [CLIPS_MISSING] if missing else []


def _clip(scissors: Scissors, number: int, move: Move, path: Path, keep: Keeper) -> Mapping[str, Any]:
    """Copied packets start at a key frame, up to a second before the move: hence ``clip_start_s``."""
    try:
        written = scissors.cut(move.segment, path)
    except DamagedFile as error:
        log.warning("no clip of move %d: %s", number, error)
        return NO_CLIP
    name = f"moves/{clip_name(number, move)}"
    keep(name, path, "video/mp4")
    return {"clip": keep.called(name), "clip_start_s": round(written.start_s, 3)}


def _summary(full: Mapping[str, Any], objects: Mapping[str, str]) -> dict[str, Any]:
    """What a client sees in the job's document; the long curves stay in the bucket."""
    told = ("tempo_bpm", "beats_s", "downbeats_s", "moves", "pose", "method", "warnings", "timings_s")
    return {**{name: full[name] for name in told}, "objects": dict(objects)}
