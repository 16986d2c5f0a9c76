"""``dancebits demo``: a dance whose moves are known, the chain on it, and the two side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from gpu_job.segmentation.scoring import f_measure, matches
from gpu_job.titles import title
from infra.local import oneshot, show
from infra.local.sample.dancer import LabelledSegment
from infra.local.sample.video import Sample, write_sample
from shared.job import Job, State

TOLERANCE_S = 0.25


def demo(out: Path, seconds: float, seed: int, environment: Mapping[str, str]) -> int:
    """Draw a sample, run the chain on it, show what it found beside the truth. The exit status."""
    out.mkdir(parents=True, exist_ok=True)
    with show.console.status(f"Drawing {seconds:g} seconds of a dancer over a synthesised bachata …"):
        sample = write_sample(out / "sample.mp4", duration_s=seconds, seed=seed)
    with show.progress() as watch:
        job = oneshot.run(oneshot.local_clip(sample.path), out, {}, environment, watch)
    if job.state is State.DONE:
        _compare(sample, job)
    return show.outcome(job, out)


def _compare(sample: Sample, job: Job) -> None:
    found = [move["start_s"] for move in job.result["moves"][1:]]
    true = [move.start_s for move in sample.dance.moves[1:]]
    show.console.print(_beside(sample.dance.moves, job.result["moves"]))
    show.say(
        f"Boundaries found and true agree with F = {f_measure(found, true, TOLERANCE_S):.2f} at ±{TOLERANCE_S} s; "
        f"{_tempi(job.result['tempo_bpm'], sample.song.tempo_bpm)}."
    )


def _tempi(found_bpm: float | None, true_bpm: float) -> str:
    found = "no tempo" if found_bpm is None else f"tempo {found_bpm:.1f} BPM"
    return f"{found}, true {true_bpm:.1f}"


def _beside(truth: Sequence[LabelledSegment], found: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        "true move", "counts", "from", "found at", "off by", "called", title="The moves that were danced, and found"
    )
    starts = [move["start_s"] for move in found]
    nearest = {
        match.true_s: match.estimated_s for match in matches(starts, [move.start_s for move in truth], TOLERANCE_S)
    }
    called = {move["start_s"]: title(move["label"], move["letter"]) for move in found}
    for move in truth:
        at = nearest.get(move.start_s)
        seen = ("–",) * 3 if at is None else (f"{at:.2f} s", f"{1000 * (at - move.start_s):+.0f} ms", called[at])
        table.add_row(move.name, str(move.counts), f"{move.start_s:.2f} s", *seen)
    return table
