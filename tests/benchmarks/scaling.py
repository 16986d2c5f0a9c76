"""How long a long video takes beside a short one, where there are as many workers as shards.

    python -m tests.benchmarks.scaling [--rounds N]

Ten minutes of video are 32 shards, twenty seconds are one: the baseline. Looking at poses is a sleep of
10 ms a sample, so that this machine stands for 32; everything else is the real system: notifications,
intake, sound, documents, fan-in. Measured is from the end of the upload until the job is READY for the
GPU, the median of the rounds. The bar: at most 1.5 times as long. The exit status is 1 where it is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from google.cloud import firestore, storage

from infra.local.sample.video import write_sample
from infra.local.system import Plan, System, deployed_functions, up
from shared.job import Source
from tests.benchmarks.burst import found_by_environment
from tests.benchmarks.machine import print_table
from tests.benchmarks.videos import repeated
from tests.pipeline.recording import Recording, Version, recorded

MOST_RATIO = 1.5
SHORT_S, REPEATS, SHARDS = 20.0, 30, 32
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Passage:
    """Seconds after the end of an upload at which the job, its plan, its sound and the last of its poses were there."""

    shards: int
    received_s: float
    planned_s: float
    audio_s: float
    poses_s: float
    ready_s: float


COLUMNS = ("received_s", "planned_s", "audio_s", "poses_s", "ready_s")


def plan() -> Plan:
    """Whoever takes a job up for the GPU sleeps as well: it would take the processor from the next."""
    asleep = Path(__file__).with_name("sleeping_pose.py")
    functions = [
        replace(function, source=asleep, instances=1, threads=SHARDS) if function.name == "pose" else function
        for function in deployed_functions()
    ]
    return Plan(functions=functions, task=("sleep", "3600"))


def passage(system: System, recording: Recording, video: Path, name: str) -> Passage:
    bucket = storage.Client(system.settings.project).bucket(system.settings.uploads_bucket)
    blob = bucket.blob(f"videos/{name}.mp4")
    blob.upload_from_filename(video, content_type="video/mp4")
    uploaded = datetime.now(UTC)
    job_id = Source(bucket.name, blob.name, blob.generation).job_id
    recording.follow(f"jobs/{job_id}", f"jobs/{job_id}/steps/audio")
    recording.follow(*(f"jobs/{job_id}/steps/pose-{shard:02d}" for shard in range(SHARDS)))

    def written_s(document: str, state: str) -> float | None:
        found = [_seconds_after(uploaded, each) for each in _entering(recording, f"jobs/{job_id}{document}", state)]
        return min(found, default=None)

    ready_s = _awaited(lambda: written_s("", "READY"))
    shards = {each.path for each in recording.versions if f"{job_id}/steps/pose" in each.path}
    poses_s = max(written_s(path.removeprefix(f"jobs/{job_id}"), "DONE") or 0 for path in shards)
    planned_s, received_s = written_s("", "EXTRACTING") or 0, written_s("", "RECEIVED") or 0
    return Passage(len(shards), received_s, planned_s, written_s("/steps/audio", "DONE") or 0, poses_s, ready_s)


def _entering(recording: Recording, path: str, state: str) -> list[Version]:
    return [each for each in recording.of(path) if each.fields["state"] == state]


def _seconds_after(start: datetime, version: Version) -> float:
    return (version.written_at - start).total_seconds()


def _awaited(look: Callable[[], float | None]) -> float:
    deadline = time.monotonic() + PATIENCE_S
    while (found := look()) is None:
        if time.monotonic() > deadline:
            sys.exit(f"the job is not ready after {PATIENCE_S:g} s")
        time.sleep(0.05)
    return found


def print_passages(short: Sequence[Passage], long: Sequence[Passage]) -> float:
    """The ratio, printed with what it is made of."""
    rows = [_row(f"{SHORT_S:g} s", short), _row(f"{SHORT_S * REPEATS / 60:g} min", long)]
    head = ("video", "shards", "received", "planned", "sound done", "poses done", "ready", "each round")
    print_table("Seconds after the upload, medians", head, rows)
    ratio = _median(long, "ready_s") / _median(short, "ready_s")
    print(f"\nRatio {ratio:.2f}; the bar is {MOST_RATIO:g}.")
    return ratio


def _row(name: str, passages: Sequence[Passage]) -> tuple[object, ...]:
    each = " ".join(f"{one.ready_s:.1f}" for one in passages)
    return name, passages[0].shards, *(f"{_median(passages, column):.2f}" for column in COLUMNS), each


def _median(passages: Sequence[Passage], column: str) -> float:
    return statistics.median(getattr(passage, column) for passage in passages)


def measured(system: System, videos: Sequence[Path], rounds: int) -> list[list[Passage]]:
    """For each video its passages. They take turns; one of the first warms the functions and does not count."""
    database = firestore.Client(system.settings.project)
    with recorded(database) as recording:
        passage(system, recording, videos[0], "warm")
        found = [
            [passage(system, recording, video, f"{number}-{video.stem}") for video in videos]
            for number in range(rounds)
        ]
    return [list(of_video) for of_video in zip(*found, strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        short = write_sample(Path(folder) / "short.mp4", duration_s=SHORT_S).path
        long = repeated(short, REPEATS, Path(folder) / "long.mp4")
        print(f"{long.stat().st_size / 1e6:.0f} MB for {SHORT_S * REPEATS:g} s", file=sys.stderr)
        with up(Path(folder) / "state", plan=plan()) as system, found_by_environment(system):
            passages = measured(system, (short, long), chosen.rounds)
    return 0 if print_passages(*passages) <= MOST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
