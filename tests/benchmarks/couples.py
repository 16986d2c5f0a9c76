"""Whether both dancers of a couple are tracked, how often a track jumps to the other, and what it costs.

    python -m tests.benchmarks.couples FOLDER [samples a second] [--limit N]

A row for each folder of videos. A jump: the hips of a track are farther from where they were at the
last sample than anybody dances, while both are seen; that is what exchanges of identity look like
that nobody has labelled. It is counted in the tracks as they come, and in the dancers as they are settled.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from functions.pose import couple, extraction
from functions.pose.model import bundle
from shared.couple import Couple, Dancers
from shared.features import HIPS, PoseFeatures
from shared.media import probe
from shared.timeline import SampleSpan, sample_count
from tests.benchmarks.machine import print_table
from tests.benchmarks.poses import JUMP

T = TypeVar("T")

BAR = 0.85  # share of samples in which both are tracked


@dataclass(frozen=True, slots=True)
class Measured:
    """``couple_s`` and ``single_s`` are processor seconds."""

    video: Path
    couple: Couple
    dancers: Dancers
    duration_s: float
    couple_s: float
    single_s: float


def measured(video: Path, rate_hz: float) -> Measured:
    duration_s = probe(video).duration_s
    count = sample_count(duration_s, rate_hz)
    given = (partial(video.open, "rb"), bundle(None), rate_hz, SampleSpan(0, count))
    both, couple_s = _timed(partial(couple.extract, *given, count=count))
    _, single_s = _timed(partial(extraction.extract, *given, count=count))
    return Measured(video, both, both.settled(), duration_s, couple_s, single_s)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started_s = time.process_time()
    return work(), time.process_time() - started_s


def jumps(*poses: PoseFeatures) -> int:
    """How often the hips jump from one sample to the next."""
    hips = [pose.image[:, HIPS].mean(axis=1) for pose in poses]
    return sum(int((np.linalg.norm(np.diff(each, axis=0), axis=1) > JUMP).sum()) for each in hips)


def _row(name: str, results: Sequence[Measured]) -> tuple[object, ...]:
    both = np.array([result.couple.both_detected.mean() for result in results])
    samples = np.concatenate([result.couple.both_detected for result in results])
    minutes = sum(result.duration_s for result in results) / 60
    before = sum(jumps(result.couple.one, result.couple.other) for result in results) / minutes
    after = sum(jumps(result.dancers.lead, result.dancers.follow) for result in results) / minutes
    costs = (sum(getattr(result, name) for result in results) / minutes for name in ("couple_s", "single_s"))
    return (
        name, len(results), f"{samples.mean():.1%}", f"{np.median(both):.1%}", f"{both.min():.1%}",
        f"{(both >= BAR).sum()}", f"{before:.1f}", f"{after:.1f}", *(f"{cost:.1f} s" for cost in costs),
    )  # fmt: skip


HEAD = (
    "folder", "videos", "both tracked", "median", "worst", f"{BAR:.0%} or more", "jumps a minute", "settled",
    "a minute costs", "single",
)  # fmt: skip


def main(folder: Path, rate_hz: float, limit: int | None) -> None:
    videos = sorted(itertools.chain(folder.rglob("*.mp4"), folder.rglob("*.mov")))[:limit]
    results = [measured(video, rate_hz) for video in videos]
    groups = itertools.groupby(results, lambda result: result.video.parent.name)
    rows = [_row(name, list(group)) for name, group in groups]
    print_table("Both dancers of a couple", HEAD, [*rows, _row("all", results)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rate_hz", type=float, nargs="?", default=15.0)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    main(given.folder, given.rate_hz, given.limit)
