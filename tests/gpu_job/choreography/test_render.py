"""Made-up dances rendered: every frame of the film is looked up in the clips that it was made of."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from gpu_job.choreography.plan import Plan
from gpu_job.choreography.render import Rendered, rendered
from shared.errors import ClipsGone, LostLease, NoSound, NotFound, SourceGone
from shared.library import Move
from shared.media import Form, Source, mezzanine, probe, sound
from shared.music import Role
from shared.wishes import Quality
from tests.gpu_job.choreography.filming import Filmed, filmed, fingerprints, known, laid
from tests.gpu_job.choreography.making import a_song
from tests.shared.media_files import click_times, number_of, write_song

MUSIC = a_song(((Role.INTRO, 1), (Role.VERSE, 3)), tempo_bpm=124.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    return filmed(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clicks on the beats."""
    path = tmp_path_factory.mktemp("song") / "song.m4a"
    return write_song(path, "aac", MUSIC.beats.beats_s.tolist(), MUSIC.duration_s)


def film_of(clips: Filmed, plan: Plan, song: Path, target: Path, quality: Quality = Quality.FAST) -> Rendered:
    return rendered(plan, MUSIC, clips.library, clips.opened, song, quality, target, itertools.count().__next__)


def pictures(path: Path) -> tuple[npt.NDArray[np.float64], list[npt.NDArray[np.uint8]]]:
    """Their times, seconds, and they themselves."""
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return np.array([time_s for time_s, _ in frames]), [picture for _, picture in frames]


class TestFast:
    def test_every_frame_is_a_frame_of_its_clip_and_on_the_beat(
        self, clips: Filmed, song: Path, tmp_path: Path
    ) -> None:
        plan = laid(MUSIC, [clips.block(0), clips.block(1), clips.block(2)])
        told = film_of(clips, plan, song, tmp_path / "dance.mp4")
        frames = known(clips, clips.library.moves)
        shown = [(time_s, *frames[print_]) for time_s, print_ in fingerprints(tmp_path / "dance.mp4")]
        for placed in plan.placed:
            move, slot = clips.library.move_of(placed.block), placed.slot
            danced = [one for one in shown[1:] if one[0] in slot.segment.padded(1e-4)]
            assert {clip for _, clip, _ in danced[1:-1]} == {move.id}
            for beat in range(1, slot.counts):
                clip_s = clips.library.segment_of(placed.block).start_s  # of the block's first beat
                first = int(np.argmin(np.abs(move.beats.beats_s - clip_s)))
                seen_s = np.interp(
                    move.beats.beats_s[first + beat],
                    [n / 30 for _, _, n in danced[1:-1]],
                    [t for t, _, _ in danced[1:-1]],
                )
                assert seen_s == pytest.approx(MUSIC.beats.beats_s[slot.first_beat + beat], abs=0.002)
        assert told == Rendered(MUSIC.duration_s, 3, (), 1)

    def test_the_song_is_heard_in_time(self, clips: Filmed, song: Path, tmp_path: Path) -> None:
        film_of(clips, laid(MUSIC, [clips.block(0), clips.block(1)]), song, tmp_path / "dance.mp4")
        samples = sound(tmp_path / "dance.mp4", 48_000, 60.0)
        assert samples is not None
        assert click_times(samples, 48_000) == pytest.approx(MUSIC.beats.beats_s, abs=0.002)

    def test_it_is_as_long_as_the_song(self, clips: Filmed, song: Path, tmp_path: Path) -> None:
        plan = laid(MUSIC, [clips.block(0)], lambda slot: slot.first_beat in (8, 16))
        film_of(clips, plan, song, tmp_path / "dance.mp4")
        assert probe(tmp_path / "dance.mp4").duration_s == pytest.approx(MUSIC.duration_s, abs=0.03)
        times = [time_s for time_s, _ in fingerprints(tmp_path / "dance.mp4")]
        assert times[0] == 0.0
        assert times[1] > MUSIC.beats.beats_s[8]


