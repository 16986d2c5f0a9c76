"""What a network looks at says what a naive computation says, and no seconds, sizes or rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT, HalfBeats, Rhythm
from gpu_job.segmentation.inputs import CHANNELS, LAGS, METER, SOUND, Batch, Inputs, inputs, meter
from gpu_job.segmentation.motion import Motion
from gpu_job.segmentation.performance import Performance
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import BeatGrid, FloatArray, Segment
from tests.gpu_job.segmentation.learning.readable import lively
from tests.gpu_job.segmentation.truth import Truth, danced, unseen


def seen(pose: PoseFeatures, audio: AudioFeatures) -> Inputs:
    (one,) = inputs([Performance(pose.smoothed(), audio)])
    return one


def naive_likeness(moved: Motion, half_beats: int) -> FloatArray:
    """Pair by pair and point by point, as the docstring has it."""
    found = np.zeros((half_beats, LAGS))
    for place in range(half_beats):
        for lag in range(1, LAGS + 1):
            first = place - -(-lag // 2)
            if first < 0 or first + lag >= half_beats:
                continue
            distance = weight = 0.0
            for point in range(POINTS_PER_HALF_BEAT * first, POINTS_PER_HALF_BEAT * (first + 1)):
                other = point + POINTS_PER_HALF_BEAT * lag
                if other < len(moved):
                    both = moved.seen[point] & moved.seen[other]
                    distance += float(((moved.values[point] - moved.values[other]) ** 2)[both].sum()) / CHANNELS
                    weight += float(both.mean())
            if weight >= 0.05 * POINTS_PER_HALF_BEAT:
                found[place, lag - 1] = np.log(distance / weight + 0.02)
    return found


class TestLikeness:
    @pytest.mark.parametrize(("missed", "duration_s"), [(0.0, 14.0), (0.5, 14.0), (0.0, 4.0)])
    def test_it_is_what_a_naive_computation_finds(self, missed: float, duration_s: float) -> None:
        truth = danced(3, duration_s=duration_s, missed=missed, jitter=0.01)
        image = truth.pose.image.copy()
        image[:40, 11:23] = np.nan  # a torso hidden for a while
        performance = Performance(replace(truth.pose, image=image), truth.audio)
        (one,) = inputs([performance])
        np.testing.assert_allclose(one.likeness, naive_likeness(performance.motion, len(performance.grid)), atol=2e-4)

    def test_where_nobody_is_seen_nothing_is_said(self) -> None:
        truth = danced(3, duration_s=30.0, tempo_bpm=120.0)
        one = seen(unseen(truth.pose, 150, 300), truth.audio)
        alone = ~one.seen.any(axis=1)
        inside = np.flatnonzero(alone)[::1] // POINTS_PER_HALF_BEAT
        assert not one.likeness[inside[4:-4], :2].any()

    def test_a_dance_again_after_eight_counts_is_alike_at_sixteen_half_beats(self) -> None:
        rng = np.random.default_rng(0)
        unit = rng.normal(size=(16 * POINTS_PER_HALF_BEAT, CHANNELS))
        values = np.concatenate([np.tile(unit, (4, 1)), unit[:1]])
        found = naive_likeness(Motion(values, np.ones(values.shape, bool)), 65)
        assert np.argmin(found[16:48].mean(axis=0)) == 16 - 1


class TestMeter:
    def test_every_beat_knows_its_place_in_the_bar(self) -> None:
        truth = danced(2, tempo_bpm=120.0, duration_s=20.0)
        performance = Performance(truth.pose, truth.audio)
        (one,) = inputs([performance])
        positions = performance.grid.positions
        assert one.meter.shape == (len(positions), METER)
        np.testing.assert_array_equal(one.meter[:, 4], positions % 1 == 0.5)
        for beat in (1, 2, 3, 4):
            np.testing.assert_array_equal(one.meter[:, beat - 1], positions == beat)
        assert one.meter[:, 5].all()

    @pytest.mark.parametrize("rhythm", [Rhythm.MOTION, Rhythm.NONE])
    def test_without_music_bars_are_not_known(self, rhythm: Rhythm) -> None:
        grid = HalfBeats(BeatGrid.regular(0.5, 9.0), np.arange(9) / 2, Segment(0.0, 9.0), rhythm, ())
        np.testing.assert_array_equal(meter(grid), np.eye(METER)[[4]] * (np.arange(9) % 2)[:, None])


class TestSound:
    def test_silence_is_zeros(self) -> None:
        truth = danced(2, duration_s=12.0)
        assert not seen(truth.pose, truth.audio).sound.any()

    def test_it_is_heard_from_each_half_beat_to_the_next(self) -> None:
        clip = lively(4)
        onset = np.zeros_like(clip.audio.onset)
        beats_s = clip.audio.beats.beats_s
        onset[np.round(beats_s * clip.audio.onset_rate_hz).astype(int) + 1, 0] = 1.0  # low, just after each beat
        performance = Performance(clip.views[0], replace(clip.audio, onset=onset))
        (one,) = inputs([performance])
        on = performance.grid.beats % 1 == 0
        inside = performance.grid.beats < len(beats_s) - 1
        assert one.sound.shape == (len(performance.grid), SOUND)
        assert one.sound[on & inside, 0].min() > 0 > one.sound[~on & inside, 0].max()
        assert one.sound[:, -1].all()
        np.testing.assert_allclose(one.sound[:, 1:3], -1)  # nothing high is struck

    def test_harmony_changes_where_chords_do(self) -> None:
        clip = lively(4)
        rows = np.arange(len(clip.audio.chroma))
        beat = clip.audio.beats.beat_of(rows / clip.audio.rate_hz)
        chroma = np.eye(12, dtype=np.float32)[np.where(beat < 10, 0, 7)]
        performance = Performance(clip.views[0], replace(clip.audio, chroma=chroma))
        (one,) = inputs([performance])
        assert performance.grid.beats[np.argmax(one.sound[:, 3])] == pytest.approx(10, abs=0.5)
        assert one.sound[:, 3].max() == pytest.approx(1, abs=0.1)

    def test_a_loud_recording_sounds_like_a_soft_one(self) -> None:
        clip = lively(4)
        rng = np.random.default_rng(1)
        mel = rng.normal(-30, 8, clip.audio.log_mel.shape).astype(np.float32)
        one, other = (
            seen(clip.views[0], replace(clip.audio, log_mel=mel + louder, onset=clip.audio.onset * (1 + louder)))
            for louder in (0.0, 10.0)
        )
        np.testing.assert_allclose(one.sound, other.sound, atol=1e-3)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return danced(5, duration_s=20.0, tempo_bpm=124.0)


@pytest.fixture(scope="module")
def filmed(truth: Truth) -> Inputs:
    return seen(truth.dance.features(30.0, 20.0), truth.audio)


class TestFreedom:
    """The same dance, seen otherwise."""

    @pytest.mark.parametrize("rate_hz", [15.0, 60.0])
    def test_at_any_rate(self, truth: Truth, filmed: Inputs, rate_hz: float) -> None:
        other = seen(truth.dance.features(rate_hz, 20.0), truth.audio)
        assert len(other) == len(filmed)
        spread = filmed.motion.std()
        assert np.sqrt(np.mean((other.motion - filmed.motion) ** 2)) < 0.25 * spread
        assert np.corrcoef(other.likeness.ravel(), filmed.likeness.ravel())[0, 1] > 0.97
        np.testing.assert_array_equal(other.meter, filmed.meter)

    def test_of_any_size_anywhere(self, truth: Truth, filmed: Inputs) -> None:
        pose = truth.dance.features(30.0, 20.0)
        other = seen(replace(pose, image=pose.image * 1.7 + [0.2, -0.3]), truth.audio)
        np.testing.assert_allclose(other.motion, filmed.motion, atol=2e-3)
        np.testing.assert_allclose(other.likeness, filmed.likeness, atol=2e-2)


class TestBatch:
    def test_it_is_padded_with_what_is_unseen(self) -> None:
        one, other = (
            seen(truth.pose, truth.audio) for truth in (danced(1, duration_s=8.0), danced(2, duration_s=14.0))
        )
        batch = Batch.of([one, other], torch.device("cpu"))
        short, long = len(one), len(other)
        assert batch.mask.shape == (2, long, 1)
        assert batch.mask[:, :, 0].sum(dim=1).tolist() == [short, long]
        assert not batch.seen[0, len(one.seen) :].any()
        np.testing.assert_array_equal(batch.motion[1].numpy(), other.motion)
        assert batch.point_mask.shape == (2, len(other.motion), 1)
        assert batch.point_mask[:, :, 0].sum(dim=1).tolist() == [2 * short - 1, 2 * long - 1]
        assert batch.as_taught().point_mask[:, :, 0].sum(dim=1).tolist() == [2 * short, 2 * long - 1]

    def test_each_dance_is_as_it_would_be_alone(self) -> None:
        given = [
            Performance(truth.pose, truth.audio) for truth in (danced(1, duration_s=8.0), danced(2, duration_s=9.0))
        ]
        for one, alone in zip(inputs(given), given, strict=True):
            np.testing.assert_array_equal(one.likeness, inputs([alone])[0].likeness)
