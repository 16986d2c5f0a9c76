"""The pictures of a video on the analysis clock."""

from __future__ import annotations

import heapq
import itertools
import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from shared.errors import NoPicture
from shared.media.container import Container, Reading, Source, length_s, opened
from shared.media.orientation import Orientation
from shared.timeline import Segment, sample_count

# A picture counts as shown this long before its time: Matroska and FLV round times to 1 ms.
EARLY_S = 0.002
# Sound may begin before the pictures and end after them; meanwhile players show the first and the last.
EDGE_S = 0.5
# A longer pause between two pictures is a hole in the file, not a still.
LONGEST_STILL_S = 10.0
# Where to look for a key frame when the one that a seek found comes too late: so much earlier.
STEPS_BACK_S = (0.0, 2.0, 10.0, 60.0)
USUAL_FRAME_RATE_HZ = 30.0  # to end the last picture where nothing says how long it lasts
# AVI gives its pictures the times of other pictures, at most so many away (B-frames).
AVI_DISORDER = 4


Picture = npt.NDArray[np.uint8]
"""``(H, W, 3)`` RGB, turned as shown, square pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The picture shown at ``time_s``, the time of sample ``sample`` on the analysis clock.

    Samples that show the same picture share the array.
    """

    sample: int
    time_s: float
    picture: Picture


@dataclass(frozen=True, slots=True, eq=False)
class Spell:
    """The time during which a player shows one decoded picture."""

    start_s: float
    end_s: float
    picture: VideoFrame
    orientation: Orientation


def frames(
    source: Source, rate_hz: float, span: Segment | None = None, *, max_height: int | None = None
) -> Iterator[Frame]:
    """What a player shows at each sample ``i / rate_hz`` within ``span``, or in all of the file.

    That is the last picture whose time is not later. Samples at which nothing is shown (after the
    end, or in a hole of more than ten seconds) are left out. Spans side by side give the same
    frames as one span over both. Pictures higher than ``max_height`` are scaled down.

    Raises EmptyFile, NotAVideo, NoPicture, DamagedFile, TooLarge.
    """
    sample = sample_count(span.start_s, rate_hz) if span else 0
    stop = sample_count(span.end_s, rate_hz) if span else sys.maxsize
    painter = _Painter(max_height)
    for spell in spells(Reading(source), sample / rate_hz):
        until = first_sample(spell.end_s, rate_hz)
        wanted = range(max(sample, first_sample(spell.start_s, rate_hz)), min(stop, until))
        if wanted:
            picture = painter.rgb(spell)
            yield from (Frame(i, i / rate_hz, picture) for i in wanted)
            sample = wanted.stop
        if until >= stop:
            return


def shown_at(source: Source, times_s: Iterable[float], *, max_height: int | None = None) -> Iterator[Picture | None]:
    """What a player shows at each of these times, which do not decrease; None where it shows nothing.

    Times during which the same picture is shown share the array. Raises as :func:`frames`.
    """
    times = iter(times_s)
    if (time_s := next(times, None)) is None:
        return
    painter = _Painter(max_height)
    for spell in spells(Reading(source), time_s):
        picture = None
        while time_s < spell.end_s - EARLY_S:
            if picture is None and time_s >= spell.start_s - EARLY_S:
                picture = painter.rgb(spell)
            yield picture
            if (time_s := next(times, None)) is None:
                return
    yield None
    yield from (None for _ in times)


def first_sample(time_s: float, rate_hz: float) -> int:
    """The first sample that shows what is shown from ``time_s`` on."""
    return max(0, math.ceil((time_s - EARLY_S) * rate_hz))


class _Painter:
    """Turns decoded pictures into arrays."""

    def __init__(self, max_height: int | None) -> None:
        self._max_height = max_height
        self._reformatter = VideoReformatter()

    def rgb(self, spell: Spell) -> Picture:
        picture, orientation = spell.picture, spell.orientation
        width, height = orientation.scaled(picture.width, picture.height, self._max_height)
        # As fast as the fastest of the filters (1.0 ms from 720p to 360p), and averages all it leaves out.
        rgb = self._reformatter.reformat(picture, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1)
        return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), -orientation.rotation // 90), np.uint8)


def spells(reading: Reading, time_s: float) -> Iterator[Spell]:
    """What is shown at ``time_s`` and after it, in order, decoded from the key frame before.

    Raises as :func:`frames`.
    """
    for one, following in itertools.pairwise(_changes_from(reading, time_s)):
        end_s = min(following.time_s, one.time_s + LONGEST_STILL_S)
        if one.picture and end_s > one.time_s:
            yield Spell(one.time_s, end_s, one.picture, Orientation.of(one.stream, one.picture))


