"""What it costs to analyse one song file: ``python -m tests.benchmarks.music_cost FILE``, a process that does no more.

Prints seconds to decode, to analyse for the first time and to analyse once more (wall and CPU), and the most
memory held until the first analysis was done.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass

from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.music import analysed
from shared.media import sound
from tests.benchmarks.machine import peak_resident_mb

LONGEST_S = 900.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of decoding, of the first analysis and of one more, wall and CPU, and 10⁶ bytes.

    ``cpu_s`` from the process' start until the first analysis was done
    """

    decode_s: float
    first_s: float
    cpu_s: float
    warm_s: float
    warm_cpu_s: float
    peak_mb: float


def cost_of(path: str) -> Cost:
    started_s = time.perf_counter()
    samples = sound(path, SAMPLE_RATE_HZ, LONGEST_S)
    assert samples is not None
    decoded_s, duration_s = time.perf_counter(), len(samples) / SAMPLE_RATE_HZ
    analysed(samples, SAMPLE_RATE_HZ, duration_s)
    first_s, peak_mb = time.perf_counter(), peak_resident_mb()
    cpu_s = time.process_time()
    analysed(samples, SAMPLE_RATE_HZ, duration_s)
    warm_s, warm_cpu_s = time.perf_counter() - first_s, time.process_time() - cpu_s
    return Cost(decoded_s - started_s, first_s - decoded_s, cpu_s, warm_s, warm_cpu_s, peak_mb)


if __name__ == "__main__":
    print(json.dumps(asdict(cost_of(sys.argv[1]))))
