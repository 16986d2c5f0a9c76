"""How fast a plan becomes a video, and whether the video is what was planned, read from the file itself.

``python -m tests.benchmarks.rendering [--clips FOLDER] [--count N] [--seconds S] [--encoded-seconds S]`` prints the
tables. Without a folder the clips are drawn.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np

from gpu_job.choreography.footage import Run, runs_of, spans_of, takes_of
from gpu_job.choreography.plan import Plan
from gpu_job.choreography.render import RATE_HZ, rendered
from gpu_job.choreography.thumbnail import thumbnail
from gpu_job.choreography.timeline_picture import timeline_png
from shared.library import Move, MoveLibrary
from shared.media import Picture, Soundtrack, film, shown_at, sound
from shared.music import Music
from shared.timeline import FloatArray, Segment
from shared.wishes import Quality
from tests.benchmarks.bars import Row
from tests.benchmarks.browser import browser, played
from tests.benchmarks.machine import peak_resident_mb, print_table
from tests.benchmarks.rendering_takes import a_plan, a_song, drawn_clips, filed, real_clips, usual_size, written_song

ROUNDS = 3
SPEED_BAR = 200.0
CUT_BAR_MS, MEDIAN_BAR_MS, MOST_BAR_MS, START_BAR_MS = 20.0, 20.0, 45.0, 20.0
SEEKS = 12
HEARD_S = 20.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A library in a folder, a song and a plan upon it."""

    folder: Path
    library: MoveLibrary
    music: Music
    plan: Plan

    def opened(self, move: Move) -> Path:
        return self.folder / move.mezzanine

    @property
    def runs(self) -> tuple[Run, ...]:
        return runs_of(self.plan, self.library)


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of the film: when, of which move, which of its frames."""

    time_s: float
    move: str
    frame: int


@dataclass(frozen=True, slots=True)
class Spent:
    wall_s: float
    cpu_s: float


def spent(work: Callable[[], object], rounds: int = 1) -> Spent:
    """The least of several rounds: what others do on the machine is not ours."""
    found = []
    for _ in range(rounds):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall_s, time.process_time() - cpu_s))
    return Spent(*np.min(found, axis=0).tolist())


def _fingerprints(path: Path) -> Iterator[tuple[float, str]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.time, hashlib.blake2b(b"".join(bytes(plane) for plane in frame.planes)).hexdigest()


def shown_in(film_path: Path, stage: Stage) -> tuple[list[Shown], int]:
    """Every frame of the film, looked up among the decoded frames of the mezzanines; and how many are none of them."""
    known: dict[str, list[tuple[str, int]]] = {}
    for move in {run.move.id: run.move for run in stage.runs}.values():
        for number, (_, print_) in enumerate(_fingerprints(stage.opened(move))):
            known.setdefault(print_, []).append((move.id, number))
    found, strangers = [Shown(0.0, "", -2)], 0
    for time_s, print_ in _fingerprints(film_path):
        candidates = known.get(print_, [])
        expected = (found[-1].move, found[-1].frame + 1)
        strangers += not candidates
        if candidates:  # still pictures look alike: the one that goes on is meant
            found.append(Shown(time_s, *(expected if expected in candidates else candidates[0])))
    return found[1:], strangers


def cut_errors_ms(shown: list[Shown], stage: Stage) -> FloatArray:
    """``(C,)`` signed: from the downbeat on which a cut shall be to where the picture jumps."""
    jumps = [
        other.time_s for one, other in itertools.pairwise(shown)
        if (one.move, one.frame + 1) != (other.move, other.frame)
    ]  # fmt: skip
    wanted = [run.start_s for run in stage.runs[1:]]
    if len(jumps) != len(wanted):
        raise ValueError(f"{len(jumps)} cuts are seen where {len(wanted)} were planned")
    return 1000 * (np.array(jumps) - np.array(wanted))


def beat_errors_ms(shown: list[Shown], stage: Stage) -> FloatArray:
    """``(B,)`` signed: from each beat of the song to when the frame is shown that is nearest to the clip's own beat."""
    errors = []
    for run, span in zip(stage.runs, spans_of(stage.runs, stage.music), strict=True):
        part = [one for one in shown if span.start_s - 1e-4 <= one.time_s < span.end_s - 1e-4]
        frames, part_s = np.array([one.frame for one in part]), np.array([one.time_s for one in part])
        part_s[0] = max(part_s[0], run.start_s)  # the first of all stands from the start of the song
        for beat in range(sum(placed.slot.counts for placed in run.placed)):
            frame = round(float(run.move.beats.time_of(run.clip_beat + beat)) * run.move.frame_rate_hz)
            nearest = int(np.argmin(np.abs(frames - frame)))
            errors.append(part_s[nearest] - float(stage.music.beats.time_of(run.song_beat + beat)))
    return 1000 * np.array(errors)


