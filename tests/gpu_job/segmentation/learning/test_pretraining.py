"""A network learns to tell hidden beats where they can be told, and not where they cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_job.segmentation.inputs import CHANNELS
from gpu_job.segmentation.learning.pretraining import pretrain
from gpu_job.segmentation.learning.training import Recipe, begun
from tests.gpu_job.segmentation.learning.toys import shown, toy
from tests.gpu_job.segmentation.networks import GIVEN, TINY


def dances(count: int, *, on_the_bar: bool):
    """Motion that is the same in every bar of every dance, or never."""
    bar = np.random.default_rng(1).normal(size=(16, CHANNELS))
    for seed in range(count):
        noise = np.random.default_rng([seed, 5]).normal(size=(47, CHANNELS))
        motion = np.tile(bar, (3, 1))[:47] if on_the_bar else noise
        yield replace(toy(seed), inputs=shown(motion))


def test_what_comes_again_is_learnt() -> None:
    network = begun(Recipe(shape=TINY), 1).network
    before = {name: each.clone() for name, each in network.named_parameters()}
    error = pretrain(network, [*dances(8, on_the_bar=True)], 250, 1)
    assert error < 0.9
    moved = {name for name, each in network.named_parameters() if not before[name].equal(each)}
    assert {"points.weight", "embedding.weight", "blocks.1.conv.weight"} <= moved


def test_noise_is_not() -> None:
    assert pretrain(begun(Recipe(shape=TINY), 1).network, [*dances(40, on_the_bar=False)], 40, 1) > 0.95


def test_a_seed_is_one_result() -> None:
    one, again = (pretrain(begun(Recipe(shape=TINY), 1).network, [toy(0), toy(1)], 4, 3) for _ in range(2))
    assert one == again


@pytest.mark.parametrize("shape", GIVEN.values(), ids=GIVEN.keys())
def test_any_network_can_be_taught_so(shape) -> None:
    assert np.isfinite(pretrain(begun(Recipe(shape=shape), 1).network, [toy(0), toy(1)], 2, 3))
