"""What is usual of recordings that people dance to: the figures of ``functions/audio/typical.py``.

    python -m tests.benchmarks.typical FOLDER [FOLDER …]

Prints mean and standard deviation of each of the 128 measures over the recordings in the folders and ten synthesised
bachatas, and how far they are from those that are written there. The chosen recordings are the clips and the songs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from functions.audio import meter
from functions.audio.beatwise import Bars, beatwise
from functions.audio.embedding import measured
from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.hearing import heard
from functions.audio.music import RATE_HZ
from functions.audio.typical import MEAN, SPREAD
from infra.local.sample.song import bachata
from shared.media import sound
from shared.timeline import FloatArray

SUFFIXES = {".mp4", ".ogg", ".mp3"}
LONGEST_S = 900.0
SYNTHESISED = range(10)


def measures_of(samples: FloatArray) -> FloatArray | None:
    """``(128,)``; None where no beat is heard."""
    duration_s = len(samples) / SAMPLE_RATE_HZ
    hearing = heard(samples, SAMPLE_RATE_HZ, RATE_HZ, duration_s)
    if hearing is None or hearing.tempo_bpm is None:
        return None
    beats_s = hearing.beats.beats_s
    found = meter.broken_bars(beats_s, hearing.spectrum, hearing.onset, hearing.rate_hz)
    return measured(beatwise(hearing, beats_s), Bars.of(found.positions), hearing.tempo_bpm)


def recordings(folders: list[Path]) -> Iterator[FloatArray]:
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
            if (samples := sound(str(path), SAMPLE_RATE_HZ, LONGEST_S)) is not None:
                yield samples
    for seed in SYNTHESISED:
        yield bachata(40.0, 105.0 + 5 * seed, sample_rate_hz=SAMPLE_RATE_HZ, seed=seed).samples


def main() -> None:
    each = map(measures_of, recordings([Path(name) for name in sys.argv[1:]]))
    found = [one for one in each if one is not None]
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0)
    apart, wider = np.abs(mean - MEAN) / SPREAD, np.abs(spread / SPREAD - 1)
    print(
        f"{len(found)} recordings; means differ from those written by {np.median(apart):.2f} deviations in the median,"
    )
    print(f"{apart.max():.2f} at most; deviations by {np.median(wider):.0%} in the median")
    for name, values in (("MEAN", mean), ("SPREAD", spread)):
        print(f"{name} = np.array([{', '.join(f'{value:.3g}' for value in values)}])")


if __name__ == "__main__":
    main()