class Showing:
    """What is shown within spans. Where they follow each other nothing is decoded twice, however far the key frames."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._ahead: Iterator[Spell] = iter(())
        self._latest: deque[Spell] = deque(maxlen=2)  # the next span may begin within the last but one

    def within(self, span: Segment) -> Iterator[Spell]:
        """In order, from ``span.start_s`` or earlier on. Raises as :func:`frames`."""
        if not self._latest or self._latest[0].start_s > span.start_s:
            self._latest.clear()
            self._ahead = spells(self._reading, span.start_s)
        shown = itertools.chain(list(self._latest), self._noted())
        return itertools.takewhile(lambda spell: spell.start_s < span.end_s, shown)

    def _noted(self) -> Iterator[Spell]:
        for spell in self._ahead:
            self._latest.append(spell)
            yield spell


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """A picture, or nothing, takes the place of what was shown before."""

    time_s: float
    picture: VideoFrame | None
    stream: VideoStream


def _changes_from(reading: Reading, time_s: float) -> Iterator[_Change]:
    """What is shown from ``time_s`` or earlier on; at the end, nothing."""
    for step_s in STEPS_BACK_S:
        if time_s - step_s <= EDGE_S:
            break
        with opened(reading) as container:
            changes = _from_key_frame(container, time_s - step_s)
            first = next(changes, None)
            if first and first.time_s <= time_s:
                yield first
                yield from changes
                return
    with opened(reading) as container:
        yield from _from_start(container)


def _from_start(container: Container) -> Iterator[_Change]:
    changes = _changes(container, container.packets(_video(container)))
    first = next(changes)
    yield replace(first, time_s=min(first.time_s, 0.0)) if first.time_s <= EDGE_S else first
    yield from changes


def _from_key_frame(container: Container, time_s: float) -> Iterator[_Change]:
    """Nothing where the container cannot seek or says nothing of key frames."""
    stream = _video(container)
    try:
        container.seek(stream, time_s)
    except FFmpegError:
        return
    packets = itertools.dropwhile(lambda packet: not packet.is_keyframe, container.packets(stream))
    key = next(packets, None)
    if key is None or key.pts is None:
        return
    # Pictures shown before the key frame but stored after it lean on some that are not decoded.
    key_s = container.time_s(stream, key.pts)
    changes = _changes(container, itertools.chain([key], packets))
    yield from itertools.dropwhile(lambda change: change.time_s < key_s, changes)


def _video(container: Container) -> VideoStream:
    if container.video is None:
        raise NoPicture
    return container.video


def _changes(container: Container, packets: Iterable[Packet[Any]]) -> Iterator[_Change]:
    """The pictures at their times, and nothing at the end of the last."""
    stream = _video(container)
    interval_s = 1 / (container.frame_rate_hz or USUAL_FRAME_RATE_HZ)
    time_s, length = -interval_s, interval_s
    for stamp, picture in _stamped(container, packets):
        time_s = time_s + interval_s if stamp is None else container.time_s(stream, stamp)
        length = length_s(picture) or interval_s
        yield _Change(time_s, picture, stream)
    yield _Change(_end_s(container, time_s + length), None, stream)


def _end_s(container: Container, end_s: float) -> float:
    """When the last picture disappears, which is over at ``end_s`` itself: players hold it a little."""
    return container.duration_s if end_s < container.duration_s <= end_s + EDGE_S else end_s


def _stamped(container: Container, packets: Iterable[Packet[Any]]) -> Iterator[tuple[int | None, VideoFrame]]:
    """The pictures and their time stamps, None where there is none."""
    pictures = container.pictures(packets)
    if container.format == "avi":
        return _in_order(pictures)
    return ((picture.pts, picture) for picture in pictures)


def _in_order(pictures: Iterable[VideoFrame]) -> Iterator[tuple[int | None, VideoFrame]]:
    """The pictures as they come, the stamps in order: in AVI the two are at odds."""
    stamps: list[int] = []
    waiting: deque[VideoFrame] = deque()
    for picture in pictures:
        if picture.pts is None:
            continue
        heapq.heappush(stamps, picture.pts)
        waiting.append(picture)
        if len(waiting) > AVI_DISORDER:
            yield heapq.heappop(stamps), waiting.popleft()
    while waiting:
        yield heapq.heappop(stamps), waiting.popleft()
