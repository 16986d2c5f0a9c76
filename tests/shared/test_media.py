"""Containers of many kinds, each written here so that its pictures, sounds and times are known."""

from __future__ import annotations

import io
import itertools
import random
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.video.frame import VideoFrame

from shared.errors import DamagedFile, EmptyFile, NoPicture, NotAVideo, PermanentError, TooLarge
from shared.media import Frame, Scissors, Soundtrack, cut, film, frames, probe, shown_at, sound
from shared.media.container import Container
from shared.timeline import Segment, sample_count
from tests.shared.media_files import Recipe, click_times, number_of, numbered, write

DATA = Path(__file__).parents[3] / "shared" / "data" / "odd_media"
LONG = Recipe(count=600, key_frame_every=30, size=(128, 96), sound=None, noisy=True)

# Name of the file → what is in it, and the muxer's options.
KINDS: dict[str, tuple[Recipe, dict[str, str]]] = {
    "reordered.mp4": (Recipe(), {}),
    "plain.mp4": (Recipe(b_frames=0), {}),
    "fragmented.mp4": (Recipe(b_frames=0), {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    "live.mp4": (Recipe(b_frames=0), {"movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer"}),
    "phone.mov": (Recipe(codec="libx265", sound="pcm_s16le"), {}),
    "ten_bits.mp4": (Recipe(codec="libx265", pix_fmt="yuv420p10le"), {}),
    "camera.ts": (Recipe(), {}),
    "editor.mkv": (Recipe(), {}),
    "recorder.webm": (Recipe(codec="libvpx-vp9", sound="libopus"), {"live": "1"}),
    "old.webm": (Recipe(codec="libvpx", sound="libopus"), {}),
    "new.webm": (Recipe(codec="libsvtav1", sound="libopus"), {}),
    "old.avi": (Recipe(codec="mpeg4", sound="libmp3lame"), {}),
    "reordered.avi": (Recipe(sound="libmp3lame"), {}),
    "old.flv": (Recipe(), {}),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("kinds")
    return {name: write(folder / name, recipe, **options) for name, (recipe, options) in KINDS.items()}


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("long") / "long.mp4", LONG)


def numbers(shown: list[Frame]) -> list[int]:
    return [number_of(frame.picture) for frame in shown]


def first_shown_s(path: Path, number: int) -> float:
    """When the picture ``number`` appears, to the millisecond."""
    return next(frame.time_s for frame in frames(path, 1000) if number_of(frame.picture) == number)


class TestProbe:
    @pytest.mark.parametrize("name", KINDS)
    def test_says_what_was_written(self, files: dict[str, Path], name: str) -> None:
        recipe, _ = KINDS[name]
        media = probe(files[name])
        assert media.duration_s == pytest.approx(recipe.duration_s, abs=0.07)
        assert media.video is not None
        assert media.audio is not None
        assert (media.video.width, media.video.height, media.video.rotation) == (64, 48, 0)
        assert media.video.frame_rate_hz == pytest.approx(30, rel=0.02)
        assert (media.audio.sample_rate_hz, media.audio.channels) == (48_000, 2)

    def test_names_codecs_and_not_decoders(self, files: dict[str, Path]) -> None:
        found = {name: probe(path) for name, path in files.items()}
        codecs = {
            name: (media.video and media.video.codec, media.audio and media.audio.codec)
            for name, media in found.items()
        }
        assert codecs["plain.mp4"] == ("h264", "aac")
        assert codecs["ten_bits.mp4"] == ("hevc", "aac")
        assert codecs["new.webm"] == ("av1", "opus")
        assert codecs["old.avi"] == ("mpeg4", "mp3")

    @pytest.mark.parametrize("rotation", [0, 90, 180, 270])
    def test_gives_the_size_as_shown(self, tmp_path: Path, rotation: int) -> None:
        video = probe(write(tmp_path / "turned.mov", Recipe(rotation=rotation))).video
        assert video is not None
        assert video.rotation == rotation
        assert (video.width, video.height) == ((64, 48) if rotation in (0, 180) else (48, 64))

    def test_gives_the_size_in_square_pixels(self, tmp_path: Path) -> None:
        plain = write(tmp_path / "plain.mp4", Recipe()).read_bytes()
        # The box is 92 bytes and ends with the size in 16.16; the sample's own pixels stay 64 × 48.
        box = plain.index(b"tkhd") - 4 + 92 - 8
        assert struct.unpack(">II", plain[box : box + 8]) == (64 << 16, 48 << 16)
        wide = plain[:box] + struct.pack(">I", 128 << 16) + plain[box + 4 :]
        video = probe(io.BytesIO(wide)).video
        assert video is not None
        assert (video.width, video.height) == (128, 48)
        assert next(frames(io.BytesIO(wide), 1)).picture.shape == (48, 128, 3)

    def test_reads_a_duration_that_the_header_does_not_give(self, files: dict[str, Path]) -> None:
        with av.open(str(files["recorder.webm"])) as container:
            assert container.duration is None
        assert probe(files["recorder.webm"]).duration_s == pytest.approx(2.0, abs=0.05)

    def test_an_elementary_stream_runs_at_its_frame_rate(self, tmp_path: Path) -> None:
        path = write(tmp_path / "raw.h264", Recipe(sound=None), form="h264")
        media = probe(path)
        assert media.duration_s == pytest.approx(2.0, abs=0.05)
        assert numbers(list(frames(path, 30))) == list(range(60))

    def test_sound_alone_has_no_video(self, tmp_path: Path) -> None:
        for name, codec in {"song.mp3": "libmp3lame", "song.wav": "pcm_s16le", "song.ogg": "libopus"}.items():
            media = probe(write(tmp_path / name, Recipe(codec=None, sound=codec)))
            assert media.video is None
            assert media.duration_s == pytest.approx(2.0, abs=0.08)

    def test_a_cover_is_no_picture(self, tmp_path: Path) -> None:
        path = with_cover(tmp_path / "song.m4a")
        with av.open(str(path)) as container:
            assert container.streams.video
        assert probe(path).video is None
        with pytest.raises(NoPicture):
            list(frames(path, 15))

    def test_takes_the_default_of_two_videos(self, tmp_path: Path) -> None:
        path = with_two_videos(tmp_path / "two.mkv")
        video = probe(path).video
        assert video is not None
        assert (video.width, video.height) == (32, 32)
        assert next(frames(path, 1)).picture.shape == (32, 32, 3)


def with_cover(path: Path) -> Path:
    with av.open(str(path), "w", format="mp4") as output:
        sound_stream = output.add_stream("aac", rate=48_000, layout="stereo")
        cover = output.add_stream("mjpeg", rate=1, width=64, height=64, pix_fmt="yuvj420p")
        cover.disposition = Disposition.attached_pic
        output.mux(cover.encode(VideoFrame.from_ndarray(numbered(1, (64, 64)))))
        output.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 48_000), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        output.mux(sound_stream.encode(frame))
        output.mux(sound_stream.encode(None))
    return path


def with_two_videos(path: Path) -> Path:
    """The larger first, the smaller marked as default."""
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("mpeg4", rate=25, width=side, height=side, pix_fmt="yuv420p") for side in (64, 32)]
        streams[0].disposition = Disposition(0)
        streams[1].disposition = Disposition.default
        for stream, side in zip(streams, (64, 32), strict=True):
            output.mux(stream.encode(VideoFrame.from_ndarray(numbered(3, (side, side)))))
        for stream in streams:
            output.mux(stream.encode(None))
    return path


