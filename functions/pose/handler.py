"""A step ``pose-NN``: one shard of a job's video becomes pose features."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from functions.pose import couple
from functions.pose.extraction import extract
from functions.pose.model import bundle
from shared.couple import Couple
from shared.errors import BadMessage, MissingTool, Unavailable
from shared.events import Message, StepRequested
from shared.features import PoseFeatures
from shared.job import Job, features_name
from shared.ports import Ports
from shared.step import Report, run_step
from shared.timeline import SampleSpan

model = cache(bundle)

COUPLE = 2  # dancers


def handle(message: Message, ports: Ports) -> None:
    if not isinstance(message, StepRequested):
        raise BadMessage(f"pose was sent {type(message).__name__}")
    run_step(message, partial(_watch, ports), ports)


def _watch(ports: Ports, job: Job, step: str, report: Report) -> Mapping[str, Any]:
    started_s, settings = time.monotonic(), ports.settings
    try:
        pose = _seen(ports, job, step, report)
    except MissingTool as error:
        raise Unavailable(error.message) from error  # a fault of ours, which no upload must fail for
    name = features_name(job, step)
    ports.blobs.create(settings.features_bucket, name, pose.to_bytes(), "application/octet-stream")
    seconds = round(time.monotonic() - started_s, 3)
    return {"object": name, "samples": len(pose), "detected": int(pose.detected.sum()), "seconds": seconds}


def _seen(ports: Ports, job: Job, step: str, report: Report) -> PoseFeatures | Couple:
    span, recording, settings = job.plan[step], job.recording(step), ports.settings
    watch = couple.extract if job.dancers == COUPLE else extract
    return watch(
        lambda: ports.blobs.open(recording.source),
        model(settings.pose_model or None, Path(settings.cache) if settings.cache else None),
        recording.media["rate_hz"],
        SampleSpan(span["start"], span["stop"]),
        count=recording.media["samples"],
        report=report,
    )
