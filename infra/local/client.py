"""A client of the running system, as a phone is one: it uploads, and watches a document."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue

from google.cloud import storage

from infra.local import show
from infra.local.system import Address
from shared.errors import NotFound
from shared.gcp import connect
from shared.job import FOLDER_OF, JOB_ID, Job, Kind, Source
from shared.ports import JobStore

LOOK_AFTER_S = 1.0


def upload(file: Path, owner: str, kind: Kind, options: Mapping[str, str], state: Path) -> str:
    """Upload a video, with its owner and options as metadata; the id of the job of that kind that it starts.

    Raises NotFound where there is no file, or no system with that state.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    address = _address(state)
    blob = (
        storage.Client(project=address.settings.project).bucket(address.settings.uploads_bucket).blob(_name(file, kind))
    )
    blob.metadata = {"owner": owner, **options}
    blob.upload_from_filename(file, content_type=mimetypes.guess_type(file)[0] or "application/octet-stream")
    assert blob.name
    assert blob.generation is not None
    return Source(address.settings.uploads_bucket, blob.name, int(blob.generation)).job_id


def watch(job_id: str, state: Path, *, is_new: bool = False) -> int:
    """Show a job's progress until it is settled; the exit status of the command.

    Raises NotFound where there is no such job, unless it ``is_new``: then it is waited for.
    """
    ports = connect(_address(state).settings)
    if not JOB_ID.fullmatch(job_id):
        raise NotFound(f"{job_id!r} is no job: the name of one has 32 hexadecimal digits")
    if not is_new:
        ports.jobs.get(job_id)
    with show.progress("Waiting for the job") as told:
        job = None
        for job in _changes(job_id, ports.jobs, state):
            told(job)
    assert job
    status = show.outcome(job)
    if folder := job.result.get("objects", {}).get("folder"):
        show.say(f"In the bucket {ports.settings.results_bucket}, under {folder}: {show.files(job)}")
    return status


def _changes(job_id: str, jobs: JobStore, state: Path) -> Iterator[Job]:
    """Until the job is settled. Raises what ends the listener, and NotFound where the system ends before: a listener
    would wait for its return."""
    arrived: SimpleQueue[Job | Exception] = SimpleQueue()

    def listen() -> None:
        try:
            with jobs.watch(job_id) as changes:
                for job in changes:
                    arrived.put(job)
        except Exception as error:  # noqa: BLE001 - raised by whoever waits for it
            arrived.put(error)

    threading.Thread(target=listen, name="listener", daemon=True).start()
    while not (job := _next(arrived, state)).is_settled:
        yield job
    yield job


def _next(arrived: SimpleQueue[Job | Exception], state: Path) -> Job:
    while True:
        with contextlib.suppress(Empty):
            if isinstance(found := arrived.get(timeout=LOOK_AFTER_S), Exception):
                raise found
            return found
        Address.read(state)


def _address(state: Path) -> Address:
    """Where the system is; from here on, every Google client of this process finds it."""
    address = Address.read(state)
    os.environ.update(address.environment)
    return address


def _name(file: Path, kind: Kind) -> str:
    """A new one each time: two dancers' files of one name are two uploads, and neither overwrites the other."""
    return f"{FOLDER_OF[kind]}/{uuid.uuid4().hex}/{file.name}"
