"""How well whole songs are heard, beside librosa, and at what cost.

``python -m tests.benchmarks.music [songs]`` prints the tables: so many synthesised songs of each condition,
then the real songs and clips where they lie beside the checkout, then seconds and memory of a song of 210 s.
librosa gets what it does not find: for a bar every fourth beat from the first, for an eight every eighth, for
the sections their true number.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import av
import librosa
import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.music import analysed
from infra.local.sample.song import bachata
from shared.media import sound
from shared.music import COUNTS_PER_EIGHT, Music
from shared.timeline import BEATS_PER_BAR, FloatArray, IntArray
from tests.benchmarks.machine import print_table
from tests.benchmarks.music_cost import LONGEST_S, Cost
from tests.functions.audio_truth import errors_s, f_measure, halves_agree
from tests.functions.music_truth import CONDITIONS, SongTruth, alternated, boundary_f, count_agreement, role_share, song

DATA = Path(__file__).parents[3] / "shared" / "data"
SONG_S = 210.0
CODECS = {"m4a": "aac", "mp3": "libmp3lame", "ogg": "libopus"}
RIGHT_TEMPO = 0.003
OCTAVE = 0.06  # a tempo that is off by this much is another
RIGHT_PHASE = 0.9  # share of a song's beats, for its phase to be right

# Of bars and eights: songs whose phase is right, and beats.
SCORES = (
    "songs", "", "tempo ±0.3 %", "octave wrong", "beats F ±70 ms", "beat error", "bars: songs", "beats",
    "eights: songs", "beats", "boundaries F ±3 s", "right role",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Score:
    """How near an answer to one song is to its truth; ``roles`` NaN where none are named."""

    tempo_ratio: float
    beats_f: float
    error_s: float
    bars: float
    eights: float
    boundaries_f: float
    roles: float


def ours(truth: SongTruth) -> Score:
    found = analysed(truth.samples, SAMPLE_RATE_HZ, truth.duration_s)
    starts_s = np.array([section.segment.start_s for section in found.sections[1:]])
    beats = found.beats
    return _score(truth, found.tempo_bpm or 0, beats.beats_s, beats.positions, found.counts, starts_s, found)


def librosas(truth: SongTruth) -> Score:
    tempo, beats_s = librosa.beat.beat_track(y=truth.samples, sr=SAMPLE_RATE_HZ, units="time")
    counts = np.arange(len(beats_s)) % COUNTS_PER_EIGHT + 1
    starts_s = _agglomerated_s(truth.samples, beats_s, len(truth.passages))
    positions = (counts - 1) % BEATS_PER_BAR + 1
    return _score(truth, float(np.atleast_1d(tempo)[0]), beats_s, positions, counts, starts_s)


def _agglomerated_s(samples: FloatArray, beats_s: FloatArray, count: int) -> FloatArray:
    """Boundaries of librosa's clustering of chroma and timbre by beats into so many sections."""
    rows = np.vstack([
        librosa.util.normalize(librosa.feature.chroma_stft(y=samples, sr=SAMPLE_RATE_HZ), axis=1),
        librosa.util.normalize(librosa.feature.mfcc(y=samples, sr=SAMPLE_RATE_HZ), axis=1),
    ])  # fmt: skip
    frames = librosa.time_to_frames(beats_s, sr=SAMPLE_RATE_HZ)
    by_beat = librosa.util.sync(rows, frames, pad=False)
    return beats_s[librosa.segment.agglomerative(by_beat, count)[1:]]


def _score(
    truth: SongTruth, tempo_bpm: float, beats_s: FloatArray, positions: IntArray, counts: IntArray,
    starts_s: FloatArray, music: Music | None = None,
) -> Score:  # fmt: skip
    true_s = truth.beats.beats_s
    return Score(
        tempo_bpm / truth.tempo_bpm,
        f_measure(beats_s, true_s),
        float(np.median(np.abs(errors_s(beats_s, true_s)))) if len(beats_s) else np.nan,
        count_agreement(beats_s, positions, true_s, truth.beats.positions),
        count_agreement(beats_s, counts, true_s, truth.counts),
        boundary_f(starts_s, truth.boundaries_s),
        np.nan if music is None else role_share(music, truth),
    )


def print_scores(count: int) -> None:
    rows: list[list[str]] = []
    everything: dict[str, list[Score]] = {"ours": [], "librosa": []}
    for condition in CONDITIONS:
        songs = [song(seed, alternated(condition, seed)) for seed in range(count)]
        for name, hear in (("ours", ours), ("librosa", librosas)):
            scores = [hear(truth) for truth in songs]
            everything[name] += scores
            rows.append([condition.name if name == "ours" else "", name, *_cells(scores)])
    rows += [["all" if name == "ours" else "", name, *_cells(scores)] for name, scores in everything.items()]
    print_table(f"Synthesised songs of 100 to 165 BPM, {count} of each condition", SCORES, rows)


