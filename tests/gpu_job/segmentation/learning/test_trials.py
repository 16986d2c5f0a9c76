"""Figures of an evaluation at answers that are known, and conditions that change what they say and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_job.segmentation.learning.joins import PLAIN, Joined, joined
from gpu_job.segmentation.learning.looks import MIRRORED
from gpu_job.segmentation.learning.trials import (
    COARSE_S,
    CONDITIONS,
    FINE_S,
    USUAL,
    Condition,
    Trial,
    best_grid_s,
    difference,
    f_of,
    false_at_nulls,
    on_grid,
    sureness,
    trials,
)
from gpu_job.segmentation.performance import Performance
from tests.gpu_job.segmentation.learning.readable import lively
from tests.gpu_job.segmentation.truth import danced

SHORT = replace(PLAIN, beats=24)


@pytest.fixture(scope="module")
def clips():
    return [lively(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def dance(clips) -> Joined:
    return joined(clips, 4, SHORT)


def trial(joins_s=(), nulls_s=()) -> Trial:
    truth = danced(1, tempo_bpm=120.0, duration_s=30.0)  # a beat every half second from 0.5 s on
    return Trial(Performance(truth.pose, truth.audio), np.array(joins_s, float), np.array(nulls_s, float))


class TestFigures:
    def test_f_of_each_dance(self):
        given = [trial([5.0, 10.0]), trial([5.0])]
        np.testing.assert_allclose(f_of([[5.1, 10.4], [5.0]], given, FINE_S), [0.5, 1.0])
        np.testing.assert_allclose(f_of([[5.1, 10.4], []], given, COARSE_S), [1.0, 0.0])

    def test_the_best_grid_finds_what_counting_finds(self):
        every_three_beats = trial(np.arange(2.25, 29, 1.5))
        grid = best_grid_s(every_three_beats, FINE_S)
        np.testing.assert_allclose(np.diff(grid), 1.5)
        assert f_of([grid], [every_three_beats], FINE_S)[0] > 0.9  # all, and one before or after the dance

    def test_a_boundary_at_a_null_join_is_false_unless_it_is_a_true_join_s(self):
        one = trial(joins_s=[10.0], nulls_s=[5.0, 10.2, 20.0, 25.0])
        assert false_at_nulls([[5.2, 10.1, 20.26]], [one]) == 0.25
        assert false_at_nulls([[]], [one]) == 0.0
        assert false_at_nulls([[5.0, 10.2, 20.0, 25.0]], [one]) == 0.75
        assert false_at_nulls([[5.0]], [trial([3.0])]) == 0.0

    def test_boundaries_lie_on_the_grid_or_off_it(self):
        assert on_grid([[5.0, 5.25, 5.53, 5.6]], [trial()]) == 0.75
        assert on_grid([[]], [trial()]) == 1.0

    def test_a_difference_that_is_always_the_same_is_sure(self):
        apart = difference(np.array([0.5, 0.7, 0.9]), np.array([0.4, 0.6, 0.8]))
        np.testing.assert_allclose([apart.mean, apart.low, apart.high], 0.1)

    def test_the_interval_is_that_of_a_mean_and_pairs_are_kept(self):
        rng = np.random.default_rng(0)
        easy = rng.normal(0, 1.0, 400)  # shared by both: cancels out
        apart = difference(easy + rng.normal(0.1, 0.2, 400), easy)
        assert apart.mean - apart.low == pytest.approx(1.96 * 0.2 / 20, rel=0.25)
        assert apart.low < 0.1 < apart.high

    @pytest.mark.parametrize(("one", "other"), [(np.zeros(2), np.zeros(3)), (np.zeros(0), np.zeros(0))])
    def test_figures_of_other_dances_are_not_compared(self, one, other):
        with pytest.raises(ValueError, match="not figures of the same dances"):
            difference(one, other)


class TestConditions:
    def changed(self, dance: Joined, name: str) -> Joined:
        return CONDITIONS[name].change(dance, np.random.default_rng(1))

    def test_the_usual_one_is_as_filmed(self, dance):
        assert self.changed(dance, USUAL) is dance

    def test_a_fifth_of_the_landmarks_is_missing(self, dance):
        changed = self.changed(dance, "20 % of the landmarks missing").pose
        seen = changed.visibility > 0
        assert seen.mean() / (dance.pose.visibility > 0).mean() == pytest.approx(0.8, abs=0.01)
        np.testing.assert_array_equal(changed.image[seen], dance.pose.image[seen])

    @pytest.mark.parametrize(("name", "speed"), [("10 % faster", 1.1), ("10 % slower", 0.9)])
    def test_at_another_tempo_the_same_blocks_are_danced_at_the_same_rate(self, clips, name, speed):
        usual, changed = (joined(clips, 4, CONDITIONS[each].manner) for each in (USUAL, name))
        np.testing.assert_array_equal(changed.joins, usual.joins)
        np.testing.assert_array_equal(changed.nulls, usual.nulls)
        assert [block.first_beat for block in changed.blocks] == [block.first_beat for block in usual.blocks]
        assert changed.pose.rate_hz == usual.pose.rate_hz
        assert changed.audio.tempo_bpm == pytest.approx(usual.audio.tempo_bpm * speed)

    def test_with_the_sound_late_the_dancer_is_not(self, dance):
        changed = self.changed(dance, "sound 50 ms late")
        np.testing.assert_allclose(changed.audio.beats.beats_s, dance.audio.beats.beats_s + 0.05)
        np.testing.assert_allclose(changed.joins_s, dance.joins_s)
        np.testing.assert_allclose(changed.nulls_s, dance.nulls_s)
        assert changed.pose is dance.pose
        np.testing.assert_array_equal(changed.audio.onset[3:], dance.audio.onset[:-3])  # at 60 rows/s

    def test_mirrored_it_is_mirrored(self, dance):
        changed = self.changed(dance, "mirrored").pose
        np.testing.assert_allclose(changed.image[:, MIRRORED] * [-1, 1], dance.pose.image, rtol=1e-6)

    def test_rates_are_those_that_are_named(self):
        assert CONDITIONS["15 samples/s"].manner.rates_hz == (15.0,)
        assert CONDITIONS[USUAL].manner.rates_hz == (30.0,)

    def test_a_seed_is_the_same_dance_in_every_condition(self, clips):
        given = {
            name: trials(clips, [7], Condition(CONDITIONS[name].change, SHORT))[0]
            for name in (USUAL, "mirrored", "20 % of the landmarks missing")
        }
        for one in given.values():
            np.testing.assert_array_equal(one.joins_s, given[USUAL].joins_s)
            np.testing.assert_array_equal(one.nulls_s, given[USUAL].nulls_s)


def test_probabilities_are_true_where_so_many_of_them_are_right() -> None:
    dance = trial([8.0])
    grid = dance.performance.grid
    at = round(2 * (float(grid.pulse.beat_of(8.0)) - float(grid.beats[0])))
    curve = np.zeros(len(grid))
    curve[[at + 1, at + 12]] = 0.75, 0.25
    found = sureness([curve], [dance], least=0.2)
    assert (found.told, found.probability, found.right) == (2, 0.5, 0.5)
    assert found.off == pytest.approx(0.25)
    assert sureness([curve], [dance], least=0.5).right == 1.0
    assert sureness([curve], [dance], least=0.9).told == 0


def test_the_best_grid_may_begin_on_any_beat_and_marks_no_end() -> None:
    late = trial(np.arange(0.5 + 1.5, 29, 2.0))  # every four beats, from the third of the dance on
    grid = best_grid_s(late, FINE_S)
    assert f_of([grid], [late], FINE_S)[0] > 0.95
    beats = late.performance.audio.beats.beats_s
    assert beats[0] < min(grid)
    assert max(grid) < beats[-1]
