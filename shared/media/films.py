"""Drawn pictures and the sound of another file as a video of their own."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from av.container import OutputContainer
from av.packet import Packet

from shared.errors import PermanentError
from shared.media.container import Reading, Source, opened
from shared.media.encoding import encoded_drawings, encoded_sound
from shared.media.muxing import decoding_time, faults_named, muxer
from shared.media.pictures import Picture
from shared.timeline import Segment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """What a source plays within ``span``."""

    source: Source
    span: Segment


def film(drawings: Iterable[Picture], rate_hz: float, target: Path, soundtrack: Soundtrack | None = None) -> None:
    """Write the drawings, ``rate_hz`` a second, into the MP4 file ``target`` as they come: never more than a few
    of them are in memory. All are as large as the first, both sides even. A soundtrack that cannot be read is left out.

    Raises ValueError without a drawing; OSError where ``target`` cannot be written.
    """
    drawn = iter(drawings)
    if (first := next(drawn, None)) is None:
        raise ValueError("a film needs a picture")
    height, width, _ = first.shape
    with muxer(target) as output:
        pictures = encoded_drawings(output, itertools.chain([first], drawn), (width, height), rate_hz)
        sounds = _sounds(output, soundtrack) if soundtrack else []
        for packet in heapq.merge(pictures, sounds, key=decoding_time):
            with faults_named(target):
                output.mux_one(packet)


def _sounds(output: OutputContainer, soundtrack: Soundtrack) -> list[Packet[Any]]:
    """All of them at once, so that a source that is also watched is not read in two places by turns."""
    packets: list[Packet[Any]] = []
    try:
        with opened(Reading(soundtrack.source)) as container:
            if container.audio:
                packets.extend(encoded_sound(container, output, soundtrack.span))
    except PermanentError as error:
        logger.info("a film goes without sound: %s", error)
    return packets
