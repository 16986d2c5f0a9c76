"""Function ``pose`` for measurements: it takes the time of looking, and none of the processor."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import functions_framework
import numpy as np
from cloudevents.http import CloudEvent

from functions.pose.extraction import REPORT_EVERY
from shared.errors import BadMessage
from shared.events import Message, StepRequested
from shared.features import BLAZEPOSE_LANDMARKS, PoseFeatures
from shared.gcp import connected
from shared.job import Job, features_name
from shared.ports import Ports
from shared.step import Report, deliver, run_step

SECONDS_PER_SAMPLE = 0.01
"""What a sample of a 720p video takes of two cores: decoding and looking, 100 samples a second."""

ports = cache(partial(connected, os.environ))


@functions_framework.cloud_event
def on_pose_requested(event: CloudEvent) -> None:
    deliver(event, _handle, ports())


def _handle(message: Message, ports: Ports) -> None:
    if not isinstance(message, StepRequested):
        raise BadMessage(f"pose was sent {type(message).__name__}")
    run_step(message, partial(_sleep, ports), ports)


def _sleep(ports: Ports, job: Job, step: str, report: Report) -> Mapping[str, Any]:
    start, stop = job.plan[step]["start"], job.plan[step]["stop"]
    for done in range(start, stop, REPORT_EVERY):
        time.sleep(SECONDS_PER_SAMPLE * min(REPORT_EVERY, stop - done))
        report((done - start) / (stop - start))
    name, pose = features_name(job, step), _still(stop - start, job.media["rate_hz"], start)
    ports.blobs.create(ports.settings.features_bucket, name, pose.to_bytes(), "application/octet-stream")
    return {"object": name, "samples": len(pose), "detected": len(pose), "seconds": 0.0}


def _still(count: int, rate_hz: float, first_sample: int) -> PoseFeatures:
    """Somebody who does not move."""
    rows = (count, BLAZEPOSE_LANDMARKS)
    image, world = np.full((*rows, 2), 0.5, np.float32), np.zeros((*rows, 3), np.float32)
    return PoseFeatures(rate_hz, image, world, np.ones(rows, np.float32), first_sample)
