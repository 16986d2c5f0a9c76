"""A training learns, is the same for its seed however often it is interrupted, and leaves no process behind."""

from __future__ import annotations

import io
import multiprocessing
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gpu_job.segmentation.learning.examples import Diet, Example, example
from gpu_job.segmentation.learning.training import Progress, Recipe, begun, epochs, kitchen, loss_of
from tests.gpu_job.segmentation.learning.toys import HALF_BEATS, toy, toys_of
from tests.gpu_job.segmentation.networks import TINY

RECIPE = Recipe(shape=TINY, epochs=4, fresh=12, kept=24, steps=6, batch=6, learning_rate=2e-2)
SOLOS = replace(RECIPE, diet=Diet(solos=1.0, drills=0.0), fresh=2, epochs=3)


def weights(training: Progress) -> np.ndarray:
    return np.concatenate([each.detach().numpy().ravel() for each in training.network.parameters()])


def trained(seed: int, recipe: Recipe = RECIPE) -> Progress:
    training = begun(recipe, seed)
    list(epochs(training, toys_of, recipe, seed))
    return training


def test_what_can_be_told_apart_is_learnt() -> None:
    recipe = replace(RECIPE, epochs=8, steps=12)
    training = begun(recipe, 1)
    losses = list(epochs(training, toys_of, recipe, 1))
    assert (len(losses), training.epoch) == (8, 8)
    assert losses[-1] < 0.4 * losses[0]
    with torch.inference_mode():
        assert loss_of(training.network, [toy(seed) for seed in range(10_000, 10_020)]) < 0.5 * losses[0]
    assert not training.network.training


def kept(training: Progress) -> bytes:
    file = io.BytesIO()
    torch.save(training.state(), file)
    return file.getvalue()


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_interrupted_after_any_epoch_it_goes_on_as_if_never_interrupted(after: int) -> None:
    training = begun(RECIPE, 5)
    going = epochs(training, toys_of, RECIPE, 5)
    for _ in range(after):
        next(going)
    again = begun(RECIPE, 77)  # whatever it was begun with
    again.restore(torch.load(io.BytesIO(kept(training)), weights_only=True))
    list(epochs(again, toys_of, RECIPE, 5))
    assert again.epoch == 4
    np.testing.assert_array_equal(weights(again), weights(trained(5)))


def test_a_seed_is_one_network_and_another_seed_another() -> None:
    one, other = weights(trained(1)), weights(trained(2))
    np.testing.assert_array_equal(weights(trained(1)), one)
    assert not np.allclose(one, other)


def asked_for(training: Progress, recipe: Recipe) -> list[int]:
    asked: list[int] = []

    def dances_of(epoch: int) -> Sequence[Example]:
        asked.append(epoch)
        return toys_of(epoch)

    list(epochs(training, dances_of, recipe, 1))
    return asked


def test_resumed_it_asks_for_the_youngest_dances_again_and_finished_for_none() -> None:
    training = begun(RECIPE, 1)
    assert asked_for(training, RECIPE) == [0, 1, 2, 3]
    assert asked_for(training, RECIPE) == []
    training.epoch = 3
    assert asked_for(training, RECIPE) == [2, 3]


def test_examples_that_people_marked_are_always_at_hand() -> None:
    with_marks, without = (begun(RECIPE, 1) for _ in range(2))
    list(epochs(with_marks, toys_of, RECIPE, 1, [toy(seed) for seed in range(500, 550)]))
    list(epochs(without, toys_of, RECIPE, 1))
    assert not np.array_equal(weights(with_marks), weights(without))
    alone = begun(RECIPE, 1)
    assert len(list(epochs(alone, lambda _: [], RECIPE, 1, [toy(0)]))) == 4


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine() -> None:
    recipe = Recipe(epochs=10, steps=10, learning_rate=1.0)
    rates = np.array([recipe.rate_at(step) for step in range(recipe.total_steps)])
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert np.all(np.diff(rates[10:]) < 0)
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.01


def test_the_loss_counts_what_is_judged_alone() -> None:
    training = begun(RECIPE, 1)
    training.network.eval()
    one = toy(1)
    judged = np.zeros(HALF_BEATS, np.float32)
    judged[5] = 0.5
    with torch.inference_mode():
        told = float(loss_of(training.network, [replace(one, weight=judged)]))
        changed = replace(one, weight=judged, target=np.where(judged > 0, one.target, 1 - one.target))
        assert float(loss_of(training.network, [changed])) == pytest.approx(told)
        sure = replace(one, weight=judged, target=1 - one.target)
        assert float(loss_of(training.network, [sure])) != pytest.approx(told)


class TestKitchen:
    def test_it_makes_the_dances_of_the_seed(self) -> None:
        with kitchen([], SOLOS, 3) as dances_of:
            made = [dance for epoch in range(3) for dance in dances_of(epoch)]
        assert len(made) == 6
        for number, dance in enumerate(made):
            np.testing.assert_array_equal(dance.target, example([], 3_000_000 + number, SOLOS.diet).target)

    @pytest.mark.parametrize("how", ["early", "in error"])
    def test_its_process_ends_however_it_is_left(self, how: str) -> None:
        recipe = replace(SOLOS, fresh=60)
        training = begun(recipe, 1)
        with suppress(ZeroDivisionError), kitchen([], recipe, 1) as dances_of:
            for _ in epochs(training, dances_of, recipe, 1):
                assert multiprocessing.active_children()
                if how == "in error":
                    raise ZeroDivisionError
                break
        assert multiprocessing.active_children() == []
        assert training.epoch == 1

    def test_what_goes_wrong_in_it_is_told(self) -> None:
        joins = replace(SOLOS, diet=Diet(solos=0.0, drills=0.0))
        with pytest.raises(ValueError, match="a join needs two clips"), kitchen([], joins, 1) as dances_of:
            dances_of(0)
        assert multiprocessing.active_children() == []

    def test_nobody_is_called_in_for_nothing(self) -> None:
        with kitchen([], SOLOS, 1):
            assert multiprocessing.active_children() == []

    def test_it_does_not_outlive_a_parent_that_is_killed(self) -> None:
        said = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        with subprocess.Popen([sys.executable, "-c", KILLED], **said) as parent:
            assert parent.stdout
            worker = int(parent.stdout.readline())
            parent.kill()
            assert parent.stdout.read() == ""  # the worker holds the other end of this pipe until it is gone
        assert not is_running(worker)


KILLED = """
import multiprocessing, time
from gpu_job.segmentation.learning.examples import Diet
from gpu_job.segmentation.learning.training import Recipe, kitchen

if __name__ == "__main__":
    with kitchen([], Recipe(diet=Diet(solos=1.0, drills=0.0), epochs=2, fresh=1), 1) as dances_of:
        dances_of(0)
        print(multiprocessing.active_children()[0].pid, flush=True)
        time.sleep(100)
"""


def is_running(process: int) -> bool:
    """One that ended and that nobody has asked about yet does not run."""
    status = Path(f"/proc/{process}/status")
    return status.exists() and "Z (zombie)" not in status.read_text()
