"""Imagined dancers dance what is said of them: moves on half-beats, units that repeat, 17 landmarks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gpu_job.segmentation.learning.joins import Joined
from gpu_job.segmentation.learning.solos import TEMPI_BPM, drill, solo
from shared.features import COCO_TO_BLAZEPOSE
from shared.timeline import FloatArray
from tests.gpu_job.segmentation.learning.readable import beats_of

SEEDS = range(24)
both = pytest.mark.parametrize("make", [solo, drill])


@both
def test_moves_begin_on_half_beats_within_the_dance(make: Callable[[int], Joined]) -> None:
    for dance in map(make, SEEDS):
        assert np.all(2 * dance.joins % 1 == 0)
        assert np.all(np.diff(dance.joins) >= 1)
        assert np.all((dance.joins_s > 0) & (dance.joins_s < len(dance.pose) / dance.pose.rate_hz))
        assert (len(dance.nulls), dance.blocks) == (0, ())


@both
def test_beats_are_as_fast_as_is_told_and_count_on(make: Callable[[int], Joined]) -> None:
    for dance in map(make, SEEDS):
        beats = dance.audio.beats
        assert TEMPI_BPM[0] <= 60 / beats.period_s <= TEMPI_BPM[1]
        assert dance.audio.tempo_bpm == pytest.approx(60 / beats.period_s)
        np.testing.assert_allclose(np.diff(beats.beats_s), beats.period_s)
        np.testing.assert_array_equal(beats.positions, (beats.positions[0] - 1 + np.arange(len(beats))) % 4 + 1)
        assert beats.beats_s[0] >= 0


@both
def test_only_the_17_landmarks_of_coco_are_seen_and_always(make: Callable[[int], Joined]) -> None:
    pose = make(3).pose
    seen = np.isfinite(pose.image[..., 0])
    assert seen[:, list(COCO_TO_BLAZEPOSE)].all()
    assert seen.sum() == seen.shape[0] * len(COCO_TO_BLAZEPOSE)


@both
def test_a_dance_lasts_112_beats_or_as_many_as_asked(make: Callable[..., Joined]) -> None:
    long, short = make(1), make(1, beats=24)
    assert beats_of(long)[-1] > 111
    assert beats_of(short)[-1] < beats_of(long)[-1]


def test_some_dances_begin_their_moves_off_the_bar_and_between_beats() -> None:
    places = [dance.joins[0] % 1 for dance in map(solo, SEEDS) if len(dance.joins)]
    assert {0.0, 0.5} == set(places)


def test_the_moves_of_a_choreography_last_2_to_16_counts_and_more_than_one_length() -> None:
    lengths = np.concatenate([np.diff(solo(seed).joins) for seed in SEEDS])
    assert (lengths.min(), lengths.max()) == (2, 9) or lengths.max() <= 16
    assert len(np.unique(lengths)) > 3


def apart(dance: Joined, start: float, end: float, lag: float) -> float:
    """How far the landmarks are from where they are ``lag`` beats later, from ``start`` to ``end``; image heights."""
    beat, points = beats_of(dance), dance.pose.image[:, list(COCO_TO_BLAZEPOSE)].reshape(len(dance.pose), -1)
    moments = np.arange(start, end, 0.1)

    def at(moments: FloatArray) -> FloatArray:
        return np.stack([np.interp(moments, beat, column) for column in points.T], axis=1)

    return float(np.sqrt(np.mean((at(moments) - at(moments + lag)) ** 2)))


def test_a_drill_s_unit_is_danced_again_and_again() -> None:
    for dance in map(drill, range(8)):
        unit = float(dance.joins[1] - dance.joins[0])
        start, end = dance.joins[0] + 0.5, dance.joins[0] + unit - 0.5
        again = apart(dance, start, end, unit)
        assert again < 0.5 * max(apart(dance, start, end, lag) for lag in np.arange(0.5, unit, 0.5))


def test_a_seed_is_one_dance() -> None:
    one, again, drilled = solo(4), solo(4), drill(4)
    np.testing.assert_array_equal(one.pose.image, again.pose.image)
    assert one.audio.tempo_bpm != drilled.audio.tempo_bpm
