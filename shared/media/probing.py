"""What a file holds, found by opening it and decoding one picture, or one piece of sound."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from av.audio.stream import AudioStream as AvAudioStream
from av.stream import Stream
from av.video.stream import VideoStream as AvVideoStream

from shared.errors import DamagedFile, NotAVideo
from shared.media.container import RAW_FORMATS, Container, Reading, Source, check_size, opened
from shared.media.orientation import Orientation

# Headers take seconds. Where they do not say, all packets are read: 2 GB from a bucket within a minute.
LONGEST_PROBING_S = 120.0
MAX_DURATION_S = 24 * 3600.0  # beyond it a header is damaged

# Headers round, and count a sound or a still that outlasts the pictures; less than this is nothing to a dancer.
MISSING_END_S = 2.0

# FFmpeg guesses their durations from a bit rate, or does not know them.
GUESSED_DURATION = frozenset({"mp3", "aac", "amr", *RAW_FORMATS})


@dataclass(frozen=True, slots=True)
class VideoStream:
    """``width`` and ``height`` as shown: after rotation, with square pixels. ``rotation``: degrees
    clockwise by which a player turns the coded picture: 0, 90, 180 or 270."""

    codec: str
    width: int
    height: int
    rotation: int
    frame_rate_hz: float


@dataclass(frozen=True, slots=True)
class AudioStream:
    codec: str
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class Media:
    """``container``: FFmpeg's name of the format, ``mov,mp4,m4a,3gp,3g2,mj2`` for all that MP4 begot."""

    container: str
    duration_s: float
    video: VideoStream | None
    audio: AudioStream | None


@dataclass(slots=True)
class _Stretch:
    """The packets of one stream, as they are counted."""

    packets: int = 0
    first_s: float = math.inf
    last_s: float = -math.inf
    end_s: float = -math.inf

    def add(self, start_s: float, duration_s: float) -> None:
        self.packets += 1
        self.first_s = min(self.first_s, start_s)
        self.last_s = max(self.last_s, start_s)
        self.end_s = max(self.end_s, start_s + duration_s)

    @property
    def rate_hz(self) -> float:
        """Packets a second; 0 where there are too few to tell."""
        return (self.packets - 1) / (self.last_s - self.first_s) if self.last_s > self.first_s else 0.0


def probe(source: Source) -> Media:
    """What ``source`` holds. ``video`` is None where there is no moving picture.

    Raises EmptyFile; NotAVideo; TooLarge for an absurd picture; DamagedFile where no picture
    decodes, where neither header nor packets say how long it lasts, and where the file ends long
    before its header says.
    """
    reading = Reading(source, LONGEST_PROBING_S)
    with opened(reading) as container:
        video = container.video and _video(container, container.video)
        audio = container.audio and _audio(container, container.audio)
        if video is None and audio is None:
            raise NotAVideo
        media = Media(container.format, container.duration_s, video, audio)
    if not _is_told(media):
        return _measured(reading, media)
    if media.video:
        _check_end(reading)
    return media


def _video(container: Container, stream: AvVideoStream) -> VideoStream:
    picture = next(container.pictures(container.packets(stream)), None)
    if picture is None:
        raise DamagedFile
    orientation = Orientation.of(stream, picture)
    width, height = orientation.shown(picture.width, picture.height)
    check_size(width, height)
    return VideoStream(stream.codec.canonical_name, width, height, orientation.rotation, container.frame_rate_hz)


def _audio(container: Container, stream: AvAudioStream) -> AudioStream | None:
    """None for noise that looks like sound: where it stands alone it must decode."""
    if container.video is None and next(container.sounds(container.packets(stream)), None) is None:
        return None
    return AudioStream(stream.codec.canonical_name, stream.sample_rate, stream.channels)


def _is_told(media: Media) -> bool:
    """Whether the header says how long it lasts and how fast it runs."""
    if media.container in GUESSED_DURATION or not 0 < media.duration_s <= MAX_DURATION_S:
        return False
    return media.video is None or media.video.frame_rate_hz > 0


def _check_end(reading: Reading) -> None:
    """Raises DamagedFile where the file breaks off before its end, as when an upload did."""
    with opened(reading) as container:
        assert container.video
        if container.is_cut_off:
            raise DamagedFile
        if _reaches_end(container, container.video):
            return
    with opened(reading) as container:  # FLV finds nothing where it is sent beyond its last picture
        if container.audio is None or not _reaches_end(container, container.audio):
            raise DamagedFile


def _reaches_end(container: Container, index: Stream) -> bool:
    """Whether there are packets near the end of the picture, to which ``index`` leads, in a container just opened."""
    assert container.video
    needed_s = container.picture_s - MISSING_END_S
    # Where the header does not tell the picture from the rest, sound or subtitles may be what lasts so long.
    streams = container.streams if container.picture_s == container.duration_s else (container.video,)
    container.go_back_to(index, needed_s)
    return any(sum(container.place_s(packet, n)) >= needed_s for n, packet in enumerate(container.packets(*streams)))


def _measured(reading: Reading, media: Media) -> Media:
    """``media`` with the duration of its packets, and their rate where the header gives none."""
    with opened(reading) as container:
        stretches = _stretches(container)
        video = stretches.get(container.video.index) if container.video else None
    duration_s = max((stretch.end_s for stretch in stretches.values()), default=0.0)
    if not 0 < duration_s <= MAX_DURATION_S:
        raise DamagedFile("We cannot tell how long this video lasts. Please upload it again.")
    if media.video and video and not media.video.frame_rate_hz:
        rate_hz = video.rate_hz or 1 / duration_s
        media = replace(media, video=replace(media.video, frame_rate_hz=rate_hz))
    return replace(media, duration_s=duration_s)


def _stretches(container: Container) -> dict[int, _Stretch]:
    """Where the packets of sound and picture lie, by the index of their stream."""
    stretches: dict[int, _Stretch] = {}
    for packet in container.packets(*filter(None, (container.video, container.audio))):
        stretch = stretches.setdefault(packet.stream_index, _Stretch())
        stretch.add(*container.place_s(packet, stretch.packets))
    return stretches
