"""The sound of a file for a film: copied as it is where that can be, else encoded once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from av.container import OutputContainer
from av.packet import Packet

from shared.errors import NoSound
from shared.media.clips import COPIED_AUDIO, moved
from shared.media.container import Container, Reading, Source, length_s, opened
from shared.media.encoding import encoded_sound
from shared.media.muxing import Unfit
from shared.media.waveform import PREROLL_S
from shared.timeline import Segment

Packets: TypeAlias = "Iterator[Packet[Any]]"  # quoted: PyAV's classes are generic for type checkers only
SoundPackets: TypeAlias = "Callable[[OutputContainer, Soundtrack, float], Packets]"


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """What a source plays within ``span``."""

    source: Source
    span: Segment


def copied_packets(output: OutputContainer, soundtrack: Soundtrack, end_s: float) -> Packets:
    """What is heard until ``end_s`` as a new stream of ``output``, encoded where its codec does not belong into an MP4.

    Raises Unfit where packets do not say their times; NoSound where there is no sound.
    """
    with opened(Reading(soundtrack.source)) as container:
        audio = container.audio
        if audio is not None and audio.codec.canonical_name in COPIED_AUDIO:
            span = _span(soundtrack, end_s)
            packets = list(_within(container, span))
            stream = output.add_stream_from_template(audio, opaque=True)
            yield from moved(container, iter(packets), stream, span.start_s)
            return
    yield from encoded_packets(output, soundtrack, end_s)


def encoded_packets(output: OutputContainer, soundtrack: Soundtrack, end_s: float) -> Packets:
    """The same as AAC. Raises NoSound where there is no sound."""
    with opened(Reading(soundtrack.source)) as container:
        packets = encoded_sound(container, output, _span(soundtrack, end_s)) if container.audio else iter(())
        first = next(packets, None)
        if first is None:
            raise NoSound
        yield first
        yield from packets


def _span(soundtrack: Soundtrack, end_s: float) -> Segment:
    start_s = soundtrack.span.start_s
    return Segment(start_s, min(soundtrack.span.end_s, start_s + end_s))


def _within(container: Container, span: Segment) -> Packets:
    """The packets that play within ``span``, and the one before them, on which the first leans.

    What that one plays is left out by players: the edit list tells them.
    """
    assert container.audio is not None
    container.go_back_to(container.audio, span.start_s - PREROLL_S)
    for packet in container.packets(container.audio):
        start_s = _plays_from_s(container, packet)
        if start_s >= span.end_s:
            return
        if start_s + 2 * length_s(packet) > span.start_s:
            yield packet


def _plays_from_s(container: Container, packet: Packet[Any]) -> float:
    start_s = -math.inf if packet.pts is None else container.time_s(packet.stream, packet.pts)
    # A decoder needs what comes before zero, though it is not to be heard. Elsewhere something was cut out.
    if packet.pts is None or (packet.is_discard and start_s >= 0):
        raise Unfit("a packet is not to be heard, or does not say when")
    return start_s
