"""Writes the dancer and the song as an MP4 whose picture and sound share one clock.

This module knows containers and codecs; not how a song is played or a dancer drawn.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from infra.local.sample.dancer import Dance, dance
from infra.local.sample.drawing import Painter
from infra.local.sample.song import Song, bachata
from shared.timeline import FloatArray, sample_count, sample_times_s

AAC_FRAME = 1024  # samples
KEY_FRAME_S = 1.0  # so that a player, or a cut, finds its place


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A recording whose truth is known."""

    path: Path
    song: Song
    dance: Dance
    frame_rate_hz: float

    @property
    def frame_times_s(self) -> FloatArray:
        """``(T,)`` when each picture is shown."""
        return sample_times_s(sample_count(self.song.duration_s, self.frame_rate_hz), self.frame_rate_hz)


def write_sample(
    path: Path,
    *,
    duration_s: float = 32.0,
    tempo_bpm: float = 126.0,
    width: int = 1280,
    height: int = 720,
    frame_rate_hz: float = 30.0,
    seed: int = 0,
    with_sound: bool = True,
    preset: str = "superfast",
    quality: int = 21,
) -> Sample:
    """Draw, play and encode a sample as H.264 and AAC, ready to stream (its index comes first).

    ``preset`` and ``quality`` are those of x264 (CRF: lower is better). Width and height must be even,
    as H.264 stores colours for pairs of pixels; otherwise ValueError.
    """
    if width % 2 or height % 2:
        raise ValueError(f"{width} × {height} pixels: width and height must be even")
    song = bachata(duration_s, tempo_bpm, seed=seed)
    sample = Sample(Path(path), song, dance(song, seed, aspect=width / height), frame_rate_hz)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        picture = _picture_stream(container, width, height, frame_rate_hz, {"preset": preset, "crf": str(quality)})
        sound = container.add_stream("aac", rate=song.sample_rate_hz, layout="mono") if with_sound else None
        _encode(container, sample, picture, sound)
    return sample


def _picture_stream(
    container: OutputContainer, width: int, height: int, frame_rate_hz: float, options: dict[str, str]
) -> VideoStream:
    # Without B-frames the order of decoding is that of showing, and the first picture is at 0.
    key_frame = str(max(1, round(KEY_FRAME_S * frame_rate_hz)))
    stream = container.add_stream("libx264", rate=_exact(frame_rate_hz), options={"bf": "0", "g": key_frame, **options})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.colorspace = Colorspace.ITU601  # what OpenCV converts to
    stream.codec_context.color_range = ColorRange.MPEG
    return stream


def _encode(container: OutputContainer, sample: Sample, picture: VideoStream, sound: AudioStream | None) -> None:
    """Packets of picture and sound in the order of their times, so that the file can be played while it loads."""
    streams = [_packets(picture, _pictures(sample, picture.width, picture.height))]
    if sound:
        streams.append(_packets(sound, _sounds(sample.song)))
    for packet in heapq.merge(*streams, key=_decoded_at_s):
        container.mux(packet)


def _packets(
    stream: VideoStream | AudioStream, frames: Iterable[av.VideoFrame] | Iterable[av.AudioFrame]
) -> Iterator[av.Packet[Any]]:
    for frame in frames:
        yield from stream.encode(frame)  # pyright: ignore[reportArgumentType]  # a stream is given its own kind
    yield from stream.encode(None)


def _decoded_at_s(packet: av.Packet[Any]) -> float:
    return float((packet.dts or 0) * packet.time_base)


def _pictures(sample: Sample, width: int, height: int) -> Iterator[av.VideoFrame]:
    painter = Painter.of_size(width, height)
    for number, pixels in enumerate(painter.frames(sample.dance.figure(sample.frame_times_s))):
        frame = av.VideoFrame.from_ndarray(painter.for_codec(pixels), format="yuv420p")
        frame.pts, frame.time_base = number, 1 / _exact(sample.frame_rate_hz)
        yield frame


def _sounds(song: Song) -> Iterator[av.AudioFrame]:
    """The song in blocks. The encoder's delay is undone by the edit list that the MP4 muxer writes."""
    for start in range(0, len(song.samples), AAC_FRAME):
        frame = av.AudioFrame.from_ndarray(song.samples[None, start : start + AAC_FRAME], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = song.sample_rate_hz, start, Fraction(1, song.sample_rate_hz)
        yield frame


def _exact(rate_hz: float) -> Fraction:
    """The fraction that was meant: 30000 / 1001 as a float is not quite."""
    return Fraction(rate_hz).limit_denominator(1001)
