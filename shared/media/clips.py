"""Pieces of a video as files of their own: copied as they are where that can be, encoded where not."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from shared.errors import DamagedFile
from shared.media.container import Container, Reading, Source, length_s, opened
from shared.media.encoding import encoded_pictures, encoded_sound
from shared.media.muxing import Unfit, decoding_time, faults_named, muxer
from shared.media.pictures import EARLY_S, Showing
from shared.media.waveform import PREROLL_S
from shared.timeline import Segment

# A clip may start so much early, at a key frame; else it is encoded to start in time.
MAX_EARLY_START_S = 1.0
# What phones and browsers play in an MP4. Anything else is encoded.
COPIED_VIDEO = frozenset({"h264", "hevc", "av1"})
COPIED_PIXELS = frozenset({"yuv420p", "yuvj420p", "yuv420p10le"})
COPIED_AUDIO = frozenset({"aac", "mp3"})
# Pictures that others lean on come at most so many packets before them.
MAX_REORDERED = 16

Packets: TypeAlias = "Iterator[Packet[Any]]"  # quoted: PyAV's classes are generic for type checkers only
PicturePackets: TypeAlias = "Callable[[Container, OutputContainer, Segment], Packets]"

logger = logging.getLogger(__name__)


def cut(source: Source, span: Segment, target: Path) -> Segment:
    """Write one clip, as :meth:`Scissors.cut` does."""
    return Scissors(source).cut(span, target)


class Scissors:
    """Cuts clips from one source, within the time that reading a source may take.

    What clips that follow each other cost together grows with the source and not with its square,
    though its only key frame be the first.
    """

    def __init__(self, source: Source) -> None:
        self._reading = Reading(source)
        self._keys = _Keys(self._reading)
        self._showing = Showing(self._reading)

    def cut(self, span: Segment, target: Path) -> Segment:
        """Write what the source shows and plays within ``span`` into the MP4 file ``target``.

        Packets are copied where they can be. The clip then starts at the key frame before
        ``span.start_s`` and ends with its last picture; the stretch returned, in seconds of the source,
        is what was really written. Where it would start more than a second early, or its codec does not
        belong into an MP4, pictures are encoded as H.264 and sound as AAC, which starts and ends in time.
        Rotation stays what it was, a note to the player.

        Raises EmptyFile, NotAVideo, TooLarge; DamagedFile where nothing is found within ``span``, or no
        time is left; OSError where ``target`` cannot be written.
        """
        span = Segment(max(0.0, span.start_s), max(0.0, span.end_s))
        key_s = self._keys.before(span.start_s)
        if key_s is not None:
            try:
                return _written(self._reading, Segment(key_s, max(key_s, span.end_s)), target, _copied_pictures)
            except Unfit as error:
                logger.info("encoding a clip, since packets cannot be copied: %s", error)
        try:
            return _written(self._reading, span, target, self._encoded_pictures)
        except Unfit as error:
            raise DamagedFile from error

    def _encoded_pictures(self, container: Container, output: OutputContainer, span: Segment) -> Packets:
        if container.video is None:
            return iter(())
        return encoded_pictures(self._showing, output, span, container.frame_rate_hz)


@dataclass(frozen=True, slots=True)
class _Place:
    """When a packet is decoded; when it is shown, if it is a key frame."""

    decoded_s: float
    key_s: float | None


class _Keys:
    """Where clips may start if they are copied.

    Each time is sought, until that leads back to what was seen before: from then on packets are
    looked through from one time to the next.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._ahead: Iterator[_Place] = iter(())
        self._reached_s = -math.inf
        self._keys_s: list[float] = []
        self._are_sparse = False

    def before(self, time_s: float) -> float | None:
        """The last key frame at or before ``time_s``; None where that is too early or cannot be copied."""
        if not self._are_sparse or time_s < self._reached_s:
            self._seek(time_s - MAX_EARLY_START_S)
        latest_s = time_s + EARLY_S
        while self._reached_s <= latest_s and (place := next(self._ahead, None)):
            self._note(place)
        self._keys_s = [key_s for key_s in self._keys_s if time_s - key_s <= MAX_EARLY_START_S]
        return max((key_s for key_s in self._keys_s if key_s <= latest_s), default=None)

    def _seek(self, time_s: float) -> None:
        reached_s, self._reached_s = self._reached_s, -math.inf
        self._ahead, self._keys_s = _places(self._reading, time_s), []
        if place := next(self._ahead, None):
            self._note(place)
            self._are_sparse = place.decoded_s <= reached_s

    def _note(self, place: _Place) -> None:
        self._reached_s = place.decoded_s
        # What comes before zero was trimmed off, and is not to be seen.
        if place.key_s is not None and place.key_s >= -EARLY_S:
            self._keys_s.append(place.key_s)


def _places(reading: Reading, time_s: float) -> Iterator[_Place]:
    """Of the pictures from ``time_s`` or earlier on, as far as they can be copied."""
    with opened(reading) as container:
        stream = container.video
        if stream is None or not _is_playable(container, stream):
            return
        for packet in _packets_from(container, stream, time_s):
            if packet.pts is None:
                return
            shown_s = container.time_s(stream, packet.pts)
            decoded_s = shown_s if packet.dts is None else container.time_s(stream, packet.dts)
            yield _Place(decoded_s, shown_s if packet.is_keyframe else None)


