"""Pictures as H.264 and sound as AAC, for what cannot be copied: clips of some videos, and what is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from shared.media.container import Container
from shared.media.pictures import USUAL_FRAME_RATE_HZ, Picture, Showing, Spell
from shared.media.waveform import blocks
from shared.timeline import Segment

LONGEST_SIDE_PX = 1920  # more takes minutes to encode, and no phone shows it
KEY_FRAME_EVERY_S = 2.0
BT709 = 1  # FFmpeg's number of the matrix
CLOCK_HZ = 90_000  # every usual frame rate divides it
AAC_RATE_HZ = 48_000
# FFmpeg's fast coder takes half the time of its other one, and at this rate errs less than that at 160 kbit/s.
AAC_OPTIONS = {"aac_coder": "fast"}
AAC_BIT_RATE = 192_000


@dataclass(frozen=True, slots=True)
class Coding:
    """How much x264 takes care. Slower presets make smaller files, a lower factor makes a better picture."""

    preset: str = "veryfast"
    factor: int = 21

    @property
    def options(self) -> dict[str, str]:
        return {"preset": self.preset, "crf": str(self.factor), "bf": "0"}  # without B-frames it needs no edit list


USUAL_CODING = Coding()


def encoded_pictures(
    showing: Showing, output: OutputContainer, span: Segment, frame_rate_hz: float
) -> Iterator[Packet[Any]]:
    """What is shown within ``span`` as a new stream of ``output``, whose zero is ``span.start_s``."""
    shown = showing.within(span)
    first = next(shown, None)
    if first is None:
        return iter(())
    stream = _h264(output, _size(first), frame_rate_hz or USUAL_FRAME_RATE_HZ)
    stream.set_display_rotation(-first.orientation.rotation)  # the player turns it, as it turned the source
    return _encoded(stream, itertools.chain([first], shown), span)


def encoded_drawings(
    output: OutputContainer,
    drawings: Iterable[Picture],
    size: tuple[int, int],
    rate_hz: float,
    coding: Coding = USUAL_CODING,
) -> Iterator[Packet[Any]]:
    """Pictures of one ``size`` (width, height), both even, ``rate_hz`` a second, as a new stream of ``output``."""
    stream = _h264(output, size, rate_hz, coding)
    tell_colours(stream)
    return _encoded_evenly(stream, drawings, rate_hz)


def tell_colours(stream: VideoStream) -> None:
    """That they are those of BT.709, in limited range: players that are told nothing go by the size of the picture."""
    context = stream.codec_context
    context.colorspace, context.color_range = BT709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709


def _encoded_evenly(stream: VideoStream, drawings: Iterable[Picture], rate_hz: float) -> Iterator[Packet[Any]]:
    reformatter = VideoReformatter()
    for number, drawing in enumerate(drawings):
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(drawing), format="rgb24")
        frame = reformatter.reformat(
            rgb, stream.width, stream.height, "yuv420p", dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG, threads=1,
        )  # fmt: skip
        start, end = (round(each * CLOCK_HZ / rate_hz) for each in (number, number + 1))
        frame.pts, frame.duration, frame.time_base = start, end - start, Fraction(1, CLOCK_HZ)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _h264(
    output: OutputContainer, size: tuple[int, int], frame_rate_hz: float, coding: Coding = USUAL_CODING
) -> VideoStream:
    stream = output.add_stream(
        "libx264", rate=Fraction(frame_rate_hz).limit_denominator(1001), options=coding.options,
        time_base=Fraction(1, CLOCK_HZ), pix_fmt="yuv420p",
    )  # fmt: skip
    stream.width, stream.height = size
    stream.codec_context.gop_size = max(1, round(KEY_FRAME_EVERY_S * frame_rate_hz))
    stream.codec_context.flags |= Flags.frame_duration  # else the last picture lasts as the one before
    return stream


def _size(spell: Spell) -> tuple[int, int]:
    """(width, height) before turning: square pixels, both even as 4:2:0 demands."""
    coded = spell.picture.width, spell.picture.height
    width, height = spell.orientation.shown(*coded)
    max_height = round(height * min(1.0, LONGEST_SIDE_PX / max(width, height)))
    width, height = spell.orientation.scaled(*coded, max_height)
    return max(2, width - width % 2), max(2, height - height % 2)


def _encoded(stream: VideoStream, shown: Iterable[Spell], span: Segment) -> Iterator[Packet[Any]]:
    reformatter = VideoReformatter()
    last_tick = -1
    for spell in shown:
        tick = round(max(0.0, spell.start_s - span.start_s) * CLOCK_HZ)
        if spell.end_s <= span.start_s or tick <= last_tick:
            continue
        frame = reformatter.reformat(spell.picture, stream.width, stream.height, "yuv420p")
        frame.pts, frame.time_base, frame.pict_type = tick, Fraction(1, CLOCK_HZ), PictureType.NONE
        frame.duration = round((min(spell.end_s, span.end_s) - span.start_s) * CLOCK_HZ) - tick
        yield from stream.encode(frame)
        last_tick = tick
    yield from stream.encode(None)


def encoded_sound(container: Container, output: OutputContainer, span: Segment) -> Iterator[Packet[Any]]:
    """What is heard within ``span`` as a new stream of ``output``, if anything decodes."""
    heard = blocks(container, span, AAC_RATE_HZ, "stereo")
    first = next(heard, None)
    if first is None:
        return
    stream = output.add_stream("aac", rate=AAC_RATE_HZ, bit_rate=AAC_BIT_RATE, layout="stereo", options=AAC_OPTIONS)
    position = 0
    for block in itertools.chain([first], heard):
        frame = AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = AAC_RATE_HZ, position, Fraction(1, AAC_RATE_HZ)
        position += block.shape[1]
        yield from stream.encode(frame)
    yield from stream.encode(None)