def speed_rows(stage: Stage, songs: dict[str, Path]) -> list[Row]:
    rows = []
    for kind, song in songs.items():
        target = stage.folder / f"film-{kind}.mp4"
        took = spent(lambda: _render(stage, song, target, Quality.FAST), ROUNDS)  # noqa: B023 - called at once
        how = "copied" if kind in ("m4a", "mp3") else "encoded"
        wall, cpu = stage.music.duration_s / took.wall_s, stage.music.duration_s / took.cpu_s
        figure = f"{wall:.0f} × by the clock ({took.wall_s:.2f} s), {cpu:.0f} × by processor time ({took.cpu_s:.2f} s)"
        rows.append(Row(f"fast, {kind} {how}: ≥ {SPEED_BAR:.0f} × real time", figure, wall >= SPEED_BAR))
    return rows


def _render(stage: Stage, song: Path, target: Path, quality: Quality) -> None:
    told = rendered(stage.plan, stage.music, stage.library, stage.opened, song, quality, target)
    assert not told.missing


def encoded_rows(stage: Stage, song: Path) -> list[Row]:
    """Of a shorter song: a slow encoder takes as long a second in any."""
    ways: dict[str, Callable[[], object]] = {
        "baseline: the same frames decoded and encoded (veryfast)": lambda: _baseline(stage, song),
        "balanced": lambda: _render(stage, song, stage.folder / "balanced.mp4", Quality.BALANCED),
        "high_quality": lambda: _render(stage, song, stage.folder / "high.mp4", Quality.HIGH),
        "fast": lambda: _render(stage, song, stage.folder / "fast.mp4", Quality.FAST),
    }
    rows = []
    for name, way in ways.items():
        took = spent(way)
        ratio, cpu = (stage.music.duration_s / seconds for seconds in (took.wall_s, took.cpu_s))
        rows.append(
            Row(f"{name}, {stage.music.duration_s:.0f} s", f"{ratio:.1f} × ({cpu:.1f} × by processor time)", None)
        )
    return rows


def _baseline(stage: Stage, song: Path) -> None:
    takes = takes_of(stage.runs, stage.music, stage.opened)
    span = Segment(0.0, stage.music.duration_s)

    def pictures() -> Iterator[Picture]:
        for take in takes:
            first_s = take.first_frame / RATE_HZ + 0.5 / RATE_HZ
            times_s = first_s + np.arange(len(take.shown_s)) / RATE_HZ
            yield from (picture for picture in shown_at(take.source, times_s.tolist()) if picture is not None)

    film(pictures(), RATE_HZ, stage.folder / "baseline.mp4", Soundtrack(song, span), copies_sound=True)


