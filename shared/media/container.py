"""An opened container: its streams, its clock, its packets and what they decode to.

Knows what is wrong with a file from what is wrong with the way to it. Knows nothing of arrays.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import av
import av.logging
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from shared.errors import DamagedFile, EmptyFile, NotAVideo, PermanentError, TooLarge

Source = BinaryIO | str | Path

MAX_SIDE_PX = 8192  # 8K video is 7680 × 4320; a damaged header asks for anything
MAX_PIXELS = 8192 * 4608
READ_BYTES = 1 << 17  # per call of the source's read()
# Until a file is open. Attachments and covers cost several times their size in memory; an hour's index has 6 MB.
OPENING_BYTES = 32 << 20
LONGEST_READING_S = 480.0  # a function is killed after 540, and the next try would end no better
SLOWEST_HZ = 1000  # sound; noise in a header asks for 1 Hz, and a packet of it lasts for hours
NO_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image

# The demuxers that may open an upload. Playlists (HLS, DASH, concat) are not among them: they name
# other files and addresses, which a server must not open for a stranger. Nor are photos and text.
FORMATS = (
    "mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "h264", "hevc", "ivf",
    "mp3", "wav", "flac", "aac", "aiff", "caf", "w64", "amr",
)  # fmt: skip

# Elementary streams carry no time stamps: their pictures come one by one at the frame rate.
RAW_FORMATS = frozenset({"h264", "hevc"})
MAX_FRAME_RATE_HZ = 480.0  # browsers' recorders give 1000, the rate of their clock

# How MP4, Matroska and WebM, AVI and WAV, FLV, Ogg, FLAC, MP3 with tags, and ASF begin.
MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
SIGNATURES = (b"\x1aE\xdf\xa3", b"RIFF", b"FLV", b"OggS", b"fLaC", b"ID3", b"\x30\x26\xb2\x75")

logger = logging.getLogger(__name__)
# FFmpeg writes a line for every damaged macroblock.
av.logging.set_level(None)


class Reading:
    """A source, and how long reading it may still take, however often it is opened.

    Only the time within FFmpeg and the source counts, since what others do with the pictures says
    nothing of the file. FFmpeg cannot be stopped in the middle of a packet, except where it reads.
    """

    def __init__(self, source: Source, limit_s: float = LONGEST_READING_S) -> None:
        self.source = source
        self._left_s = limit_s
        self._deadline_s = math.inf

    @contextmanager
    def counted(self) -> Generator[None, None, None]:
        """Counts the time meanwhile. Raises DamagedFile where too much is spent."""
        self._deadline_s = monotonic() + self._left_s
        try:
            yield
        finally:
            self._left_s = self._deadline_s - monotonic()
            self.check()
            self._deadline_s = math.inf

    def check(self) -> None:
        """Raises DamagedFile where the time is over."""
        if monotonic() > self._deadline_s:
            raise DamagedFile("This video takes too long to read. Please save it as MP4 and upload it again.")


class Reader:
    """Hands a file object to FFmpeg, and keeps what goes wrong in it.

    An exception must not cross FFmpeg's C code, which might take it for the end of the file and go
    on. So the first one is kept, the file ends there, and :meth:`check` raises it. Offsets that a
    damaged file asks for never reach the file object.
    """

    def __init__(self, file: BinaryIO, reading: Reading) -> None:
        self._file = file
        self._reading = reading
        self._size = file.seek(0, os.SEEK_END)
        self._position = 0
        self._left: float = math.inf
        self._failure: BaseException | None = None

    @contextmanager
    def limited(self, left: int) -> Generator[None, None, None]:
        """Meanwhile hands out so many bytes and no more: the failure is TooLarge."""
        self._left = left
        try:
            yield
        finally:
            self._left = math.inf

    def read(self, size: int) -> bytes:
        if self._failure or self._position >= self._size:
            return b""
        try:
            self._reading.check()
            self._file.seek(self._position)
            data = self._file.read(size)
            self._count(len(data))
        except BaseException as error:  # noqa: BLE001 - kept for check(), which raises it
            self._failure = error
            return b""
        self._position += len(data)
        return data

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge("Too much is attached to this video. Please save it as MP4 and upload it again.")

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position, or -1 where there is none."""
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if position < 0:
            return -1
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def check(self) -> None:
        """Raise what the file object raised, if it did."""
        if self._failure:
            raise self._failure

    @property
    def is_empty(self) -> bool:
        return self._size == 0

    @property
    def looks_like_media(self) -> bool:
        """Whether it starts as files of the usual kinds do."""
        self.seek(0)
        head = self.read(12)
        return head.startswith(SIGNATURES) or head[4:8] in MP4_BOXES