class TestMissing:
    def plan(self, clips: Filmed) -> Plan:
        return laid(MUSIC, [clips.block(0), clips.block(1), clips.block(2)])

    @pytest.mark.parametrize("quality", [Quality.FAST, Quality.BALANCED])
    @pytest.mark.parametrize("fault", ["unknown", "gone", "cut off", "text", "another form"])
    def test_the_clip_before_goes_on_and_the_result_says_whose_turn_it_was(
        self, clips: Filmed, song: Path, tmp_path: Path, quality: Quality, fault: str
    ) -> None:
        lost = clips.library.moves[1]

        def opened(move: Move) -> Path:
            return faulty(fault, clips, move, tmp_path) if move is lost else clips.opened(move)

        target = tmp_path / "dance.mp4"
        told = rendered(self.plan(clips), MUSIC, clips.library, opened, song, quality, target)
        assert (told.missing, told.cuts) == ((lost.id,), 2)
        assert probe(target).duration_s == pytest.approx(MUSIC.duration_s, abs=0.05)
        if quality is Quality.FAST:
            frames = known(clips, clips.library.moves)
            clips_shown = [frames[print_][0] for _, print_ in fingerprints(target)]
            order = [name for name, _ in itertools.groupby(clips_shown)]
            assert order == [clips.library.moves[number].id for number in (0, 2, 0)]

    def test_the_first_clip_of_all_may_be_missing(self, clips: Filmed, song: Path, tmp_path: Path) -> None:
        lost = clips.library.moves[0]

        def opened(move: Move) -> Path:
            return tmp_path / "gone" if move is lost else clips.opened(move)

        told = rendered(self.plan(clips), MUSIC, clips.library, opened, song, Quality.FAST, tmp_path / "dance.mp4")
        assert told.missing == (lost.id, lost.id)
        assert [time_s for time_s, _ in fingerprints(tmp_path / "dance.mp4")][1] > MUSIC.beats.beats_s[8]

    @pytest.mark.parametrize("quality", Quality)
    def test_where_none_is_left_there_is_no_dance(
        self, clips: Filmed, song: Path, tmp_path: Path, quality: Quality
    ) -> None:
        with pytest.raises(ClipsGone):
            rendered(
                self.plan(clips),
                MUSIC,
                clips.library,
                lambda _: tmp_path / "gone",
                song,
                quality,
                tmp_path / "dance.mp4",
            )
        assert not (tmp_path / "dance.mp4").exists()

    def test_a_network_that_fails_is_no_missing_clip(self, clips: Filmed, song: Path, tmp_path: Path) -> None:
        def opened(_move: Move) -> Path:
            raise ConnectionResetError("the network")

        with pytest.raises(ConnectionResetError):
            rendered(self.plan(clips), MUSIC, clips.library, opened, song, Quality.FAST, tmp_path / "dance.mp4")

    def test_a_song_without_sound_is_refused(self, clips: Filmed, tmp_path: Path) -> None:
        for quality in Quality:
            with pytest.raises(NoSound):
                film_of(clips, self.plan(clips), clips.opened(clips.library.moves[0]), tmp_path / "dance.mp4", quality)


class Going(io.BytesIO):
    """A file that somebody deletes while it is read."""

    def __init__(self, path: Path, is_gone: Callable[[], object]) -> None:
        super().__init__(path.read_bytes())
        self._is_gone = is_gone

    def read(self, size: int | None = -1, /) -> bytes:
        if self._is_gone():
            raise SourceGone
        return super().read(size)