def truth_rows(stage: Stage, path: Path) -> list[Row]:
    """Read from the film."""
    shown, strangers = shown_in(path, stage)
    cuts, beats = cut_errors_ms(shown, stage), np.abs(beat_errors_ms(shown, stage))
    worst, last = float(np.abs(cuts).max()), float(np.abs(cuts[-10:]).max())
    middle, most = float(np.median(beats)), float(np.percentile(beats, 95))
    return [
        Row(f"every cut within {CUT_BAR_MS:.0f} ms of its downbeat", f"{worst:.3f} ms of {len(cuts)}",
            worst <= CUT_BAR_MS),
        Row("the last cuts as exact as the first", f"{last:.3f} ms, the first {np.abs(cuts[:10]).max():.3f} ms",
            last <= 1),
        Row(f"beats of clips against the song's: median ≤ {MEDIAN_BAR_MS:.0f} ms", f"{middle:.1f} ms of {len(beats)}",
            middle <= MEDIAN_BAR_MS),
        Row(f"95 % ≤ {MOST_BAR_MS:.0f} ms", f"{most:.1f} ms, at most {beats.max():.1f} ms", most <= MOST_BAR_MS),
        Row("every frame decodes to one of its clip's", f"{len(shown)} frames, {strangers} strangers", not strangers),
    ]  # fmt: skip


def file_rows(path: Path, samples: FloatArray, rate_hz: int) -> list[Row]:
    """What a player will find."""
    packets = {kind: _packets(path, kind) for kind in ("video", "audio")}
    in_order = all(np.all(np.diff([p.dts for p in found]) > 0) and all(p.pts == p.dts for p in found)
                   for found in packets.values())  # fmt: skip
    with av.open(str(path)) as container:
        starts = [next(container.decode(video=0)).time]
    with av.open(str(path)) as container:
        starts.append(next(container.decode(audio=0)).time)
    late_ms = 1000 * _lateness_s(path, samples, rate_hz)
    apart_ms = max(abs(late_ms), 1000 * abs(starts[1] - starts[0]))
    said = _complaints(path)
    content = path.read_bytes()
    return [
        Row(f"sound and picture start within {START_BAR_MS:.0f} ms",
            f"stamps {1000 * (starts[1] - starts[0]):+.1f} ms, the sound itself {late_ms:+.2f} ms",
            apart_ms <= START_BAR_MS),
        Row("stamps increase, shown as decoded", f"{len(packets['video'])} + {len(packets['audio'])} packets",
            in_order),
        Row("a full decode has nothing to complain of", f"{len(said)} complaints", not said),
        Row("the index comes first", "", content.index(b"moov") < content.index(b"mdat")),
    ]  # fmt: skip


def _packets(path: Path, kind: str) -> list[Any]:
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [packet for packet in container.demux(stream) if packet.size]


