"""A step ``audio``: the sound of a job's upload becomes audio features, or music, where it is to be danced to."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from functions.audio.extraction import SAMPLE_RATE_HZ, extract
from functions.audio.music import analysed
from shared.errors import BadMessage
from shared.events import Message, StepRequested
from shared.features import AudioFeatures
from shared.job import Job, Kind, Recording, Source, features_name
from shared.media import sound
from shared.music import Music
from shared.ports import BlobStore, Ports
from shared.step import Report, run_step

HASH_BLOCK_BYTES = 1 << 20
DANCED_TO = frozenset({Kind.CHOREOGRAPH, Kind.LIBRARY})
"""Kinds of job that ask for more than beats: sections, energy, rhythm."""


def handle(message: Message, ports: Ports) -> None:
    if not isinstance(message, StepRequested):
        raise BadMessage(f"audio was sent {type(message).__name__}")
    run_step(message, partial(_listen, ports), ports)


def _listen(ports: Ports, job: Job, step: str, report: Report) -> Mapping[str, Any]:
    started_s = time.monotonic()
    with ThreadPoolExecutor(1, "digest") as pool:  # with a reader of its own: neither waits for what the other fetches
        digest = pool.submit(_sha256, ports.blobs, job.recording(step).source)
        features = _heard(ports.blobs, job.recording(step), report, is_danced_to=job.kind in DANCED_TO)
    name = features_name(job, step)
    ports.blobs.create(ports.settings.features_bucket, name, features.to_bytes(), "application/octet-stream")
    return {"object": name, "sha256": digest.result(), "seconds": round(time.monotonic() - started_s, 3)}


def _heard(blobs: BlobStore, recording: Recording, report: Report, *, is_danced_to: bool) -> AudioFeatures | Music:
    media = recording.media
    with blobs.open(recording.source) as file:
        samples = sound(file, SAMPLE_RATE_HZ, media["duration_s"])
    report(0.5)
    if is_danced_to:
        return analysed(samples, SAMPLE_RATE_HZ, media["duration_s"])
    return extract(samples, SAMPLE_RATE_HZ, media["rate_hz"], media["duration_s"])


def _sha256(blobs: BlobStore, source: Source) -> str:
    digest = hashlib.sha256()
    with blobs.open(source) as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
