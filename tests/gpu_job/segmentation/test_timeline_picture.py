"""The picture: there for every dance, with every move in its colour and in its place."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gpu_job.drawing import MOVE_COLOURS, PAPER, Colour
from gpu_job.segmentation import Move
from gpu_job.segmentation.labels import letter as letter_of
from gpu_job.segmentation.timeline_picture import MAX_ROW_S, WIDTH, _name, _subtitle, colour_of, timeline_png
from shared.features import AudioFeatures
from tests.gpu_job.segmentation.truth import Truth, cut, danced, unseen


def drawn(truth: Truth, audio: AudioFeatures | None = None) -> np.ndarray:
    """The picture of a dance. ``(height, WIDTH, 3)``."""
    png = timeline_png(cut(truth.pose, audio or truth.audio), truth.pose)
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def share_of(picture: np.ndarray, colour: Colour) -> float:
    return float((np.abs(picture.astype(int) - colour).max(axis=2) <= 2).mean())


def test_every_kind_of_move_is_there_in_its_colour() -> None:
    truth = danced(1, duration_s=30)
    picture = drawn(truth)
    for letter in {move.letter for move in cut(truth.pose, truth.audio).moves}:
        assert share_of(picture, colour_of(letter)) > 0.001


def test_bars_are_as_wide_as_their_moves_are_long() -> None:
    truth = danced(3, duration_s=12)
    found, picture = cut(truth.pose, truth.audio), drawn(truth)
    bars = picture[124 + 240]  # a line of pixels near the lower edge of the bars
    widths = {move.letter: 0.0 for move in found.moves}
    for move in found.moves:
        widths[move.letter] += move.segment.duration_s
    for letter, seconds in widths.items():
        pixels = (np.abs(bars.astype(int) - colour_of(letter)).max(axis=1) <= 2).sum()
        assert pixels == pytest.approx(seconds * (WIDTH - 80) / 12, abs=14 * len(found.moves))


def test_long_dances_wrap_into_rows() -> None:
    short, long = drawn(danced(1, duration_s=14)), drawn(danced(1, duration_s=60))
    assert short.shape[1] == long.shape[1] == WIDTH
    assert long.shape[0] > 3 * (short.shape[0] - 160)


def test_ten_minutes_work() -> None:
    picture = drawn(danced(1, duration_s=600))
    assert picture.shape[0] > 300 * 600 / MAX_ROW_S
    assert np.abs(picture[-300:].astype(int) - PAPER).max() > 100  # the last row is drawn too


def test_a_dancer_out_of_sight_is_left_out() -> None:
    truth = danced(3, duration_s=40)
    gone = Truth(unseen(truth.pose, 200, 420), truth.audio, truth.dance)
    assert share_of(drawn(gone), colour_of("")) > 0.005


@pytest.mark.parametrize("samples", [1, 3, 20])
def test_the_shortest_videos_have_a_picture(samples: int) -> None:
    truth = danced(1, duration_s=samples / 15)
    assert drawn(truth).shape[1] == WIDTH


def test_warnings_are_written_below() -> None:
    truth = danced(1, duration_s=14)
    assert drawn(truth, AudioFeatures.silent(14.0, 15.0)).shape[0] > drawn(truth).shape[0]


def test_letters_beyond_the_palette_have_colours_of_their_own() -> None:
    colours = [colour_of(letter_of(number)) for number in range(3 * len(MOVE_COLOURS))]
    assert len(set(colours)) == len(colours)


MOVE = Move(1.0, 3.0, 4.0, "cross_body_lead", 0.7, (), "B", 1.0)
UNKNOWN = replace(MOVE, label="unknown", confidence=0.0)


@pytest.mark.parametrize(("move", "room", "told"), [
    (MOVE, 400, ("cross body lead", 24)), (MOVE, 150, ("cross body lead", 20)), (MOVE, 125, ("cross body lead", 17)),
    (MOVE, 60, ("cross…", 17)), (MOVE, 20, ("B", 24)), (MOVE, 5, ("", 24)),
    (UNKNOWN, 400, ("move B", 24)), (UNKNOWN, 40, ("B", 24)),
])  # fmt: skip
def test_a_move_is_named_as_far_as_there_is_room(move: Move, room: float, told: tuple[str, float]) -> None:
    assert _name(move, room) == told


@pytest.mark.parametrize(("move", "room", "told"), [
    (MOVE, 400, "B  ·  4 counts  ·  0:01.0 - 0:03.0"),
    (MOVE, 110, "B  ·  4 counts"), (MOVE, 60, "B  ·  4"), (MOVE, 12, "4"),
    (UNKNOWN, 400, "4 counts  ·  0:01.0 - 0:03.0"), (replace(UNKNOWN, counts=1.0), 80, "1 count"),
    (replace(MOVE, counts=None), 400, "B  ·  0:01.0 - 0:03.0"), (replace(UNKNOWN, counts=None), 60, "0:01.0"),
])  # fmt: skip
def test_beside_its_name_stand_its_letter_and_its_counts(move: Move, room: float, told: str) -> None:
    assert _subtitle(move, room) == told
