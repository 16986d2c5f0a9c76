"""The picture of a moment: both dancers in their colours, the limb that differs stressed."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gpu_job.comparison.figures import STUDENT, TEACHER
from gpu_job.comparison.findings import Comparison, Limb
from gpu_job.comparison.moments import HEIGHT, WIDTH, moment_png
from gpu_job.drawing import Colour
from tests.gpu_job.comparison.compared import blind, compared

FIGURES = slice(120, 700)


def drawn(comparison: Comparison, limb: Limb = Limb.RIGHT_ARM) -> np.ndarray:
    """``(HEIGHT, WIDTH, 3)``."""
    (moment,) = comparison.worst or compared().worst
    with Image.open(io.BytesIO(moment_png(comparison, replace(moment, limb=limb)))) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture).astype(int)


def of_colour(picture: np.ndarray, colour: Colour) -> np.ndarray:
    return np.abs(picture - colour).max(axis=2) <= 3


@pytest.mark.parametrize("limb", Limb)
def test_the_limb_that_differs_stands_out_in_both_colours(limb: Limb) -> None:
    picture = drawn(compared(), limb)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    for colour in (TEACHER, STUDENT):
        assert of_colour(picture[FIGURES], colour).sum() > 200


def test_a_right_arm_is_at_the_left_of_who_faces_the_camera() -> None:
    comparison = compared()
    right, left = (drawn(comparison, limb)[FIGURES] for limb in (Limb.RIGHT_ARM, Limb.LEFT_ARM))
    right_x, left_x = (np.flatnonzero(of_colour(each, STUDENT).any(axis=0)).mean() for each in (right, left))
    assert right_x < left_x - 50


def test_what_was_not_seen_is_not_drawn() -> None:
    comparison = compared()
    comparison.bodies.student[:] = np.nan
    picture = drawn(comparison)[FIGURES]
    assert of_colour(picture, TEACHER).sum() > 200
    assert of_colour(picture, STUDENT).sum() == 0


def test_nobody_can_be_drawn_too() -> None:
    picture = drawn(blind(compared()))[FIGURES]
    assert of_colour(picture, TEACHER).sum() == of_colour(picture, STUDENT).sum() == 0


def test_a_legend_names_the_colours() -> None:
    legend = drawn(compared())[HEIGHT - 60 :]
    assert of_colour(legend, TEACHER).any()
    assert of_colour(legend, STUDENT).any()