class TestGoing:
    """What goes while the film is made."""

    def film_of(
        self, clips: Filmed, song: Path, target: Path, quality: Quality, lost: Sequence[Move], shares: list[float]
    ) -> Rendered:
        """``lost`` go when the film has begun. Each time that it grows is noted in ``shares``."""

        def opened(move: Move) -> Source:
            return Going(clips.opened(move), lambda: move in lost and shares)

        plan = laid(MUSIC, [clips.block(0), clips.block(1), clips.block(2)])
        return rendered(plan, MUSIC, clips.library, opened, song, quality, target, report=shares.append)

    @pytest.mark.parametrize("quality", [Quality.FAST, Quality.BALANCED])
    def test_the_film_is_as_if_the_clip_had_been_missing_from_the_start(
        self, clips: Filmed, song: Path, tmp_path: Path, quality: Quality
    ) -> None:
        lost = clips.library.moves[1]

        def opened(move: Move) -> Path:
            return tmp_path / "gone" if move is lost else clips.opened(move)

        plan, expected = laid(MUSIC, [clips.block(0), clips.block(1), clips.block(2)]), tmp_path / "expected.mp4"
        rendered(plan, MUSIC, clips.library, opened, song, quality, expected)
        told = self.film_of(clips, song, tmp_path / "dance.mp4", quality, [lost], [])
        assert (told.missing, told.cuts) == ((lost.id,), 2)
        assert (tmp_path / "dance.mp4").read_bytes() == expected.read_bytes()

    @pytest.mark.parametrize("quality", [Quality.FAST, Quality.BALANCED])
    def test_several_may_go(self, clips: Filmed, song: Path, tmp_path: Path, quality: Quality) -> None:
        lost = clips.library.moves[1:3]
        told = self.film_of(clips, song, tmp_path / "dance.mp4", quality, lost, [])
        assert (told.missing, told.cuts) == (tuple(move.id for move in lost), 1)
        assert probe(tmp_path / "dance.mp4").duration_s == pytest.approx(MUSIC.duration_s, abs=0.05)

    @pytest.mark.parametrize("quality", [Quality.FAST, Quality.BALANCED])
    def test_where_all_go_there_is_no_dance(self, clips: Filmed, song: Path, tmp_path: Path, quality: Quality) -> None:
        with pytest.raises(ClipsGone):
            self.film_of(clips, song, tmp_path / "dance.mp4", quality, clips.library.moves, [0.0])
        assert not (tmp_path / "dance.mp4").exists()

    @pytest.mark.parametrize("quality", [Quality.FAST, Quality.BALANCED])
    def test_a_song_that_goes_is_no_clip_that_goes(
        self, clips: Filmed, song: Path, tmp_path: Path, quality: Quality
    ) -> None:
        seen: list[Move] = []

        def opened(move: Move) -> Path:
            seen.append(move)
            return clips.opened(move)

        plan = laid(MUSIC, [clips.block(0), clips.block(1)])
        going = Going(song, lambda: seen)
        with pytest.raises(SourceGone):
            rendered(plan, MUSIC, clips.library, opened, going, quality, tmp_path / "dance.mp4")
        assert not (tmp_path / "dance.mp4").exists()


class TestReport:
    @pytest.mark.parametrize("quality", [Quality.FAST, Quality.BALANCED])
    def test_it_grows_with_the_film_and_does_not_begin_again(
        self, clips: Filmed, song: Path, tmp_path: Path, quality: Quality
    ) -> None:
        for lost in ([], [clips.library.moves[1]]):
            shares: list[float] = []
            TestGoing().film_of(clips, song, tmp_path / "dance.mp4", quality, lost, shares)
            assert 3 <= len(shares) <= 20
            assert np.all(np.diff(shares) > 0)
            assert 0 < shares[0] <= 0.5 < shares[-1] <= 1

    @pytest.mark.parametrize("quality", [Quality.FAST, Quality.BALANCED])
    def test_what_it_raises_ends_the_film(self, clips: Filmed, song: Path, tmp_path: Path, quality: Quality) -> None:
        def report(_share: float) -> None:
            raise LostLease

        plan = laid(MUSIC, [clips.block(0)])
        with pytest.raises(LostLease):
            rendered(
                plan, MUSIC, clips.library, clips.opened, song, quality, tmp_path / "dance.mp4", report=report
            )  # fmt: skip
        assert not (tmp_path / "dance.mp4").exists()


