"""An upload becomes a job: look at it, plan its steps, ask for them.

Nothing is leased here: looking is cheap, only the first plan of a job counts, and asking twice for
a step is harmless. So an upload told of twice, or a crash at any line, heals by delivery.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, BinaryIO

from shared.config import Settings
from shared.errors import (
    BadMessage,
    DamagedFile,
    EmptyFile,
    NoPicture,
    NoSound,
    NotASong,
    NotAVideo,
    NoTeacher,
    NotFound,
    PermanentError,
    SourceGone,
    TooLarge,
    TooLong,
)
from shared.events import Message, StepRequested, UploadFinalized
from shared.job import AUDIO, JOB_ID, POSE, TEACHER, Failure, Job, Kind, Recording, Source, State, of_the_teachers
from shared.logs import bound, trace_in
from shared.media import Media, VideoStream, probe
from shared.options import OPTIONS, check_needed, read_options
from shared.ports import Ports
from shared.timeline import CHUNK_S, sample_count, shards

log = logging.getLogger(__name__)

MAX_RATE_HZ = 60.0
"""Slow-motion video has more frames a second than a dancer has news."""
MIN_RATE_HZ = 5.0
"""In a time-lapse nobody dances; but it must not break the clock."""


def handle(message: Message, ports: Ports) -> None:
    if not isinstance(message, UploadFinalized):
        raise BadMessage(f"intake was sent {type(message).__name__}")
    if message.source.kind is None:
        log.info("no job: generation %d lies in no folder that asks for one", message.source.generation)
        return
    with bound(job=message.job_id, trace=trace_in(message.metadata)):
        job = ports.jobs.create(_received(message, ports))
        if job.state is State.RECEIVED:
            job = _planned(job, ports)
        _request_steps(job, ports)


def _received(message: UploadFinalized, ports: Ports) -> Job:
    now, source = ports.now(), message.source
    assert source.kind
    return Job(
        id=message.job_id,
        kind=source.kind,
        owner=message.metadata.get("owner", ""),
        source=source,
        created_at=now,
        expire_at=now + timedelta(days=ports.settings.keep_days),
        trace=trace_in(message.metadata),
        options={name: message.metadata[name] for name in OPTIONS[source.kind] if name in message.metadata},
    )


def _planned(job: Job, ports: Ports) -> Job:
    """The job with its plan; or FAILED, where the upload is nothing that we can work on."""
    try:
        options = read_options(job.kind, job.options)
        check_needed(job.kind, options)
        media = _looked_at(job.source, ports, is_song=job.kind is Kind.CHOREOGRAPH)
        plan, teacher = plan_steps(media, ports.settings.max_shards), None
        if job.kind is Kind.COMPARE:
            teacher = teacher_of(options, ports)
            plan |= {} if teacher.job else _named(TEACHER, plan_steps(teacher.media, ports.settings.max_shards))
    except PermanentError as error:
        failure = Failure.of(error)
        # Another delivery may have found it good, and come further: a late one must not undo that.
        return ports.jobs.update(job.id, lambda now: now.failed(failure) if now.state is State.RECEIVED else now)
    return ports.jobs.update(job.id, lambda now: now.planned(plan, media, options, teacher))


def _looked_at(source: Source, ports: Ports, *, is_song: bool = False) -> dict[str, Any]:
    """What there is to know of a video or a song. Raises PermanentError where it is none that we can work on."""
    size = source.size or _stored_size(source, ports)
    if size == 0:
        raise EmptyFile
    if size > ports.settings.max_bytes:
        raise TooLarge(f"The file is larger than {ports.settings.max_bytes / 1e9:.1f} GB. Please upload a smaller one.")
    with ports.blobs.open(source) as file:
        media = _accepted(_probed_song(file) if is_song else probe(file), ports.settings, is_song=is_song)
    if is_song:  # its picture, if it has one, is not looked at
        return {**asdict(replace(media, video=None)), "rate_hz": ports.settings.rate_hz or MIN_RATE_HZ, "samples": 0}
    rate_hz = ports.settings.rate_hz or media_rate_hz(media)
    return {**asdict(media), "rate_hz": rate_hz, "samples": max(1, sample_count(media.duration_s, rate_hz))}


def _probed_song(file: BinaryIO) -> Media:
    """What is wrong with a song is said of a song."""
    try:
        return probe(file)
    except NotAVideo as error:
        raise NotASong from error
    except DamagedFile as error:
        raise DamagedFile("The song is damaged or was cut off. Please choose the whole file.") from error


def _stored_size(source: Source, ports: Ports) -> int:
    """For a notification that does not tell. Raises SourceGone."""
    try:
        stored = ports.blobs.stat(source.bucket, source.name).source
    except NotFound as error:
        raise SourceGone from error
    if stored.generation != source.generation:
        raise SourceGone
    return stored.size


def _accepted(media: Media, settings: Settings, *, is_song: bool) -> Media:
    if is_song and media.audio is None:
        raise NoSound
    if media.video is None and not is_song:
        raise NoPicture
    if media.duration_s > settings.max_duration_s:
        raise TooLong(
            f"The {'song' if is_song else 'video'} lasts {_spoken(media.duration_s)}. Please upload a part of it, "
            f"{_spoken(settings.max_duration_s)} at most."
        )
    return media


def teacher_of(options: Mapping[str, float | str], ports: Ports) -> Recording:
    """The video that ``options["teacher"]`` names: by an earlier job's id, or by its own name in the uploads bucket.

    Where a job that is done has its features, these serve again. Raises NoTeacher, and what is wrong with the video.
    """
    job, source = _named_teacher(str(options["teacher"]), ports)
    if job and _has_features(job, ports) and job.dancers == options.get("dancers", 1):
        return Recording(job.source, job.media, job.id)
    try:
        return Recording(source, _looked_at(source, ports))
    except PermanentError as error:
        raise of_the_teachers(error) from error


def _named_teacher(name: str, ports: Ports) -> tuple[Job | None, Source]:
    """The job of a video, if there is one, and the video. Raises NoTeacher."""
    try:
        if JOB_ID.fullmatch(name):
            job = ports.jobs.get(name)
            return job, job.source
        source = ports.blobs.stat(ports.settings.uploads_bucket, name).source
    except NotFound as error:
        raise NoTeacher from error
    try:
        return ports.jobs.get(source.job_id), source
    except NotFound:
        return None, source


def _has_features(job: Job, ports: Ports) -> bool:
    """Whether this release did the job, and what its steps left is there and stays until it was used."""
    used_by = ports.now() + timedelta(seconds=ports.settings.give_up_after_s + ports.settings.give_up_waiting_after_s)
    if job.state is not State.DONE or job.id != job.source.job_id or job.expire_at < used_by:
        return False
    steps = ports.jobs.steps(job.id)
    try:
        for name in job.own_steps:
            ports.blobs.stat(ports.settings.features_bucket, steps[name].output["object"])
    except (KeyError, NotFound):
        return False
    return True


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:.3g} minutes" if seconds >= 120 else f"{seconds:.3g} seconds"


def media_rate_hz(media: Media) -> float:
    """Every frame: the picture's own rate, as far as dancing needs it."""
    assert isinstance(media.video, VideoStream)
    return min(max(media.video.frame_rate_hz, MIN_RATE_HZ), MAX_RATE_HZ)


def plan_steps(media: Mapping[str, Any], max_shards: int) -> dict[str, dict[str, int]]:
    """The sound in one step, the poses in as many as are worth their start: of a song in none."""
    spans = shards(media["samples"], media["rate_hz"], chunk_s=CHUNK_S, max_shards=max_shards)
    poses = {f"{POSE}-{i:02d}": {"start": span.start, "stop": span.stop} for i, span in enumerate(spans)}
    return {AUDIO: {}, **poses}


def _named(prefix: str, plan: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {prefix + step: work for step, work in plan.items()}


def _request_steps(job: Job, ports: Ports) -> None:
    if job.state is State.EXTRACTING:
        for step in job.plan:
            ports.bus.publish(StepRequested(job.id, step))
