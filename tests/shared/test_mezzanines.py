"""Clips whose every picture shows its number, brought into one form."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from shared.errors import DamagedFile, NoPicture, NotAVideo
from shared.media import Form, Written, frames, mezzanine
from tests.shared.media_files import Recipe, number_of, numbered, write

FORM = Form(128, 96)
NONE_ASKED = np.zeros(0)


def brought(tmp_path: Path, recipe: Recipe, form: Form = FORM, keys_s: tuple[float, ...] = ()) -> tuple[Path, Written]:
    source = write(tmp_path / "source.mov", recipe)
    target = tmp_path / "clip.mp4"
    return target, mezzanine(source, target, form, np.array(keys_s))


def pictures(path: Path) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def numbers(path: Path) -> list[int]:
    return [number_of(picture) for picture in pictures(path)]


class TestForm:
    def test_clips_of_all_kinds_have_the_same_parameter_sets(self, tmp_path: Path) -> None:
        kinds = (
            Recipe(count=20),
            Recipe(count=40, rate_hz=25, size=(160, 64), rotation=90, b_frames=0),
            Recipe(count=15, codec="libx265", pix_fmt="yuv420p10le", noisy=True),
            Recipe(times_s=(0.0, 0.05, 0.4, 0.41, 1.0), sound=None, codec="mpeg4"),
        )
        headers = {brought(tmp_path, recipe, keys_s=(0.21,))[1].headers for recipe in kinds}
        assert len(headers) == 1
        assert headers != {b""}

    def test_another_form_has_others(self, tmp_path: Path) -> None:
        headers = [brought(tmp_path, Recipe(count=5), form)[1].headers for form in (FORM, Form(160, 96))]
        assert headers[0] != headers[1]

    def test_frames_are_shown_when_they_are_decoded_and_come_evenly(self, tmp_path: Path) -> None:
        path, written = brought(tmp_path, Recipe())
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            packets = [packet for packet in container.demux(stream) if packet.size]
            assert not container.streams.audio
            assert (stream.width, stream.height, stream.pix_fmt) == (128, 96, "yuv420p")
            assert stream.start_time == 0
            assert [packet.pts * stream.time_base for packet in packets] == [Fraction(n, 30) for n in range(60)]
            assert [packet.pts for packet in packets] == [packet.dts for packet in packets]
            assert not stream.codec_context.has_b_frames
        assert (written.frames, written.frame_rate_hz, written.size_bytes) == (60, 30.0, path.stat().st_size)

    def test_there_is_no_edit_list(self, tmp_path: Path) -> None:
        path, _ = brought(tmp_path, Recipe())
        assert b"elst" not in path.read_bytes()

    def test_an_odd_side_is_refused(self) -> None:
        for sides in ((127, 96), (128, 95), (0, 96)):
            with pytest.raises(ValueError, match="even"):
                Form(*sides)


class TestKeyFrames:
    def test_they_are_where_they_are_asked_for_and_at_the_start(self, tmp_path: Path) -> None:
        path, written = brought(tmp_path, Recipe(), keys_s=(0.34, 1.016, 1.55, 9.0, -2.0))
        assert written.key_frames == (0, 10, 30, 47)
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == [0, 10, 30, 47]

    def test_without_any_asked_for_one_comes_every_three_seconds(self, tmp_path: Path) -> None:
        assert brought(tmp_path, Recipe(count=200))[1].key_frames == (0, 90, 180)

    def test_what_follows_one_decodes_without_what_came_before(self, tmp_path: Path) -> None:
        path, _ = brought(tmp_path, Recipe(noisy=True), keys_s=(1.0,))
        whole = pictures(path)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            packets = [packet for packet in container.demux(stream) if packet.size][30:]
            decoder = av.CodecContext.create("h264", "r")
            decoder.extradata = stream.codec_context.extradata
            decoded = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
        assert len(decoded) == 30
        for frame, picture in zip(decoded, whole[30:], strict=True):
            assert np.array_equal(frame.to_ndarray(format="rgb24"), picture)


class TestTime:
    def test_a_constant_rate_is_brought_to_another(self, tmp_path: Path) -> None:
        path, _ = brought(tmp_path, Recipe(count=25, rate_hz=25), Form(128, 96, 50.0))
        assert numbers(path) == [n // 2 for n in range(50)]

    def test_a_variable_rate_becomes_constant(self, tmp_path: Path) -> None:
        times_s = tuple(np.cumsum([0.0, *np.random.default_rng(1).uniform(0.01, 0.12, 40)]).tolist())
        path, written = brought(tmp_path, Recipe(times_s=times_s, sound=None))
        found = numbers(path)
        assert written.frames == len(found)
        for n, number in enumerate(found):
            shown_s = times_s[number]
            assert shown_s <= n / 30 + 0.002
            assert number == len(times_s) - 1 or times_s[number + 1] > n / 30 + 0.002 - 1e-4

    def test_the_clock_is_that_of_the_container_and_not_of_the_picture(self, tmp_path: Path) -> None:
        source = write(tmp_path / "late.mkv", Recipe(first_picture_s=0.9))
        mezzanine(source, tmp_path / "clip.mp4", FORM, NONE_ASKED)
        found = numbers(tmp_path / "clip.mp4")
        assert found[:27] == [0] * 27
        assert found[27:87] == list(range(60))

    def test_a_hole_shows_what_was_before_it(self, tmp_path: Path) -> None:
        path, written = brought(tmp_path, Recipe(times_s=(0.0, 1.0, 13.0, 14.0), sound=None))
        found = numbers(path)
        assert found[:420] == [0] * 30 + [1] * 360 + [2] * 30
        assert written.frames == len(found)

    def test_a_long_hole_is_damage(self, tmp_path: Path) -> None:
        with pytest.raises(DamagedFile, match="shows nothing"):
            brought(tmp_path, Recipe(times_s=(0.0, 1.0, 400.0, 401.0), sound=None))
        assert not (tmp_path / "clip.mp4").exists()


class TestPlace:
    @pytest.mark.parametrize("rotation", [0, 90, 180, 270])
    def test_the_picture_stands_upright_between_black_bars(self, tmp_path: Path, rotation: int) -> None:
        path, _ = brought(tmp_path, Recipe(count=30, size=(64, 32), rotation=rotation), Form(96, 96))
        upright = [frame.picture for frame in frames(tmp_path / "source.mov", 30)][5]  # bars that have no symmetry
        shown = pictures(path)[5]
        high, wide = (96, 48) if rotation in (90, 270) else (48, 96)
        top, left = (96 - high) // 2, (96 - wide) // 2
        inside = shown[top : top + high, left : left + wide]
        large = np.asarray(VideoFrame.from_ndarray(upright).reformat(wide, high, "rgb24").to_ndarray())
        assert np.abs(inside.astype(int) - large).mean() < 8
        bars = np.ones(shown.shape[:2], bool)
        bars[top : top + high, left : left + wide] = False
        assert shown[bars].max() < 12

    def test_pixels_that_are_not_square_are_stretched(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "wide.mp4"), "w") as output:
            stream = output.add_stream("libx264", rate=30, width=64, height=64, pix_fmt="yuv420p")
            stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
            for _ in range(10):
                output.mux(stream.encode(VideoFrame.from_ndarray(numbered(0b10110101, (64, 64)) + 25)))
            output.mux(stream.encode(None))
        mezzanine(tmp_path / "wide.mp4", tmp_path / "clip.mp4", Form(128, 128), NONE_ASKED)
        shown = pictures(tmp_path / "clip.mp4")[5]
        assert shown[:30].max() < 12
        assert shown[-30:].max() < 12
        assert shown[34:94, :, :].max(axis=2).min() > 30
        assert number_of(shown) == 0b10110101

    @pytest.mark.parametrize("matrix", [Colorspace.ITU601, Colorspace.ITU709])
    @pytest.mark.parametrize("range_", [ColorRange.MPEG, ColorRange.JPEG])
    def test_colours_stay_what_they_were(self, tmp_path: Path, matrix: Colorspace, range_: ColorRange) -> None:
        colour = (200, 60, 30)
        with av.open(str(tmp_path / "colour.mp4"), "w") as output:
            stream = output.add_stream("libx264", rate=30, width=64, height=48, pix_fmt="yuv420p")
            stream.codec_context.colorspace = 6 if matrix == Colorspace.ITU601 else 1
            stream.codec_context.color_range = range_
            rgb = VideoFrame.from_ndarray(np.full((48, 64, 3), colour, np.uint8))
            for _ in range(10):
                frame = rgb.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=range_)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        mezzanine(tmp_path / "colour.mp4", tmp_path / "clip.mp4", Form(64, 48), NONE_ASKED)
        with av.open(str(tmp_path / "clip.mp4")) as container:
            frame = next(container.decode(video=0))
            assert (frame.colorspace, frame.color_range) == (1, ColorRange.MPEG)
            shown = frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709).to_ndarray()
        assert np.abs(shown.astype(int) - colour).max() <= 6


class TestRefusals:
    def test_sound_alone(self, tmp_path: Path) -> None:
        song = write(tmp_path / "song.mp3", Recipe(codec=None, sound="libmp3lame"))
        with pytest.raises(NoPicture):
            mezzanine(song, tmp_path / "clip.mp4", FORM, NONE_ASKED)
        assert not (tmp_path / "clip.mp4").exists()

    def test_what_is_no_video(self, tmp_path: Path) -> None:
        (tmp_path / "text.mp4").write_text("just some text" * 100)
        with pytest.raises(NotAVideo):
            mezzanine(tmp_path / "text.mp4", tmp_path / "clip.mp4", FORM, NONE_ASKED)

    def test_a_video_of_which_no_picture_decodes(self, tmp_path: Path) -> None:
        path = write(tmp_path / "plain.mp4", Recipe(b_frames=0))
        content = bytearray(path.read_bytes())
        start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
        content[start:end] = bytes(end - start)
        path.write_bytes(content)
        with pytest.raises(DamagedFile):
            mezzanine(path, tmp_path / "clip.mp4", FORM, NONE_ASKED)
        assert not (tmp_path / "clip.mp4").exists()

    def test_a_target_that_cannot_be_written(self, tmp_path: Path) -> None:
        source = write(tmp_path / "source.mov", Recipe(count=5))
        with pytest.raises(OSError, match="nowhere"):
            mezzanine(source, tmp_path / "nowhere" / "clip.mp4", FORM, NONE_ASKED)
