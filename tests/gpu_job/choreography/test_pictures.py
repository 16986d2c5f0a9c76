"""The pictures of a choreography: the timeline and the one to share."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from gpu_job.choreography import timeline_picture as timeline
from gpu_job.choreography.plan import Plan
from gpu_job.choreography.thumbnail import HEIGHT, WIDTH, thumbnail
from gpu_job.choreography.timeline_picture import timeline_png
from gpu_job.drawing import MOVE_COLOURS
from shared.errors import NotFound
from shared.library import Move
from shared.media import film
from shared.music import PEAKS, Music, Role
from tests.gpu_job.choreography.filming import laid
from tests.gpu_job.choreography.making import a_library, a_song

MUSIC = a_song(((Role.INTRO, 2), (Role.VERSE, 4), (Role.MAMBO, 2), (Role.CHORUS, 2)), tempo_bpm=120.0)
LIBRARY = a_library(12)
FIRST = [int(np.flatnonzero(LIBRARY.owner == move)[0]) for move in range(12)]
RED, GREEN = (200, 30, 30), (30, 160, 30)


def drawn(content: bytes) -> npt.NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(np.int64)


def share_of(picture: npt.NDArray[np.int64], colour: tuple[int, int, int], within: int = 3) -> float:
    return float(np.mean(np.abs(picture - colour).max(axis=2) <= within))


class TestTimeline:
    def picture(self, plan: Plan, music: Music = MUSIC, title: str = "A song") -> npt.NDArray[np.int64]:
        return drawn(timeline_png(plan, replace(music, peaks=np.ones(PEAKS)), LIBRARY, title))

    def test_a_longer_song_has_more_rows(self) -> None:
        heights = []
        for eights in (4, 30):
            music = a_song(((Role.VERSE, eights),), tempo_bpm=120.0)
            picture = self.picture(laid(music, FIRST), music)
            assert picture.shape[1] == timeline.WIDTH
            heights.append(picture.shape[0])
        assert heights[1] - heights[0] == 3 * timeline._ROW_HEIGHT

    def test_every_label_has_a_colour_and_it_is_seen(self) -> None:
        plan = laid(MUSIC, FIRST)
        picture = self.picture(plan)
        labels = list(dict.fromkeys(LIBRARY.move_of(placed.block).annotation.label for placed in plan.placed))
        assert len(labels) > 3
        for number in range(len(labels)):
            assert share_of(picture, MOVE_COLOURS[number]) > 0.003

    def test_every_role_has_its_colour(self) -> None:
        picture = self.picture(laid(MUSIC, FIRST))
        for role, is_played in {Role.VERSE: True, Role.MAMBO: True, Role.CHORUS: True, Role.BRIDGE: False}.items():
            assert (share_of(picture, timeline._ROLE_COLOURS[role], 0) > 0.001) == is_played

    def test_silence_is_a_line(self) -> None:
        plan = laid(MUSIC, FIRST)
        loud = self.picture(plan)
        silent = drawn(timeline_png(plan, replace(MUSIC, peaks=np.zeros(PEAKS)), LIBRARY, "A song"))
        top = timeline._HEADER_HEIGHT + timeline._WAVE_TOP
        rows = slice(top, top + 40)
        assert share_of(silent[rows], (250, 248, 244), 0) > 0.9 > share_of(loud[rows], (250, 248, 244), 0)

    def test_songs_without_sections_or_name_and_short_ones_are_drawn_too(self) -> None:
        bare = replace(MUSIC, sections=(), tempo_bpm=None)
        assert self.picture(laid(MUSIC, FIRST), bare, "").shape[1] == timeline.WIDTH
        short = a_song(((Role.VERSE, 1),), tempo_bpm=140.0)
        assert self.picture(laid(short, FIRST), short, "word " * 80).shape[1] == timeline.WIDTH


class TestThumbnail:
    @pytest.fixture
    def clips(self, tmp_path: Path) -> dict[str, Path]:
        """One is red, all others are green, between black bars."""
        paths = {}
        for name, colour in (("red", RED), ("green", GREEN)):
            picture = np.zeros((360, 640, 3), np.uint8)
            picture[:, 100:540] = colour
            film((picture for _ in range(300)), 30.0, tmp_path / f"{name}.mp4")
            paths[name] = tmp_path / f"{name}.mp4"
        return paths

    def plan(self) -> Plan:
        """The sixth and seventh eight are the mambo."""
        return laid(MUSIC, [FIRST[0]] * 6 + [FIRST[1]] * 2 + [FIRST[0]] * 2)

    def test_it_shows_the_most_energetic_section_without_bars(self, clips: dict[str, Path]) -> None:
        def opened(move: Move) -> Path:
            return clips["red" if move is LIBRARY.moves[1] else "green"]

        picture = drawn(thumbnail(self.plan(), MUSIC, LIBRARY, opened, "A song"))
        assert picture.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(picture[:250] - RED).max() < 30
        assert share_of(picture[400:], (250, 248, 244), 12) > 0.005

    def test_where_that_clip_is_missing_another_is_shown(self, clips: dict[str, Path]) -> None:
        def opened(move: Move) -> Path:
            if move is LIBRARY.moves[1]:
                raise NotFound
            return clips["green"]

        picture = drawn(thumbnail(self.plan(), MUSIC, LIBRARY, opened, "A song"))
        assert np.abs(picture[:250] - GREEN).max() < 30

    def test_where_all_are_missing_the_words_stand_on_plain_ground(self, tmp_path: Path) -> None:
        picture = drawn(thumbnail(self.plan(), MUSIC, LIBRARY, lambda _: tmp_path / "gone", "word " * 60))
        assert picture.shape == (HEIGHT, WIDTH, 3)
        assert np.ptp(picture[:200]) < 40
        assert share_of(picture[400:], (250, 248, 244), 12) > 0.005
