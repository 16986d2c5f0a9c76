"""Seconds and memory for videos of 1, 4 and 10 minutes at 720p, in one process.

    python -m tests.benchmarks.speed [--short]

Each row is a process of its own. Cold is the process's first video, imports included; warm its second.
Peak is the most memory it held by the end of the first, and of the second: the command line does one
video a process. The baseline is an older service that did the same work: 32 s and 5.9 GB for 60 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.local.sample.video import write_sample
from tests.benchmarks.machine import peak_resident_mb, print_table
from tests.benchmarks.videos import repeated

BASELINE_S, BASELINE_MB = 32.0, 5900.0


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    repeats: int
    rate_hz: str


ROWS = (
    Row("60 s, 15 samples/s", 1, "15"),
    Row("60 s, every frame", 1, "0"),
    Row("4 min, 15 samples/s", 4, "15"),
    Row("10 min, 15 samples/s", 10, "15"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="only the videos of 60 s")
    parser.add_argument("--child", metavar="VIDEO", type=Path)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(_measured(chosen.child)))
        return
    with TemporaryDirectory() as folder:
        minute = write_sample(Path(folder) / "minute.mp4", duration_s=60.0).path
        rows = [_row(row, minute) for row in ROWS if row.repeats == 1 or not chosen.short]
    head = ("video", "cold s", "warm s", "× baseline", "peak MB", "peak MB, two videos", "baseline MB", "pose found")
    print_table("One process, sound, poses, moves, clips and picture", head, rows)


def _row(row: Row, minute: Path) -> list[str]:
    video = repeated(minute, row.repeats, minute.with_name(f"{row.repeats}.mp4"))
    child = [sys.executable, "-m", "tests.benchmarks.speed", "--child", str(video)]
    environment = {**os.environ, "DANCEBITS_RATE_HZ": row.rate_hz}
    answer = subprocess.run(child, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(answer.stdout.splitlines()[-1])
    faster = BASELINE_S * row.repeats / figures["warm_s"]
    memory = [f"{figures[name]:.0f}" for name in ("peak_mb", "peak_of_two_mb")]
    times = [f"{figures['cold_s']:.1f}", f"{figures['warm_s']:.1f}", f"{faster:.1f}"]
    return [row.name, *times, *memory, f"{BASELINE_MB:.0f} (60 s)", f"{figures['detected_share']:.1%}"]


def _measured(video: Path) -> dict[str, float]:
    started_s = time.monotonic()
    _segment(video)
    cold_s, peak_mb = time.monotonic() - started_s, peak_resident_mb()
    started_s = time.monotonic()
    share = _segment(video)
    warm_s = time.monotonic() - started_s
    return {
        "cold_s": cold_s,
        "warm_s": warm_s,
        "peak_mb": peak_mb,
        "peak_of_two_mb": peak_resident_mb(),
        "detected_share": share,
    }


def _segment(video: Path) -> float:
    from infra.local import oneshot

    with TemporaryDirectory() as out:
        job = oneshot.run(oneshot.local_clip(video), Path(out), {}, os.environ, watch=id)
    if job.error:
        sys.exit(f"{job.error.code}: {job.error.message}")
    return float(job.result["pose"]["detected_share"])


if __name__ == "__main__":
    main()
