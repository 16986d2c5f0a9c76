"""The deployed functions as chaos has them: the real handlers on real ports that kill, with instant extraction.

What the sound and the poses are is invented, so that neither MediaPipe nor a model is loaded: the
numbers in the features tell from which upload they are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import functions_framework
import numpy as np
from cloudevents.http import CloudEvent

from functions.audio import handler as audio
from functions.dispatch import handler as dispatch
from functions.intake import handler as intake
from functions.pose import handler as pose
from functions.sweep import handler as sweep
from shared import backlog, logs
from shared.config import Settings
from shared.events import Message
from shared.features import BLAZEPOSE_LANDMARKS, AudioFeatures, PoseFeatures
from shared.gcp import connect
from shared.ports import Ports
from shared.step import Report, deliver
from shared.timeline import SampleSpan
from tests.pipeline.chaos_plan import Script
from tests.pipeline.chaos_ports import FOLDER, Journal, Scene, deadly, stumble, tempo_of

START_LEASE = timedelta(seconds=6)
JOBS_PER_EXECUTION = 6
"""Minutes in the cloud, where a machine must be found for a start."""


class Stage:
    """The script of the job that this process, which does one thing at a time, works for now."""

    script: Script | None = None
    step: str = ""


@cache
def _scene(kind: str) -> tuple[Scene, Ports]:
    settings = Settings.read(os.environ)
    logs.setup(settings.project)
    ports = connect(settings)
    scene = Scene(kind, Journal(Path(os.environ[FOLDER])), ports.jobs)
    scene.journal.note(kind, None, "started")
    return scene, deadly(ports, scene)


def _deliver(kind: str, event: CloudEvent, handle: Callable[[Message, Ports], None]) -> None:
    scene, ports = _scene(kind)

    def told(message: Message, ports: Ports) -> None:
        Stage.script = scene.script_of_message(message)
        Stage.step = getattr(message, "step", "")
        scene.journal.note(kind, Stage.script and Stage.script.seed, "delivered", step=Stage.step)
        handle(message, ports)

    try:
        deliver(event, told, ports)
    except Exception as error:
        scene.journal.note(kind, Stage.script and Stage.script.seed, "refused", error=repr(error))
        raise


def _work(kind: str) -> Script:
    """The time that a step takes, and its mishaps."""
    script = Stage.script
    assert script
    time.sleep(script.pauses_s[kind])
    stumble(script, Stage.step, _scene(kind)[0].journal)
    return script


def _heard(_samples: Any, _sample_rate_hz: int, rate_hz: float, duration_s: float) -> AudioFeatures:
    return replace(AudioFeatures.silent(duration_s, rate_hz), tempo_bpm=tempo_of(_work("audio")))


def _sound(file: Any, _sample_rate_hz: int, _duration_s: float) -> None:
    """Before the report of progress, which is told only where the document has rested for a second."""
    assert file.read(4)
    script = Stage.script
    assert script
    time.sleep(script.pauses_s["sound"])


def _seen(
    open_source: Callable[[], Any], _model: Path, rate_hz: float, span: SampleSpan, *, count: int, report: Report
) -> PoseFeatures:
    with closing(open_source()) as file:
        assert file.read(4)
    script = _work("pose")
    report(0.5)
    shape = (len(span), BLAZEPOSE_LANDMARKS)
    visibility = np.full(shape, 0.0 if script.fate.upload == "empty stage" else 1.0, np.float32)
    return PoseFeatures(
        rate_hz, np.zeros((*shape, 2), np.float32), np.zeros((*shape, 3), np.float32), visibility, span.start
    )


audio.extract, audio.sound = _heard, _sound
pose.extract, pose.model = _seen, lambda _named, _cache: Path()
backlog.START_LEASE, backlog.JOBS_PER_EXECUTION = START_LEASE, JOBS_PER_EXECUTION


@functions_framework.cloud_event
def on_upload_finalized(event: CloudEvent) -> None:
    _deliver("intake", event, intake.handle)


@functions_framework.cloud_event
def on_audio_requested(event: CloudEvent) -> None:
    _deliver("audio", event, audio.handle)


@functions_framework.cloud_event
def on_pose_requested(event: CloudEvent) -> None:
    _deliver("pose", event, pose.handle)


@functions_framework.cloud_event
def on_features_ready(event: CloudEvent) -> None:
    _deliver("dispatch", event, dispatch.handle)


@functions_framework.cloud_event
def on_tick_or_dead_letter(event: CloudEvent) -> None:
    _deliver("sweep", event, sweep.handle)
