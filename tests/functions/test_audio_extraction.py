"""Tempo, beats and bars of recordings that we made ourselves, and of those that hold none."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from functions.audio import beats
from functions.audio.extraction import SAMPLE_RATE_HZ, extract
from functions.audio.meter import positions
from functions.audio.spectrum import Clock, spectrum
from functions.audio.tempo import best_path, moving_mean
from infra.local.sample.song import bachata
from shared.errors import DanceBitsError
from shared.features import AudioFeatures
from shared.media import sound
from shared.timeline import Segment, sample_count
from tests.functions.audio_truth import (
    RATE_HZ,
    Take,
    bar_agreement,
    clicks,
    errors_s,
    f_measure,
    grooves,
    halves_agree,
    heard,
    songs,
)

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def song() -> Take:
    made = bachata(40.0, 128.4, sample_rate_hz=SAMPLE_RATE_HZ, seed=3)
    return Take("song", made.samples, made.beats, made.tempo_bpm)


@pytest.mark.parametrize("tempo_bpm", [84.1, 97.3, 112.0, 120.9, 129.2, 143.7, 160.3])
@pytest.mark.parametrize("first_beat_s", [0.0, 0.37])
def test_clicks_are_found_at_awkward_tempi_and_offsets(tempo_bpm: float, first_beat_s: float) -> None:
    take = clicks(tempo_bpm, 20.0, first_beat_s)
    found = heard(take)
    assert found.tempo_bpm == pytest.approx(tempo_bpm, rel=0.002)
    assert f_measure(found.beats.beats_s, take.beats.beats_s) > 0.95
    assert np.abs(errors_s(found.beats.beats_s, take.beats.beats_s)).max() < 0.02


@pytest.mark.parametrize("tempo_bpm", [97.3, 143.7])
def test_accents_mark_the_bar(tempo_bpm: float) -> None:
    take = clicks(tempo_bpm, 20.0, 0.2, accent=2.0)
    assert bar_agreement(heard(take).beats, take.beats) == 1


@pytest.mark.parametrize("rate_hz", [15.0, 25.0, 29.97, 30.0, 50.0, 60.0])
def test_beats_do_not_depend_on_the_rate(song: Take, rate_hz: float) -> None:
    found = heard(song, rate_hz)
    assert found.tempo_bpm == pytest.approx(128.4, rel=0.002)
    assert f_measure(found.beats.beats_s, song.beats.beats_s) > 0.97
    assert bar_agreement(found.beats, song.beats) == 1
    assert len(found.log_mel) == len(found.chroma) == sample_count(song.duration_s, rate_hz)
    assert len(found.onset) == pytest.approx(song.duration_s * found.onset_rate_hz, abs=10)


@pytest.mark.parametrize("take", songs(8, 25.0), ids=lambda take: take.name)
def test_synthesised_bachata_is_heard_right(take: Take) -> None:
    found = heard(take)
    assert found.tempo_bpm == pytest.approx(take.tempo_bpm, rel=0.01)
    assert f_measure(found.beats.beats_s, take.beats.beats_s) > 0.95
    assert np.median(np.abs(errors_s(found.beats.beats_s, take.beats.beats_s))) < 0.01
    assert bar_agreement(found.beats, take.beats) > 0.95
    assert found.tempo_confidence > 0.8


def test_other_music_to_dance_to_has_its_tempo_and_mostly_its_beats() -> None:
    takes = grooves(1, 20.0)
    found = [heard(take) for take in takes]
    for take, features in zip(takes, found, strict=True):
        assert features.tempo_bpm == pytest.approx(take.tempo_bpm, rel=0.01), take.name
    hits = [f_measure(f.beats.beats_s, take.beats.beats_s) for take, f in zip(takes, found, strict=True)]
    assert np.median(hits) > 0.97
    assert min(sorted(hits)[1:]) > 0.9  # a bass that plays on most half beats may take one of them off the beat


def test_beats_follow_a_drift_to_both_ends() -> None:
    made = bachata(60.0, 120.0, sample_rate_hz=SAMPLE_RATE_HZ, drift=0.12)
    found = extract(made.samples, SAMPLE_RATE_HZ, RATE_HZ, 60.0).beats.beats_s
    assert f_measure(found, made.beats.beats_s) > 0.97
    assert abs(found[0] - made.beats.beats_s[0]) < 0.02
    assert found[-1] > 60 - 0.6


def test_a_bar_cut_short_moves_the_downbeat(song: Take) -> None:
    cut, back = (int(song.beats.beats_s[beat] * SAMPLE_RATE_HZ) for beat in (40, 42))
    samples = np.concatenate([song.samples[:cut], song.samples[back:]])
    found = extract(samples, SAMPLE_RATE_HZ, RATE_HZ, len(samples) / SAMPLE_RATE_HZ).beats
    early, late = found.beats_s < song.beats.beats_s[36], found.beats_s > song.beats.beats_s[44]
    gone_s = (back - cut) / SAMPLE_RATE_HZ
    for part, shift_s in ((early, 0.0), (late, gone_s)):
        nearest = np.abs(found.beats_s[part, None] + shift_s - song.beats.beats_s).argmin(axis=1)
        assert (found.positions[part] == song.beats.positions[nearest]).mean() > 0.9


def test_music_that_starts_late_has_no_beats_before() -> None:
    made = bachata(30.0, 118.0, sample_rate_hz=SAMPLE_RATE_HZ)
    silence = np.zeros(8 * SAMPLE_RATE_HZ, np.float32)
    found = extract(np.concatenate([silence, made.samples]), SAMPLE_RATE_HZ, RATE_HZ, 38.0)
    assert found.beats.beats_s[0] > 7.95
    assert f_measure(found.beats.beats_s, made.beats.beats_s + 8) > 0.95


def test_sound_shorter_than_the_picture_ends_in_silence(song: Take) -> None:
    found = extract(song.samples, SAMPLE_RATE_HZ, RATE_HZ, 50.0)
    assert len(found.log_mel) == 1500
    assert found.beats.beats_s[-1] < 40.1
    assert (found.log_mel[1210:] == -80).all()
    assert (found.chroma[1210:] == 0).all()


def test_sound_longer_than_the_picture_is_cut(song: Take) -> None:
    found = extract(song.samples, SAMPLE_RATE_HZ, RATE_HZ, 20.0)
    assert len(found.log_mel) == 600
    assert found.beats.beats_s[-1] < 20


@pytest.mark.parametrize("gain", [0.003, 0.1, 1.2])
def test_loudness_changes_nothing(song: Take, gain: float) -> None:
    plain, other = heard(song), extract(song.samples * np.float32(gain), SAMPLE_RATE_HZ, RATE_HZ, song.duration_s)
    np.testing.assert_allclose(other.beats.beats_s, plain.beats.beats_s, atol=1e-3)
    np.testing.assert_allclose(other.log_mel, plain.log_mel, atol=0.1)


def test_an_offset_changes_nothing(song: Take) -> None:
    plain, other = heard(song), extract(song.samples + np.float32(0.1), SAMPLE_RATE_HZ, RATE_HZ, song.duration_s)
    np.testing.assert_allclose(other.beats.beats_s, plain.beats.beats_s, atol=1e-3)
    np.testing.assert_array_equal(other.beats.positions, plain.beats.positions)


def test_the_same_samples_give_the_same_bytes(song: Take) -> None:
    assert heard(song).to_bytes() == heard(song).to_bytes()


def test_features_survive_their_codec(song: Take) -> None:
    found = heard(song)
    again = AudioFeatures.from_bytes(found.to_bytes())
    assert again.tempo_bpm == found.tempo_bpm
    np.testing.assert_array_equal(again.beats.beats_s, found.beats.beats_s)


@pytest.mark.parametrize("samples", [None, np.zeros(0), np.zeros(50_000), np.full(50_000, 0.25), np.full(50_000, 2e-5)])
def test_where_nothing_is_heard_the_features_are_silent(samples: np.ndarray | None) -> None:
    found = extract(None if samples is None else samples.astype(np.float32), SAMPLE_RATE_HZ, RATE_HZ, 2.0)
    assert found.is_silent
    assert found.tempo_bpm is None


@pytest.mark.parametrize("duration_s", [0.0, 0.001, 0.02, 0.1, 0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("rate_hz", [15.0, 30.0, 60.0])
def test_the_shortest_recordings_give_finite_features(duration_s: float, rate_hz: float) -> None:
    samples = bachata(5.0, 126.0, sample_rate_hz=SAMPLE_RATE_HZ, first_beat_s=0.0).samples
    found = extract(samples[: int(duration_s * SAMPLE_RATE_HZ)], SAMPLE_RATE_HZ, rate_hz, duration_s)
    assert found.is_silent or len(found.log_mel) == sample_count(duration_s, rate_hz)
    for array in (found.log_mel, found.chroma, found.onset, found.beats.beats_s):
        assert np.isfinite(array).all()
    if duration_s <= 1:
        assert found.tempo_bpm is None


def test_samples_that_are_no_numbers_are_silence(song: Take) -> None:
    samples = song.samples.copy()
    samples[[5, 100_000, 300_000]] = np.nan, np.inf, -np.inf
    found = extract(samples, SAMPLE_RATE_HZ, RATE_HZ, song.duration_s)
    assert np.isfinite(found.log_mel).all()
    assert f_measure(found.beats.beats_s, song.beats.beats_s) > 0.95


def test_sound_that_begins_after_the_picture_ended_is_not_heard(song: Take) -> None:
    late = np.concatenate([np.zeros(3 * SAMPLE_RATE_HZ, np.float32), song.samples])
    assert extract(late, SAMPLE_RATE_HZ, RATE_HZ, 2.0).is_silent


def test_a_single_click_has_no_tempo() -> None:
    samples = np.zeros(10 * SAMPLE_RATE_HZ, np.float32)
    samples[5 * SAMPLE_RATE_HZ] = 1
    assert extract(samples, SAMPLE_RATE_HZ, RATE_HZ, 10.0).tempo_bpm is None


def _speech(duration_s: float, seed: int) -> np.ndarray:
    """Syllables: gliding harmonics under one formant, of irregular lengths and pauses."""
    rng = np.random.default_rng(seed)
    samples = 0.003 * rng.standard_normal(int((duration_s + 1) * SAMPLE_RATE_HZ))
    start_s = 0.2
    while start_s < duration_s:
        count = int(rng.uniform(0.08, 0.25) * SAMPLE_RATE_HZ)
        phase = 2 * np.pi * np.cumsum(np.linspace(*rng.uniform(90, 160, 2), count)) / SAMPLE_RATE_HZ
        formant_hz = rng.uniform(300, 900)
        voice = sum(np.sin(k * phase) * np.exp(-(((k * 120 - formant_hz) / 400) ** 2)) for k in range(1, 25))
        place = int(start_s * SAMPLE_RATE_HZ)
        samples[place : place + count] += 0.2 * rng.uniform(0.3, 1) * voice * np.hanning(count)
        start_s += rng.lognormal(np.log(1 / 4.5), 0.35) + (rng.uniform(0.3, 0.8) if rng.random() < 0.12 else 0)
    return samples[: int(duration_s * SAMPLE_RATE_HZ)].astype(np.float32)


def _pink(duration_s: float, seed: int) -> np.ndarray:
    count = int(duration_s * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), count).astype(np.float32)


@pytest.mark.parametrize("duration_s", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_noise_has_no_beat(duration_s: float, seed: int) -> None:
    white = 0.1 * np.random.default_rng(seed).standard_normal(int(duration_s * SAMPLE_RATE_HZ)).astype(np.float32)
    for samples in (white, _pink(duration_s, seed)):
        found = extract(samples, SAMPLE_RATE_HZ, RATE_HZ, duration_s)
        assert found.tempo_bpm is None
        assert len(found.beats) == 0
        assert not found.is_silent


@pytest.mark.parametrize("duration_s", [12.0, 30.0, 60.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_speech_has_no_beat(duration_s: float, seed: int) -> None:
    assert extract(_speech(duration_s, seed), SAMPLE_RATE_HZ, RATE_HZ, duration_s).tempo_bpm is None


def test_a_steady_tone_has_no_beat() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ).astype(np.float32)
    assert extract(tone, SAMPLE_RATE_HZ, RATE_HZ, 10.0).tempo_bpm is None


def test_a_moving_mean_is_that_of_the_frames_around() -> None:
    np.testing.assert_allclose(moving_mean(np.array([3.0, 0, 0, 6]), 2), [1.5, 1, 2, 3])


def test_the_best_path_is_that_of_trying_them_all() -> None:
    rng = np.random.default_rng(0)
    gain, change = rng.standard_normal((5, 3)), rng.standard_normal((3, 3))

    def total(path: tuple[int, ...]) -> float:
        moves = sum(change[to, origin] for origin, to in itertools.pairwise(path))
        return float(sum(gain[step, state] for step, state in enumerate(path)) + moves)

    assert tuple(best_path(gain, change)) == max(itertools.product(range(3), repeat=5), key=total)


def test_tracking_takes_the_onsets_a_period_apart() -> None:
    curve = np.zeros(400)
    curve[10::43] = 3.0
    curve[31::43] = 1.0
    np.testing.assert_array_equal(beats.track(curve, np.full(400, 43.0)), np.arange(10, 400, 43))


def test_refinement_averages_the_errors_of_neighbours() -> None:
    curve = np.zeros(1000)
    frames = np.arange(20, 980, 40)
    jitter = np.random.default_rng(0).integers(-1, 2, len(frames))
    curve[frames + jitter] = 1.0
    times_s = beats.refined(frames, curve, 100.0)
    assert np.abs(times_s - frames / 100).std() < 0.6 * jitter.std() / 100


def test_beats_go_on_where_music_plays_and_nowhere_else() -> None:
    spread = beats.extended(np.array([2.0, 2.5, 3.0]), Segment(0.9, 4.2))
    np.testing.assert_allclose(spread, [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    np.testing.assert_allclose(beats.extended(np.array([0.5, 1.0, 1.5, 2.0]), Segment(0.9, 1.6)), [1.0, 1.5])


def test_a_single_beat_is_a_bars_first() -> None:
    clock = Clock(30.0, 30)
    sound = spectrum(np.ones(SAMPLE_RATE_HZ, np.float32), SAMPLE_RATE_HZ, clock)
    assert positions(np.array([0.5]), sound, np.zeros((90, 5)), 90.0).tolist() == [1]


def _clips() -> list[Path]:
    clips = sorted(DATA.glob("moves/**/*.mp4"))
    if not clips:
        pytest.skip(f"no clips at {DATA}")
    return clips


@pytest.mark.data
def test_the_halves_of_real_clips_agree_on_the_bar() -> None:
    recordings = [sound(str(path), SAMPLE_RATE_HZ, 600.0) for path in _clips()]
    agree = [halves_agree(samples) for samples in recordings if samples is not None]
    assert np.mean([answer for answer in agree if answer is not None]) > 0.8  # chance is 0.25
    assert agree.count(None) < 0.15 * len(agree)


@pytest.mark.data
def test_sound_of_odd_files_gives_finite_features() -> None:
    files = sorted(DATA.glob("odd_media/*"))
    if not files:
        pytest.skip(f"no files at {DATA}")
    for path in files:
        try:
            samples = sound(str(path), SAMPLE_RATE_HZ, 600.0)
        except DanceBitsError:
            continue
        found = extract(samples, SAMPLE_RATE_HZ, RATE_HZ, 5.0)
        assert np.isfinite(found.log_mel).all(), path
