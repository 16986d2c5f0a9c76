"""The picture: there for every dance, with every move in its colour and in its place."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from gpu_job.drawing import MOVE_COLOURS, PAPER, Colour
from gpu_job.segmentation.labels import letter as letter_of
from gpu_job.segmentation.timeline_picture import MAX_ROW_S, WIDTH, colour_of, timeline_png
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
