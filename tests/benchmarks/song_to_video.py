"""How long a dancer waits from her song to its choreography, with a library that is there.

    python -m tests.benchmarks.song_to_video LIB [--song FILE] [--seconds S]

``dancebits choreograph`` in a fresh process, then again in another one; LIB is what ``dancebits library build`` made.
Without a song a bachata is synthesised, as AAC and as FLAC: the one is copied, the other encoded.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.local.sample.song import bachata
from tests.benchmarks.machine import print_table
from tests.benchmarks.rendering_takes import written_song

LIMIT_S = 5.0
RATE_HZ = 44_100


@dataclass(frozen=True, slots=True)
class Waited:
    """``wall_s`` and ``cpu_s`` of the whole process, ``peak_mb`` its most memory in 10⁶ bytes, and what it told."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    told: dict[str, Any]


def waited(song: Path, library: Path, out: Path) -> Waited:
    """Raises CalledProcessError where there is no choreography."""
    command = [
        sys.executable,
        "-m",
        "infra.local.cli",
        "choreograph",
        str(song),
        "--library",
        str(library),
        "--out",
        str(out),
    ]
    before, started_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall_s, after = time.perf_counter() - started_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Waited(wall_s, cpu_s, after.ru_maxrss * 1024 / 1e6, json.loads((out / "result.json").read_text()))


def rows_of(song: Path, library: Path, folder: Path) -> list[Sequence[str]]:
    rows = []
    for time_of in ("first", "again"):
        one = waited(song, library, folder / "out")
        steps = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in one.told["timings_s"].items())
        met = "yes" if one.wall_s <= LIMIT_S else "NO"
        seconds = f"{one.wall_s:.2f} s ({one.cpu_s:.2f} s)"
        rows.append((f"{song.name}, {time_of}", seconds, met, steps, f"{one.peak_mb:.0f} MB"))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--song", type=Path)
    parser.add_argument("--seconds", type=float, default=210.0)
    chosen = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        songs = [chosen.song] if chosen.song else _synthesised(chosen.seconds, folder)
        rows = [row for song in songs for row in rows_of(song, chosen.library, folder)]
    head = ("song", "wall (CPU), process start to end", f"≤ {LIMIT_S:.0f} s", "of which", "most memory of any")
    print_table("From a song to its choreography", head, rows)
    return 0 if all(row[2] == "yes" for row in rows) else 1


def _synthesised(seconds: float, folder: Path) -> list[Path]:
    song = bachata(seconds, 126.0, sample_rate_hz=RATE_HZ)
    return [written_song(song, folder / name) for name in ("song.m4a", "song.flac")]


if __name__ == "__main__":
    sys.exit(main())