@contextmanager
def _faults_named(reader: Reader) -> Generator[None, None, None]:
    """The source's own failures as they are; FFmpeg's as DamagedFile."""
    try:
        yield
    except FFmpegError as error:
        reader.check()
        raise DamagedFile from error
    except PermanentError:
        reader.check()
        raise
    reader.check()


@contextmanager
def opened(reading: Reading) -> Generator[Container, None, None]:
    """The container in a source. Raises EmptyFile, NotAVideo, DamagedFile, TooLarge."""
    with source_file(reading.source) as file:
        reader = Reader(file, reading)
        if reader.is_empty:
            raise EmptyFile
        with _faults_named(reader), _demuxer(reader, reading) as demuxer:
            yield Container(demuxer, reader, reading)


def source_file(source: Source) -> AbstractContextManager[BinaryIO]:
    """The file of a source, which is closed only if it was opened here."""
    return Path(source).open("rb") if isinstance(source, str | Path) else nullcontext(source)


def _demuxer(reader: Reader, reading: Reading) -> InputContainer:
    try:
        with reading.counted(), reader.limited(OPENING_BYTES):
            return av.open(
                reader, "r", buffer_size=READ_BYTES, metadata_errors="replace",
                container_options={"format_whitelist": ",".join(FORMATS), "max_streams": "64"},
                io_open=_refused,
            )  # fmt: skip
    except FFmpegError as error:
        reader.check()
        raise (DamagedFile if reader.looks_like_media else NotAVideo) from error


def _refused(_url: str, _flags: int, _options: dict[str, str]) -> Any:
    raise NotAVideo("This file only points to other files. Please upload the video itself.")


