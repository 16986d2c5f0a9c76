"""Examples say the truth of the half-beats, and what spoils them invents nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_job.segmentation.grid import Rhythm, half_beats
from gpu_job.segmentation.inputs import METER
from gpu_job.segmentation.learning.examples import Diet, Example, example, nearest_half_beats, spoilt, taught
from gpu_job.segmentation.learning.joins import PLAIN, joined
from gpu_job.segmentation.performance import Performance
from shared.timeline import BeatGrid
from tests.gpu_job.segmentation.learning.footage import recorded
from tests.gpu_job.segmentation.learning.readable import lively
from tests.gpu_job.segmentation.truth import danced, unseen

JOINS = Diet(solos=0.0, drills=0.0, manner=replace(PLAIN, beats=24))


@pytest.fixture(scope="module")
def clips():
    return [lively(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def examples(clips) -> list[Example]:
    return [example(clips, seed, JOINS) for seed in range(40)]


@pytest.fixture(scope="module")
def pose():
    return unseen(recorded(1, 20.0), 100, 140)


@pytest.fixture(scope="module")
def spoilt_poses(pose):
    return [spoilt(pose, np.random.default_rng(seed)) for seed in range(60)]


class TestTargets:
    def test_a_boundary_is_at_the_half_beat_next_to_it(self):
        truth = danced(1, tempo_bpm=120.0)
        grid = half_beats(truth.pose, truth.audio)
        target = nearest_half_beats(grid, np.array([10.0, 20.12, 30.13]))
        np.testing.assert_allclose(grid.times_s[target == 1], [10.0, 20.0, 30.25])

    def test_boundaries_at_the_ends_and_outside_are_left_out(self):
        truth = danced(1, tempo_bpm=120.0)
        grid = half_beats(truth.pose, truth.audio)
        assert not nearest_half_beats(grid, np.array([-5.0, *grid.times_s[[0, -1]], 100.0])).any()

    def test_they_are_the_joins_of_the_dance(self, clips, examples):
        """The seed of the example is that of its dance: as many boundaries, but for what is cut off at the ends."""
        for seed, told in enumerate(examples):
            joins = len(joined(clips, seed, JOINS.manner).joins)
            assert joins - 1 <= told.target.sum() <= joins
            assert set(np.unique(told.target)) <= {0.0, 1.0}

    def test_the_ends_are_not_judged(self, examples):
        for told in examples:
            assert len(told.target) == len(told.weight) == len(told.inputs)
            assert (told.weight[0], told.weight[-1], told.weight[1:-1].min()) == (0, 0, 1)

    def test_soft_targets_stay_soft(self):
        truth = danced(1)
        performance = Performance(truth.pose, truth.audio)
        soft = np.linspace(0, 1, len(performance.grid))
        np.testing.assert_allclose(taught(performance, soft).target, soft, atol=1e-6)


class TestDiets:
    def test_drills_count_for_less(self):
        assert example([], 1, Diet(solos=0.0, drills=1.0)).weight.max() == np.float32(0.3)

    def test_choreographies_need_no_clips(self):
        assert example([], 1, Diet(solos=1.0, drills=0.0)).weight.max() == 1

    def test_a_seed_is_one_example(self, clips, examples):
        again = example(clips, 7, JOINS)
        np.testing.assert_array_equal(again.inputs.motion, examples[7].inputs.motion)
        np.testing.assert_array_equal(again.target, examples[7].target)

    def test_they_are_kept_small(self, examples):
        kept = examples[0].inputs
        assert (kept.motion.dtype, kept.likeness.dtype, kept.seen.dtype) == (np.float16, np.float16, np.uint8)


class TestSpoiling:
    def test_what_was_unseen_stays_unseen(self, pose, spoilt_poses):
        for one in spoilt_poses:
            assert not one.visibility[100:140].any()
            assert np.isnan(one.image[100:140]).all()
            np.testing.assert_array_equal(np.isfinite(one.image[..., 0]), one.visibility > 0)
            assert (one.rate_hz, len(one)) == (pose.rate_hz, len(pose))

    def test_what_is_seen_is_near_where_it_was(self, pose, spoilt_poses):
        off = [np.nanmax(np.abs(one.image - pose.image)) for one in spoilt_poses]
        assert max(off) < 0.006 * 6
        assert sum(one < 1e-6 for one in off) > 10  # not every estimator jitters

    def test_landmarks_samples_and_single_points_go_missing(self, pose, spoilt_poses):
        seen = pose.visibility > 0
        hidden = [np.sum(~(one.visibility > 0).any(axis=0)) for one in spoilt_poses]
        gaps = [np.sum(seen.any(axis=1) & ~(one.visibility > 0).any(axis=1)) for one in spoilt_poses]
        assert 0 < sum(count > 0 for count in hidden) < 30
        assert max(hidden) <= 6
        assert 5 < sum(count > 0 for count in gaps) < 40
        assert any(0 < np.mean((one.visibility > 0)[seen]) < 0.95 for one in spoilt_poses)
        assert any(np.all((one.visibility > 0) == seen) for one in spoilt_poses)


class TestMeter:
    def test_of_some_dances_the_bars_are_not_known_but_the_beats_are(self, examples):
        known = [told.inputs.meter[:, METER - 1].all() for told in examples]
        assert 20 < sum(known) < 40
        for told, bars in zip(examples, known, strict=True):
            meter = told.inputs.meter
            between = meter[:, 4].astype(int)
            assert set(np.abs(np.diff(between))) == {1}  # on the beat and between, in turn
            assert bars or not np.delete(meter, 4, axis=1).any()
            assert not bars or np.all(meter[between == 0, :4].sum(axis=1) == 1)

    def test_where_no_music_is_heard_there_are_no_bars(self):
        truth = danced(2, tempo_bpm=120.0)
        silent = replace(truth.audio, beats=BeatGrid.none())
        grid = half_beats(truth.pose, silent)
        assert grid.rhythm is not Rhythm.MUSIC
        performance = Performance(truth.pose, silent)
        told = taught(performance, np.zeros(len(performance.grid)))
        assert not told.inputs.meter[:, [0, 1, 2, 3, 5]].any()
