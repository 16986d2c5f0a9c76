"""One execution of the GPU job as chaos has it: the real worker on real ports that kill, with instant inference."""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_job import worker
from gpu_job.worker import Worker
from shared import logs
from shared.config import Settings
from shared.features import AudioFeatures, PoseFeatures
from shared.gcp import connect
from shared.job import INFER, Job, Kind, Step, results_name
from shared.ports import Ports
from tests.pipeline.chaos_plan import Script, script_of, seed_of
from tests.pipeline.chaos_ports import FOLDER, Journal, Scene, deadly, stumble

REST_S = 1.0
"""Of a job that failed for now; ten seconds in the cloud."""


@dataclass(frozen=True, slots=True)
class Loaded:
    script: Script
    tempo_bpm: float
    samples: int
    attempt: int


@dataclass(frozen=True, slots=True)
class InstantInference:
    """Answers what the features say of their origin, and by whom, and writes that down once.

    No two answers are the same: an attempt that finds the result of an earlier one must tell of that, not of its own.
    """

    journal: Journal

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> Loaded:
        script = _script_of(job)
        stumble(script, "load", self.journal)
        parts = {
            name: ports.blobs.read(ports.settings.features_bucket, steps[name].output["object"]) for name in job.plan
        }
        sound = AudioFeatures.from_bytes(parts.pop("audio"))
        poses = PoseFeatures.joined([PoseFeatures.from_bytes(part) for part in parts.values()])
        assert sound.tempo_bpm
        return Loaded(script, sound.tempo_bpm, len(poses), steps[INFER].attempt)

    def infer(self, loaded: Sequence[Loaded]) -> Sequence[Mapping[str, Any]]:
        for each in loaded:
            stumble(each.script, "infer", self.journal)
        time.sleep(max(each.script.pauses_s["infer"] for each in loaded))
        return [self._answer(each) for each in loaded]

    def _answer(self, loaded: Loaded) -> Mapping[str, Any]:
        token = secrets.token_hex(8)
        self.journal.note("gpu", loaded.script.seed, "inferred", attempt=loaded.attempt, token=token)
        return {"tempo": loaded.tempo_bpm, "samples": loaded.samples, "token": token}

    def record(self, job: Job, loaded: Loaded, answer: Mapping[str, Any], ports: Ports) -> Mapping[str, Any]:
        stumble(loaded.script, "record", self.journal)
        bucket, name, content = ports.settings.results_bucket, results_name(job, "result.json"), json.dumps(answer)
        if not ports.blobs.create(bucket, name, content.encode(), "application/json"):
            answer = json.loads(ports.blobs.read(bucket, name))
        return {**answer, "object": name}


def _script_of(job: Job) -> Script:
    seed = seed_of(job.source.name)
    assert seed is not None
    return script_of(seed)


def main() -> None:
    settings = Settings.read(os.environ)
    logs.setup(settings.project)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    ports, journal = connect(settings), Journal(Path(os.environ[FOLDER]))
    journal.note("gpu", None, "started")
    worker.FIRST_REST_S = worker.LONGEST_REST_S = REST_S
    Worker(deadly(ports, Scene("gpu", journal, ports.jobs)), {Kind.SEGMENT: InstantInference(journal)}, stop).run()


if __name__ == "__main__":
    main()
