"""Clips whose every picture shows its number, joined to songs whose clicks are heard at known times."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np
import pytest

from shared.errors import NoSound, NotAVideo, UnfitTake
from shared.media import Form, Soundtrack, Take, film, joined, mezzanine, sound
from shared.timeline import FloatArray, Segment
from tests.shared.media_files import click_times, number_of, numbered, write_song

FORM = Form(64, 48)
ALL = Segment(0.0, 3600.0)
KEYS_S = np.arange(10) * 0.4 + 0.1  # frames 3, 15, 27, …
CLICKS_S = (0.0, 0.6, 1.25, 3.0, 5.4)
TICK_S = 1 / 90_000
LEFT_OUT = 1088  # samples: with the usual 1024, what Apple's encoder puts before the start


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Clip ``c`` of 60 frames shows the numbers from ``60 · c`` on."""
    return [clip(tmp_path_factory.mktemp("clips"), range(60 * c, 60 * c + 60)) for c in range(4)]


def clip(folder: Path, numbers: range, form: Form = FORM) -> Path:
    film((numbered(n) for n in numbers), 30.0, folder / "drawn.mp4")
    mezzanine(folder / "drawn.mp4", folder / f"clip-{numbers.start}.mp4", form, KEYS_S)
    return folder / f"clip-{numbers.start}.mp4"


def evenly(start_s: float, count: int, rate_hz: float = 30.0) -> FloatArray:
    return start_s + np.arange(count) / rate_hz


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("songs")
    codecs = {"m4a": "aac", "aac": "aac", "mp3": "libmp3lame", "wav": "pcm_s16le", "flac": "flac", "ogg": "libopus"}
    songs = {kind: write_song(folder / f"song.{kind}", codec, CLICKS_S, 6.0) for kind, codec in codecs.items()}
    return songs | {"apple": padded(songs["m4a"], folder / "apple.m4a")}


def padded(plain: Path, target: Path) -> Path:
    """The same with an edit list such as other encoders need, which leaves out two packets and a part of a third."""
    with av.open(str(plain)) as source, av.open(str(target), "w", format="ipod") as output:
        stream = output.add_stream_from_template(source.streams.audio[0], opaque=True)
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - LEFT_OUT, packet.dts - LEFT_OUT, stream
                output.mux_one(packet)
    return target


def without_a_second(content: bytes) -> bytes:
    """An MP4 file of one track, its index last, whose edit list leaves out what is heard from 2 to 3 s."""
    at = content.index(b"elst")
    (start,) = struct.unpack(">i", content[at + 16 : at + 20])
    edits = struct.pack(">IIIiIIiI", 0, 2, 2000, start, 1 << 16, 3000, start + 3 * 48_000, 1 << 16)
    longer = bytearray(content[: at + 4] + edits + content[at + 24 :])
    for box in (b"moov", b"trak", b"edts", b"elst"):
        place = content.rindex(box, 0, at + 4) - 4
        (size,) = struct.unpack(">I", content[place : place + 4])
        longer[place : place + 4] = struct.pack(">I", size + 12)
    return bytes(longer)


def shown(path: Path) -> list[tuple[float, int]]:
    """When each frame is shown, and its number."""
    with av.open(str(path)) as container:
        return [(frame.time, number_of(frame.to_ndarray(format="rgb24"))) for frame in container.decode(video=0)]


def packets(path: Path, kind: str) -> list[Any]:
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [packet for packet in container.demux(stream) if packet.size]


@pytest.fixture
def errors() -> Iterator[list[Any]]:
    """What FFmpeg has to say meanwhile."""
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture(local=False) as said:
        yield said
    av.logging.set_level(None)


