"""Blocks laid upon songs: when is which frame shown?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpu_job.choreography.footage import Run, runs_of, spans_of, takes_of
from gpu_job.choreography.plan import Plan
from shared.library import Move, MoveLibrary
from shared.media import Take
from shared.music import Music, Role
from shared.timeline import BeatGrid
from tests.gpu_job.choreography.filming import laid
from tests.gpu_job.choreography.making import a_library, a_song


def jittered(music: Music, seed: int = 0) -> Music:
    """The same song, played by people."""
    beats_s = music.beats.beats_s + np.random.default_rng(seed).uniform(-0.02, 0.02, len(music.beats))
    return replace(music, beats=BeatGrid(beats_s, music.beats.positions))


MUSIC = jittered(a_song(((Role.VERSE, 4), (Role.CHORUS, 4)), tempo_bpm=126.0, drift=0.02))
LIBRARY = a_library(30)
LONG = [move for move in range(30) if len(LIBRARY.moves[move].blocks) >= 3]


def opened(move: Move) -> Path:
    return Path(move.mezzanine)


def block(move: int, number: int = 0) -> int:
    return int(np.flatnonzero(LIBRARY.owner == move)[number])


def takes(plan: Plan, music: Music = MUSIC, library: MoveLibrary = LIBRARY) -> tuple[tuple[Run, Take], ...]:
    runs = runs_of(plan, library)
    return tuple(zip(runs, takes_of(runs, music, opened), strict=True))


class TestTakes:
    def test_every_cut_is_on_its_downbeat(self) -> None:
        plan = laid(MUSIC, [block(0), block(1), block(2)])
        found = takes(plan)
        assert len(found) == 8
        for number, (_, take) in enumerate(found):
            assert take.shown_s[0] == MUSIC.beats.beats_s[8 * number]

    def test_the_beats_of_the_clip_meet_those_of_the_song(self) -> None:
        for run, take in takes(laid(MUSIC, [block(3), block(7)])):
            clip_s = (take.first_frame + np.arange(len(take.shown_s))) / run.move.frame_rate_hz
            for beat in range(8):
                shown_s = np.interp(run.move.beats.time_of(run.clip_beat + beat), clip_s, take.shown_s)
                # The first frame is up to half its length off the beat, and the beat lies between two frames.
                within_s = 0.018 if beat == 0 else 0.002
                assert shown_s == pytest.approx(MUSIC.beats.time_of(run.song_beat + beat), abs=within_s)

    def test_a_take_begins_with_the_key_frame_nearest_to_the_beat(self) -> None:
        for run, take in takes(laid(MUSIC, [block(4, 0), block(5, 0), block(LONG[0], 2)])):
            beat_s = float(run.move.beats.time_of(run.clip_beat))
            assert abs(take.first_frame / 30 - beat_s) <= 0.5 / 30 + 1e-9

    def test_frames_come_in_order_and_at_times_that_can_be_seen(self) -> None:
        found = takes(laid(MUSIC, [block(0), block(1), block(8)]))
        times_s = np.concatenate([take.shown_s for _, take in found])
        assert np.diff(times_s).min() >= 0.0099
        assert len(times_s) == pytest.approx(MUSIC.duration_s * 30, rel=0.15)

    def test_blocks_that_go_on_in_their_clip_are_one_take(self) -> None:
        move = LONG[0]
        found = takes(laid(MUSIC, [block(move, 0), block(move, 1), block(move, 2), block(9)]))
        assert [len(run.placed) for run, _ in found] == [3, 1, 3, 1]
        run, take = found[0]
        assert np.diff(take.shown_s).max() < 0.05
        assert len(take.shown_s) == pytest.approx(24 * run.move.beats.period_s * 30, abs=8)

    def test_a_block_again_is_a_cut(self) -> None:
        assert len(takes(laid(MUSIC, [block(2)]))) == 8

    def test_a_slot_of_fewer_counts_shows_the_first_of_its_block_and_then_cuts(self) -> None:
        music = jittered(a_song(((Role.VERSE, 4),), tempo_bpm=126.0, broken_after=(1,)))
        move = LONG[0]
        plan = laid(music, [block(move, 0), block(move, 1), block(move, 2)])
        assert [placed.slot.counts for placed in plan.placed] == [8, 8, 2, 8, 8]
        found = takes(plan, music)
        assert [len(run.placed) for run, _ in found] == [3, 2]
        cut_s = found[1][1].shown_s[0]
        assert cut_s == music.beats.beats_s[18]
        assert found[0][1].shown_s[-1] < cut_s


class TestEnds:
    def test_the_last_clip_goes_on_as_long_as_it_has_frames(self) -> None:
        move = LONG[0]
        frames = LIBRARY.moves[move].frames
        for number in (0, len(LIBRARY.moves[move].blocks) - 1):
            _, take = takes(laid(MUSIC, [block(2), block(move, number)]))[-1]
            shown = take.first_frame + len(take.shown_s)
            assert shown <= frames
            assert take.shown_s[-1] < MUSIC.duration_s
            assert shown == frames or take.shown_s[-1] > MUSIC.duration_s - 0.05

    def test_each_is_shown_until_the_next_and_all_of_the_song_is_filled(self) -> None:
        music = replace(MUSIC, duration_s=MUSIC.duration_s + 20)
        spans = spans_of(runs_of(laid(music, [block(0), block(1)]), LIBRARY), music)
        assert spans[0].start_s == 0.0
        assert [one.end_s for one in spans[:-1]] == [other.start_s for other in spans[1:]]
        assert spans[-1].end_s == music.duration_s

    def test_where_a_run_is_left_out_the_one_before_goes_on(self) -> None:
        runs = runs_of(laid(MUSIC, [block(LONG[0]), block(1)]), LIBRARY)
        _, take, after = takes_of((runs[0], runs[2], runs[4]), MUSIC, opened)[:3]
        assert take.shown_s[-1] > MUSIC.beats.beats_s[24] + 1
        assert take.shown_s[-1] < after.shown_s[0] == MUSIC.beats.beats_s[32]

    def test_a_plan_of_nothing_has_no_runs(self) -> None:
        assert runs_of(Plan((), 0.0), LIBRARY) == ()


class TestWarping:
    def test_there_and_back_is_the_same_time(self) -> None:
        run = runs_of(laid(MUSIC, [block(6)]), LIBRARY)[3]
        times_s = np.linspace(0.0, MUSIC.duration_s, 200)
        assert run.song_s(run.clip_s(times_s, MUSIC), MUSIC) == pytest.approx(times_s, abs=1e-9)
