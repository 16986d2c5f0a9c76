"""A clip in the one form in which clips can be joined without encoding.

All that a decoder is told beforehand is the same for every clip of one form; frames stand upright between black
bars and come evenly; none leans on a later one, and whatever comes from a key frame on leans on nothing before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from shared.errors import DamagedFile
from shared.media.container import Container, Reading, Source, opened
from shared.media.encoding import CLOCK_HZ, tell_colours
from shared.media.muxing import faults_named, muxer
from shared.media.pictures import LONGEST_STILL_S, Spell, first_sample, spells
from shared.timeline import FloatArray, nearest_sample

# What a player must be told of a stream (its parameter sets) follows from these and from the form alone.
# Slower presets make it no smaller at the same quality factor, since most of what they try are B-frames.
X264_OPTIONS = {
    "preset": "veryfast", "crf": "20", "profile": "high", "bf": "0", "refs": "2", "forced-idr": "1",
    "sc_threshold": "0",
}  # fmt: skip
# Bars of bachata last 1.6 to 2.2 s: on the music no key frame comes between those that are asked for.
KEY_FRAME_EVERY_S = 3.0
UNKNOWN_MATRIX = 2  # as FFmpeg numbers them
HIGH_DEFINITION = 720  # lines; players take BT.709 from there on and BT.601 below, where nothing is said
BLACK, GREY = 16, 128

Planes = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""Luma ``(H, W)`` and twice chroma ``(H / 2, W / 2)``."""


@dataclass(frozen=True, slots=True)
class Form:
    """What all clips of a library have in common. Raises ValueError where a side is odd or not positive."""

    width: int = 1280
    height: int = 720
    frame_rate_hz: float = 30.0

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 2 or self.width % 2 or self.height % 2:
            raise ValueError(f"{self.width} × {self.height}: both sides must be even")


@dataclass(frozen=True, slots=True)
class Written:
    """A clip as it was written.

    ``frames``     how many; frame ``n`` is shown from ``n / frame_rate_hz`` on
    ``key_frames`` numbers of those at which a take may begin
    ``headers``    the parameter sets, as a reader of the file finds them: only clips with the same can be joined
    """

    frames: int
    frame_rate_hz: float
    key_frames: tuple[int, ...]
    size_bytes: int
    headers: bytes


def mezzanine(source: Source, target: Path, form: Form, key_frames_s: FloatArray) -> Written:
    """Write what ``source`` shows into the MP4 file ``target``, in ``form`` and without sound.

    Frame ``n`` is what a player of the source shows at ``n / form.frame_rate_hz``; where it shows nothing for a
    while, the picture before stands, and before the first the first. The frames nearest to ``key_frames_s``
    ``(K,)``, seconds, are key frames, and so is the first. Colours become BT.709 in limited range.

    Raises EmptyFile, NotAVideo, NoPicture, DamagedFile, TooLarge; OSError where ``target`` cannot be written.
    """
    wanted = frozenset(nearest_sample(float(time_s), form.frame_rate_hz) for time_s in key_frames_s)
    keys: list[int] = []
    frames = 0
    with muxer(target, use_editlist="0") as output:
        for packet in _encoded(output, form, _evenly(spells(Reading(source), 0.0), form.frame_rate_hz), wanted):
            if packet.is_keyframe:
                keys.append(frames)
            frames += 1
            with faults_named(target):
                output.mux_one(packet)
        if not frames:
            raise DamagedFile
    with opened(Reading(target)) as container:
        return Written(frames, form.frame_rate_hz, tuple(keys), target.stat().st_size, headers_of(container))


def headers_of(container: Container) -> bytes:
    """The parameter sets of a video. Raises DamagedFile where there are none."""
    if not (container.video and container.video.codec_context.extradata):
        raise DamagedFile
    return bytes(container.video.codec_context.extradata)


