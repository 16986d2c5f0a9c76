"""What the segmentation network costs: beside two cores, a GPU where one is at hand.

    python -m tests.benchmarks.network [--seconds 60] [--runs 20]

Dances are drawn; that is enough, for the cost depends on nothing but their length. The baseline is the decoder without
a network. A GPU's row is printed where there is one: dances a second in batches of 32, and how many times the cores'.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from gpu_job.devices import device
from gpu_job.segmentation import Options, Performance, segment_batch
from gpu_job.segmentation.methods import Method, method
from shared.wishes import MethodName
from tests.benchmarks.machine import print_table
from tests.gpu_job.segmentation.truth import danced

CORES = 2
BATCH = 32
BAR_MS = 50.0
COLD = """
import time
started_s = time.monotonic()
from gpu_job.segmentation.methods import method
method("network")
print(time.monotonic() - started_s)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=20)
    chosen = parser.parse_args()
    torch.set_num_threads(CORES)
    truths = [danced(seed, duration_s=chosen.seconds) for seed in range(BATCH)]
    batch = [Performance(truth.pose.smoothed(), truth.audio) for truth in truths]
    novelty = Options(method=MethodName.NOVELTY)
    nameless = Method("network", method(MethodName.NETWORK).boundaries)
    ours = usual_s(lambda: segment_batch(batch[:1], methods=lambda _: nameless), chosen.runs)
    named = usual_s(lambda: segment_batch(batch[:1]), chosen.runs)
    theirs = usual_s(lambda: segment_batch(batch[:1], [novelty]), chosen.runs)
    rows = [
        ("network and decoding, one dance", f"{1000 * ours:.1f} ms", f"{BAR_MS:g} ms", f"{ours / theirs:.1f} ×"),
        ("the same, and names for its moves", f"{1000 * named:.1f} ms", "", f"{named / theirs:.1f} ×"),
        ("novelty and decoding, one dance", f"{1000 * theirs:.1f} ms", "", "1.0 ×"),
        ("a cold start: torch and the networks", f"{cold_s():.2f} s", "", ""),
        *on_gpu(batch, named, chosen.runs),
    ]
    print_table(f"Dances of {chosen.seconds:g} s on {CORES} cores, {device()}", ("what", "time", "bar", "ratio"), rows)


def on_gpu(batch: list[Performance], core_s: float, runs: int) -> list[tuple[str, ...]]:
    if device().type != "cuda":
        return [("on a GPU, batches of 32", "none at hand", "", "")]
    seconds = usual_s(lambda: segment_batch(batch), runs)
    told = f"{BATCH / seconds:.0f} dances a second"
    return [("on a GPU, batches of 32", told, "", f"{BATCH * core_s / seconds:.1f} ×")]


def usual_s(work: Callable[[], object], runs: int) -> float:
    """The median of the runs; the first is not counted."""
    work()
    times: list[float] = []
    for _ in range(runs):
        started_s = time.perf_counter()
        work()
        times.append(time.perf_counter() - started_s)
    return sorted(times)[len(times) // 2]


def cold_s() -> float:
    done = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
