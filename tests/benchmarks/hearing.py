"""How well tempo, beats and bars are heard, and at what cost, beside librosa.

``python -m tests.benchmarks.hearing [songs]`` prints the tables. The real clips and songs are read
where they lie beside the checkout.
"""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ, extract
from infra.local.sample.song import bachata
from shared.media import sound
from shared.timeline import FloatArray
from tests.functions.audio_truth import (
    RATE_HZ,
    Take,
    bar_agreement,
    errors_s,
    f_measure,
    grooves,
    halves_agree,
    heard,
    songs,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
LENGTHS_S = (60, 210, 600)
LONGEST_S = 900.0  # of a recording: as long as an upload may be


@dataclass(frozen=True, slots=True)
class Score:
    """How near one answer is to the truth; bars are NaN for a tracker that names none."""

    tempo_ratio: float
    f_measure: float
    error_s: float
    bars: float


def ours(take: Take) -> Score:
    found = heard(take)
    bars = bar_agreement(found.beats, take.beats)
    return _score(take, found.tempo_bpm or np.nan, found.beats.beats_s, bars)


def librosas(take: Take) -> Score:
    tempo, beats_s = librosa.beat.beat_track(y=take.samples, sr=SAMPLE_RATE_HZ, units="time")
    return _score(take, float(np.atleast_1d(tempo)[0]), beats_s, np.nan)


def _score(take: Take, tempo_bpm: float, beats_s: FloatArray, bars: float) -> Score:
    error_s = float(np.median(np.abs(errors_s(beats_s, take.beats.beats_s)))) if len(beats_s) else np.nan
    return Score(tempo_bpm / take.tempo_bpm, f_measure(beats_s, take.beats.beats_s), error_s, bars)


def print_scores(title: str, takes: list[Take]) -> None:
    print(f"\n{title}: {len(takes)} takes")
    print("           tempo error   other tempo   F ±70 ms   beat error   bars right")
    for name, hear in (("ours", ours), ("librosa", librosas)):
        scores = [hear(take) for take in takes]
        ratio = np.array([score.tempo_ratio for score in scores])
        same = np.abs(ratio - 1) < 0.06
        bars = np.array([score.bars for score in scores])
        print(
            f"{name:8} {100 * np.median(np.abs(ratio[same] - 1)):12.3f} % {np.sum(~same):10d} "
            f"{np.mean([score.f_measure for score in scores]):13.3f} "
            f"{1000 * np.median([s.error_s for s, near in zip(scores, same, strict=True) if near]):9.1f} ms "
            + ("           –" if np.isnan(bars).all() else f"{100 * np.mean(bars > 0.8):10.0f} %")
        )


def print_clips(clips: list[Path]) -> None:
    recordings = [samples for path in clips if (samples := sound(str(path), SAMPLE_RATE_HZ, LONGEST_S)) is not None]
    agree = [halves_agree(samples) for samples in recordings]
    answers = [answer for answer in agree if answer is not None]
    share = 100 * np.mean(answers)
    print(f"\nReal clips: {len(recordings)}; halves heard apart that agree on the bar {share:.0f} % of {len(answers)}")
    print(f"(chance 25 %; {agree.count(None)} have no beat in one half or both)")


def print_songs(paths: Iterable[Path]) -> None:
    print("\nReal songs              ours BPM (confidence)   librosa BPM")
    for path in paths:
        samples = sound(str(path), SAMPLE_RATE_HZ, LONGEST_S)
        assert samples is not None
        found = extract(samples, SAMPLE_RATE_HZ, RATE_HZ, len(samples) / SAMPLE_RATE_HZ)
        theirs, _ = librosa.beat.beat_track(y=samples, sr=SAMPLE_RATE_HZ)
        tempo = "none" if found.tempo_bpm is None else f"{found.tempo_bpm:.2f}"
        print(f"{path.stem[:24]:24} {tempo:>7} ({found.tempo_confidence:.2f}) {float(np.atleast_1d(theirs)[0]):20.2f}")


def print_cost() -> None:
    """Each length in a fresh process, as a function meets it."""
    print(f"\nCost ({platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__})")
    for length_s in LENGTHS_S:
        command = [sys.executable, "-m", __spec__.name, "cost", str(length_s)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def print_cost_of(length_s: float) -> None:
    samples = bachata(length_s, 127.3, sample_rate_hz=SAMPLE_RATE_HZ, seed=1).samples
    extract(samples[: 5 * SAMPLE_RATE_HZ], SAMPLE_RATE_HZ, RATE_HZ, 5.0)
    before, resident = resource.getrusage(resource.RUSAGE_SELF), _resident_mib()
    _reset_peak()
    extract(samples, SAMPLE_RATE_HZ, RATE_HZ, length_s)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{length_s:5.0f} s of sound: {cpu_s:5.2f} s of CPU, {_resident_mib('VmHWM') - resident:4.0f} MiB on top")


def _resident_mib(field: str = "VmRSS") -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    if sys.argv[1:2] == ["cost"]:
        print_cost_of(float(sys.argv[2]))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 48
    print_cost()
    print_scores("Synthesised bachata, 80 to 165 BPM", songs(count, 40.0))
    print_scores("Drum grooves, 80 to 132 BPM", grooves(max(1, count // 10), 20.0))
    if not DATA.is_dir():
        print(f"\nno clips and songs at {DATA}")
        return
    print_clips(sorted(DATA.glob("moves/**/*.mp4")))
    print_songs(sorted(path for path in DATA.glob("songs/*") if path.suffix in {".ogg", ".mp3"}))


if __name__ == "__main__":
    main()