def faulty(fault: str, clips: Filmed, move: Move, folder: Path) -> Path:
    if fault == "unknown":
        raise NotFound
    path = folder / "faulty.mp4"
    if fault == "cut off":
        content = clips.opened(move).read_bytes()
        path.write_bytes(content[: len(content) * 3 // 4])
    if fault == "text":
        path.write_text("no video" * 100)
    if fault == "another form":
        mezzanine(clips.opened(move), path, Form(96, 48), move.beats.downbeats_s)
    return path


@dataclass(frozen=True)
class Encoded:
    clips: Filmed
    plan: Plan
    path: Path
    times_s: npt.NDArray[np.float64]
    shown: list[npt.NDArray[np.uint8]]


@pytest.fixture(scope="module", params=[Quality.BALANCED, Quality.HIGH])
def dance(song: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Encoded:
    """Of pictures of which the badge leaves something free."""
    clips = filmed(tmp_path_factory.mktemp("wide"), clips=2, form=Form(320, 240))
    plan, path = laid(MUSIC, [clips.block(0), clips.block(1)]), tmp_path_factory.mktemp("dance") / "dance.mp4"
    film_of(clips, plan, song, path, request.param)
    return Encoded(clips, plan, path, *pictures(path))


class TestEncoded:
    def test_it_runs_evenly_with_every_clip_on_the_beat(self, dance: Encoded) -> None:
        assert np.diff(dance.times_s) == pytest.approx(1 / 30, abs=1e-4)
        assert len(dance.times_s) == pytest.approx(MUSIC.duration_s * 30, abs=1)
        for placed in dance.plan.placed:
            move, slot = dance.clips.library.move_of(placed.block), placed.slot
            block = dance.clips.library.segment_of(placed.block)
            first = int(np.argmin(np.abs(move.beats.beats_s - block.start_s)))
            for beat in (0, 3, 6):
                frame = int(np.ceil(MUSIC.beats.beats_s[slot.first_beat + beat] * 30 - 1e-6))
                danced = move.beats.beats_s[first + beat] * 30
                assert number_of(dance.shown[frame][120:]) == pytest.approx(danced % 256, abs=1.5)

    def test_clips_fade_into_each_other_before_the_one(self, dance: Encoded) -> None:
        cut = int(np.ceil(MUSIC.beats.beats_s[8] * 30 - 1e-6))
        are_plain = [within_two_shades(dance.shown[cut + step]) for step in range(-12, 6)]
        assert all(are_plain[:6])
        assert not any(are_plain[7:11])
        assert all(are_plain[12:])

    def test_counts_are_called_from_the_first_beat_to_the_last(self, dance: Encoded) -> None:
        corners = [picture[10:40, 15:35].astype(int) for picture in dance.shown]
        beats = np.floor(MUSIC.beats.beat_of(dance.times_s)).astype(int)
        changes = {n for n in range(1, len(corners)) if np.abs(corners[n] - corners[n - 1]).mean() > 12}
        called = {int(np.flatnonzero(beats == beat)[0]) for beat in range(33)}
        assert len(called - changes) <= 2
        assert np.abs(corners[0] - corners[1]).mean() < 12

    def test_the_song_is_copied(self, dance: Encoded, song: Path) -> None:
        with av.open(str(dance.path)) as film, av.open(str(song)) as original:
            copied, played = ([bytes(p) for p in each.demux(audio=0) if p.size] for each in (film, original))
        assert copied == played[: len(copied)]


def within_two_shades(picture: npt.NDArray[np.uint8]) -> bool:
    """Whether the bars at the bottom are black or white, and none between."""
    bars = picture[140:220, 20::40, 1].mean(axis=0)
    return bool(np.all((bars < 60) | (bars > 190)))
