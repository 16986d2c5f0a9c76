"""What the benchmark of rendering is made of: clips with known beats, a song with known beats, a plan of no thought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame

from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.music import analysed
from gpu_job.choreography.plan import Placed, Plan
from gpu_job.choreography.slots import slots
from infra.local.sample.song import Song, bachata
from infra.local.sample.video import write_sample
from shared.errors import PermanentError
from shared.library import JOINTS, POSE_EMBEDDING, QUALITIES, Annotation, Difficulty, Edges, Energy, Move, MoveLibrary
from shared.media import Form, Written, mezzanine, probe, sound
from shared.music import COUNTS_PER_EIGHT, EMBEDDING, Music, Role, Section
from shared.timeline import BeatGrid, Segment

DRAWN_S = 13.0
CODECS = {"m4a": "aac", "mp3": "libmp3lame", "flac": "flac", "opus": "libopus"}


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A source, and its beats: known where it is drawn, heard where it is real."""

    path: Path
    beats: BeatGrid
    duration_s: float


def drawn_clips(folder: Path, many: int) -> Iterator[Clip]:
    for number in range(many):
        tempo_bpm = 118.0 + 18.0 * number / max(1, many - 1)
        sample = write_sample(folder / f"drawn-{number}.mp4", duration_s=DRAWN_S, tempo_bpm=tempo_bpm, seed=number)
        yield Clip(sample.path, sample.song.beats, sample.song.duration_s)


def real_clips(folder: Path, many: int) -> Iterator[Clip]:
    """Spread over the folder; those without a beat or a whole eight are left out."""
    paths = sorted(folder.rglob("*.mp4"))
    for path in paths[:: max(1, len(paths) // many)][:many]:
        try:
            duration_s = probe(path).duration_s
            music = analysed(sound(path, SAMPLE_RATE_HZ, duration_s), SAMPLE_RATE_HZ, duration_s)
        except PermanentError as error:
            print(f"left out: {path.name}: {error}")
            continue
        if np.any(np.flatnonzero(music.beats.positions == 1) + COUNTS_PER_EIGHT < len(music.beats)):
            yield Clip(path, music.beats, duration_s)


def filed(clip: Clip, folder: Path) -> tuple[Move, Written]:
    """The clip as a move of the library, its mezzanine in ``folder``."""
    name = f"{clip.path.parent.name}-{clip.path.stem}.mp4"
    written = mezzanine(clip.path, folder / name, Form(), clip.beats.downbeats_s)
    downbeats = np.flatnonzero(clip.beats.positions == 1)
    firsts = [int(downbeats[0])]
    while (after := firsts[-1] + COUNTS_PER_EIGHT) + COUNTS_PER_EIGHT < len(clip.beats):
        firsts.append(after)
    many, label = len(firsts), clip.path.parent.name
    move = Move(
        Annotation(name.removesuffix(".mp4"), label, Difficulty.BEGINNER, Energy.MEDIUM), clip.path.name, "", name, "",
        written.frame_rate_hz, written.frames, clip.beats, 60 / clip.beats.period_s, 1.0, np.array(firsts),
        np.zeros((many, len(QUALITIES))), np.zeros((many, POSE_EMBEDDING)), np.zeros(EMBEDDING),
        Edges(np.zeros((many, 2, 2, len(JOINTS), 4)), np.zeros((many, 2, 2, 2)), np.zeros((many, 2, 2)),
              np.zeros((many, 2))),
    )  # fmt: skip
    return move, written


def a_song(duration_s: float) -> tuple[Song, Music]:
    """A song whose tempo drifts by two per cent, and what a perfect listener hears of it."""
    song = bachata(duration_s, 127.0, sample_rate_hz=48_000, drift=0.02)
    many = len(song.beats)
    nothing = np.zeros(many)
    whole = Section(Role.CHORUS, 0, many, Segment(0.0, duration_s), 0, 0.5, 1.0)
    counts = np.arange(many) % COUNTS_PER_EIGHT + 1
    return song, Music(
        duration_s, song.tempo_bpm, 1.0, 1.0, 1.0, song.beats, counts, nothing, nothing, (whole,), 0.5, 1.0, 0.0,
        np.zeros(EMBEDDING),
    )  # fmt: skip


def written_song(song: Song, path: Path) -> Path:
    """In stereo, in the codec of its suffix."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(CODECS[path.suffix[1:]], rate=song.sample_rate_hz, layout="stereo")
        resampler = av.AudioResampler(stream.format.name if stream.format else "fltp", "stereo", song.sample_rate_hz)
        for start in range(0, len(song.samples), 1 << 16):
            block = np.tile(song.samples[start : start + (1 << 16)], (2, 1))
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(block, np.float32), "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = song.sample_rate_hz, start, Fraction(1, song.sample_rate_hz)
            for resampled in resampler.resample(frame):
                output.mux(stream.encode(resampled))
        output.mux(stream.encode(None))
    return path


def a_plan(music: Music, library: MoveLibrary, seed: int = 0) -> Plan:
    """One or two blocks of a clip, then another clip: blocks drawn by lot."""
    rng = np.random.default_rng(seed)
    placed: list[Placed] = []
    for slot in slots(music):
        block = placed[-1].block + 1 if placed and rng.random() < 0.5 else len(library)
        if block >= len(library) or not library.is_followed_by(placed[-1].block, block):
            block = int(rng.integers(len(library)))
        ratio = slot.segment.duration_s / library.segment_of(block).duration_s
        placed.append(Placed(slot, block, ratio, {}, {}, "drawn by lot"))
    return Plan(tuple(placed), 0.0)


def usual_size(clips: Sequence[Path], folder: Path) -> int:
    """Bytes of the same frames encoded as is usual: with B-frames, and key frames where the encoder likes them."""
    total = 0
    for path in clips:
        with av.open(str(path)) as source, av.open(str(folder / "usual.mp4"), "w") as output:
            shown = source.streams.video[0]
            stream = output.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "20"})
            stream.width, stream.height, stream.pix_fmt = shown.width, shown.height, "yuv420p"
            for frame in source.decode(shown):
                frame.pict_type = 0
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        total += (folder / "usual.mp4").stat().st_size
    return total