def _cells(scores: Sequence[Score]) -> list[str]:
    ratio, beats_f, error_s, bars, eights, boundaries_f, roles = np.array([astuple(score) for score in scores]).T
    return [
        f"{100 * np.mean(np.abs(ratio - 1) <= RIGHT_TEMPO):.0f} %", f"{np.sum(np.abs(ratio - 1) > OCTAVE)}",
        f"{np.mean(beats_f):.3f}", f"{1000 * np.nanmedian(error_s):.1f} ms",
        f"{100 * np.mean(bars >= RIGHT_PHASE):.0f} %", f"{100 * np.mean(bars):.1f} %",
        f"{100 * np.mean(eights >= RIGHT_PHASE):.0f} %", f"{100 * np.mean(eights):.1f} %",
        f"{np.mean(boundaries_f):.3f}", "–" if np.isnan(roles).all() else f"{100 * np.mean(roles):.0f} %",
    ]  # fmt: skip


def print_songs(paths: Iterable[Path]) -> None:
    rows: list[list[str]] = []
    for path in paths:
        samples = sound(str(path), SAMPLE_RATE_HZ, LONGEST_S)
        assert samples is not None
        found = analysed(samples, SAMPLE_RATE_HZ, len(samples) / SAMPLE_RATE_HZ)
        theirs, beats_s = librosa.beat.beat_track(y=samples, sr=SAMPLE_RATE_HZ, units="time")
        rows.append([
            path.stem[:28], "none" if found.tempo_bpm is None else f"{found.tempo_bpm:.2f}",
            f"{float(np.atleast_1d(theirs)[0]):.2f}", f"{f_measure(found.beats.beats_s, beats_s):.2f}",
            f"{found.tempo_confidence:.2f} {found.bar_confidence:.2f} {found.eight_confidence:.2f}",
            " ".join(f"{s.role[0]}{s.group}@{s.segment.start_s:.0f}" for s in found.sections),
        ])  # fmt: skip
    head = ["song", "BPM", "librosa's", "F of one's beats in the other's", "sure of tempo, bars, eights", "sections"]
    print_table("Real songs (a section: its role's first letter, its group, its start in seconds)", head, rows)


def print_clips(paths: Iterable[Path]) -> None:
    recordings = [samples for path in paths if (samples := sound(str(path), SAMPLE_RATE_HZ, LONGEST_S)) is not None]
    found = [analysed(samples, SAMPLE_RATE_HZ, len(samples) / SAMPLE_RATE_HZ) for samples in recordings]
    rows = [_agreement("as songs", recordings, found, lambda s: analysed(s, SAMPLE_RATE_HZ, len(s) / SAMPLE_RATE_HZ))]
    rows.append(_agreement("as the audio step hears them", recordings, found, None))
    head = ["bars of clips", "halves heard apart agree", "where surer than 0.4", "where less sure", "no beat in a half"]
    print_table(f"{len(recordings)} real clips (chance 25 %)", head, rows)


def _agreement(
    name: str, recordings: Sequence[FloatArray], found: Sequence[Music], hear: Callable[[FloatArray], Music] | None
) -> list[str]:
    answers = [halves_agree(samples, hear) if hear else halves_agree(samples) for samples in recordings]
    sure = [music.bar_confidence >= 0.4 for music in found]

    def share(kept: Sequence[bool]) -> str:
        of = [answer for answer, keep in zip(answers, kept, strict=True) if keep and answer is not None]
        return f"{100 * np.mean(of):.0f} % of {len(of)}"

    return [name, share([True] * len(sure)), share(sure), share([not s for s in sure]), str(answers.count(None))]


def print_cost() -> None:
    """Of a song file in each container, in a fresh process."""
    samples = bachata(SONG_S, 127.3, sample_rate_hz=44_100, seed=1).samples
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for container, codec in CODECS.items():
            path = Path(folder) / f"song.{container}"
            write(path, samples, codec)
            started_s = time.perf_counter()
            command = [sys.executable, "-m", "tests.benchmarks.music_cost", str(path)]
            cost = Cost(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            whole_s = time.perf_counter() - started_s - cost.warm_s
            rows.append([
                container, f"{whole_s:.2f} s", f"{cost.cpu_s:.2f} s", f"{cost.decode_s:.2f} s", f"{cost.first_s:.2f} s",
                f"{cost.warm_s:.2f} s", f"{cost.warm_cpu_s:.2f} s", f"{cost.peak_mb:.0f} MB",
            ])  # fmt: skip
    head = [
        "file",
        "from process start",
        "CPU of that",
        "decoding",
        "analysis",
        "once more",
        "CPU of that",
        "peak memory",
    ]
    print_table(f"A song of {SONG_S:.0f} s, each file in a fresh process", head, rows)


def write(path: Path, samples: FloatArray, codec: str) -> None:
    """A mono song of 44,100 Hz as a file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000 if codec == "libopus" else 44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = 44_100
        fifo = av.AudioFifo()
        fifo.write(frame)
        while (piece := fifo.read(1024, partial=True)) is not None:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def main() -> None:
    print_cost()
    print_scores(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
    if not DATA.is_dir():
        print(f"\nno clips and songs at {DATA}")
        return
    print_songs(sorted(path for path in DATA.glob("songs/*") if path.suffix in {".ogg", ".mp3"}))
    print_clips(sorted(DATA.glob("moves/**/*.mp4")))


if __name__ == "__main__":
    main()
