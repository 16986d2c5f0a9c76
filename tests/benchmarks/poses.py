"""Whether dancers are found, whether seams show, and what it costs, on a folder of videos.

    python -m tests.benchmarks.poses FOLDER [samples a second] [--limit N]

A row for each folder of videos: in how many of them a pose is found in nine of ten samples, and the
share of samples with a pose. Then the samples at the seams between chunks beside all others: how far
the middle landmark moves, and how often the hips jump to somebody else.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from functions.pose.extraction import extract
from functions.pose.model import bundle
from shared.features import PoseFeatures
from shared.media import probe
from shared.timeline import CHUNK_S, FloatArray, SampleSpan, chunks, sample_count
from tests.benchmarks.machine import peak_resident_mb, print_table

ENOUGH = 0.9  # share of the samples of a video
HIPS = [23, 24]
JUMP = 0.12  # image heights between two samples: nobody dances so fast


@dataclass(frozen=True, slots=True)
class Measured:
    video: Path
    pose: PoseFeatures
    duration_s: float
    wall_s: float
    processor_s: float


def measured(video: Path, rate_hz: float) -> Measured:
    duration_s = probe(video).duration_s
    count = sample_count(duration_s, rate_hz)
    model = bundle(None)
    wall_s, processor_s = time.perf_counter(), time.process_time()
    pose = extract(partial(video.open, "rb"), model, rate_hz, SampleSpan(0, count), count=count)
    return Measured(video, pose, duration_s, time.perf_counter() - wall_s, time.process_time() - processor_s)


def print_found(results: Sequence[Measured]) -> None:
    folders: dict[str, list[float]] = defaultdict(list)
    for result in results:
        folders[result.video.parent.name].append(result.pose.detected_share)
        folders["all"].append(result.pose.detected_share)
    rows = [_found_row(name, np.array(shares)) for name, shares in folders.items() if name != "all"]
    rows.append(_found_row("all", np.array(folders["all"])))
    print_table("Poses found", ["folder", "videos", "90 % found", "mean", "worst"], rows)
    for result in sorted(results, key=lambda result: result.pose.detected_share):
        if result.pose.detected_share < ENOUGH:
            print(f"{result.pose.detected_share:.1%}  {result.video.parent.name}/{result.video.name}")


def _found_row(name: str, shares: FloatArray) -> tuple[object, ...]:
    enough = f"{np.mean(shares >= ENOUGH):.1%}"
    return name, len(shares), enough, f"{shares.mean():.1%}", f"{shares.min():.1%}"


def print_seams(results: Sequence[Measured]) -> None:
    seams: list[FloatArray] = []
    others: list[FloatArray] = []
    for result in results:
        step = np.linalg.norm(np.diff(result.pose.image, axis=0), axis=2)
        hips = np.diff(result.pose.image[:, HIPS].mean(axis=1), axis=0)
        moved = np.column_stack([np.median(step, axis=1), np.linalg.norm(hips, axis=1)])
        at_seam = np.zeros(len(moved), bool)
        pieces = chunks(len(result.pose), result.pose.rate_hz, CHUNK_S)
        at_seam[[piece.start - 1 for piece in pieces[1:]]] = True
        seams.append(moved[at_seam])
        others.append(moved[~at_seam])
    rows = [_seam_row("at seams", np.concatenate(seams)), _seam_row("elsewhere", np.concatenate(others))]
    print_table("Seams", ["steps", "number", "median", "9 of 10 below", "jumps"], rows)


def _seam_row(name: str, moved: FloatArray) -> tuple[object, ...]:
    seen = moved[np.isfinite(moved).all(axis=1)]
    same = seen[seen[:, 1] < JUMP, 0]
    jumps = f"{np.mean(seen[:, 1] >= JUMP):.2%}"
    return name, len(seen), f"{np.median(same):.4f}", f"{np.percentile(same, 90):.4f}", jumps


def print_cost(results: Sequence[Measured]) -> None:
    minutes = sum(result.duration_s for result in results) / 60
    wall, processor = (sum(getattr(result, name) for result in results) / minutes for name in ("wall_s", "processor_s"))
    row = (f"{minutes:.1f}", f"{wall:.1f} s", f"{processor:.1f} s", f"{peak_resident_mb():.0f} MB")
    print_table("Cost of a minute of video", ["minutes", "wall clock", "processor", "memory at most"], [row])


def main(folder: Path, rate_hz: float, limit: int | None) -> None:
    videos = sorted(itertools.chain(folder.rglob("*.mp4"), folder.rglob("*.mov")))[:limit]
    results = [measured(video, rate_hz) for video in videos]
    print_found(results)
    print_seams(results)
    print_cost(results)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rate_hz", type=float, nargs="?", default=15.0)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    main(given.folder, given.rate_hz, given.limit)