class TestPictures:
    def test_each_frame_is_shown_when_it_shall_be(self, clips: list[Path], tmp_path: Path) -> None:
        times_s = [evenly(0, 20, 31.7), evenly(0.7, 33, 28.1), evenly(2.0, 1), evenly(2.9, 30)]
        firsts = (3, 27, 0, 15)
        takes = [Take(clips[c], first, t) for c, (first, t) in enumerate(zip(firsts, times_s, strict=True))]
        joined(takes, tmp_path / "film.mp4", 4.5)
        found = shown(tmp_path / "film.mp4")
        expected = [60 * c + first + n for c, first in enumerate(firsts) for n in range(len(times_s[c]))]
        assert [number for _, number in found] == expected
        assert np.abs(np.array([time for time, _ in found]) - np.concatenate(times_s)).max() <= TICK_S

    def test_the_last_of_a_thousand_cuts_is_as_exact_as_the_first(self, clips: list[Path], tmp_path: Path) -> None:
        cuts_s = np.arange(1000) * np.pi / 20
        takes = [Take(clips[n % 4], 3 + 12 * (n % 3), evenly(t, 5, 31)) for n, t in enumerate(cuts_s)]
        joined(takes, tmp_path / "film.mp4", 1000 * np.pi / 20)
        found_s = np.array([float(p.pts * p.time_base) for p in packets(tmp_path / "film.mp4", "video")])
        assert np.abs(found_s[::5] - cuts_s).max() <= TICK_S

    def test_frames_decode_to_those_of_the_clips(self, clips: list[Path], tmp_path: Path) -> None:
        takes = [Take(path, 27, evenly(c, 30)) for c, path in enumerate(clips)]
        joined(takes, tmp_path / "film.mp4", 4.0)
        whole = [bytes(plane) for path in clips for frame in list(decoded(path))[27:57] for plane in frame.planes]
        assert [bytes(plane) for frame in decoded(tmp_path / "film.mp4") for plane in frame.planes] == whole

    def test_stamps_increase_and_a_full_decode_has_nothing_to_complain_of(
        self, clips: list[Path], songs: dict[str, Path], tmp_path: Path, errors: list[Any]
    ) -> None:
        takes = [Take(clips[n % 4], 15, evenly(n / 2, 14)) for n in range(12)]
        joined(takes, tmp_path / "film.mp4", 6.0, Soundtrack(songs["m4a"], ALL))
        with av.open(str(tmp_path / "film.mp4")) as container:
            frames = [frame for packet in container.demux() for frame in packet.decode()]
        assert len(frames) > 12 * 14
        for kind in ("video", "audio"):
            found = packets(tmp_path / "film.mp4", kind)
            assert [packet.pts for packet in found] == [packet.dts for packet in found]
            assert np.all(np.diff([packet.dts for packet in found]) > 0)
        assert errors == []

    def test_the_first_stands_from_the_start_and_the_last_until_the_end(
        self, clips: list[Path], tmp_path: Path
    ) -> None:
        joined([Take(clips[0], 3, evenly(2.5, 10))], tmp_path / "film.mp4", 7.25)
        found = packets(tmp_path / "film.mp4", "video")
        assert found[0].pts == 0
        assert float(found[1].pts * found[1].time_base) == pytest.approx(2.5 + 1 / 30, abs=TICK_S)
        assert float((found[-1].pts + found[-1].duration) * found[-1].time_base) == pytest.approx(7.25, abs=TICK_S)
        with av.open(str(tmp_path / "film.mp4")) as container:
            assert container.duration / 1e6 == pytest.approx(7.25, abs=0.001)

    def test_it_can_be_played_while_it_is_loaded(self, clips: list[Path], tmp_path: Path) -> None:
        joined([Take(clips[0], 3, evenly(0, 10))], tmp_path / "film.mp4", 1.0)
        content = (tmp_path / "film.mp4").read_bytes()
        assert content.index(b"moov") < content.index(b"mdat")

    def test_clips_may_be_open_files_and_are_looked_through_once(self, clips: list[Path], tmp_path: Path) -> None:
        file = Counting(clips[0].read_bytes())
        takes = [Take(file, 15, evenly(n, 10)) for n in range(100)]
        joined(takes, tmp_path / "film.mp4", 100.0)
        assert len(shown(tmp_path / "film.mp4")) == 1000
        assert file.reads < 120


def decoded(path: Path) -> Iterator[Any]:
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


class Counting(io.BytesIO):
    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


