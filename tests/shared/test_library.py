"""A move and its bytes, and moves in one row."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import BadMessage
from shared.library import (
    JOINTS,
    POSE_EMBEDDING,
    QUALITIES,
    Annotation,
    Difficulty,
    Edges,
    Energy,
    Move,
    MoveLibrary,
    Style,
)
from shared.music import EMBEDDING, Music
from shared.timeline import BeatGrid
from tests.shared.test_features import UNHURRIED

FLOATS = st.floats(0, 1, width=32) | st.just(np.nan)
ANNOTATIONS = st.builds(
    Annotation, st.text("abc_1", min_size=1, max_size=9), st.text("abc_", min_size=1, max_size=9),
    st.sampled_from(Difficulty), st.sampled_from(Energy), st.none() | st.floats(40, 240),
    st.lists(st.sampled_from(Style), max_size=3).map(tuple),
)  # fmt: skip


@st.composite
def moves(draw, most: int = 3):
    """Any move: of no block, of blocks with gaps between them, of what was hardly seen."""
    many = draw(st.integers(0, most))

    def told(*shape: int):
        return draw(hnp.arrays(np.float32, (many, *shape), elements=FLOATS))

    starts = np.cumsum([draw(st.integers(0, 6)) + 8 * (number > 0) for number in range(many)], dtype=np.int64)
    edges = Edges(told(2, 2, len(JOINTS), 4), told(2, 2, 2), told(2, 2), told(2))
    return replace(
        move(draw(ANNOTATIONS), many), blocks=starts, qualities=told(len(QUALITIES)), edges=edges,
        bar_confidence=draw(st.floats(0, 1)), tempo_bpm=draw(st.floats(100, 165)), name=draw(st.text(max_size=9)),
    )  # fmt: skip


def move(annotation: Annotation, blocks: int = 2, tempo_bpm: float = 120.0) -> Move:
    """Each of its blocks follows the one before, and the dancers stand still."""
    joints = np.zeros((blocks, 2, 2, len(JOINTS), 4), np.float32)
    edges = Edges(joints, joints[..., 0, :2], joints[..., 0, 0], joints[:, :, 0, 0, 0])
    return Move(
        annotation, "clip.mp4", "0" * 64, "mezzanine/clip.mp4", "2026-03-01T00:00:00+00:00", 30.0, 900,
        BeatGrid.regular(60 / tempo_bpm, 30.0), tempo_bpm, 0.9, 8 * np.arange(blocks),
        np.zeros((blocks, 5), np.float32), np.eye(blocks, POSE_EMBEDDING, dtype=np.float32),
        np.eye(1, EMBEDDING, dtype=np.float32)[0], edges,
    )  # fmt: skip


def said(clip_id: str, difficulty: Difficulty = Difficulty.BEGINNER) -> Annotation:
    return Annotation(clip_id, "basic", difficulty, Energy.MEDIUM)


@UNHURRIED
@given(moves())
def test_a_move_survives_its_bytes(move):
    again = Move.from_bytes(move.to_bytes())
    for name in (
        "annotation", "name", "sha256", "mezzanine", "added_at", "frame_rate_hz", "frames", "tempo_bpm",
        "bar_confidence",
    ):  # fmt: skip
        assert getattr(again, name) == getattr(move, name)
    for name in ("blocks", "qualities", "pose_embedding", "audio_embedding"):
        np.testing.assert_array_equal(getattr(again, name), getattr(move, name))
    for name in ("joints", "place", "facing", "hold"):
        np.testing.assert_array_equal(getattr(again.edges, name), getattr(move.edges, name))
    np.testing.assert_array_equal(again.beats.beats_s, move.beats.beats_s)


@pytest.mark.parametrize("data", [b"", b"no move", Music.none(3.0).to_bytes()])
def test_what_is_no_move_is_a_bad_message(data):
    with pytest.raises(BadMessage):
        Move.from_bytes(data)


@pytest.mark.parametrize("name", ["qualities", "pose_embedding", "audio_embedding"])
def test_what_does_not_fit_the_blocks_is_refused(name):
    fine = move(said("a"))
    with pytest.raises(ValueError, match="blocks"):
        replace(fine, **{name: getattr(fine, name)[:-1]})


def test_a_block_lasts_from_its_first_beat_to_the_one_after_its_last():
    segment = move(said("a")).block_segment(1)
    assert (segment.start_s, segment.end_s) == pytest.approx((4.0, 8.0))


@pytest.mark.parametrize(
    ("time_s", "frame"), [(0.0, 0), (0.49 / 30, 0), (0.51 / 30, 1), (2.0, 60), (-1.0, 0), (99.0, 900)]
)
def test_a_time_is_shown_at_the_nearest_frame_that_there_is(time_s, frame):
    assert move(said("a")).frame_of(time_s) == frame


def test_a_library_is_its_blocks_in_the_order_of_the_ids():
    library = MoveLibrary.of([move(said("b", Difficulty.ADVANCED), 1, 130.0), move(said("a"), 2), move(said("c"), 0)])
    assert [each.id for each in library.moves] == ["a", "b", "c"]
    assert library.owner.tolist() == [0, 0, 1]
    assert library.number.tolist() == [0, 1, 0]
    assert library.difficulty.tolist() == [0, 0, 2]
    assert library.tempo_bpm.tolist() == [120, 120, 130]
    assert library.move_of(2).id == "b"
    assert library.segment_of(1).start_s == pytest.approx(4.0)


@UNHURRIED
@given(st.lists(moves(), max_size=4, unique_by=lambda move: move.id))
def test_all_that_a_library_tells_of_its_blocks_has_one_row_for_each(moves):
    library = MoveLibrary.of(moves)
    many = sum(len(move.blocks) for move in moves)
    assert len(library) == many
    assert library.qualities.shape == (many, len(QUALITIES))
    assert library.pose_embedding.shape == (many, POSE_EMBEDDING)
    assert library.audio_embedding.shape == (many, EMBEDDING)
    assert library.edges.joints.shape == (many, 2, 2, len(JOINTS), 4)
    assert library.edges.place.shape == (many, 2, 2, 2)
    assert library.edges.facing.shape == (many, 2, 2)
    assert library.edges.hold.shape == (many, 2)


@UNHURRIED
@given(st.permutations("abcd"))
def test_the_order_of_the_moves_is_no_other_version(ids):
    library = MoveLibrary.of(move(said(clip_id)) for clip_id in ids)
    assert library.version == MoveLibrary.of(move(said(clip_id)) for clip_id in "abcd").version
    assert len(library.version) == 16


@pytest.mark.parametrize(
    "change",
    [
        {"annotation": said("a", Difficulty.ADVANCED)}, {"sha256": "1" * 64}, {"mezzanine": "mezzanine/other.mp4"},
        {"blocks": np.array([4, 12])}, {"beats": BeatGrid.regular(0.51, 30.0)},
    ],
)  # fmt: skip
def test_another_content_is_another_version(change):
    before = move(said("a"))
    assert MoveLibrary.of([replace(before, **change)]).version != MoveLibrary.of([before]).version


def test_two_moves_of_one_id_are_no_library():
    with pytest.raises(ValueError, match="id"):
        MoveLibrary.of([move(said("a")), move(said("a"))])


def test_a_block_is_followed_by_the_next_of_its_clip_and_by_no_other():
    gap = replace(move(said("b")), blocks=np.array([0, 12]))
    library = MoveLibrary.of([move(said("a")), gap])
    followed = [(one, other) for one in range(4) for other in range(4) if library.is_followed_by(one, other)]
    assert followed == [(0, 1)]


@pytest.mark.parametrize(
    ("word", "difficulty"),
    [("low", "beginner"), ("medium", "intermediate"), ("high", "advanced"), ("advanced", "advanced")],
)
def test_a_difficulty_may_be_said_in_the_words_of_annotations(word, difficulty):
    assert Difficulty.of(word) is Difficulty(difficulty)


def test_difficulties_rise():
    assert [each.rank for each in Difficulty] == [0, 1, 2]
    with pytest.raises(ValueError, match="hard"):
        Difficulty.of("hard")


def test_an_annotation_is_read_from_a_jobs_options():
    options = {"clip_id": "a", "label": "basic", "difficulty": "advanced", "energy": "low"}
    assert Annotation.read(options) == Annotation("a", "basic", Difficulty.ADVANCED, Energy.LOW)
    full = Annotation.read({**options, "tempo_bpm": 129.0, "styles": "modern,sensual"})
    assert (full.tempo_bpm, full.styles) == (129.0, (Style.MODERN, Style.SENSUAL))
