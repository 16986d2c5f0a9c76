"""Filterbanks, spectra and pooling against librosa and against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.onset import onset_strength
from functions.audio.spectrum import (
    ONSET_BANDS,
    WINDOW_SAMPLES,
    Clock,
    chroma,
    chroma_filterbank,
    is_silence,
    log_mel,
    mel_filterbank,
    pooled,
    spectrum,
)
from infra.local.sample.song import bachata

librosa = pytest.importorskip("librosa")

RATES_HZ = (15.0, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 120.0)


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return bachata(12.0, 131.7, sample_rate_hz=SAMPLE_RATE_HZ).samples


def test_the_mel_filterbank_is_slaneys() -> None:
    theirs = librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=WINDOW_SAMPLES, n_mels=81)
    np.testing.assert_allclose(mel_filterbank(SAMPLE_RATE_HZ), theirs, atol=1e-7)


def test_the_chroma_filterbank_is_that_of_librosa() -> None:
    theirs = librosa.filters.chroma(sr=SAMPLE_RATE_HZ, n_fft=WINDOW_SAMPLES)
    np.testing.assert_allclose(chroma_filterbank(SAMPLE_RATE_HZ), theirs, atol=1e-6)


def test_spectra_equal_librosas_where_its_hop_falls_on_our_clock(music: np.ndarray) -> None:
    clock = Clock(30.0, 360)
    hop = SAMPLE_RATE_HZ / clock.onset_rate_hz
    assert hop == 245
    ours = spectrum(music, SAMPLE_RATE_HZ, clock)
    centred = music - music.mean()
    mel = librosa.feature.melspectrogram(y=centred, sr=SAMPLE_RATE_HZ, n_fft=WINDOW_SAMPLES, hop_length=245, n_mels=81)
    power = librosa.feature.chroma_stft(y=centred, sr=SAMPLE_RATE_HZ, hop_length=245, tuning=0, norm=None)
    np.testing.assert_allclose(ours.mel, mel.T[: clock.frames], atol=1e-5 * mel.max())
    np.testing.assert_allclose(ours.chroma, power.T[: clock.frames], atol=1e-5 * power.max())


@pytest.mark.parametrize("rate_hz", [29.97, 25.0])
def test_log_mel_and_chroma_follow_librosas_at_any_rate(music: np.ndarray, rate_hz: float) -> None:
    clock = Clock(rate_hz, int(12 * rate_hz))
    ours = spectrum(music, SAMPLE_RATE_HZ, clock)
    hop = 25  # librosa's frames are whole samples apart: close ones, averaged over each of our steps
    mel = librosa.feature.melspectrogram(y=music, sr=SAMPLE_RATE_HZ, n_fft=WINDOW_SAMPLES, hop_length=hop, n_mels=81).T
    power = librosa.feature.chroma_stft(y=music, sr=SAMPLE_RATE_HZ, hop_length=hop, tuning=0, norm=None).T
    decibels = librosa.power_to_db(_averaged(mel, clock, hop), ref=np.max)
    classes = librosa.util.normalize(_averaged(power, clock, hop), axis=1)
    assert np.abs(log_mel(ours.mel, clock) - decibels).mean() < 0.5
    assert np.abs(chroma(ours.chroma, clock) - classes).mean() < 0.02


def _averaged(frames: np.ndarray, clock: Clock, hop: int) -> np.ndarray:
    times_s = np.arange(len(frames)) * hop / SAMPLE_RATE_HZ
    sample = np.round(times_s * clock.rate_hz).astype(int)
    return np.stack([frames[sample == i].mean(axis=0) for i in range(clock.count)])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_onset_clock_is_a_whole_multiple_and_fast_enough(rate_hz: float) -> None:
    clock = Clock(rate_hz, 1000)
    assert clock.onset_rate_hz >= 86
    assert clock.onset_rate_hz / rate_hz == pytest.approx(clock.per_sample)
    exact = np.arange(clock.frames) / clock.onset_rate_hz
    assert np.abs(clock.centres(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ - exact).max() <= 0.5 / SAMPLE_RATE_HZ + 1e-9


@given(st.sampled_from(RATES_HZ), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_pooling_keeps_a_constant_and_the_range(rate_hz: float, count: int, seed: int) -> None:
    clock = Clock(rate_hz, count)
    rows = np.random.default_rng(seed).random((clock.frames, 3), dtype=np.float32)
    np.testing.assert_allclose(pooled(np.ones_like(rows), clock), 1, rtol=1e-5)
    assert pooled(rows, clock).min() >= rows.min() - 1e-5
    assert pooled(rows, clock).max() <= rows.max() + 1e-5


@pytest.mark.parametrize(("rate_hz", "step"), [(30.0, 3), (60.0, 2)])
def test_pooling_is_centred_on_its_sample(rate_hz: float, step: int) -> None:
    clock = Clock(rate_hz, 10)
    ramp = np.arange(clock.frames, dtype=np.float32)[:, None]
    np.testing.assert_allclose(pooled(ramp, clock)[1:-1, 0], step * np.arange(1, 9), rtol=1e-5)


def test_blocks_do_not_show(music: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(30.0, 360)
    whole = spectrum(music, SAMPLE_RATE_HZ, clock)
    monkeypatch.setattr("functions.audio.spectrum.BLOCK_FRAMES", 97)
    blocks = spectrum(music, SAMPLE_RATE_HZ, clock)
    np.testing.assert_allclose(blocks.mel, whole.mel, rtol=1e-3, atol=1e-6)


def test_an_offset_is_not_heard(music: np.ndarray) -> None:
    clock = Clock(30.0, 360)
    plain, offset = (spectrum(music + np.float32(by), SAMPLE_RATE_HZ, clock) for by in (0.0, 0.2))
    np.testing.assert_allclose(log_mel(offset.mel, clock), log_mel(plain.mel, clock), atol=0.2)


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_a_constant_is_silence(level: float) -> None:
    assert is_silence(np.full(1000, level, np.float32))


def test_no_samples_are_silence_and_a_quiet_tone_is_not() -> None:
    assert is_silence(np.zeros(0, np.float32))
    assert not is_silence(0.001 * np.sin(np.arange(1000)))


def test_pitch_classes_are_named_from_c() -> None:
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    clock = Clock(30.0, 30)
    for name, hz in ((0, 523.25), (4, 659.26), (9, 440.0)):
        tone = np.sin(2 * np.pi * hz * time_s).astype(np.float32)
        found = chroma(spectrum(tone, SAMPLE_RATE_HZ, clock).chroma, clock)
        assert (found[5:-5].argmax(axis=1) == name).all()


@pytest.mark.parametrize("rate_hz", [15.0, 30.0, 60.0])
def test_a_click_is_an_onset_at_its_time_in_all_bands(rate_hz: float) -> None:
    samples = np.zeros(4 * SAMPLE_RATE_HZ, np.float32)
    samples[2 * SAMPLE_RATE_HZ] = 1
    clock = Clock(rate_hz, int(4 * rate_hz))
    onset = onset_strength(spectrum(samples, SAMPLE_RATE_HZ, clock).mel, clock, SAMPLE_RATE_HZ)
    assert onset.shape == (clock.frames, ONSET_BANDS)
    assert (onset >= 0).all()
    assert np.abs(onset.argmax(axis=0) / clock.onset_rate_hz - 2).max() < 0.025


def test_a_recording_that_starts_in_the_middle_of_a_sound_has_no_onset_there() -> None:
    tone = np.sin(2 * np.pi * 220 * np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ).astype(np.float32)
    clock = Clock(30.0, 60)
    onset = onset_strength(spectrum(tone, SAMPLE_RATE_HZ, clock).mel, clock, SAMPLE_RATE_HZ)
    assert onset[:60].max() < 0.05