def _lateness_s(path: Path, samples: FloatArray, rate_hz: int) -> float:
    """Of the film's sound behind the song's, where the two are most alike."""
    heard = sound(path, rate_hz, HEARD_S)
    assert heard is not None
    many = 1 << (len(heard) + 1).bit_length()
    alike = np.fft.irfft(np.fft.rfft(heard, many) * np.conj(np.fft.rfft(samples[: len(heard)], many)), many)
    lag = int(np.argmax(alike))
    return (lag - many if lag > many // 2 else lag) / rate_hz


def _complaints(path: Path) -> list[Any]:
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture(local=False) as said, av.open(str(path)) as container:
        for packet in container.demux():
            packet.decode()
    av.logging.set_level(None)
    return said


def browser_rows(path: Path) -> list[Row]:
    if not browser():
        print("No Chromium is installed: whether the film plays there is not looked at.")
        return []
    packets = _packets(path, "video")
    times_s = np.array([float(packet.pts * packet.time_base) for packet in packets])
    seeks_s = np.random.default_rng(0).uniform(0, times_s[-1], SEEKS).round(3)
    told = played(path, seeks_s.tolist())
    wanted_s = times_s[np.searchsorted(times_s, seeks_s + 1e-6, side="right") - 1]
    apart = np.abs([jump.shown_s for jump in told.jumps] - wanted_s) if len(told.jumps) == SEEKS else np.array([np.inf])
    plays = not told.error and told.played_s > 0.5 and told.has_sound
    return [
        Row("plays in headless Chromium", told.error or f"{told.duration_s:.2f} s, {told.played_s:.2f} s played",
            plays),
        Row("seeks there to the very frame", f"{SEEKS} jumps, off by {1000 * apart.max():.2f} ms at most",
            bool(apart.max() < 0.001)),
    ]  # fmt: skip


def picture_rows(stage: Stage) -> list[Row]:
    ways: dict[str, Callable[[], object]] = {
        "timeline.png": lambda: timeline_png(stage.plan, stage.music, stage.library, "A song"),
        "thumbnail": lambda: thumbnail(stage.plan, stage.music, stage.library, stage.opened, "A song"),
    }
    took = {name: spent(way) for name, way in ways.items()}
    return [Row(name, f"{one.wall_s:.2f} s ({one.cpu_s:.2f} s of processor time)", None) for name, one in took.items()]


def library_of(clips_folder: Path | None, many: int, folder: Path) -> tuple[MoveLibrary, list[Row]]:
    clips = list(real_clips(clips_folder, many) if clips_folder else drawn_clips(folder, many))
    moves, headers, sizes = [], set(), 0

    def transcode() -> None:
        nonlocal sizes
        for clip in clips:
            move, written = filed(clip, folder)
            moves.append(move)
            headers.add(written.headers)
            sizes += written.size_bytes

    took, shown_s = spent(transcode), sum(clip.duration_s for clip in clips)
    usual = usual_size([folder / move.mezzanine for move in moves], folder)
    rate = 8 * sizes / shown_s / 1e6
    rows = [
        Row("one parameter set", f"{len(headers)} of {len(moves)} clips", len(headers) == 1),
        Row(
            "transcoding, once", f"{shown_s / took.wall_s:.1f} × ({shown_s / took.cpu_s:.1f} × by processor time)", None
        ),
        Row("size beside a usual encode", f"{sizes / usual - 1:+.0%} at {rate:.1f} Mbit/s", None),
    ]
    return MoveLibrary.of(moves), rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, help="a folder of real clips; drawn ones without it")
    parser.add_argument("--count", type=int, default=16, help="clips in the library")
    parser.add_argument("--seconds", type=float, default=210.0, help="of the song")
    parser.add_argument("--encoded-seconds", type=float, default=20.0, help="of the song that is encoded")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library, rows = library_of(chosen.clips, chosen.count, folder)
        print_table("The library", ("bar", "figure", "met"), [row.cells for row in rows])
        song, music = a_song(chosen.seconds)
        stage = Stage(folder, library, music, a_plan(music, library))
        songs = {kind: written_song(song, folder / f"song.{kind}") for kind in ("m4a", "mp3", "flac", "opus")}
        rows = speed_rows(stage, songs)
        rows.append(Row("memory of the process so far", f"{peak_resident_mb():.0f} MB", None))
        for kind in ("m4a", "flac"):
            path = folder / f"film-{kind}.mp4"
            found = [*file_rows(path, song.samples, song.sample_rate_hz), *browser_rows(path)]
            rows += [Row(f"{kind}: {row.bar}", row.figure, row.is_met) for row in found]
        rows += truth_rows(stage, folder / "film-m4a.mp4") + picture_rows(stage)
        print_table(
            f"{chosen.seconds:.0f} s, {len(stage.runs)} takes", ("bar", "figure", "met"), [r.cells for r in rows]
        )
        _, short = a_song(chosen.encoded_seconds)
        rows = encoded_rows(Stage(folder, library, short, a_plan(short, library)), songs["m4a"])
        print_table("Encoded", ("way", "figure", ""), [row.cells for row in rows])


if __name__ == "__main__":
    main()
