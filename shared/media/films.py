"""Drawn pictures and the sound of another file as a video of their own."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from av.container import OutputContainer
from av.packet import Packet

from shared.errors import DamagedFile, PermanentError
from shared.media.encoding import USUAL_CODING, Coding, encoded_drawings
from shared.media.muxing import EDIT_CLOCK_HZ, Unfit, decoding_time, faults_named, muxer
from shared.media.pictures import Picture
from shared.media.soundtracks import SoundPackets, Soundtrack, copied_packets, encoded_packets

logger = logging.getLogger(__name__)


def film(
    drawings: Iterable[Picture], rate_hz: float, target: Path, soundtrack: Soundtrack | None = None, *,
    coding: Coding = USUAL_CODING, copies_sound: bool = False, needs_sound: bool = False,
) -> None:  # fmt: skip
    """Write the drawings, ``rate_hz`` a second, into the MP4 file ``target`` as they come: never more than a few
    of them are in memory. All are as large as the first, both sides even. A soundtrack that cannot be read is left
    out, but with ``needs_sound``. With ``copies_sound`` one that MP4 can hold is not encoded again.

    Raises ValueError without a drawing; OSError where ``target`` cannot be written; DamagedFile where sound that is
    copied turns out not to fit; what reading a soundtrack that is needed raises.
    """
    drawn = iter(drawings)
    if (first := next(drawn, None)) is None:
        raise ValueError("a film needs a picture")
    height, width, _ = first.shape
    try:
        with muxer(target, movie_timescale=str(EDIT_CLOCK_HZ)) as output:
            pictures = encoded_drawings(output, itertools.chain([first], drawn), (width, height), rate_hz, coding)
            packets_of = copied_packets if copies_sound else encoded_packets
            sounds = _sounds(output, soundtrack, packets_of, is_needed=needs_sound)
            for packet in heapq.merge(pictures, sounds, key=decoding_time):
                with faults_named(target):
                    output.mux_one(packet)
    except Unfit as error:
        raise DamagedFile from error


def _sounds(
    output: OutputContainer, soundtrack: Soundtrack | None, packets_of: SoundPackets, *, is_needed: bool
) -> list[Packet[Any]]:
    """All of them at once, so that a source that is also watched is not read in two places by turns."""
    packets: list[Packet[Any]] = []
    try:
        if soundtrack:
            packets.extend(packets_of(output, soundtrack, soundtrack.span.duration_s))
    except PermanentError as error:
        if is_needed:
            raise
        logger.info("a film goes without sound: %s", error)
    return packets
