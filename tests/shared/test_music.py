"""A song's music and its bytes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import BadMessage
from shared.features import AudioFeatures
from shared.music import EMBEDDING, Music, Role, Section
from shared.timeline import BeatGrid, Segment
from tests.shared.test_features import UNHURRIED

SHARES = st.floats(0, 1)


@st.composite
def sections(draw, beats: int):
    first = draw(st.integers(0, beats))
    end = draw(st.integers(first, beats))
    return Section(
        draw(st.sampled_from(Role)), first, end, Segment(first * 0.5, end * 0.5), draw(st.integers(0, 5)), draw(SHARES),
        draw(SHARES),
    )  # fmt: skip


@st.composite
def music(draw):
    """Any music: of no beat, of no section."""
    beats = draw(st.integers(0, 20))

    def told() -> np.ndarray:
        return draw(hnp.arrays(np.float32, beats, elements=st.floats(0, 1, width=32)))

    return Music(
        draw(st.floats(0, 900)), draw(st.none() | st.floats(100, 165)), *(draw(SHARES) for _ in range(3)),
        BeatGrid(0.5 * np.arange(beats), np.arange(beats) % 4 + 1), np.arange(beats) % 8 + 1, told(), told(),
        tuple(draw(st.lists(sections(beats), max_size=3))), *(draw(SHARES) for _ in range(3)),
        draw(hnp.arrays(np.float32, EMBEDDING, elements=st.floats(-1, 1, width=32))),
    )  # fmt: skip


@UNHURRIED
@given(music())
def test_music_survives_its_bytes(music):
    again = Music.from_bytes(music.to_bytes())
    for name in (
        "duration_s", "tempo_bpm", "tempo_confidence", "bar_confidence", "eight_confidence", "sections", "energy_level",
        "pattern_strength", "syncopation",
    ):  # fmt: skip
        assert getattr(again, name) == getattr(music, name)
    for name in ("counts", "energy", "guira", "embedding"):
        np.testing.assert_array_equal(getattr(again, name), getattr(music, name))
    np.testing.assert_array_equal(again.beats.beats_s, music.beats.beats_s)
    np.testing.assert_array_equal(again.beats.positions, music.beats.positions)


@pytest.mark.parametrize("data", [b"", b"no music", AudioFeatures.silent(3.0, 15.0).to_bytes()])
def test_what_is_no_music_is_a_bad_message(data):
    with pytest.raises(BadMessage):
        Music.from_bytes(data)


def test_silence_has_no_beat_and_nothing_upon_it():
    silence = Music.none(12.0, tempo_confidence=0.2)
    assert silence.tempo_bpm is None
    assert (silence.duration_s, silence.tempo_confidence, len(silence.beats), silence.sections) == (12.0, 0.2, 0, ())
    assert not silence.embedding.any()


@pytest.mark.parametrize("name", ["counts", "energy", "guira", "embedding"])
def test_what_does_not_fit_the_beats_is_refused(name):
    silence = Music.none(12.0)
    with pytest.raises(ValueError, match="beat"):
        replace(silence, **{name: np.zeros(7)})