class TestSound:
    @pytest.mark.parametrize("kind", ["m4a", "aac", "mp3", "wav", "flac", "ogg", "apple"])
    def test_it_starts_with_the_pictures(
        self, clips: list[Path], songs: dict[str, Path], tmp_path: Path, kind: str
    ) -> None:
        joined([Take(clips[0], 3, evenly(0, 50))], tmp_path / "film.mp4", 6.0, Soundtrack(songs[kind], ALL))
        samples = sound(tmp_path / "film.mp4", 48_000, 10.0)
        assert samples is not None
        # A file of nothing but AAC does not say how much its encoder put before the start.
        late_s = {"aac": 1024 / 48_000, "apple": -LEFT_OUT / 48_000}.get(kind, 0.0)
        heard_s = [t + late_s for t in CLICKS_S if t + late_s >= 0]
        assert click_times(samples, 48_000) == pytest.approx(heard_s, abs=0.002)
        with av.open(str(tmp_path / "film.mp4")) as container:
            first = next(container.decode(audio=0))
            assert first.time == pytest.approx(0.0, abs=0.001)

    @pytest.mark.parametrize("kind", ["m4a", "aac", "mp3", "apple"])
    def test_what_players_know_is_copied(
        self, clips: list[Path], songs: dict[str, Path], tmp_path: Path, kind: str
    ) -> None:
        joined([Take(clips[0], 3, evenly(0, 50))], tmp_path / "film.mp4", 7.0, Soundtrack(songs[kind], ALL))
        copied = [bytes(packet) for packet in packets(tmp_path / "film.mp4", "audio")]
        original = [bytes(packet) for packet in packets(songs[kind], "audio")]
        if kind == "aac":  # without the headers that stand before each packet there
            original = [packet[7:] for packet in original]
        assert copied == original[len(original) - len(copied) :]
        assert len(original) - len(copied) <= 1

    @pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
    def test_anything_else_becomes_aac(
        self, clips: list[Path], songs: dict[str, Path], tmp_path: Path, kind: str
    ) -> None:
        joined([Take(clips[0], 3, evenly(0, 50))], tmp_path / "film.mp4", 6.0, Soundtrack(songs[kind], ALL))
        with av.open(str(tmp_path / "film.mp4")) as container:
            assert container.streams.audio[0].codec.canonical_name == "aac"

    @pytest.mark.parametrize("kind", ["m4a", "mp3", "ogg"])
    def test_a_part_of_a_song_starts_there_and_ends_with_the_film(
        self, clips: list[Path], songs: dict[str, Path], tmp_path: Path, kind: str
    ) -> None:
        track = Soundtrack(songs[kind], Segment(1.0, 5.0))
        joined([Take(clips[0], 3, evenly(0, 50))], tmp_path / "film.mp4", 2.5, track)
        samples = sound(tmp_path / "film.mp4", 48_000, 10.0)
        assert samples is not None
        assert click_times(samples, 48_000) == pytest.approx([0.25, 2.0], abs=0.002)
        assert len(samples) / 48_000 == pytest.approx(2.5, abs=0.04)

    def test_packets_between_which_some_are_left_out_are_encoded(
        self, clips: list[Path], songs: dict[str, Path], tmp_path: Path
    ) -> None:
        edited = io.BytesIO(without_a_second(songs["m4a"].read_bytes()))
        heard = sound(edited, 48_000, 10.0)
        assert heard is not None
        assert click_times(heard, 48_000) == pytest.approx([0.0, 0.6, 1.25, 2.0, 4.4], abs=0.01)
        joined([Take(clips[0], 3, evenly(0, 50))], tmp_path / "film.mp4", 5.0, Soundtrack(edited, ALL))
        samples = sound(tmp_path / "film.mp4", 48_000, 10.0)
        assert samples is not None
        assert click_times(samples, 48_000) == pytest.approx(click_times(heard, 48_000), abs=0.002)
        original = {bytes(packet) for packet in packets(songs["m4a"], "audio")}
        encoded = [bytes(packet) for packet in packets(tmp_path / "film.mp4", "audio")]
        assert any(packet not in original for packet in encoded)

    def test_a_film_without_one_is_silent(self, clips: list[Path], tmp_path: Path) -> None:
        joined([Take(clips[0], 3, evenly(0, 50))], tmp_path / "film.mp4", 2.0)
        assert sound(tmp_path / "film.mp4", 48_000, 10.0) is None

    def test_a_song_that_cannot_be_heard_is_refused(self, clips: list[Path], tmp_path: Path) -> None:
        takes = [Take(clips[0], 3, evenly(0, 50))]
        (tmp_path / "text.mp3").write_text("no song" * 100)
        for source, error in ((tmp_path / "text.mp3", NotAVideo), (clips[1], NoSound)):
            with pytest.raises(error):
                joined(takes, tmp_path / "film.mp4", 2.0, Soundtrack(source, ALL))
            assert not (tmp_path / "film.mp4").exists()


