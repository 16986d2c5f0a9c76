"""Clips of one form, one after the other in a single film, each frame at its own time. Nothing is encoded but sound.

A clip is a mezzanine: one stream of frames in the order in which they are shown. What lies before a key frame is
not needed to decode what follows it, so packets are taken from there on and given new times.
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from shared.errors import DamagedFile, PermanentError, UnfitTake
from shared.media.container import Reading, Source, opened, source_file
from shared.media.encoding import CLOCK_HZ
from shared.media.mezzanines import headers_of
from shared.media.muxing import EDIT_CLOCK_HZ, Unfit, decoding_time, faults_named, muxer
from shared.media.soundtracks import SoundPackets, Soundtrack, copied_packets, encoded_packets
from shared.timeline import FloatArray, IntArray

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Frames of a clip that follow each other.

    ``first_frame`` number of a key frame
    ``shown_s``     ``(F,)`` when each is shown in the film, strictly increasing; each lasts until the next
    """

    source: Source
    first_frame: int
    shown_s: FloatArray


def joined(
    takes: Sequence[Take], target: Path, end_s: float, soundtrack: Soundtrack | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> None:  # fmt: skip
    """Write the takes into the MP4 file ``target``. The first frame is shown from 0 on, the last until ``end_s``.
    ``report`` is told how many takes are written; sound that turns out not to fit makes it begin again.

    AAC and MP3 are copied, other sound is encoded once; it ends with the film. Never more than one take is in
    memory, beside the packets of the sound.

    Raises UnfitTake, which tells the first take whose clip is not there, is damaged, or has no key frame there, or
    whose parameter sets are not those of most; EmptyFile, NotAVideo, NoSound, DamagedFile for a soundtrack that
    cannot be read; ValueError without a frame or where times do not increase; OSError where ``target`` cannot be
    written; and what ``report`` raises.
    """
    ticks = _ticks(takes, end_s)
    clips = _Clips.of(takes)
    try:
        _write(target, clips, ticks, soundtrack, copied_packets, report)
    except Unfit as error:
        logger.info("encoding the sound, since its packets cannot be copied: %s", error)
        try:
            _write(target, clips, ticks, soundtrack, encoded_packets, report)
        except Unfit as unfit:
            raise DamagedFile from unfit


def check(takes: Sequence[Take]) -> None:
    """Whether the takes can be joined, as far as can be told without reading all of them. Raises UnfitTake as
    :func:`joined` does."""
    _Clips.of(takes)


def _write(
    target: Path, clips: _Clips, ticks: IntArray, soundtrack: Soundtrack | None, sound_packets: SoundPackets,
    report: Callable[[int], None],
) -> None:  # fmt: skip
    with muxer(target, movie_timescale=str(EDIT_CLOCK_HZ)) as output:
        pictures = _pictures(clips.packets(report), ticks, _stream(output, clips.takes[0]))
        sounds = sound_packets(output, soundtrack, ticks[-1] / CLOCK_HZ) if soundtrack else iter(())
        for packet in heapq.merge(pictures, sounds, key=decoding_time):
            with faults_named(target):
                output.mux_one(packet)


def _ticks(takes: Sequence[Take], end_s: float) -> IntArray:
    """When each frame of all takes is shown, and the end; each from its own absolute time, so that nothing adds up."""
    seconds = np.concatenate([*(take.shown_s for take in takes), [end_s]])
    ticks = np.rint(seconds * CLOCK_HZ).astype(np.int64)
    ticks[0] = 0
    if len(ticks) < 2 or np.any(np.diff(ticks) <= 0) or any(not len(take.shown_s) for take in takes):
        raise ValueError("a film needs frames in takes, each shown later than the one before")
    return ticks


def _stream(output: OutputContainer, take: Take) -> Stream:
    with _told(take, 0), opened(Reading(take.source)) as container:
        if container.video is None:
            raise DamagedFile
        stream = output.add_stream_from_template(container.video, opaque=True)
    stream.time_base = Fraction(1, CLOCK_HZ)
    return stream


def _pictures(packets: Iterator[tuple[bytes, bool]], ticks: IntArray, stream: Stream) -> Iterator[Packet[Any]]:
    times = zip(ticks.tolist(), np.diff(ticks).tolist(), strict=False)
    for data, is_key in packets:
        packet = Packet(data)
        packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, CLOCK_HZ), is_key
        packet.pts, packet.duration = next(times)
        packet.dts = packet.pts
        yield packet


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """Where the packets of a clip lie in its file, in bytes: all ``(N,)``."""

    headers: bytes
    positions: IntArray
    sizes: IntArray
    is_key: IntArray

    @classmethod
    def of(cls, source: Source) -> _Index:
        with opened(Reading(source)) as container:
            if container.video is None or container.is_cut_off:
                raise DamagedFile
            entries = [(entry.pos, entry.size, entry.is_keyframe) for entry in container.video.index_entries]
            table = np.array(entries, np.int64).reshape(-1, 3)
            return cls(headers_of(container), *table.T)


