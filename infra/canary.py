"""A deployed system is asked for what it is for: a drawn dancer goes in, and her moves must come out.

    python -m infra.canary [--within SECONDS]

Settings are those of the deployables (``DANCEBITS_…``), the credentials whoever's it runs as: it has
to write to the uploads bucket and to read Firestore. With the emulators' variables it asks a system
on one machine. The exit status says whether the system is well.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.cloud import storage

from infra.local.sample.video import Sample, write_sample
from shared.config import Settings
from shared.errors import NotFound
from shared.gcp import connect
from shared.job import FOLDER_OF, Job, Kind, Source, State
from shared.logs import bound, carried
from shared.ports import JobStore

OWNER = "canary"
SECONDS = 16.0
"""Four bars of eight counts: enough for a few moves, and cheap enough for every release."""
WITHIN_S = 900.0
"""A cold start of everything, and a GPU that is not to be had at once."""
LOOK_EVERY_S = 2.0
TEMPO_BPM = 126.0
TEMPO_TOLERANCE = 0.02


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.canary", description=__doc__)
    parser.add_argument("--within", type=float, default=WITHIN_S, metavar="SECONDS")
    options = parser.parse_args(arguments)
    settings = Settings.read(os.environ)
    began = time.monotonic()
    job_id = _uploaded(settings)
    print(f"uploaded: job {job_id}", flush=True)
    job = _settled(connect(settings).jobs, job_id, began + options.within)
    complaints = complaints_of(job)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{'not well' if complaints else 'well'} after {time.monotonic() - began:.0f} s")
    return 1 if complaints else 0


def _uploaded(settings: Settings) -> str:
    """The id of the job that it starts."""
    with tempfile.TemporaryDirectory(prefix="dancebits-") as folder:
        sample = _drawn(Path(folder, "canary.mp4"))
        bucket = storage.Client(project=settings.project).bucket(settings.uploads_bucket)
        blob = bucket.blob(f"{FOLDER_OF[Kind.SEGMENT]}/{uuid.uuid4().hex}/{sample.path.name}")
        with bound(trace=uuid.uuid4().hex):
            blob.metadata = {"owner": OWNER, **carried()}
        blob.upload_from_filename(str(sample.path), content_type="video/mp4")
    assert blob.name
    assert blob.generation is not None
    return Source(settings.uploads_bucket, blob.name, int(blob.generation)).job_id


def _drawn(path: Path) -> Sample:
    return write_sample(path, duration_s=SECONDS, tempo_bpm=TEMPO_BPM)


def _settled(jobs: JobStore, job_id: str, until: float) -> Job | None:
    """The job once it is settled, or as it is when the time is over: None where there is none."""
    job, stage = None, ""
    while not (job and job.is_settled) and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
        job = _found(jobs, job_id)
        if job and job.stage != stage:
            stage = job.stage
            print(f"{job.state}: {stage}", flush=True)
    return job


def _found(jobs: JobStore, job_id: str) -> Job | None:
    try:
        return jobs.get(job_id)
    except NotFound:
        return None


def complaints_of(job: Job | None) -> list[str]:
    """What is wrong with what became of the sample; nothing where all is well."""
    if job is None:
        return ["The upload never became a job: is the bucket's notification there, and does intake answer?"]
    if job.state is not State.DONE:
        reason = f": {job.error.code}: {job.error.message}" if job.error else f" at {job.progress:.0%}: {job.stage}"
        return [f"The job is {job.state}{reason}"]
    return _wrong(job.result)


def _wrong(result: Mapping[str, Any]) -> list[str]:
    tempo, moves = result.get("tempo_bpm"), result.get("moves", [])
    wrong: list[str] = []
    if tempo is None or abs(tempo / TEMPO_BPM - 1) > TEMPO_TOLERANCE:
        wrong.append(f"The tempo was found to be {tempo}; it is {TEMPO_BPM:g} BPM")
    if len(moves) < 2:
        wrong.append(f"{len(moves)} moves were found; several were danced")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
