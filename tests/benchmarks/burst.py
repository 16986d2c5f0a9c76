"""Many uploads at once, through the whole system on this machine.

    python -m tests.benchmarks.burst [--uploads N] [--seconds S]

Every upload is a small real video, worked on by the real functions and the real GPU job. A listener is
told of every version of every document of a job. The bars: every upload ends DONE, and no document is written
more than once a second. The baseline for the throughput is the same work one after the other in one
process, without a cloud. The exit status is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.cloud import firestore, storage

from infra.local import oneshot
from infra.local.sample.video import write_sample
from infra.local.system import System, up
from shared.job import SETTLED, Source, State
from tests.benchmarks.machine import print_table
from tests.benchmarks.processes import Usage, Usages, usages_of
from tests.pipeline.recording import Recording, Version, recorded

LEAST_GAP_S = 1.0
STEPS = ("audio", "pose-00", "infer")
"""Of a video as short as these."""
AT_ONCE = 32
"""Connections that upload side by side."""
PATIENCE_S = 1800.0
SILENCE_S = 3.0
WAYS = (
    (None, State.RECEIVED), (State.RECEIVED, State.EXTRACTING), (State.EXTRACTING, State.READY),
    (State.READY, State.RUNNING), (State.RUNNING, State.DONE), (None, State.DONE),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Upload:
    job_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Burst:
    """What was uploaded, what the listeners were told of it, and what each part's processes took.

    ``twins_…``: pairs of writes that followed at once, elsewhere, and those of them that a listener told apart.
    """

    uploads: Sequence[Upload]
    recording: Recording
    usages: Usages
    twins_seen: int
    twins_written: int

    def entered(self) -> dict[str, dict[State | None, datetime]]:
        """For each job when it entered each state; None: when it was uploaded."""
        entered: dict[str, dict[State | None, datetime]] = {upload.job_id: {None: upload.at} for upload in self.uploads}
        for version in self.recording.versions:
            if _is_job(version):
                entered[_job_id(version)].setdefault(State(version.fields["state"]), version.written_at)
        return entered

    def ends(self) -> Counter[str]:
        states = {_job_id(version): version.fields["state"] for version in self.recording.versions if _is_job(version)}
        return Counter(states.get(upload.job_id, "LOST") for upload in self.uploads)

    def gaps_s(self) -> dict[str, dict[str, list[float]]]:
        """By collection and document, the seconds between writes."""
        found: dict[str, dict[str, list[float]]] = defaultdict(dict)
        for path, gaps in self.recording.gaps_s().items():
            collection = path.split("/")[-2]
            found[collection][path] = gaps
        found.pop(_Twins.COLLECTION, None)
        return found


def _is_job(version: Version) -> bool:
    return version.path.split("/")[-2] == "jobs"


def _job_id(version: Version) -> str:
    return version.path.split("/")[1]


class _Twins:
    """Shows that the listener would see two writes that follow at once: now and then it makes them, elsewhere."""

    COLLECTION = "twins"

    def __init__(self, database: firestore.Client, recording: Recording) -> None:
        self._collection = database.collection(self.COLLECTION)
        self._recording = recording
        self.written = 0

    def write(self) -> None:
        document = self._collection.document(str(self.written))
        document.set({"n": 1})
        self._recording.follow(document.path)
        document.set({"n": 2})
        self.written += 1

    def seen(self) -> int:
        return sum(1 for path, gaps in self._recording.gaps_s().items() if path.startswith(self.COLLECTION) and gaps)


def burst(system: System, video: bytes, count: int) -> Burst:
    database = firestore.Client(system.settings.project)
    with recorded(database) as recording, usages_of(lambda: system.pids) as usages:
        recording.follow(*(f"executors/{slot}" for slot in range(system.settings.max_executions)))
        twins = _Twins(database, recording)
        uploads = _upload(system, video, count, recording)
        _await({upload.job_id for upload in uploads}, recording, twins, system)
    return Burst(uploads, recording, usages, twins.seen(), twins.written)


def _upload(system: System, video: bytes, count: int, recording: Recording) -> list[Upload]:
    bucket = storage.Client(system.settings.project).bucket(system.settings.uploads_bucket)

    def send(number: int) -> Upload:
        blob = bucket.blob(f"videos/dancer-{number:03d}/dance.mp4")
        blob.metadata = {"owner": f"dancer-{number:03d}"}
        blob.upload_from_string(video, content_type="video/mp4")
        uploaded = Upload(Source(bucket.name, blob.name, blob.generation).job_id, datetime.now(UTC))
        recording.follow(f"jobs/{uploaded.job_id}", *(f"jobs/{uploaded.job_id}/steps/{step}" for step in STEPS))
        return uploaded

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(send, range(count)))


def _await(job_ids: set[str], recording: Recording, twins: _Twins, system: System) -> None:
    """Until all are settled. Raises Unavailable where an emulator is lost."""
    deadline, told = time.monotonic() + PATIENCE_S, 0
    while open_ids := job_ids - _settled(recording):
        if time.monotonic() > deadline:
            print(f"gave up waiting for {len(open_ids)} jobs", file=sys.stderr)
            return
        if (tenths := 10 * (len(job_ids) - len(open_ids)) // len(job_ids)) > told:
            print(f"{10 * tenths} % are settled", file=sys.stderr, flush=True)
            told = tenths
        twins.write()
        system.wait(1)
    _await_silence(recording)


def _await_silence(recording: Recording) -> None:
    """One listener may lag behind another: until none is told of anything any more."""
    told = -1
    while told < len(recording.versions):
        told = len(recording.versions)
        time.sleep(SILENCE_S)


def _settled(recording: Recording) -> set[str]:
    versions = list(recording.versions)
    return {_job_id(version) for version in versions if _is_job(version) and State(version.fields["state"]) in SETTLED}


def one_after_the_other_s(video: Path) -> float:
    """The seconds of a video like these in one process, once that is warm."""
    for _ in range(2):
        started_s = time.monotonic()
        with tempfile.TemporaryDirectory() as out:
            oneshot.run(oneshot.local_clip(video), Path(out), {}, os.environ, watch=id)
    return time.monotonic() - started_s


def print_throughput(result: Burst, baseline_s: float) -> None:
    entered = result.entered()
    ends = [max(times.values()) for times in entered.values()]
    total_s = (max(ends) - min(upload.at for upload in result.uploads)).total_seconds()
    each_s = total_s / len(result.uploads)
    counted = ", ".join(f"{count} {state}" for state, count in result.ends().most_common())
    row = (
        len(ends),
        counted,
        f"{total_s:.0f}",
        f"{60 / each_s:.0f}",
        f"{60 / baseline_s:.0f}",
        f"{baseline_s / each_s:.2f}",
    )
    head = ("uploads", "ended", "seconds", "videos a minute", "one after the other", "ratio")
    print_table("Uploads at once", head, [row])
    print_table("Waits in seconds", ("from", "to", "median", "longest"), list(_waits(entered.values())))


def _waits(entered: Iterable[Mapping[State | None, datetime]]) -> Iterator[tuple[str, ...]]:
    for start, end in WAYS:
        waits = [(times[end] - times[start]).total_seconds() for times in entered if start in times and end in times]
        if waits:
            yield (start or "upload"), end, f"{statistics.median(waits):.1f}", f"{max(waits):.1f}"


def print_writes(result: Burst) -> None:
    rows = []
    for collection, documents in sorted(result.gaps_s().items()):
        gaps = [gap for of_one in documents.values() for gap in of_one]
        most = max(len(of_one) for of_one in documents.values()) + 1
        least = f"{min(gaps):.3f}" if gaps else "–"
        rows.append((collection, len(documents), len(gaps) + len(documents), most, least, f"≥ {LEAST_GAP_S:g}"))
    head = ("collection", "documents", "writes", "most of one", "least seconds between two", "bar")
    print_table("Writes of documents", head, rows)
    print(
        f"\nOf {result.twins_written} pairs of writes made on purpose, at once, the listener saw {result.twins_seen}."
    )


def print_usage(result: Burst) -> None:
    rows = [
        _usage_row(name, list(found.values()), len(result.uploads)) for name, found in sorted(result.usages.items())
    ]
    print_table("Memory and processor", ("part", "processes", "most of one, MB", "seconds", "ms an upload"), rows)


def _usage_row(name: str, usages: Sequence[Usage], uploads: int) -> tuple[object, ...]:
    seconds = sum(usage.processor_s for usage in usages)
    most_mb = max(usage.peak_mb for usage in usages)
    return name, len(usages), f"{most_mb:.0f}", f"{seconds:.1f}", f"{1000 * seconds / uploads:.0f}"


def is_within_bars(result: Burst) -> bool:
    gaps = [gap for documents in result.gaps_s().values() for of_one in documents.values() for gap in of_one]
    return set(result.ends()) == {State.DONE} and min(gaps) >= LEAST_GAP_S


@contextmanager
def found_by_environment(system: System) -> Iterator[None]:
    """Every Google client of this process finds the system."""
    before = dict(os.environ)
    os.environ.update(system.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.5, help="length of each video (%(default)s)")
    parser.add_argument("--logs", type=Path, help="folder to keep the system's logs in")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = write_sample(Path(folder) / "dance.mp4", duration_s=chosen.seconds, width=320, height=180).path
        baseline_s = one_after_the_other_s(video)
        with up(chosen.logs or Path(folder) / "state") as system, found_by_environment(system):
            result = burst(system, video.read_bytes(), chosen.uploads)
    print_throughput(result, baseline_s)
    print_writes(result)
    print_usage(result)
    return 0 if is_within_bars(result) else 1


if __name__ == "__main__":
    sys.exit(main())
