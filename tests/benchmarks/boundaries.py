"""How well boundaries are found on synthesised dances, beside two baselines, and what it costs.

    python -m tests.benchmarks.boundaries [dances per row] [network or novelty]

The baselines cut on every first beat of a bar, and on every second one: what can be had without
looking at the dancer. F is the mean over dances of a minute, at ±0.25 s and at ±0.1 s, of the
boundaries between moves; the worst dance beside it.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from gpu_job.devices import device
from gpu_job.segmentation import Options, Performance, segment_batch
from gpu_job.segmentation.scoring import f_measure
from shared.features import AudioFeatures
from tests.gpu_job.segmentation.truth import Truth, danced

DANCES = 24
FIRST_SEED = 1000  # apart from the seeds that constants were fitted on
CONDITIONS: dict[str, dict[str, float]] = {
    "15 Hz, exact": {},
    "15 Hz, jitter 1 %, 10 % missed": {"jitter": 0.01, "missed": 0.1},
    "15 Hz, jitter 2 %, 10 % missed": {"jitter": 0.02, "missed": 0.1},
    "30 Hz, jitter 2 %, 10 % missed": {"rate_hz": 30.0, "jitter": 0.02, "missed": 0.1},
    "60 Hz, exact": {"rate_hz": 60.0},
    "108 BPM": {"tempo_bpm": 108.0},
    "152 BPM": {"tempo_bpm": 152.0},
}


def main(dances: int, options: Options) -> None:
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, {device()}"
    print(f"{machine}, {dances} dances of a minute a row, {options.method}")
    print(f"{'':36}{'F ±0.25 s':>10}{'worst':>7}{'F ±0.1 s':>10}{'bars':>7}{'2 bars':>7}")
    for name, condition in CONDITIONS.items():
        truths = [danced(FIRST_SEED + number, **condition) for number in range(dances)]
        _print_row(name, truths, found(truths, options))
    truths = [danced(FIRST_SEED + number) for number in range(dances)]
    _print_row("15 Hz, no sound", truths, found(truths, options, silent=True))
    _print_cost(truths[0], options)


def found(truths: Sequence[Truth], options: Options, *, silent: bool = False) -> list[Sequence[float]]:
    heard = [AudioFeatures.silent(60.0, 15.0) if silent else truth.audio for truth in truths]
    batch = [Performance(truth.pose.smoothed(), audio) for truth, audio in zip(truths, heard, strict=True)]
    return [one.boundaries_s for one in segment_batch(batch, [options] * len(batch))]


def _print_row(name: str, truths: Sequence[Truth], estimates: Sequence[Sequence[float]]) -> None:
    def f(estimate: Callable[[int], Sequence[float]], tolerance_s: float) -> np.ndarray:
        return np.array([f_measure(estimate(i), truth.boundaries_s, tolerance_s) for i, truth in enumerate(truths)])

    ours, fine = f(lambda i: estimates[i], 0.25), f(lambda i: estimates[i], 0.1)
    bars = f(lambda i: truths[i].audio.beats.downbeats_s[1:].tolist(), 0.25)
    pairs = f(lambda i: truths[i].audio.beats.downbeats_s[2::2].tolist(), 0.25)
    print(f"{name:36}{ours.mean():10.3f}{ours.min():7.2f}{fine.mean():10.3f}{bars.mean():7.2f}{pairs.mean():7.2f}")


def _print_cost(truth: Truth, options: Options, runs: int = 20) -> None:
    found([truth], options)
    started_s = time.process_time()
    for _ in range(runs):
        found([truth], options)
    print(f"{1000 * (time.process_time() - started_s) / runs:.0f} ms of processor time for a minute of video, warm")


if __name__ == "__main__":
    dances, *method = sys.argv[1:] or [str(DANCES)]
    main(int(dances), Options.read({"method": method[0]} if method else {}))
