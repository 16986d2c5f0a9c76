"""What the chain finds in drawn samples beside what is true of them.

    python -m tests.benchmarks.truth [--seeds N] [--seconds S]

Each row is a dance of its own, over a song of its own, through the one-shot chain. The bars: half of
the beats within 20 ms, half of the joints within 5 % of the body's height, boundaries with F ≥ 0.9
at ±0.25 s. The baseline knows the true tempo, and takes a boundary on every second true downbeat.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu_job.segmentation.scoring import f_measure
from infra.local import oneshot
from infra.local.sample.video import Sample, write_sample
from shared.features import PoseFeatures
from shared.job import Job, features_name
from shared.memory import MemoryPorts, memory_ports
from shared.timeline import FloatArray, sample_times_s
from tests.benchmarks.machine import print_table

TOLERANCE_S = 0.25
TEMPI_BPM = (126.0, 112.0, 140.0, 120.0, 133.0, 148.0)
HEAD, HEELS = 0, (29, 30)


@dataclass(frozen=True, slots=True)
class Found:
    """``beat_errors_s`` of every true beat to the nearest that was found; ``joint_errors`` in body heights."""

    job: Job
    beat_errors_s: FloatArray
    joint_errors: FloatArray
    boundaries_f: float

    @property
    def beat_error_s(self) -> float:
        return float(np.median(self.beat_errors_s))

    @property
    def joint_error(self) -> float:
        return float(np.median(self.joint_errors))


def found_in(sample: Sample) -> Found:
    """Run the chain on a sample, and hold what it finds against the truth."""
    ports = memory_ports(oneshot.settings_of(os.environ))
    job = oneshot.work(oneshot.local_clip(sample.path), {}, ports, watch=id)
    assert job.result, job.error
    return Found(
        job,
        beat_errors_s=nearest_s(job.result["beats_s"], sample.dance.beats.beats_s),
        joint_errors=joint_errors(_pose(job, ports), sample),
        boundaries_f=f_measure(boundaries_s(job), true_boundaries_s(sample), TOLERANCE_S),
    )


def nearest_s(found_s: Sequence[float], true_s: FloatArray) -> FloatArray:
    """``(true,)`` seconds from each true time to the nearest that was found; infinite where none was."""
    if not len(found_s):
        return np.full(len(true_s), np.inf)
    return np.abs(true_s[:, None] - np.asarray(found_s)).min(axis=1)


def joint_errors(pose: PoseFeatures, sample: Sample) -> FloatArray:
    """Distances in the picture between true and found landmarks, ``(T × 33,)`` body heights; infinite where unseen."""
    truth = sample.dance.pose(sample_times_s(len(pose), pose.rate_hz)).image
    height = np.median(truth[:, HEELS, 1].mean(axis=1) - truth[:, HEAD, 1])  # nose to heels: somewhat less than all
    distance = np.linalg.norm(pose.image - truth, axis=2) / height
    return np.nan_to_num(distance, nan=np.inf).ravel()


def boundaries_s(job: Job) -> list[float]:
    """Where one move ends and the next starts."""
    return [move["start_s"] for move in job.result["moves"][1:]]


def true_boundaries_s(sample: Sample) -> list[float]:
    return [move.start_s for move in sample.dance.moves[1:]]


def _pose(job: Job, ports: MemoryPorts) -> PoseFeatures:
    names = [features_name(job, step) for step in job.plan if step.startswith("pose")]
    bucket = ports.settings.features_bucket
    return PoseFeatures.joined([PoseFeatures.from_bytes(ports.blobs.read(bucket, name)) for name in names])


def _baseline_f(sample: Sample) -> float:
    every_eight = sample.dance.beats.downbeats_s[2::2].tolist()
    return f_measure(every_eight, true_boundaries_s(sample), TOLERANCE_S)


def _row(seed: int, tempo_bpm: float, seconds: float, folder: Path) -> tuple[object, ...]:
    sample = write_sample(folder / f"{seed}.mp4", duration_s=seconds, tempo_bpm=tempo_bpm, seed=seed)
    found = found_in(sample)
    return (
        seed, f"{tempo_bpm:g}", f"{found.job.result['tempo_bpm'] or float('nan'):.2f}",
        f"{1000 * found.beat_error_s:.1f}", f"{found.joint_error:.1%}",
        f"{found.boundaries_f:.2f}", f"{_baseline_f(sample):.2f}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=len(TEMPI_BPM))
    parser.add_argument("--seconds", type=float, default=32.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            _row(seed, TEMPI_BPM[seed % len(TEMPI_BPM)], chosen.seconds, Path(folder)) for seed in range(chosen.seeds)
        ]
    head = ("seed", "true BPM", "found BPM", "beats off, ms", "joints off", "boundaries F", "every eight counts F")
    print_table(f"Drawn samples of {chosen.seconds:g} s, and what was found in them", head, rows)


if __name__ == "__main__":
    main()