@dataclass(frozen=True, slots=True)
class _Clips:
    """The takes, and where their clips' packets lie; each clip is looked through once however many takes it has."""

    takes: Sequence[Take]
    indices: Mapping[Source, _Index]

    @classmethod
    def of(cls, takes: Sequence[Take]) -> _Clips:
        """Raises UnfitTake."""
        indices: dict[Source, _Index] = {}
        for number, take in enumerate(takes):
            with _told(take, number):
                if take.source not in indices:
                    indices[take.source] = _Index.of(take.source)
                _check(take, indices[take.source])
        usual = Counter(indices[take.source].headers for take in takes).most_common(1)
        for number, take in enumerate(takes):
            if indices[take.source].headers != usual[0][0]:
                with _told(take, number):
                    raise DamagedFile("It was transcoded in another form than the others.")
        return cls(takes, indices)

    def packets(self, report: Callable[[int], None]) -> Iterator[tuple[bytes, bool]]:
        """Of all takes in turn, and whether each is a key frame; ``report`` is told how many takes are through."""
        for number, take in enumerate(self.takes):
            with _told(take, number):
                packets = _read(take, self.indices[take.source])
            yield from packets
            report(number + 1)


def _check(take: Take, index: _Index) -> None:
    first, end = take.first_frame, take.first_frame + len(take.shown_s)
    if not 0 <= first < end <= len(index.sizes):
        raise DamagedFile(f"It has {len(index.sizes)} frames, and those from {first} to {end} are wanted.")
    if not index.is_key[first]:
        raise DamagedFile(f"Its frame {first} is no key frame.")


def _read(take: Take, index: _Index) -> list[tuple[bytes, bool]]:
    """The packets of a take, which lie side by side in the file."""
    frames = slice(take.first_frame, take.first_frame + len(take.shown_s))
    starts = index.positions[frames] - index.positions[frames.start]
    ends = starts + index.sizes[frames]
    with source_file(take.source) as file:
        data = _bytes(file, int(index.positions[frames.start]), int(ends[-1]))
    return [
        (data[start:end], bool(is_key))
        for start, end, is_key in zip(starts.tolist(), ends.tolist(), index.is_key[frames].tolist(), strict=True)
    ]


def _bytes(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    data = bytearray()
    while len(data) < size:
        piece = file.read(size - len(data))
        if not piece:
            raise DamagedFile
        data += piece
    return bytes(data)


@contextmanager
def _told(take: Take, number: int) -> Generator[None, None, None]:
    """What is wrong with a take's clip as UnfitTake; what its own ``read`` raises as it is."""
    name = Path(str(getattr(take.source, "name", take.source))).name
    try:
        yield
    except FileNotFoundError as error:
        raise UnfitTake(number, f"The clip {name} is not there.") from error
    except PermanentError as error:
        raise UnfitTake(number, f"The clip {name} cannot be used. {error.message}") from error
