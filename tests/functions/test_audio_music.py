"""Whole songs that we made ourselves: what is heard in them, and what in recordings that are none."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from functions.audio.extraction import SAMPLE_RATE_HZ, extract
from functions.audio.music import analysed
from infra.local.sample.song import bachata
from shared.media import sound
from shared.music import COUNTS_PER_EIGHT, EMBEDDING, Music, Role
from shared.timeline import BEATS_PER_BAR, FloatArray
from tests.functions.audio_truth import clicks, errors_s, f_measure, grooves
from tests.functions.music_truth import CONDITIONS, SongTruth, boundary_f, count_agreement, role_share, song

DATA = Path(__file__).parents[3] / "shared" / "data"
Heard = tuple[SongTruth, Music]


def heard(samples: FloatArray) -> Music:
    return analysed(samples.astype(np.float32), SAMPLE_RATE_HZ, len(samples) / SAMPLE_RATE_HZ)


@pytest.fixture(scope="module", params=CONDITIONS, ids=lambda condition: condition.name)
def one(request: pytest.FixtureRequest) -> Heard:
    truth = song(4, request.param)
    return truth, heard(truth.samples)


@pytest.fixture(scope="module")
def plain() -> Heard:
    truth = song(2)
    return truth, heard(truth.samples)


def test_tempo_and_beats_are_those_of_the_song(one: Heard) -> None:
    truth, music = one
    assert music.tempo_bpm == pytest.approx(truth.tempo_bpm, rel=0.003)
    assert f_measure(music.beats.beats_s, truth.beats.beats_s) > 0.97
    assert np.median(np.abs(errors_s(music.beats.beats_s, truth.beats.beats_s))) < 0.01


def test_the_ones_are_those_of_the_band(one: Heard) -> None:
    truth, music = one
    found_s, true_s = music.beats.beats_s, truth.beats.beats_s
    assert count_agreement(found_s, music.beats.positions, true_s, truth.beats.positions) > 0.85
    assert count_agreement(found_s, music.counts, true_s, truth.counts) > 0.75


def test_sections_are_where_they_are_and_what_they_are(one: Heard) -> None:
    truth, music = one
    starts_s = np.array([section.segment.start_s for section in music.sections[1:]])
    assert boundary_f(starts_s, truth.boundaries_s) > 0.75
    assert role_share(music, truth) > 0.6


def test_sections_tile_the_beats_and_begin_on_a_one(one: Heard) -> None:
    music = one[1]
    assert music.sections[0].first_beat == 0
    assert music.sections[-1].end_beat == len(music.beats)
    for before, after in itertools.pairwise(music.sections):
        assert before.end_beat == after.first_beat
        assert before.segment.end_s == after.segment.start_s == music.beats.beats_s[after.first_beat]
        assert music.counts[after.first_beat] == 1


def test_counts_stand_in_their_bars(one: Heard) -> None:
    music = one[1]
    np.testing.assert_array_equal((music.counts - 1) % BEATS_PER_BAR + 1, music.beats.positions)
    assert 1 <= music.counts.min() <= music.counts.max() <= COUNTS_PER_EIGHT
    steps = np.diff(music.beats.positions)
    assert ((steps == 1) | (music.beats.positions[1:] == 1)).all()  # a bar ends early or not at all


def test_all_measures_are_shares(one: Heard) -> None:
    music = one[1]
    shares = [music.tempo_confidence, music.bar_confidence, music.eight_confidence, music.energy_level]
    shares += [music.pattern_strength, music.syncopation, *music.energy, *music.guira]
    shares += [value for section in music.sections for value in (section.energy, section.confidence)]
    assert 0 <= min(shares) <= max(shares) <= 1
    assert music.energy.max() == 1
    assert np.linalg.norm(music.embedding) == pytest.approx(1, abs=1e-5)


def test_repetitions_share_a_group_and_other_parts_do_not(plain: Heard) -> None:
    truth, music = plain
    found = {section.first_beat: section.group for section in music.sections}
    assert set(found) == {passage.first_beat for passage in truth.passages}
    groups = [found[passage.first_beat] for passage in truth.passages]
    assert groups == [passage.group for passage in truth.passages[:-1]] + [max(groups)]


def test_the_guira_tells_verse_from_chorus(plain: Heard) -> None:
    truth, music = plain

    def mean(role: Role) -> float:
        beats = [b for p in truth.passages if p.role is role for b in range(p.first_beat, p.end_beat)]
        return float(music.guira[beats].mean())

    assert mean(Role.VERSE) > 0.4 > 0.2 > mean(Role.CHORUS)


def test_an_intro_is_calmer_than_a_mambo(plain: Heard) -> None:
    energies = {section.role: section.energy for section in plain[1].sections}
    assert energies[Role.INTRO] < 0.5 < 0.8 < energies[Role.MAMBO]


def test_music_survives_its_codec(plain: Heard) -> None:
    music = plain[1]
    again = Music.from_bytes(music.to_bytes())
    assert again.sections == music.sections
    np.testing.assert_array_equal(again.counts, music.counts)
    np.testing.assert_array_equal(again.embedding, music.embedding)


def test_the_same_samples_give_the_same_bytes(plain: Heard) -> None:
    assert heard(plain[0].samples).to_bytes() == plain[1].to_bytes()


def test_loudness_changes_nothing(plain: Heard) -> None:
    truth, music = plain
    softer = heard(0.05 * truth.samples)
    np.testing.assert_array_equal(softer.counts, music.counts)
    assert [s.role for s in softer.sections] == [s.role for s in music.sections]
    assert softer.energy_level == pytest.approx(music.energy_level, abs=0.02)
    assert softer.embedding @ music.embedding > 0.99


def test_beats_are_those_of_the_audio_step(plain: Heard) -> None:
    truth, music = plain
    found = extract(truth.samples, SAMPLE_RATE_HZ, 30.0, truth.duration_s)
    np.testing.assert_allclose(found.beats.beats_s, music.beats.beats_s, atol=1e-4)


def test_the_sample_of_the_demo_has_its_sections() -> None:
    made = bachata(120.0, 126.0, sample_rate_hz=SAMPLE_RATE_HZ)
    music = heard(made.samples)
    true_s = np.array([section.segment.start_s for section in made.sections[1:]])
    assert boundary_f(np.array([s.segment.start_s for s in music.sections[1:]]), true_s) > 0.75
    assert music.counts[:4].tolist() == [1, 2, 3, 4]


def test_other_music_has_counts_and_one_kind_of_section() -> None:
    for take in grooves(1, 40.0)[:4]:
        music = heard(take.samples)
        assert music.tempo_bpm == pytest.approx(take.tempo_bpm, rel=0.01), take.name
        assert len({section.group for section in music.sections}) <= 2, take.name


@pytest.mark.parametrize("samples", [None, np.zeros(0), np.zeros(50_000), np.full(50_000, 0.25)])
def test_silence_is_no_music(samples: FloatArray | None) -> None:
    music = analysed(None if samples is None else samples.astype(np.float32), SAMPLE_RATE_HZ, 2.0)
    assert music.tempo_bpm is None
    assert len(music.beats) == len(music.sections) == 0
    assert not music.embedding.any()


def test_noise_has_a_timbre_and_no_beat() -> None:
    music = heard(0.1 * np.random.default_rng(0).standard_normal(20 * SAMPLE_RATE_HZ))
    assert music.tempo_bpm is None
    assert music.sections == ()
    assert np.linalg.norm(music.embedding) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("duration_s", [0.0, 0.001, 0.1, 0.6, 2.6, 3.0, 5.0, 8.0])
def test_the_shortest_recordings_are_analysed(duration_s: float) -> None:
    take = clicks(120.0, max(duration_s, 0.2))
    music = analysed(take.samples[: round(duration_s * SAMPLE_RATE_HZ)], SAMPLE_RATE_HZ, duration_s)
    assert music.embedding.shape == (EMBEDDING,)
    assert np.isfinite(music.embedding).all()
    assert len(music.counts) == len(music.beats)
    assert sum(section.end_beat - section.first_beat for section in music.sections) == len(music.beats)


def test_samples_that_are_no_numbers_are_passed_over(plain: Heard) -> None:
    truth, music = plain
    samples = truth.samples.copy()
    samples[[5, 100_000, 300_000]] = np.nan, np.inf, -np.inf
    found = heard(samples)
    assert np.isfinite(found.energy).all()
    assert found.tempo_bpm == pytest.approx(music.tempo_bpm, rel=1e-4)


@pytest.mark.data
def test_real_songs_are_analysed_and_their_halves_are_alike() -> None:
    songs = sorted(path for path in DATA.glob("songs/*") if path.suffix in {".ogg", ".mp3"})
    if not songs:
        pytest.skip(f"no songs at {DATA}")
    halves: list[FloatArray] = []
    for path in songs:
        samples = sound(str(path), SAMPLE_RATE_HZ, 600.0)
        assert samples is not None
        music = heard(samples)
        assert music.sections[-1].end_beat == len(music.beats)
        halves += [heard(half).embedding for half in np.array_split(samples, 2)]
    alike = np.array(halves[::2]) @ np.array(halves[1::2]).T
    assert np.diag(alike).mean() > alike.mean() + 0.2
