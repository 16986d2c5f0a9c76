"""An upload becomes a job: look at it, plan its steps, ask for them.

Nothing is leased here: looking is cheap, the plan depends on the upload alone, and asking twice for
a step is harmless. So an upload told of twice, or a crash at any line, heals by delivery.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from shared.config import Settings
from shared.errors import (
    BadMessage,
    BadOption,
    EmptyFile,
    NoPicture,
    NotFound,
    PermanentError,
    SourceGone,
    TooLarge,
    TooLong,
)
from shared.events import Message, StepRequested, UploadFinalized
from shared.job import Failure, Job, Source, State
from shared.logs import bound
from shared.media import Media, VideoStream, probe
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
        log.info("no job: %s lies in no folder that asks for one", message.source.name)
        return
    with bound(job=message.job_id):
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
        options={name: message.metadata[name] for name in OPTIONS if name in message.metadata},
    )


def _planned(job: Job, ports: Ports) -> Job:
    """The job with its plan; or FAILED, where the upload is nothing that we can work on."""
    try:
        options = read_options(job.options)
        media = _looked_at(job, ports)
        rate_hz = ports.settings.rate_hz or media_rate_hz(media)
        facts, plan = _facts(media, rate_hz), plan_steps(media.duration_s, rate_hz, ports.settings.max_shards)
    except PermanentError as error:
        log.warning("not accepted: %s: %s", error.code, error.message)
        failure = Failure.of(error)
        # Another delivery may have found it good, and come further: a late one must not undo that.
        return ports.jobs.update(job.id, lambda now: now.failed(failure) if now.state is State.RECEIVED else now)
    return ports.jobs.update(job.id, lambda now: now.planned(plan, facts, options))


def _looked_at(job: Job, ports: Ports) -> Media:
    size = job.source.size or _stored_size(job.source, ports)
    if size == 0:
        raise EmptyFile
    if size > ports.settings.max_bytes:
        raise TooLarge(f"The file is larger than {ports.settings.max_bytes / 1e9:.1f} GB. Please upload a smaller one.")
    with ports.blobs.open(job.source) as file:
        media = probe(file)
    return _accepted(media, ports.settings)


def _stored_size(source: Source, ports: Ports) -> int:
    """For a notification that does not tell. Raises SourceGone."""
    try:
        stored = ports.blobs.stat(source.bucket, source.name).source
    except NotFound as error:
        raise SourceGone from error
    if stored.generation != source.generation:
        raise SourceGone
    return stored.size


def _accepted(media: Media, settings: Settings) -> Media:
    if media.video is None:
        raise NoPicture
    if media.duration_s > settings.max_duration_s:
        raise TooLong(
            f"The video lasts {_spoken(media.duration_s)}. Please upload a part of it, "
            f"{_spoken(settings.max_duration_s)} at most."
        )
    return media


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:.3g} minutes" if seconds >= 120 else f"{seconds:.3g} seconds"


def media_rate_hz(media: Media) -> float:
    """Every frame: the picture's own rate, as far as dancing needs it."""
    assert isinstance(media.video, VideoStream)
    return min(max(media.video.frame_rate_hz, MIN_RATE_HZ), MAX_RATE_HZ)


def plan_steps(duration_s: float, rate_hz: float, max_shards: int) -> dict[str, dict[str, int]]:
    """The sound in one step, the poses in as many as are worth their start."""
    spans = shards(max(1, sample_count(duration_s, rate_hz)), rate_hz, chunk_s=CHUNK_S, max_shards=max_shards)
    poses = {f"pose-{i:02d}": {"start": span.start, "stop": span.stop} for i, span in enumerate(spans)}
    return {"audio": {}, **poses}


def _facts(media: Media, rate_hz: float) -> dict[str, Any]:
    return {**asdict(media), "rate_hz": rate_hz, "samples": max(1, sample_count(media.duration_s, rate_hz))}


def _request_steps(job: Job, ports: Ports) -> None:
    if job.state is State.EXTRACTING:
        for step in job.plan:
            ports.bus.publish(StepRequested(job.id, step))


def _within(low: int, high: int, read: Callable[[str], float], what: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := read(text)) <= high:
                return value
        raise ValueError(f"it must be {what} from {low} to {high}")

    return parse


OPTIONS: Mapping[str, Callable[[str], float | str]] = {
    "min_probability": _within(0, 1, float, "a number"),
    "min_counts": _within(1, 32, int, "a whole number"),
}
"""What an upload's metadata may ask for, beside its owner. What else stands there (the phone's notes) is
left alone. The job keeps what was asked, so that nothing is lost where its upload is told of again."""


def read_options(asked: Mapping[str, float | str]) -> dict[str, float | str]:
    """Raises BadOption."""
    return {name: _option(name, str(text)) for name, text in asked.items()}


def _option(name: str, text: str) -> float | str:
    try:
        return OPTIONS[name](text)
    except ValueError as error:
        raise BadOption(f"The option {name} cannot be {text!r}: {error}.") from error