class TestRefusals:
    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "empty.mp4").touch()
        for read in (probe, lambda source: list(frames(source, 15)), lambda source: sound(source, 16_000, 30.0)):
            with pytest.raises(EmptyFile):
                read(tmp_path / "empty.mp4")

    @pytest.mark.parametrize(
        "content",
        [
            b"just some text, which is not a video at all\n" * 100,
            random.Random(1).randbytes(50_000),
            b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
            b"ffconcat version 1.0\nfile /etc/hostname\n",
            b"\x89PNG\r\n\x1a\n" + bytes(100),
            bytes(10_000),
        ],
        ids=["text", "noise", "playlist", "concat", "photo", "zeros"],
    )
    def test_what_is_no_video(self, content: bytes) -> None:
        with pytest.raises(NotAVideo):
            probe(io.BytesIO(content))

    def test_a_photo(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "photo.png"), "w", format="image2") as output:
            stream = output.add_stream("png", rate=1, width=64, height=48, pix_fmt="rgb24")
            output.mux(stream.encode(VideoFrame.from_ndarray(numbered(1))))
            output.mux(stream.encode(None))
        with pytest.raises(NotAVideo):
            probe(tmp_path / "photo.png")

    def test_an_mp4_whose_index_was_cut_off(self, files: dict[str, Path]) -> None:
        content = files["plain.mp4"].read_bytes()
        with pytest.raises(DamagedFile):
            probe(io.BytesIO(content[: content.index(b"moov") - 8]))

    def test_a_video_of_which_no_picture_decodes(self, files: dict[str, Path]) -> None:
        content = bytearray(files["plain.mp4"].read_bytes())
        start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
        content[start:end] = bytes(end - start)
        with pytest.raises(DamagedFile):
            probe(io.BytesIO(content))
        assert list(frames(io.BytesIO(content), 15)) == []
        assert sound(io.BytesIO(content), 16_000, 30.0) is None

    def test_a_picture_too_large_to_be_true(self, tmp_path: Path) -> None:
        huge = write(tmp_path / "huge.mp4", Recipe(count=1, size=(8208, 16), sound=None))
        for read in (probe, lambda source: list(frames(source, 15))):
            with pytest.raises(TooLarge, match="8208 × 16"):
                read(huge)

    def test_damage_is_silent_on_stderr(self, files: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
        content = bytearray(files["camera.ts"].read_bytes())
        content[len(content) // 3 : len(content) // 2] = random.Random(0).randbytes(
            len(content) // 2 - len(content) // 3
        )
        list(frames(io.BytesIO(content), 30))
        assert capfd.readouterr().err == ""


class Failing(io.BytesIO):
    """A file whose network fails at its ``n``-th read."""

    def __init__(self, content: bytes, n: int) -> None:
        super().__init__(content)
        self.left = n

    def read(self, size: int | None = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError("the network")
        return super().read(size)


class TestFailingSources:
    @pytest.mark.parametrize("name", ["plain.mp4", "camera.ts", "editor.mkv", "old.avi"])
    @pytest.mark.parametrize("what", ["probe", "frames", "sound", "cut"])
    def test_a_failing_network_is_no_damaged_file(
        self, files: dict[str, Path], tmp_path: Path, name: str, what: str
    ) -> None:
        content = files[name].read_bytes()
        for n in itertools.count():
            source = Failing(content, n)
            try:
                use(what, source, tmp_path / "clip.mp4")
            except ConnectionResetError:
                continue
            assert source.left >= 0, "the failure was swallowed"
            break
        assert n > 0

    def test_interruptions_go_through(self, files: dict[str, Path]) -> None:
        class Interrupted(Failing):
            def read(self, _size: int | None = -1) -> bytes:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            probe(Interrupted(files["plain.mp4"].read_bytes(), 0))

    def test_a_missing_file_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            probe(tmp_path / "nowhere.mp4")

    def test_two_readers_may_share_one_file_object(self, files: dict[str, Path]) -> None:
        with files["reordered.mp4"].open("rb") as file:
            pairs = list(zip(frames(file, 30), frames(file, 30), strict=True))
        assert [number_of(b.picture) for _, b in pairs] == list(range(60))


class Crawling(io.BytesIO):
    """A file that gives ten bytes a second, by a clock of its own."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def read(self, size: int | None = -1) -> bytes:
        self.now_s += 1.0
        return super().read(10 if size is None or size < 0 else min(size, 10))


class TestSlowSources:
    @pytest.mark.parametrize("name", ["plain.mp4", "camera.ts", "editor.mkv", "old.avi"])
    @pytest.mark.parametrize(
        ("what", "limit_s"), [("probe", 120.0), ("frames", 480.0), ("sound", 480.0), ("cut", 480.0)]
    )
    def test_reading_ends_in_time(
        self, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str,
        limit_s: float,
    ) -> None:  # fmt: skip
        source = Crawling(files[name].read_bytes())
        assert source.getbuffer().nbytes / 10 > limit_s
        monkeypatch.setattr("shared.media.container.monotonic", source.monotonic)
        with pytest.raises(DamagedFile, match="too long to read"):
            use(what, source, tmp_path / "clip.mp4")
        assert limit_s < source.now_s <= limit_s + 1.0

    def test_decoding_that_crawls_ends_in_time(self, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        ticks = itertools.count(step=20.0)
        monkeypatch.setattr("shared.media.container.monotonic", lambda: next(ticks))
        with pytest.raises(DamagedFile, match="too long to read"):
            list(frames(files["plain.mp4"], 30))

    def test_time_that_others_take_does_not_count(
        self, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Crawling(b"")
        monkeypatch.setattr("shared.media.container.monotonic", clock.monotonic)
        count = 0
        for _ in frames(files["plain.mp4"], 30):
            clock.now_s += 100.0
            count += 1
        assert count == 60


def use(what: str, source: BinaryIO, target: Path) -> None:
    """Do ``what`` as far as it goes."""
    match what:
        case "probe":
            probe(source)
        case "frames":
            for _ in frames(source, 15):
                pass
        case "sound":
            sound(source, 16_000, 30.0)
        case "cut":
            cut(source, Segment(0.7, 1.3), target)
        case _:
            raise ValueError(what)


class TestFrames:
    @pytest.mark.parametrize("name", KINDS)
    def test_every_picture_comes_once_and_in_order(self, files: dict[str, Path], name: str) -> None:
        shown = list(frames(files[name], 30))
        assert [frame.sample for frame in shown] == list(range(len(shown)))
        assert list(dict.fromkeys(numbers(shown))) == list(range(60))
        # Where a container cannot hide the priming of its sound, the picture starts so much later.
        assert sum(a == b for a, b in itertools.pairwise(numbers(shown))) <= 2

    @pytest.mark.parametrize("name", ["reordered.mp4", "recorder.webm", "ten_bits.mp4"])
    def test_half_the_rate_takes_every_second_picture(self, files: dict[str, Path], name: str) -> None:
        shown = list(frames(files[name], 15))
        assert numbers(shown) == list(range(0, 60, 2))
        assert [frame.time_s for frame in shown] == [i / 15 for i in range(30)]

    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize("rate_hz", [15.0, 30.0, 24.0])
    def test_spans_side_by_side_are_one_span(self, files: dict[str, Path], name: str, rate_hz: float) -> None:
        whole = list(frames(files[name], rate_hz))
        draw = random.Random(name)
        edges = [0.0, *sorted(draw.uniform(0, 2.1) for _ in range(5)), 2.5]
        parts = [frames(files[name], rate_hz, Segment(*edge)) for edge in itertools.pairwise(edges)]
        joined = list(itertools.chain(*parts))
        assert [frame.sample for frame in joined] == [frame.sample for frame in whole]
        assert all(np.array_equal(a.picture, b.picture) for a, b in zip(joined, whole, strict=True))

    def test_open_groups_of_pictures_do_not_break_that(self, tmp_path: Path) -> None:
        path = write_open_gops(tmp_path / "open.mp4")
        whole = list(frames(path, 30))
        assert numbers(whole) == list(range(60))
        for start in range(0, 60, 7):
            part = list(frames(path, 30, Segment(start / 30, 2.0)))
            assert all(np.array_equal(a.picture, b.picture) for a, b in zip(part, whole[start:], strict=True))

    def test_what_was_trimmed_off_is_not_shown(self, tmp_path: Path) -> None:
        path = trimmed(write(tmp_path / "whole.mp4", Recipe(b_frames=0, sound=None)), tmp_path / "trimmed.mp4", 20)
        assert numbers(list(frames(path, 30))) == list(range(20, 60))
        for start in range(0, 30, 6):
            assert numbers(list(frames(path, 30, Segment(start / 30, 1.0)))) == list(range(20 + start, 50))

    def test_an_empty_chunk_of_an_avi_repeats_the_picture(self, tmp_path: Path) -> None:
        path = write(tmp_path / "repeats.avi", Recipe(codec="mpeg4", sound=None))
        content = bytearray(path.read_bytes())
        entry = content.index(b"idx1") + 8 + 16 * 30  # name, flags, place after "movi", size
        place, size = struct.unpack_from("<II", content, entry + 8)
        struct.pack_into("<4sI4sI", content, content.index(b"movi") + place, b"00dc", 0, b"JUNK", size - 8)
        struct.pack_into("<I", content, entry + 12, 0)
        assert numbers(list(frames(io.BytesIO(content), 30))) == [*range(30), 29, *range(31, 60)]

    def test_a_span_reads_only_its_own_part(self, long_file: Path) -> None:
        class Counting(io.BytesIO):
            count = 0

            def read(self, size: int | None = -1) -> bytes:
                data = super().read(size)
                self.count += len(data)
                return data

        source = Counting(long_file.read_bytes())
        shown = list(frames(source, 30, Segment(15.0, 16.0)))
        assert numbers(shown) == [i % 256 for i in range(450, 480)]
        assert source.count < len(source.getvalue()) / 3

    def test_variable_rate_shows_the_latest_picture(self, tmp_path: Path) -> None:
        draw = random.Random(3)
        times = tuple(itertools.accumulate((draw.uniform(0.005, 0.2) for _ in range(49)), initial=0.0))
        for name in ("vfr.mp4", "vfr.mkv"):
            path = write(tmp_path / name, Recipe(times_s=times, sound=None))
            for frame in frames(path, 20):
                shown = number_of(frame.picture)
                assert times[shown] <= frame.time_s + 0.0035
                assert shown == len(times) - 1 or frame.time_s < times[shown + 1] + 0.001

    def test_a_long_hole_is_left_out_and_a_pause_is_held(self, tmp_path: Path) -> None:
        path = write(tmp_path / "holes.mp4", Recipe(times_s=(0.0, 1.0, 4.0, 30.0, 31.0), sound=None))
        shown = list(frames(path, 2))
        assert numbers(shown)[:8] == [0, 0, 1, 1, 1, 1, 1, 1]
        assert [frame.time_s for frame in shown if number_of(frame.picture) == 2] == [4 + i / 2 for i in range(20)]
        assert next(frame.time_s for frame in shown if number_of(frame.picture) == 3) == 30.0

    def test_the_first_picture_is_shown_while_sound_is_ahead_of_it(self, tmp_path: Path) -> None:
        late = write(tmp_path / "late.mkv", Recipe(first_picture_s=0.3))
        shown = list(frames(late, 30))
        assert numbers(shown)[:12] == [0] * 10 + [1, 2]
        start = list(frames(late, 30, Segment(0.0, 0.2)))
        assert numbers(start) == [0] * 6
        later = write(tmp_path / "later.mkv", Recipe(first_picture_s=0.9))
        assert next(frames(later, 30)).sample == 27

    def test_there_are_as_many_as_the_duration_has_samples(self, files: dict[str, Path]) -> None:
        for name, path in files.items():
            count = sum(1 for _ in frames(path, 15))
            assert abs(count - sample_count(probe(path).duration_s, 15)) <= 1, name

    @pytest.mark.parametrize(("rotation", "white"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
    def test_pictures_are_turned_as_shown(self, tmp_path: Path, rotation: int, white: tuple[int, int]) -> None:
        path = write_corner(tmp_path / "corner.mp4", rotation)
        picture = next(frames(path, 30)).picture
        assert picture.shape == ((48, 64, 3) if rotation in (0, 180) else (64, 48, 3))
        corners = {at: int(picture[at].mean()) for at in itertools.product((0, -1), (0, -1))}
        assert max(corners, key=lambda at: corners[at]) == white
        assert picture.flags.c_contiguous

    @pytest.mark.parametrize("rotation", [0, 90])
    def test_the_shown_height_is_limited(self, tmp_path: Path, rotation: int) -> None:
        path = write(tmp_path / "scaled.mp4", Recipe(rotation=rotation))
        assert next(frames(path, 30, max_height=24)).picture.shape == ((24, 32, 3) if rotation == 0 else (24, 18, 3))
        assert next(frames(path, 30, max_height=1000)).picture.shape == ((48, 64, 3) if rotation == 0 else (64, 48, 3))

    @pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p"])
    def test_greys_keep_their_level(self, tmp_path: Path, pix_fmt: str) -> None:
        picture = next(frames(write(tmp_path / "grey.mp4", Recipe(count=1, pix_fmt=pix_fmt, sound=None)), 30)).picture
        assert np.abs(picture[..., 0].astype(int) - 25).mean() < 4

    def test_there_is_nothing_after_the_end(self, files: dict[str, Path]) -> None:
        assert list(frames(files["plain.mp4"], 30, Segment(5.0, 6.0))) == []
        assert list(frames(files["camera.ts"], 30, Segment(500.0, 600.0))) == []

    def test_what_a_cut_off_file_still_holds_is_shown(self, files: dict[str, Path]) -> None:
        content = files["camera.ts"].read_bytes()
        shown = numbers(list(frames(io.BytesIO(content[: len(content) // 2]), 30)))
        assert 10 < len(shown) < 50
        assert shown == sorted(shown)


def write_corner(path: Path, rotation: int) -> Path:
    """One black picture whose upper left quarter is white, before it is turned."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = 255
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30, width=64, height=48, pix_fmt="yuv420p")
        stream.set_display_rotation(-rotation)
        output.mux(stream.encode(VideoFrame.from_ndarray(picture)))
        output.mux(stream.encode(None))
    return path


def trimmed(path: Path, target: Path, pictures: int) -> Path:
    """The video as a phone trims it: all is kept, and a note says where to start."""
    content = bytearray(path.read_bytes())
    entry = content.index(b"elst") + 12  # after version, flags and the number of edits: duration, start
    (scale,) = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)
    duration, start = struct.unpack_from(">Ii", content, entry)
    struct.pack_into(">Ii", content, entry, duration - pictures * 1000 // 30, start + pictures * scale // 30)
    target.write_bytes(content)
    return target


def write_open_gops(path: Path) -> Path:
    """Key frames after which pictures follow that are shown before them."""
    with av.open(str(path), "w") as output:
        options = {"x264-params": "open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0:scenecut=0"}
        stream = output.add_stream("libx264", rate=30, width=64, height=48, pix_fmt="yuv420p", options=options)
        for number in range(60):
            output.mux(stream.encode(VideoFrame.from_ndarray(numbered(number))))
        output.mux(stream.encode(None))
    return path


def with_jumps(whole: Path, path: Path, jump_s: float) -> Path:
    """Its sound, which after 0.2 s jumps ahead by ``jump_s`` with every packet: seconds that claim hours."""
    with av.open(str(whole)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for number, packet in enumerate(packet for packet in source.demux(audio=0) if packet.size):
            packet.pts = packet.dts = packet.pts + round(max(0, number - 9) * jump_s / packet.time_base)
            packet.stream = stream
            output.mux(packet)
    return path


class TestSound:
    @pytest.mark.parametrize("name", KINDS)
    def test_clicks_are_heard_when_their_pictures_are_seen(self, files: dict[str, Path], name: str) -> None:
        heard = sound(files[name], 16_000, 30.0)
        assert heard is not None
        assert heard.dtype == np.float32
        at = click_times(heard, 16_000)
        assert len(at) == 2
        # Picture 18 belongs to 0.6 s. AVI's pictures come at whole ticks of 1/30 s, wherever its sound starts.
        shift = first_shown_s(files[name], 18) - 0.6
        assert at == pytest.approx([0.6 + shift, 1.25 + shift], abs=0.017 if name.endswith(".avi") else 0.005)

    @pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
    def test_sample_n_is_at_n_over_the_rate(self, files: dict[str, Path], rate_hz: int) -> None:
        heard = sound(files["phone.mov"], rate_hz, 30.0)
        assert heard is not None
        assert len(heard) == pytest.approx(2 * rate_hz, rel=0.02)
        assert click_times(heard, rate_hz) == pytest.approx([0.6, 1.25], abs=1.5 / rate_hz)

    def test_silence_stands_before_sound_that_starts_late(self, tmp_path: Path) -> None:
        heard = sound(write(tmp_path / "late.mkv", Recipe(sound_from_s=0.4)), 16_000, 30.0)
        assert heard is not None
        assert not heard[: round(0.35 * 16_000)].any()
        assert click_times(heard, 16_000) == pytest.approx([0.6, 1.25], abs=0.003)

    @pytest.mark.parametrize("name", ["gap.mkv", "gap.mp4", "gap.ts"])
    def test_a_gap_is_silence_and_moves_nothing(self, tmp_path: Path, name: str) -> None:
        path = write(tmp_path / name, Recipe(sound_gap_s=(0.7, 1.1)))
        heard = sound(path, 16_000, 30.0)
        assert heard is not None
        shift = first_shown_s(path, 18) - 0.6
        assert click_times(heard, 16_000) == pytest.approx([0.6 + shift, 1.25 + shift], abs=0.005)

    def test_it_ends_with_the_duration_asked_for(self, files: dict[str, Path]) -> None:
        whole = sound(files["phone.mov"], 16_000, 30.0)
        part = sound(files["phone.mov"], 16_000, 0.75)
        assert whole is not None
        assert part is not None
        assert np.array_equal(part, whole[: round(0.75 * 16_000)])

    @pytest.mark.parametrize(("duration_s", "heard_s"), [(2.0, 0.2), (900.0, 500.2)])
    def test_time_stamps_that_jump_cost_no_memory(self, tmp_path: Path, duration_s: float, heard_s: float) -> None:
        path = with_jumps(write(tmp_path / "whole.mkv", Recipe()), tmp_path / "jumps.mkv", 500.0)
        assert path.stat().st_size < 50_000
        tracemalloc.start()
        try:
            heard = sound(path, 16_000, duration_s)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert heard is not None
        assert len(heard) == pytest.approx(heard_s * 16_000, abs=1_000)
        assert peak_bytes < 2 * heard.nbytes + 20e6  # growing may copy; all that is claimed is 2.7 GB

    def test_a_sample_rate_too_low_to_be_true_is_no_sound(self, tmp_path: Path) -> None:
        content = write(tmp_path / "song.wav", Recipe(codec=None, sound="pcm_s16le")).read_bytes()
        rate = content.index(b"fmt ") + 12
        assert struct.unpack_from("<I", content, rate) == (48_000,)
        slow = content[:rate] + struct.pack("<I", 1) + content[rate + 4 :]
        assert sound(io.BytesIO(slow), 16_000, 900.0) is None

    def test_both_channels_count_half(self, files: dict[str, Path]) -> None:
        heard = sound(files["phone.mov"], 48_000, 30.0)
        assert heard is not None
        assert np.abs(heard).max() == pytest.approx(0.8, abs=0.01)

    def test_there_is_none_without_an_audio_stream(self, long_file: Path) -> None:
        assert sound(long_file, 16_000, 30.0) is None

    def test_damaged_packets_are_passed_over_and_counted(
        self, files: dict[str, Path], caplog: pytest.LogCaptureFixture
    ) -> None:
        content = bytearray(files["old.avi"].read_bytes())
        for at in (content.index(b"01wb", len(content) // 2), content.index(b"01wb", len(content) // 3)):
            content[at + 8 : at + 60] = bytes(52)
        heard = sound(io.BytesIO(content), 16_000, 30.0)
        assert heard is not None
        assert len(heard) == pytest.approx(2 * 16_000, rel=0.03)
        assert "damaged audio packets" in caplog.text


class TestCut:
    @pytest.mark.parametrize(
        "name", ["reordered.mp4", "plain.mp4", "fragmented.mp4", "ten_bits.mp4", "camera.ts", "editor.mkv", "old.flv"]
    )
    def test_packets_are_copied_from_the_key_frame_on(self, files: dict[str, Path], tmp_path: Path, name: str) -> None:
        written = cut(files[name], Segment(0.8, 1.5), tmp_path / "clip.mp4")
        assert 0.0 <= 0.8 - written.start_s < 1.0
        assert codecs_of(tmp_path / "clip.mp4") == codecs_of(files[name])
        assert_same_content(files[name], written, tmp_path / "clip.mp4")

    @pytest.mark.parametrize("name", ["phone.mov", "recorder.webm", "old.webm", "new.webm", "old.avi", "reordered.avi"])
    def test_what_phones_do_not_play_is_encoded(self, files: dict[str, Path], tmp_path: Path, name: str) -> None:
        written = cut(files[name], Segment(0.8, 1.5), tmp_path / "clip.mp4")
        assert set(codecs_of(tmp_path / "clip.mp4")) <= {"h264", "hevc", "av1", "aac"}
        assert_same_content(files[name], written, tmp_path / "clip.mp4")

    def test_sparse_key_frames_are_encoded_to_start_in_time(self, tmp_path: Path) -> None:
        path = write(tmp_path / "sparse.mp4", Recipe(count=90, key_frame_every=90, clicks_s=(2.0,)))
        written = cut(path, Segment(1.7, 2.4), tmp_path / "clip.mp4")
        assert (written.start_s, written.end_s) == pytest.approx((1.7, 2.4), abs=0.03)
        assert numbers(list(frames(tmp_path / "clip.mp4", 30))) == list(range(51, 72))
        assert_same_content(path, written, tmp_path / "clip.mp4")

    def test_a_key_frame_at_the_start_makes_it_exact(self, files: dict[str, Path], tmp_path: Path) -> None:
        written = cut(files["reordered.mp4"], Segment(0.5, 1.0), tmp_path / "clip.mp4")
        assert written.start_s == 0.5
        assert numbers(list(frames(tmp_path / "clip.mp4", 30)))[:15] == list(range(15, 30))

    @pytest.mark.parametrize("rotation", [90, 180, 270])
    @pytest.mark.parametrize("key_frame_every", [15, 90], ids=["copied", "encoded"])
    def test_the_clip_is_turned_as_the_video(self, tmp_path: Path, rotation: int, key_frame_every: int) -> None:
        path = write(tmp_path / "turned.mp4", Recipe(rotation=rotation, count=90, key_frame_every=key_frame_every))
        cut(path, Segment(2.0, 2.5), tmp_path / "clip.mp4")
        clip, whole = probe(tmp_path / "clip.mp4").video, probe(path).video
        assert clip is not None
        assert whole is not None
        assert (clip.rotation, clip.width, clip.height) == (rotation, whole.width, whole.height)

    def test_what_was_trimmed_off_stays_off(self, tmp_path: Path) -> None:
        path = trimmed(write(tmp_path / "whole.mp4", Recipe(b_frames=0, sound=None)), tmp_path / "trimmed.mp4", 20)
        written = cut(path, Segment(0.1, 0.9), tmp_path / "clip.mp4")
        assert written.start_s == pytest.approx(0.1)
        assert numbers(list(frames(tmp_path / "clip.mp4", 30))) == list(range(23, 47))

    def test_a_span_that_begins_before_the_video_is_cut_from_its_start(
        self, files: dict[str, Path], tmp_path: Path
    ) -> None:
        written = cut(files["plain.mp4"], Segment(-0.5, 0.5), tmp_path / "clip.mp4")
        assert (written.start_s, written.end_s) == pytest.approx((0.0, 0.5), abs=0.03)

    def test_the_index_comes_first(self, files: dict[str, Path], tmp_path: Path) -> None:
        cut(files["plain.mp4"], Segment(0.5, 1.0), tmp_path / "clip.mp4")
        content = (tmp_path / "clip.mp4").read_bytes()
        assert content.index(b"moov") < content.index(b"mdat")

    @pytest.mark.parametrize("key_frame_every", [15, 90], ids=["copied", "encoded"])
    def test_time_runs_from_zero(self, tmp_path: Path, key_frame_every: int) -> None:
        path = write(tmp_path / "whole.mp4", Recipe(count=90, key_frame_every=key_frame_every))
        cut(path, Segment(1.6, 2.6), tmp_path / "clip.mp4")
        with av.open(str(tmp_path / "clip.mp4")) as container:
            assert container.start_time == 0
            packets = [packet for packet in container.demux() if packet.size]
            tracks = [[p for p in packets if p.stream == stream] for stream in container.streams]
            assert min(packet.pts for packet in packets if packet.stream == container.streams.video[0]) == 0
        for track in tracks:
            assert all(one.dts < following.dts for one, following in itertools.pairwise(track))
            assert all(packet.dts <= packet.pts for packet in track)

    def test_sound_alone_can_be_cut(self, tmp_path: Path) -> None:
        song = write(tmp_path / "song.mp3", Recipe(codec=None, sound="libmp3lame"))
        written = cut(song, Segment(0.25, 1.0), tmp_path / "clip.mp4")
        heard = sound(tmp_path / "clip.mp4", 16_000, 30.0)
        assert heard is not None
        assert written.start_s + click_times(heard, 16_000)[0] == pytest.approx(0.6, abs=0.005)

    def test_a_target_that_cannot_be_written_is_no_damaged_file(self, files: dict[str, Path], tmp_path: Path) -> None:
        with pytest.raises(OSError, match="No such file") as caught:
            cut(files["plain.mp4"], Segment(0.5, 1.0), tmp_path / "nowhere" / "clip.mp4")
        assert not isinstance(caught.value, av.FFmpegError)

    def test_nothing_is_left_behind_where_there_is_nothing_to_cut(self, files: dict[str, Path], tmp_path: Path) -> None:
        with pytest.raises(DamagedFile):
            cut(files["plain.mp4"], Segment(5.0, 6.0), tmp_path / "clip.mp4")
        assert not (tmp_path / "clip.mp4").exists()


class TestScissors:
    """Twelve clips side by side."""

    SPANS = tuple(Segment(i / 2, (i + 1) / 2) for i in range(12))

    @pytest.mark.parametrize("name", ["sparse.mp4", "sparse.mkv", "sparse.flv"])
    def test_nothing_is_decoded_or_sought_twice_where_key_frames_are_sparse(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        path = write(tmp_path / name, Recipe(count=180, key_frame_every=180, sound=None))
        decoded, demuxed = counted(monkeypatch, "pictures"), counted(monkeypatch, "packets")
        scissors = Scissors(path)
        for number, span in enumerate(self.SPANS[3:], 3):
            written = scissors.cut(span, tmp_path / "clip.mp4")
            assert (written.start_s, written.end_s) == pytest.approx((span.start_s, span.end_s), abs=0.04)
            shown = numbers(list(frames(tmp_path / "clip.mp4", 30)))
            assert shown[:15] == list(range(15 * number, 15 * number + 15))
        assert decoded() <= 180 + 12 * 16  # the latter by this test, of the clips
        assert demuxed() <= 4 * 180 + 12 * 16

    @pytest.mark.parametrize("name", ["reordered.mp4", "camera.ts", "editor.mkv", "old.avi", "new.webm", "old.flv"])
    @pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
    def test_a_clip_is_the_same_as_if_it_were_cut_alone(
        self, files: dict[str, Path], tmp_path: Path, name: str, order: int
    ) -> None:
        scissors = Scissors(files[name])
        for span in [Segment(i * 0.37, (i + 1) * 0.37) for i in range(5)][::order]:
            written = scissors.cut(span, tmp_path / "one.mp4")
            assert written == cut(files[name], span, tmp_path / "alone.mp4")
            one, alone = (numbers(list(frames(tmp_path / name, 30))) for name in ("one.mp4", "alone.mp4"))
            assert one == alone

    def test_all_clips_together_have_the_time_of_one(
        self, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = Crawling(files["plain.mp4"].read_bytes())
        monkeypatch.setattr("shared.media.container.monotonic", source.monotonic)
        scissors = Scissors(source)
        for span in self.SPANS:
            with pytest.raises(DamagedFile, match="too long to read"):
                scissors.cut(span, tmp_path / "clip.mp4")
        assert source.now_s <= 480.0 + len(self.SPANS)


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> Callable[[], int]:
    """How many ``name`` all containers have given by then."""
    count = 0
    method = getattr(Container, name)

    def counting(container: Container, *args: object) -> Iterator[object]:
        nonlocal count
        for one in method(container, *args):
            count += 1
            yield one

    monkeypatch.setattr(Container, name, counting)
    return lambda: count


def codecs_of(path: Path) -> tuple[str, ...]:
    media = probe(path)
    return tuple(stream.codec for stream in (media.video, media.audio) if stream)


def assert_same_content(path: Path, written: Segment, clip: Path) -> None:
    """The clip shows at any time what the file shows ``written.start_s`` later, and sounds alike."""
    whole = {frame.sample: number_of(frame.picture) for frame in frames(path, 1000)}
    # The last picture of a clip stands until its sound has ended, up to one block of it.
    for frame in frames(clip, 1000, Segment(0, written.duration_s - 0.03)):
        later = round((frame.time_s + written.start_s) * 1000)
        assert number_of(frame.picture) in {whole.get(later + jitter) for jitter in (-1, 0, 1)}
    assert probe(clip).duration_s == pytest.approx(written.duration_s, abs=0.03)
    heard, original = sound(clip, 16_000, 30.0), sound(path, 16_000, 30.0)
    assert heard is not None
    assert original is not None
    expected = [at - written.start_s for at in click_times(original, 16_000) if at < written.end_s]
    assert click_times(heard, 16_000) == pytest.approx([at for at in expected if at >= 0], abs=0.005)


class TestDamage:
    @pytest.mark.parametrize(
        "name", ["reordered.mp4", "fragmented.mp4", "camera.ts", "editor.mkv", "old.avi", "old.flv", "recorder.webm"]
    )
    def test_damaged_files_are_read_or_refused(self, files: dict[str, Path], tmp_path: Path, name: str) -> None:
        whole = files[name].read_bytes()
        for seed in range(34):
            for what in ("probe", "frames", "sound", "cut"):
                try:
                    use(what, io.BytesIO(mutated(whole, seed)), tmp_path / "clip.mp4")
                except PermanentError:
                    continue


def mutated(content: bytes, seed: int) -> bytes:
    """The bytes with some flipped, a part cut off, or a part of them elsewhere."""
    draw = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 20, 300))):
        at, other = (draw.randrange(len(damaged)) for _ in range(2))
        length = draw.randrange(1, 2 + len(damaged) // 8)
        match draw.choice(("flip", "flip", "flip", "header", "cut", "splice")):
            case "flip":
                damaged[at] ^= 1 << draw.randrange(8)
            case "header":  # boxes, sizes and indices are at the edges
                damaged[draw.choice((at % 256, -1 - at % min(2048, len(damaged))))] = draw.randrange(256)
            case "cut":
                del damaged[max(len(content) // 4, at) :]
            case "splice":
                damaged[at:at] = damaged[other : other + length]
    return bytes(damaged)


@pytest.mark.data
class TestOddFiles:
    """Files from other projects' tests; what they are is in the README beside them."""

    @pytest.fixture(autouse=True)
    def _data(self) -> None:
        if not DATA.is_dir():
            pytest.skip(f"no files at {DATA}")

    def test_all_are_read_from_start_to_end(self) -> None:
        for path in sorted(DATA.iterdir()):
            media = probe(path)
            count = sum(1 for _ in frames(path, 15, max_height=90))
            assert count == pytest.approx(sample_count(media.duration_s, 15), abs=1), path.name
            heard = sound(path, 16_000, media.duration_s)
            assert (heard is None) == (media.audio is None), path.name

    def test_phones_held_sideways(self) -> None:
        for name, rotation in {
            "decord_video_90.mov": 90,
            "decord_video_270.mov": 270,
            "moviepy_fire2.mp4": 180,
        }.items():
            video = probe(DATA / name).video
            assert video is not None
            assert video.rotation == rotation

    def test_spans_side_by_side_are_one_span(self) -> None:
        for path in sorted(DATA.iterdir()):
            whole = list(frames(path, 15, max_height=90))
            end = probe(path).duration_s
            parts = [
                frames(path, 15, Segment(*edges), max_height=90)
                for edges in itertools.pairwise((0, end / 3, end / 2, end))
            ]
            joined = list(itertools.chain(*parts))
            assert [frame.sample for frame in joined] == [frame.sample for frame in whole], path.name
            assert all(np.array_equal(a.picture, b.picture) for a, b in zip(joined, whole, strict=True)), path.name

    def test_clips_can_be_cut_from_all(self, tmp_path: Path) -> None:
        for path in sorted(DATA.iterdir()):
            end = probe(path).duration_s
            written = cut(path, Segment(end / 4, end / 2), tmp_path / "clip.mp4")
            assert written.start_s <= end / 4 + 0.001, path.name
            assert probe(tmp_path / "clip.mp4").duration_s == pytest.approx(written.duration_s, abs=0.1), path.name


@pytest.mark.parametrize("share", [0.99, 0.8, 0.3])
def test_an_upload_that_broke_off_is_damaged_though_its_index_is_whole(tmp_path: Path, share: float) -> None:
    whole = write(tmp_path / "whole.mp4", Recipe(b_frames=0), movflags="+faststart").read_bytes()
    with pytest.raises(DamagedFile):
        probe(io.BytesIO(whole[: int(share * len(whole))]))


def test_a_recording_that_broke_off_is_damaged_where_its_header_says_how_long_it_was(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mkv", LONG).read_bytes()
    assert probe(io.BytesIO(whole)).duration_s == pytest.approx(LONG.duration_s, abs=0.1)
    with pytest.raises(DamagedFile):
        probe(io.BytesIO(whole[: len(whole) // 2]))


class TestShownAt:
    @pytest.mark.parametrize("name", ["reordered.mp4", "editor.mkv", "old.avi"])
    def test_each_time_has_the_picture_that_a_player_shows(self, files: dict[str, Path], name: str) -> None:
        times_s = [0.0, 0.01, 0.5, 0.5, 0.99, 1.2, 1.9]
        shown = [number_of(picture) for picture in shown_at(files[name], times_s) if picture is not None]
        assert shown == pytest.approx([int(30 * time_s + 0.1) for time_s in times_s], abs=1)

    def test_agrees_with_the_frames_of_a_clock(self, long_file: Path) -> None:
        wanted = list(frames(long_file, 15, Segment(7.0, 11.0)))
        found = list(shown_at(long_file, [frame.time_s for frame in wanted]))
        assert len(found) == len(wanted) == 60
        assert all(np.array_equal(one, frame.picture) for one, frame in zip(found, wanted, strict=True))

    def test_nothing_is_shown_before_the_start_and_after_the_end(self, files: dict[str, Path]) -> None:
        shown = list(shown_at(files["plain.mp4"], [-1.0, 0.5, 2.5, 9.0]))
        assert [picture is None for picture in shown] == [True, False, True, True]

    def test_no_times_have_no_pictures(self, files: dict[str, Path]) -> None:
        assert list(shown_at(files["plain.mp4"], [])) == []


class TestFilm:
    def test_every_drawing_is_shown_at_its_time(self, tmp_path: Path) -> None:
        film((numbered(n, (128, 96)) for n in range(40)), 25.0, tmp_path / "film.mp4")
        media = probe(tmp_path / "film.mp4")
        assert media.duration_s == pytest.approx(1.6)
        assert media.audio is None
        assert numbers(list(frames(tmp_path / "film.mp4", 25.0))) == list(range(40))

    def test_a_soundtrack_is_moved_to_its_span(self, files: dict[str, Path], tmp_path: Path) -> None:
        track = Soundtrack(files["reordered.mp4"], Segment(0.5, 1.5))
        film((numbered(n) for n in range(30)), 30.0, tmp_path / "film.mp4", track)
        samples = sound(tmp_path / "film.mp4", 16000, 5.0)
        assert samples is not None
        assert click_times(samples, 16000) == pytest.approx([0.1, 0.75], abs=0.02)

    def test_a_soundtrack_that_cannot_be_read_is_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "noise").write_bytes(bytes(range(256)) * 9)
        track = Soundtrack(tmp_path / "noise", Segment(0.0, 1.0))
        film((numbered(n) for n in range(5)), 30.0, tmp_path / "film.mp4", track)
        assert probe(tmp_path / "film.mp4").audio is None

    def test_what_fails_leaves_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="needs a picture"):
            film([], 30.0, tmp_path / "film.mp4")
        with pytest.raises(ZeroDivisionError):
            film((numbered(1 // (3 - n)) for n in range(9)), 30.0, tmp_path / "film.mp4")
        assert list(tmp_path.iterdir()) == []


LONG_SONG = Recipe(count=150, sound_until_s=12.0, clicks_s=(0.6, 11.0))
LONG_SONGS = {
    "song.mp4": LONG_SONG,
    "song.mov": LONG_SONG,
    "song.ts": LONG_SONG,
    "song.avi": replace(LONG_SONG, codec="mpeg4", sound="libmp3lame"),
    "song.mkv": LONG_SONG,
    "song.webm": replace(LONG_SONG, codec="libvpx", sound="libopus"),
    "song.flv": LONG_SONG,
}


@pytest.mark.parametrize("name", LONG_SONGS)
class TestSoundThatOutlastsThePicture:
    """Five seconds of picture, twelve of sound."""

    @pytest.fixture
    def path(self, tmp_path: Path, name: str) -> Path:
        return write(tmp_path / name, LONG_SONGS[name])

    def test_it_is_whole(self, path: Path) -> None:
        assert probe(path).duration_s == pytest.approx(12.0, abs=0.15)
        assert len(list(frames(path, 15))) == pytest.approx(75, abs=2)
        heard = sound(path, 16_000, 30.0)
        assert heard is not None
        assert click_times(heard, 16_000) == pytest.approx([0.6, 11.0], abs=0.1)

    def test_nothing_is_shown_beside_its_end(self, path: Path) -> None:
        assert list(frames(path, 15, Segment(6.0, 12.0))) == []
        assert len(list(frames(path, 15, Segment(4.0, 12.0)))) == pytest.approx(15, abs=2)

    def test_what_breaks_off_amid_its_pictures_is_damaged(self, path: Path, name: str) -> None:
        content = path.read_bytes()
        if name not in ("song.ts", "song.avi"):  # which do not know without their end how long they were
            with pytest.raises(DamagedFile):
                probe(io.BytesIO(content[: len(content) // 4]))


class TestAttachments:
    """FFmpeg holds all of them in memory, in every function that opens the file."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return with_attachment(write(tmp_path / "plain.mkv", Recipe()), tmp_path / "attached.mkv", 1 << 20)

    def test_small_ones_are_no_matter(self, path: Path) -> None:
        assert probe(path).duration_s == pytest.approx(2.0, abs=0.05)
        assert numbers(list(frames(path, 30)))[:60] == list(range(60))

    @pytest.mark.parametrize("what", ["probe", "frames", "sound", "cut"])
    def test_large_ones_are_refused(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
    ) -> None:
        monkeypatch.setattr("shared.media.container.OPENING_BYTES", 1 << 19)
        with path.open("rb") as file, pytest.raises(TooLarge, match="attached"):
            use(what, file, tmp_path / "clip.mp4")

    def test_only_what_is_read_while_opening_counts(self, long_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert long_file.stat().st_size > 1 << 20
        monkeypatch.setattr("shared.media.container.OPENING_BYTES", 1 << 19)
        assert probe(long_file).duration_s == pytest.approx(LONG.duration_s, abs=0.1)
        assert len(list(frames(long_file, 30))) == LONG.count


def with_attachment(whole: Path, path: Path, size: int) -> Path:
    with av.open(str(whole)) as source, av.open(str(path), "w") as output:
        streams = [output.add_stream_from_template(stream) for stream in source.streams]
        output.add_attachment("font.ttf", "font/ttf", bytes(size))
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    return path
