"""A joined dance's sound is the clips' music on the dance's beats, cut on bars and not with the moves."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.segmentation.learning.soundtrack import soundtrack
from shared.features import AudioFeatures
from shared.timeline import BeatGrid
from tests.gpu_job.segmentation.learning.readable import readable

CLIPS = [readable(i, tempo_bpm=110 + 10 * i, beats=25).audio for i in range(3)]
BEATS = BeatGrid(0.3 + 0.45 * np.arange(81), np.arange(81) % 4 + 1)
DURATION_S = 0.3 + 0.45 * 80


@pytest.fixture(scope="module")
def track() -> AudioFeatures:
    return soundtrack(CLIPS, BEATS, DURATION_S, np.random.default_rng(1))


def test_it_is_as_long_as_the_dance_and_on_its_beats(track: AudioFeatures) -> None:
    assert track.duration_s == DURATION_S
    assert len(track.log_mel) == len(track.chroma) == np.ceil(DURATION_S * track.rate_hz)
    assert len(track.onset) == np.ceil(DURATION_S * track.onset_rate_hz)
    assert track.beats is BEATS
    assert track.tempo_bpm == pytest.approx(60 / 0.45)


@pytest.mark.parametrize("what", ["log_mel", "chroma", "onset"])
def test_a_clip_s_beats_fall_on_the_dance_s(track: AudioFeatures, what: str) -> None:
    values = getattr(track, what)
    rate_hz = track.onset_rate_hz if what == "onset" else track.rate_hz
    beat = BEATS.beat_of(np.arange(len(values)) / rate_hz)
    late = (values[:, 1] - beat + 0.5) % 1 - 0.5
    inside = (beat > 0) & (beat < 79)
    assert np.abs(late[inside]).max() < 0.5 / rate_hz / 0.4 + 0.01  # the nearest row, in beats of the fastest clip


def test_it_changes_on_bars_only(track: AudioFeatures) -> None:
    beat = BEATS.beat_of(np.arange(len(track.onset)) / track.onset_rate_hz)
    changes = np.flatnonzero(np.diff(track.onset[:, 0]))
    assert len(changes) > 1
    off = beat[changes + 1] % 4
    assert np.all(off < 0.05)
    assert np.all(np.diff(beat[changes + 1].round()) >= 8)


def test_a_clip_too_short_begins_again(track: AudioFeatures) -> None:
    assert track.onset[:, 1].max() <= 24.1


def test_clips_without_sound_or_a_bar_of_beats_are_passed_over() -> None:
    rng = np.random.default_rng(1)
    silent, brief = AudioFeatures.silent(9.0, 15.0), readable(7, beats=4).audio
    track = soundtrack([silent, brief, CLIPS[1]], BEATS, DURATION_S, rng)
    assert set(np.unique(track.onset[:, 0])) == {1.0}
    with pytest.raises(ValueError, match="no clip has sound with beats"):
        soundtrack([silent, brief], BEATS, DURATION_S, rng)