class TestRefusals:
    def joined(self, clips: list[Path], other: Take, tmp_path: Path) -> UnfitTake:
        takes = [Take(clips[0], 3, evenly(0, 10)), other, Take(clips[1], 3, evenly(2, 10))]
        with pytest.raises(UnfitTake) as raised:
            joined(takes, tmp_path / "film.mp4", 4.0)
        assert not (tmp_path / "film.mp4").exists()
        assert raised.value.number == 1
        return raised.value

    def test_a_clip_of_another_form(self, clips: list[Path], tmp_path: Path) -> None:
        other = clip(tmp_path, range(10), Form(96, 48))
        error = self.joined(clips, Take(other, 0, evenly(1, 5)), tmp_path)
        assert "clip-0.mp4" in error.message
        assert "another form" in error.message

    def test_a_start_that_is_no_key_frame(self, clips: list[Path], tmp_path: Path) -> None:
        assert "frame 4 is no key frame" in self.joined(clips, Take(clips[2], 4, evenly(1, 5)), tmp_path).message

    @pytest.mark.parametrize("first", [-3, 51, 60, 63])
    def test_frames_that_the_clip_does_not_have(self, clips: list[Path], tmp_path: Path, first: int) -> None:
        assert "has 60 frames" in self.joined(clips, Take(clips[2], first, evenly(1, 10)), tmp_path).message

    def test_a_clip_that_is_not_there(self, clips: list[Path], tmp_path: Path) -> None:
        error = self.joined(clips, Take(tmp_path / "gone.mp4", 3, evenly(1, 5)), tmp_path)
        assert error.message == "The clip gone.mp4 is not there."

    @pytest.mark.parametrize("kept", [0, 100, 0.5, 0.9])
    def test_a_clip_that_was_cut_off(self, clips: list[Path], tmp_path: Path, kept: float) -> None:
        content = clips[2].read_bytes()
        (tmp_path / "cut.mp4").write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
        assert "cut.mp4" in self.joined(clips, Take(tmp_path / "cut.mp4", 3, evenly(1, 5)), tmp_path).message

    def test_the_first_clip_is_refused_as_any_other(self, tmp_path: Path) -> None:
        with pytest.raises(UnfitTake, match=r"gone\.mp4") as raised:
            joined([Take(tmp_path / "gone.mp4", 3, evenly(0, 5))], tmp_path / "film.mp4", 4.0)
        assert raised.value.number == 0

    def test_times_that_do_not_increase(self, clips: list[Path], tmp_path: Path) -> None:
        wrong = (
            [], [Take(clips[0], 3, np.zeros(0))], [Take(clips[0], 3, np.array([0.0, 1.0, 1.0]))],
            [Take(clips[0], 3, evenly(0, 10)), Take(clips[1], 3, evenly(0.2, 10))], [Take(clips[0], 3, evenly(5, 1))],
        )  # fmt: skip
        for takes in wrong:
            with pytest.raises(ValueError, match="later than"):
                joined(takes, tmp_path / "film.mp4", 0.0 if takes == wrong[-1] else 4.0)

    def test_a_network_that_fails_is_no_damaged_clip(self, clips: list[Path], tmp_path: Path) -> None:
        for reads in range(2):
            file = Failing(clips[0].read_bytes())
            file.left = reads
            takes = [Take(clips[1], 3, evenly(0, 5)), Take(file, 3, evenly(1, 5))]
            with pytest.raises(ConnectionResetError):
                joined(takes, tmp_path / "film.mp4", 4.0)
            assert not (tmp_path / "film.mp4").exists()


class Failing(io.BytesIO):
    left = 0

    def read(self, size: int | None = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError("the network")
        return super().read(size)