def _is_playable(container: Container, stream: VideoStream) -> bool:
    """Whether phones and browsers play these pictures in an MP4. AVI cannot say when each is shown."""
    playable = stream.codec.canonical_name in COPIED_VIDEO and stream.pix_fmt in COPIED_PIXELS
    return playable and container.format != "avi"


def _packets_from(container: Container, stream: Stream, time_s: float) -> Iterator[Packet[Any]]:
    container.go_back_to(stream, time_s)
    return container.packets(stream)


def _written(reading: Reading, span: Segment, target: Path, picture_packets: PicturePackets) -> Segment:
    """Write the clip; the stretch that its packets cover."""
    end_s = 0.0
    with muxer(target) as output, opened(reading) as container:
        pictures = picture_packets(container, output, span)
        sounds = _sound_packets(reading, output, span, copied=picture_packets is _copied_pictures)
        for packet in heapq.merge(pictures, sounds, key=decoding_time):
            end_s = max(end_s, _end_s(packet))
            with faults_named(target):
                output.mux_one(packet)
        if end_s <= 0:
            raise DamagedFile(f"There is nothing to see or hear from {span.start_s:.1f} to {span.end_s:.1f} s.")
    return Segment(span.start_s, span.start_s + end_s)


def _end_s(packet: Packet[Any]) -> float:
    assert packet.pts is not None
    return float(packet.pts * packet.time_base) + length_s(packet)


def _copied_pictures(container: Container, output: OutputContainer, span: Segment) -> Packets:
    assert container.video is not None
    stream = output.add_stream_from_template(container.video, opaque=True)
    if container.video.codec.canonical_name == "hevc":
        stream.codec_context.codec_tag = "hvc1"  # Apple's players refuse hev1
    packets = _packets_from(container, container.video, span.start_s - MAX_EARLY_START_S)
    return moved(container, _with_decoding_times(_whole(container, packets, span)), stream, span.start_s)


def _whole(container: Container, packets: Packets, span: Segment) -> Packets:
    """The packets of the pictures within ``span``, which starts with a key frame.

    A picture that others lean on is stored before them, though it may be shown after the end: then
    the clip goes on up to it, without a hole.
    """
    waiting: list[Packet[Any]] = []
    end_s = span.end_s
    for packet in itertools.dropwhile(
        lambda p: not (p.is_keyframe and _start_s(container, p) >= span.start_s), packets
    ):
        start_s = _start_s(container, packet)
        if start_s >= span.start_s:  # others lean on pictures before the clip
            waiting.append(packet)
        if start_s < end_s:
            yield from waiting
            end_s = max([end_s, *(_start_s(container, one) for one in waiting)])
            waiting.clear()
        elif len(waiting) > MAX_REORDERED:
            return


def _start_s(container: Container, packet: Packet[Any]) -> float:
    if packet.pts is None or packet.is_discard:
        raise Unfit("a packet is not to be shown, or does not say when")
    return container.time_s(packet.stream, packet.pts)


def _with_decoding_times(packets: Packets) -> Packets:
    """Matroska leaves them out before its first reordered picture; they run on evenly backwards."""
    waiting: list[Packet[Any]] = []
    for packet in packets:
        waiting.append(packet)
        if packet.dts is not None:
            for back, earlier in enumerate(reversed(waiting)):
                earlier.dts = packet.dts - back * max(1, packet.duration or 0)
            yield from waiting
            waiting.clear()
        elif len(waiting) > MAX_REORDERED:
            raise Unfit("its packets do not say when they are decoded")
    yield from waiting


def moved(container: Container, packets: Packets, stream: Stream, start_s: float) -> Packets:
    """The packets as those of ``stream``, in which ``start_s`` is zero."""
    for packet in packets:
        if packet.pts is None or packet.dts is None:
            raise Unfit("a packet does not say its times")
        origin = container.stamp(packet.stream, start_s)
        packet.pts, packet.dts = packet.pts - origin, packet.dts - origin
        packet.stream = stream
        yield packet


def _sound_packets(reading: Reading, output: OutputContainer, span: Segment, *, copied: bool) -> list[Packet[Any]]:
    """All of them, so that the source need not be read in two places by turns: sound is small."""
    with opened(reading) as container:
        if container.audio is None:
            return []
        if copied and container.audio.codec.canonical_name in COPIED_AUDIO:
            stream = output.add_stream_from_template(container.audio, opaque=True)
            packets = _packets_from(container, container.audio, span.start_s - PREROLL_S)
            return list(moved(container, _overlapping(container, packets, span), stream, span.start_s))
        return list(encoded_sound(container, output, span))


def _overlapping(container: Container, packets: Packets, span: Segment) -> Packets:
    """The packets that play within ``span``; players leave out what the first plays before it."""
    for packet in packets:
        start_s = _start_s(container, packet)
        if start_s >= span.end_s:
            return
        if start_s + length_s(packet) > span.start_s + EARLY_S:
            yield packet
