"""Small media files that are known: each picture shows its number, clicks are heard at known times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

WIDTH, HEIGHT = 64, 48
BITS = 8
AUDIO_RATE_HZ = 48_000
CLICK_S = 0.01


@dataclass(frozen=True)
class Recipe:
    """What a file shall hold. Picture ``i`` is shown from ``picture_times()[i]`` on and shows the number ``i``."""

    count: int = 60
    rate_hz: float = 30.0
    times_s: tuple[float, ...] | None = None
    first_picture_s: float = 0.0
    codec: str | None = "libx264"
    pix_fmt: str = "yuv420p"
    b_frames: int = 2
    key_frame_every: int = 15
    size: tuple[int, int] = (WIDTH, HEIGHT)
    rotation: int = 0
    noisy: bool = False  # for a file of some size
    sound: str | None = "aac"
    sound_from_s: float = 0.0
    sound_gap_s: tuple[float, float] = (0.0, 0.0)
    sound_until_s: float | None = None  # None: as long as the pictures
    clicks_s: tuple[float, ...] = (0.6, 1.25)

    def picture_times(self) -> tuple[float, ...]:
        return self.times_s or tuple(self.first_picture_s + i / self.rate_hz for i in range(self.count))

    @property
    def duration_s(self) -> float:
        return self.picture_times()[-1] + 1 / self.rate_hz


def write(path: Path, recipe: Recipe = Recipe(), *, form: str | None = None, **container_options: str) -> Path:
    with av.open(str(path), "w", format=form, container_options=container_options) as output:
        tracks = [track for track in (_pictures(output, recipe), _sound(output, recipe)) if track]
        for packet in sorted(itertools.chain(*tracks), key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)
    return path


def numbered(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> npt.NDArray[np.uint8]:
    """A picture whose eight bars are the bits of ``number``, the lowest at the left."""
    bars = np.array([(number >> bit) & 1 for bit in range(BITS)], np.uint8) * 200 + 25
    width, height = size
    row = np.repeat(bars, width // BITS)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def number_of(picture: npt.NDArray[np.uint8]) -> int:
    """What :func:`numbered` wrote, at any size."""
    height, width, _ = picture.shape
    columns = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    bars = picture[height // 2, columns].mean(axis=1)
    return sum(1 << bit for bit in range(BITS) if bars[bit] > 125)


def click_times(samples: npt.NDArray[np.float32], rate_hz: int) -> list[float]:
    """When each click begins."""
    loud = np.flatnonzero(np.abs(samples) > 0.25)
    starts = loud[np.diff(loud, prepend=-rate_hz) > rate_hz * 5 * CLICK_S]
    return [float(start / rate_hz) for start in starts]


def _pictures(output: OutputContainer, recipe: Recipe) -> list[Packet] | None:
    if recipe.codec is None:
        return None
    stream = output.add_stream(recipe.codec, rate=Fraction(recipe.rate_hz).limit_denominator(1001))
    _configure(stream, recipe)
    packets: list[Packet] = []
    noise = np.random.default_rng(0)
    for number, time_s in enumerate(recipe.picture_times()):
        picture = numbered(number % (1 << BITS), recipe.size)
        if recipe.noisy:
            picture += noise.integers(0, 25, picture.shape, np.uint8)
        frame = VideoFrame.from_ndarray(picture)
        clock = stream.codec_context.time_base
        frame.pts, frame.time_base = round(time_s / clock), clock
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _configure(stream: VideoStream, recipe: Recipe) -> None:
    stream.width, stream.height = recipe.size
    stream.pix_fmt = recipe.pix_fmt
    stream.codec_context.gop_size = recipe.key_frame_every
    if recipe.codec == "libx264":
        stream.options = {"bf": str(recipe.b_frames), "keyint_min": str(recipe.key_frame_every), "sc_threshold": "0"}
        stream.options |= {"crf": "8"} if recipe.noisy else {}
    if recipe.codec == "libx265":
        stream.options = {"x265-params": "log-level=none", "preset": "ultrafast"}
    ticks_hz = round(recipe.rate_hz) if recipe.times_s is None else 30_000
    stream.codec_context.time_base = Fraction(1, ticks_hz)
    if recipe.rotation:
        stream.set_display_rotation(-recipe.rotation)


def _sound(output: OutputContainer, recipe: Recipe) -> list[Packet] | None:
    if recipe.sound is None:
        return None
    stream = output.add_stream(recipe.sound, rate=AUDIO_RATE_HZ, layout="stereo")
    packets: list[Packet] = []
    for start, block in _blocks(recipe):
        frame = AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _blocks(recipe: Recipe) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The sound from ``sound_from_s`` on in blocks as long as AAC's, less those that touch the gap."""
    samples = clicks(recipe.clicks_s, recipe.sound_until_s or recipe.duration_s)
    for start in range(round(recipe.sound_from_s * AUDIO_RATE_HZ), len(samples) - 1024, 1024):
        gap_from, gap_to = (round(edge * AUDIO_RATE_HZ) for edge in recipe.sound_gap_s)
        if start + 1024 <= gap_from or start >= gap_to:
            yield start, np.tile(samples[start : start + 1024], (2, 1))


def write_song(path: Path, codec: str, clicks_s: Sequence[float], duration_s: float) -> Path:
    """Clicks and nothing else, in stereo."""
    samples = np.tile(clicks(clicks_s, duration_s), (2, 1))
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=AUDIO_RATE_HZ, layout="stereo")
        resampler = av.AudioResampler(stream.format.name if stream.format else "fltp", "stereo", AUDIO_RATE_HZ)
        for start in range(0, samples.shape[1], 4096):
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + 4096]), "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
            for resampled in resampler.resample(frame):
                output.mux(stream.encode(resampled))
        output.mux(stream.encode(None))
    return path


def clicks(times_s: Sequence[float], duration_s: float) -> npt.NDArray[np.float32]:
    """``(N,)`` at 48 kHz: bursts of 1 kHz, each from its peak on."""
    samples = np.zeros(round(duration_s * AUDIO_RATE_HZ), np.float32)
    burst = 0.8 * np.cos(2 * np.pi * 1000 * np.arange(round(CLICK_S * AUDIO_RATE_HZ)) / AUDIO_RATE_HZ)
    for time_s in times_s:
        at = round(time_s * AUDIO_RATE_HZ)
        part = samples[at : at + len(burst)]
        part += burst[: len(part)].astype(np.float32)
    return samples