def _evenly(shown: Iterable[Spell], rate_hz: float) -> Iterator[Spell]:
    """What is shown at each frame. Raises DamagedFile where nothing is shown for long."""
    number, before = 0, None
    for spell in shown:
        waiting = first_sample(spell.start_s, rate_hz) - number
        if waiting > LONGEST_STILL_S * rate_hz:
            raise DamagedFile(f"For {waiting / rate_hz:.0f} s this video shows nothing. Please save it anew.")
        yield from itertools.repeat(before or spell, max(0, waiting))
        number += max(0, waiting)
        until = first_sample(spell.end_s, rate_hz)
        yield from itertools.repeat(spell, max(0, until - number))
        number, before = max(number, until), spell


def _encoded(
    output: OutputContainer, form: Form, shown: Iterable[Spell], key_frames: frozenset[int]
) -> Iterator[Packet[Any]]:
    stream = _stream(output, form)
    fitter = _Fitter(form)
    for number, spell in enumerate(shown):
        frame = VideoFrame.from_ndarray(fitter.fitted(spell), format="yuv420p")
        start, end = (round(each * CLOCK_HZ / form.frame_rate_hz) for each in (number, number + 1))
        frame.pts, frame.duration, frame.time_base = start, end - start, Fraction(1, CLOCK_HZ)
        frame.pict_type = PictureType.I if number in key_frames else PictureType.NONE
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _stream(output: OutputContainer, form: Form) -> VideoStream:
    stream = output.add_stream(
        "libx264", rate=Fraction(form.frame_rate_hz).limit_denominator(1001), options=X264_OPTIONS,
        time_base=Fraction(1, CLOCK_HZ), pix_fmt="yuv420p",
    )  # fmt: skip
    stream.width, stream.height = form.width, form.height
    stream.codec_context.gop_size = max(1, round(KEY_FRAME_EVERY_S * form.frame_rate_hz))
    tell_colours(stream)
    return stream


class _Fitter:
    """Lays pictures upright and as large as they fit onto black frames ``(H · 3 / 2, W)``: the three planes in turn."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._reformatter = VideoReformatter()
        self._latest: VideoFrame | None = None
        self._frame = np.empty((form.height * 3 // 2, form.width), np.uint8)

    def fitted(self, spell: Spell) -> npt.NDArray[np.uint8]:
        """Overwritten by the next."""
        if spell.picture is not self._latest:
            self._lay(self._scaled(spell), -spell.orientation.rotation // 90)
            self._latest = spell.picture
        return self._frame

    def _scaled(self, spell: Spell) -> Planes:
        picture, orientation = spell.picture, spell.orientation
        width, height = _fitting(orientation.shown(picture.width, picture.height), self._form)
        if orientation.is_sideways:
            width, height = height, width
        guess = Colorspace.ITU709 if picture.height >= HIGH_DEFINITION else Colorspace.ITU601
        scaled = self._reformatter.reformat(
            picture, width, height, "yuv420p", interpolation=Interpolation.BICUBIC,
            src_colorspace=guess if picture.colorspace == UNKNOWN_MATRIX else None, dst_colorspace=Colorspace.ITU709,
            src_color_range=picture.color_range, dst_color_range=ColorRange.MPEG, threads=1,
        )  # fmt: skip
        return _planes(scaled.to_ndarray(), width, height)

    def _lay(self, picture: Planes, turns: int) -> None:
        canvas = _planes(self._frame, self._form.width, self._form.height)
        for plane, part, shade in zip(canvas, picture, (BLACK, GREY, GREY), strict=True):
            part = np.rot90(part, turns)
            height, width = part.shape
            y, x = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
            plane[:] = shade
            plane[y : y + height, x : x + width] = part


def _fitting(shown: Sequence[int], form: Form) -> tuple[int, int]:
    """(width, height), both even, of what is shown so large that it just fits."""
    scale = min(form.width / shown[0], form.height / shown[1])
    width, height = (max(2, 2 * round(side * scale / 2)) for side in shown)
    return min(width, form.width), min(height, form.height)


def _planes(frame: npt.NDArray[Any], width: int, height: int) -> Planes:
    """The planes of a frame ``(H · 3 / 2, W)``, which share its memory."""
    flat = frame.reshape(-1)
    luma, quarter = width * height, width * height // 4
    chroma = flat[luma : luma + 2 * quarter].reshape(2, height // 2, width // 2)
    return flat[:luma].reshape(height, width), chroma[0], chroma[1]
