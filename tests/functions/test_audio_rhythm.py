"""Strokes, energy and the embedding of made-up bars."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.audio.beatwise import Bars, Beatwise
from functions.audio.embedding import embedding
from functions.audio.energy import energy
from functions.audio.rhythm import guira, pattern_strength, syncopation
from shared.music import EMBEDDING
from shared.timeline import BEATS_PER_BAR, FloatArray

COUNT = 64
BARS = Bars.of(np.arange(COUNT) % BEATS_PER_BAR + 1)


def played(on: float, between: float, noise: float = 0.0) -> FloatArray:
    """Strokes of all bands on the beats and halfway between, over noise."""
    strokes = noise * np.random.default_rng(0).random((COUNT, 4, 5))
    strokes[:, 0] += on
    strokes[:, 2] += between
    return strokes


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize(("between", "least", "most"), [(0.0, 0.0, 0.15), (0.5, 0.4, 0.65), (1.0, 0.85, 1.0)])
def test_the_guira_is_the_share_of_the_strokes_between(between: float, least: float, most: float, noise: float) -> None:
    assert least <= guira(played(1.0, between, noise)).mean() <= most


def test_the_guira_changes_where_the_pattern_does() -> None:
    strokes = played(1.0, 0.8)
    strokes[32:, 2] = 0
    found = guira(strokes)
    assert found[:29].min() > 0.7
    assert found[35:].max() < 0.1


def test_a_silent_guira_has_no_strokes_between() -> None:
    assert guira(np.zeros((COUNT, 4, 5))).max() == 0


def test_bars_that_repeat_are_a_strong_pattern_and_random_ones_are_none() -> None:
    rng = np.random.default_rng(0)
    one = rng.random((BEATS_PER_BAR, 4, 5))
    assert pattern_strength(np.tile(one, (COUNT // 4, 1, 1)), BARS) == 1
    assert pattern_strength(rng.random((COUNT, 4, 5)), BARS) < 0.2
    assert pattern_strength(one, Bars.of(np.array([1, 2, 3, 4]))) == 0  # one bar repeats nothing


def test_syncopation_is_the_share_off_the_beats() -> None:
    assert syncopation(played(1.0, 0.0)) == 0
    assert syncopation(played(1.0, 1.0)) == pytest.approx(0.5)
    assert syncopation(played(0.0, 1.0)) == 1
    assert syncopation(np.zeros((COUNT, 4, 5))) == 0


def rows(level: FloatArray, strokes: FloatArray) -> Beatwise:
    return Beatwise(strokes, np.broadcast_to(level[:, None], (len(level), 81)), np.full((len(level), 12), 12**-0.5))


def test_energy_rises_with_loudness_and_strokes() -> None:
    calm, loud = np.full(32, -35.0), np.full(32, -10.0)
    strokes = np.concatenate([played(0.3, 0.0)[:32], played(2.0, 1.0)[:32]])
    found = energy(rows(np.concatenate([calm, loud]), strokes))
    assert found[:28].max() < 0.2
    assert found[36:].min() > 0.9


def test_a_song_that_is_even_is_energetic_throughout() -> None:
    assert energy(rows(np.full(COUNT, -20.0), played(1.0, 0.5))).min() == pytest.approx(1)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_energy_and_guira_are_shares_of_whatever_is_heard(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    strokes = rng.exponential(1, (count, 4, 5))
    found = energy(rows(rng.uniform(-60, 0, count), strokes))
    for curve in (found, guira(strokes)):
        assert 0 <= curve.min() <= curve.max() <= 1
    assert found.max() == 1


def _heard(seed: int) -> Beatwise:
    rng = np.random.default_rng(seed)
    chroma = rng.random((COUNT, 12))
    level = rng.uniform(-50, -10, 81) + rng.normal(0, 3, (COUNT, 81))
    return Beatwise(rng.random((COUNT, 4, 5)), level, chroma / np.linalg.norm(chroma, axis=1, keepdims=True))


def test_an_embedding_is_a_direction_and_a_third_of_it_rhythm() -> None:
    found = embedding(_heard(0), BARS, 128.0)
    assert found.shape == (EMBEDDING,)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(found[80:]) == pytest.approx(3**-0.5, abs=1e-3)
    assert not embedding(_heard(0), None, None)[80:].any()


def test_a_key_and_a_loudness_do_not_change_it() -> None:
    heard = _heard(1)
    moved = Beatwise(heard.strokes, heard.level - 6, np.roll(heard.chroma, 5, axis=1))
    assert embedding(heard, BARS, 128.0) @ embedding(moved, BARS, 128.0) > 0.999


def test_another_song_is_further_than_another_tempo() -> None:
    same, slower, other = (
        embedding(_heard(seed), BARS, tempo_bpm) for seed, tempo_bpm in ((2, 130), (2, 118), (3, 130))
    )
    assert same @ slower > same @ other