class Container:
    """An open container. Times are seconds from its start, whatever its streams' own clocks say."""

    def __init__(self, demuxer: InputContainer, reader: Reader, reading: Reading) -> None:
        self._demuxer = demuxer
        self._reader = reader
        self._reading = reading
        self._start_s = (demuxer.start_time or 0) / 1e6
        self.video = _best_video(demuxer)
        self.audio = _best_audio(demuxer)
        if self.video and self.video.width and self.video.height:
            check_size(self.video.width, self.video.height)

    @property
    def streams(self) -> Sequence[Stream]:
        return list(self._demuxer.streams)

    @property
    def format(self) -> str:
        return self._demuxer.format.name

    @property
    def duration_s(self) -> float:
        """What the header says; 0 where it says nothing."""
        return (self._demuxer.duration or 0) / 1e6

    @property
    def frame_rate_hz(self) -> float:
        """What the header says; 0 where it says nothing that can be."""
        assert self.video is not None
        rate = self.video.guessed_rate if self.format in RAW_FORMATS else self.video.average_rate
        return float(rate) if rate and 0 < rate <= MAX_FRAME_RATE_HZ else 0.0

    def time_s(self, stream: Stream, stamp: int) -> float:
        """A time stamp of ``stream`` → seconds from the start of the container."""
        assert stream.time_base is not None
        return float(stamp * stream.time_base) - self._start_s

    def stamp(self, stream: Stream, time_s: float) -> int:
        """The inverse of :meth:`time_s`, the nearest tick of ``stream``."""
        assert stream.time_base is not None
        return round((time_s + self._start_s) / stream.time_base)

    def place_s(self, packet: Packet[Any], number: int) -> tuple[float, float]:
        """Start and duration of the packet that is the ``number``-th of its stream, in seconds."""
        stamp = packet.dts if packet.pts is None else packet.pts
        interval_s = 1 / self.frame_rate_hz if self.video == packet.stream and self.frame_rate_hz else 0.0
        start_s = number * interval_s if stamp is None else self.time_s(packet.stream, stamp)
        return start_s, length_s(packet) or interval_s

    def seek(self, stream: Stream, time_s: float) -> None:
        """Go to the last key frame of ``stream`` at or before ``time_s``, or somewhat earlier.

        Raises FFmpegError where the container cannot.
        """
        assert stream.time_base is not None
        with self._reading.counted():
            self._demuxer.seek(math.floor((time_s + self._start_s) / stream.time_base), stream=stream)

    def go_back_to(self, stream: Stream, time_s: float) -> float:
        """Go to ``time_s`` or earlier, in a container just opened. Returns where that is, roughly."""
        if time_s <= 0:
            return 0.0
        try:
            self.seek(stream, time_s)
        except FFmpegError:
            return 0.0  # it cannot seek, and stays at its start
        return time_s

    @property
    def is_cut_off(self) -> bool:
        """Whether its index names pictures beyond the end of the file."""
        assert self.video is not None
        beyond = max((entry.pos + entry.size for entry in self.video.index_entries), default=0)
        return beyond > self._demuxer.size > 0

    @property
    def picture_s(self) -> float:
        """How long the picture lasts by the header; Matroska, FLV and ASF only know how long all of it does."""
        assert self.video is not None
        if not (self.video.duration and self.video.time_base):
            return self.duration_s
        return min(float(self.video.duration * self.video.time_base), self.duration_s)

    def packets(self, *streams: Stream) -> Iterator[Packet[Any]]:
        """The packets of ``streams`` from here on, as far as they can be read."""
        for stream in self._demuxer.streams:
            stream.discard = Discard.default if stream in streams else Discard.all
        demuxed = self._demuxer.demux(streams)
        while (packet := self._next_packet(demuxed)) is not None:
            # An empty packet means "as before" in AVI, but "the end" to a decoder.
            if packet.size:
                yield packet

    def _next_packet(self, demuxed: Iterator[Packet[Any]]) -> Packet[Any] | None:
        try:
            with self._reading.counted():
                return next(demuxed, None)
        except FFmpegError as error:
            logger.warning("the container breaks off: %s", error)
            return None
        except IndexError:
            return None  # PyAV at the end of a file in which streams turned up that its header did not name
        finally:
            self._reader.check()

    def pictures(self, packets: Iterable[Packet[Any]]) -> Iterator[VideoFrame]:
        """What decodes of the packets of the video stream, in the order in which it is shown."""
        assert self.video is not None
        return _decoded(self.video, packets, self._reading)

    def sounds(self, packets: Iterable[Packet[Any]]) -> Iterator[AudioFrame]:
        """What decodes of the packets of the audio stream."""
        assert self.audio is not None
        return _decoded(self.audio, packets, self._reading)


def _decoded(stream: AvVideoStream | AvAudioStream, packets: Iterable[Packet[Any]], reading: Reading) -> Iterator[Any]:
    """Damaged packets are passed over and counted."""
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # a stream may grow on its way
    damaged = 0
    for packet in itertools.chain(packets, [None]):  # None brings out what the decoder holds back
        try:
            with reading.counted():
                decoded = stream.decode(packet)
        except FFmpegError:
            damaged += 1
        else:
            yield from decoded
    if damaged:
        logger.warning("passed over %d damaged %s packets", damaged, stream.type)


def _best_video(demuxer: InputContainer) -> AvVideoStream | None:
    """The video stream that players take; a cover picture is none."""
    moving = [s for s in demuxer.streams.video if s.codec_context and not s.disposition & NO_PICTURE]
    best = demuxer.streams.best("video")
    return next((s for s in moving if s == best), None) or max(moving, key=_prominence, default=None)


def _prominence(stream: AvVideoStream) -> tuple[bool, int]:
    return bool(stream.disposition & Disposition.default), stream.width * stream.height


def _best_audio(demuxer: InputContainer) -> AvAudioStream | None:
    audible = [s for s in demuxer.streams.audio if s.codec_context and s.sample_rate >= SLOWEST_HZ]
    best = demuxer.streams.best("audio")
    return next((s for s in audible if s == best), None) or next(iter(audible), None)


def length_s(item: Packet[Any] | VideoFrame) -> float:
    """How long a packet or a picture lasts; 0 where it does not say."""
    return float((item.duration or 0) * (item.time_base or 0))


def check_size(width: int, height: int) -> None:
    """Raises DamagedFile and TooLarge for pictures that cannot be."""
    if width <= 0 or height <= 0:
        raise DamagedFile("The video does not say how large its picture is. Please upload it again.")
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise TooLarge(f"The picture is {width} × {height} pixels. We can read up to 7680 × 4320.")
