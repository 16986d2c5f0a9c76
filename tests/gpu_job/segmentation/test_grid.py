"""Half-beats: where they lie, and what happens where music or dancer are missing."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.segmentation.grid import Rhythm, half_beats, motion_pulse, seen_part, whole_grid
from shared.errors import NobodyFound
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import BeatGrid
from tests.gpu_job.segmentation.truth import danced, heard, unseen


def standing(samples: int, rate_hz: float = 15.0) -> PoseFeatures:
    """Somebody who does not move at all."""
    points = np.repeat(np.random.default_rng(0).random((1, 33, 2)), samples, axis=0)
    return PoseFeatures.from_landmarks(points, np.ones((samples, 33)), rate_hz)


def test_half_beats_lie_on_and_between_the_beats_of_the_music() -> None:
    grid = half_beats(standing(150), heard(BeatGrid.regular(0.5, 10.0, 0.25), 120.0, 10.0))
    assert grid.counted
    assert grid.times_s == pytest.approx(np.arange(0.0, 10.01, 0.25))


def test_positions_count_the_bar_from_the_downbeat() -> None:
    beats = BeatGrid(np.arange(1, 9) / 2, np.array([3, 4, 1, 2, 3, 4, 1, 2]))
    grid = half_beats(standing(30), heard(beats, 120.0, 2.0))
    places = dict(zip(grid.times_s.round(2).tolist(), grid.positions.tolist(), strict=True))
    assert [places[t] for t in (0.0, 0.25, 0.5, 1.0, 1.5, 1.75)] == [2.0, 2.5, 3.0, 4.0, 1.0, 1.5]


def test_points_are_four_a_beat() -> None:
    grid = half_beats(standing(60), heard(BeatGrid.regular(0.5, 4.0), 120.0, 4.0))
    assert np.diff(grid.point_times_s()) == pytest.approx(0.125)
    assert grid.point_times_s()[::2] == pytest.approx(grid.times_s)


def test_beats_that_a_break_leaves_out_are_filled_in() -> None:
    whole = whole_grid(BeatGrid(np.array([0.0, 0.5, 1.0, 1.5, 4.0, 4.5]), np.array([1, 2, 3, 4, 1, 2])))
    assert whole.beats_s == pytest.approx(np.arange(0, 4.6, 0.5))
    assert whole.positions.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]


def test_where_the_break_ends_the_bar_is_taken_from_the_music() -> None:
    whole = whole_grid(BeatGrid(np.array([0.0, 0.5, 1.0, 2.5, 3.0]), np.array([1, 2, 3, 1, 2])))
    assert whole.positions.tolist() == [1, 2, 3, 4, 1, 1, 2]


@pytest.mark.parametrize("beats", [BeatGrid.none(), BeatGrid(np.array([1.0]), np.array([1]))])
def test_without_two_beats_half_seconds_are_taken_and_not_called_counts(beats: BeatGrid) -> None:
    grid = half_beats(standing(150), heard(beats, None, 10.0))
    assert not grid.counted
    assert grid.pulse.period_s == 0.5
    assert [notice.code for notice in grid.notices] == ["NO_BEAT"]
    assert grid.rhythm is Rhythm.NONE


def test_beats_that_nobody_could_dance_to_are_not_used() -> None:
    grid = half_beats(standing(150), heard(BeatGrid(np.array([1.0, 9.0]), np.array([1, 2])), 7.5, 10.0))
    assert not grid.counted


def test_two_beats_are_enough_for_a_grid() -> None:
    grid = half_beats(standing(150), heard(BeatGrid(np.array([4.0, 4.5]), np.array([1, 2])), 120.0, 10.0))
    assert grid.counted
    assert grid.times_s == pytest.approx(np.arange(0, 10.01, 0.25))


def test_an_uncertain_tempo_is_used_and_said_to_be_uncertain() -> None:
    sure = heard(BeatGrid.regular(0.5, 10.0), 120.0, 10.0)
    unsure = AudioFeatures(**{f: getattr(sure, f) for f in sure.__slots__} | {"tempo_confidence": 0.05})
    grid = half_beats(standing(150), unsure)
    assert grid.counted
    assert [notice.code for notice in grid.notices] == ["UNSURE_BEAT"]


@pytest.mark.parametrize("tempo_bpm", [100.0, 120.0, 140.0])
def test_the_pulse_of_a_dancer_is_found_in_the_motion(tempo_bpm: float) -> None:
    times_s = np.arange(600) / 30
    points = np.random.default_rng(0).random((1, 33, 2)) + np.zeros((600, 1, 1))
    points[:, 25:] += 0.1 * np.cos(np.pi * times_s * tempo_bpm / 60)[:, None, None]
    pulse = motion_pulse(PoseFeatures.from_landmarks(points, np.ones((600, 33)), 30.0))
    assert pulse is not None
    assert 60 / pulse.period_s == pytest.approx(tempo_bpm, rel=0.02)
    off = (pulse.beats_s * tempo_bpm / 60 + 0.5) % 1 - 0.5  # the legs turn round, and rest, at every beat
    assert np.abs(off[:10]).max() < 0.1


def test_somebody_who_stands_still_has_no_pulse() -> None:
    assert motion_pulse(standing(600)) is None


def test_noise_has_no_pulse() -> None:
    points = np.random.default_rng(0).random((600, 33, 2))
    assert motion_pulse(PoseFeatures.from_landmarks(points, np.ones((600, 33)), 30.0)) is None


def test_the_danced_part_is_where_somebody_is_seen() -> None:
    part = seen_part(unseen(unseen(standing(300), 0, 45), 270, 300))
    assert (part.start_s, part.end_s) == (pytest.approx(3.0), pytest.approx(18.0))


def test_a_flash_of_a_detection_does_not_start_the_dance() -> None:
    part = seen_part(unseen(unseen(standing(300), 0, 10), 11, 90))
    assert part.start_s == pytest.approx(6.0)


def test_a_dancer_seen_in_flashes_only_is_still_seen() -> None:
    pose = standing(300)
    for start in range(0, 300, 30):
        pose = unseen(pose, start, start + 29)
    assert seen_part(pose).duration_s > 15


@pytest.mark.parametrize("pose", [unseen(standing(30), 0, 30), standing(0)])
def test_nobody_in_sight_is_an_error(pose: PoseFeatures) -> None:
    with pytest.raises(NobodyFound):
        half_beats(pose, AudioFeatures.silent(2.0, 15.0))


def test_a_pose_that_starts_late_keeps_its_place_on_the_clock() -> None:
    truth = danced(1, duration_s=20)
    late = PoseFeatures(15.0, truth.pose.image[75:], truth.pose.world[75:], truth.pose.visibility[75:], 75)
    assert half_beats(late, truth.audio).times_s[0] == pytest.approx(5.0, abs=0.3)
