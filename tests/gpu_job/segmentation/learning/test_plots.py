"""Plots are pictures that can be read."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from gpu_job.segmentation.learning.plots import curves, plots
from tests.gpu_job.segmentation.learning.test_trials import trial


def picture(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


def coloured(image: np.ndarray) -> int:
    return int((np.ptp(image.astype(int), axis=2) > 60).sum())


@pytest.mark.parametrize("name", ["tolerance", "dances", "errors"])
def test_an_evaluation_is_drawn(tmp_path: Path, name: str) -> None:
    given = [trial([5.0, 10.0]), trial([7.0, 9.0])]
    plots(given, {"network": [[5.1, 10.3], [7.0]], "novelty": [[4.0], []]}, tmp_path)
    image = picture(tmp_path / f"{name}.png")
    assert image.shape[:2] == (450, 700)
    assert coloured(image) > 200


def test_the_curves_of_a_training_are_drawn(tmp_path: Path) -> None:
    rows = [
        {"fold": str(fold), "epoch": str(epoch), "loss": str(0.3 / epoch), "held_out_loss": str(0.4 / epoch)}
        for fold in (0, 2)
        for epoch in (1, 2, 3)
    ]
    curves(rows, tmp_path / "curves.png")
    assert coloured(picture(tmp_path / "curves.png")) > 200
