"""Whether two recordings are of the same music, and where one lies on the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from functions.audio.extraction import SAMPLE_RATE_HZ, extract
from gpu_job.comparison.listening import same_sound
from shared.features import AudioFeatures
from tests.gpu_job.comparison.danced import RATE_HZ, heard, song


def cut(start_s: float, end_s: float = 20.0, noise: float = 0.0) -> AudioFeatures:
    samples = song().samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
    samples = samples + noise * np.random.default_rng(0).standard_normal(len(samples), dtype=np.float32)
    return extract(samples, SAMPLE_RATE_HZ, RATE_HZ, end_s - start_s)


@pytest.mark.parametrize("start_s", [0.0, 0.37, 2.0, 5.51])
def test_a_cut_is_found_to_a_hundredth_of_a_second(start_s):
    found = same_sound(cut(start_s), heard())

    assert found is not None
    assert found.confidence == 1
    assert found.lags[0].offset_s == pytest.approx(-start_s, abs=0.01)
    assert found.lags[0].ratio == pytest.approx(1, abs=1e-3)


def test_a_noisy_room_does_not_hide_the_music():
    found = same_sound(cut(1.5, noise=0.1), heard())

    assert found is not None
    assert found.lags[0].offset_s == pytest.approx(-1.5, abs=0.02)


@pytest.mark.parametrize("ratio", [0.9, 1.1])
def test_another_tempo_of_the_same_song_is_the_same_song(ratio):
    found = same_sound(heard(0, 126 * ratio, 20 / ratio), heard())

    assert found is not None
    assert found.lags[0].ratio == pytest.approx(1 / ratio, rel=0.003)


def test_noise_is_not_the_same_music():
    shuffled = replace(heard(), onset=np.random.default_rng(0).permutation(heard().onset))

    found = same_sound(shuffled, heard())

    assert found is None or found.confidence < 0.5


def test_silence_is_like_nothing():
    silence = AudioFeatures.silent(20.0, RATE_HZ)

    assert same_sound(silence, heard()) is None
    assert same_sound(heard(), silence) is None


@pytest.mark.parametrize("end_s", [0.2, 1.0, 2.5])
def test_too_little_is_like_nothing(end_s):
    assert same_sound(cut(0.0, end_s), heard()) is None
