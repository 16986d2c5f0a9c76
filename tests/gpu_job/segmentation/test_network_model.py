"""A trained model comes out of its file as it went in, and says of a dance the same in any company."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.network_model import NetworkModel, gathered
from gpu_job.segmentation.novelty import NoveltyModel
from gpu_job.segmentation.performance import Performance
from shared.errors import UnfitNetwork
from shared.timeline import FloatArray
from tests.gpu_job.segmentation.networks import TINY, checkpoint, network
from tests.gpu_job.segmentation.truth import danced

curves = arrays(float, st.integers(1, 40), elements=st.floats(0, 1).map(lambda p: round(p, 4)))


@pytest.fixture(scope="module")
def performances() -> list[Performance]:
    truths = [danced(seed, duration_s=duration_s) for seed, duration_s in ((1, 8.0), (2, 15.0), (3, 10.0))]
    return [Performance(truth.pose, truth.audio) for truth in truths]


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return NetworkModel("tiny", {0: network(1), 1: network(2)})


class TestGathering:
    @given(curves)
    def test_nothing_becomes_less_likely_and_nothing_surer_than_sure(self, exact: FloatArray) -> None:
        told = gathered(exact)
        assert told.shape == exact.shape
        assert np.all((told >= exact) & (told <= 1))

    @given(curves)
    def test_only_what_is_likelier_than_its_neighbours_gathers_them(self, exact: FloatArray) -> None:
        padded = np.concatenate([[0.0], exact, [0.0]])
        for place in np.flatnonzero(gathered(exact) != exact):
            around = padded[place : place + 3]
            assert around[1] == around.max()
            assert gathered(exact)[place] == pytest.approx(min(1.0, around.sum()))

    @given(curves)
    def test_never_two_half_beats_in_a_row_gather(self, exact: FloatArray) -> None:
        grown = gathered(exact) > exact
        assert not np.any(grown[1:] & grown[:-1])

    def test_what_is_divided_between_two_half_beats_is_told_at_the_likelier(self) -> None:
        np.testing.assert_allclose(gathered(np.array([0.0, 0.4, 0.5, 0.0, 0.2])), [0, 0.4, 0.9, 0, 0.2])


def test_every_half_beat_is_told_of(model: NetworkModel, performances: list[Performance]) -> None:
    together = model.probabilities(performances)
    for curve, one in zip(together, performances, strict=True):
        assert len(curve.probability) == len(one.grid)
        assert np.ptp(curve.probability) > 0.001


def test_what_fills_up_a_batch_changes_nothing(model: NetworkModel, performances: list[Performance]) -> None:
    """In one batch, as on a GPU: a processor is given one dance at a time."""
    together = model._told(performances)
    assert len({len(told) for told in together}) > 1  # so that there is something to fill up
    for told, one in zip(together, performances, strict=True):
        np.testing.assert_allclose(told, model._told([one])[0], atol=1e-3)
        assert np.ptp(told) > 0.01


def test_novelty_is_told_beside_it(model: NetworkModel, performances: list[Performance]) -> None:
    for curve, novelty in zip(
        model.probabilities(performances), NoveltyModel().probabilities(performances), strict=True
    ):
        np.testing.assert_array_equal(curve.novelty, novelty.novelty)


def test_nothing_is_told_of_nothing(model: NetworkModel) -> None:
    assert model.probabilities([]) == []


def test_it_comes_back_from_its_file_to_a_hundredth(model: NetworkModel, performances: list[Performance]) -> None:
    data = checkpoint(model.networks).to_bytes()
    read = NetworkModel.of(Checkpoint.from_bytes(data, features=INPUT_SCHEMA))
    assert (read.name, list(read.networks)) == ("network-9", [0, 1])
    for one, other in zip(model.exact(performances), read.exact(performances), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-2)
    assert not any(net.training for net in read.networks.values())


def test_one_fold_s_network_speaks_for_itself(model: NetworkModel, performances: list[Performance]) -> None:
    one, other = (model.only([fold]).exact(performances)[0] for fold in (0, 1))
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(model.exact(performances)[0], (one + other) / 2, atol=1.1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": {**TINY.facts(), "channels": 16}, "folds": [0]},
        {"shape": {**TINY.facts(), "sound": True}, "folds": [0]},
        {"shape": {**TINY.facts(), "hands": 2}, "folds": [0]},
        {"shape": TINY.facts(), "folds": [0, 4]},
        {"shape": {}, "folds": [0]},
        {"folds": [0]},
        {"shape": TINY.facts(), "folds": []},
        {"shape": TINY.facts(), "folds": ["first"]},
        {"shape": {**TINY.facts(), "dropout": 2.0}, "folds": [0]},
    ],
)
def test_tensors_that_do_not_fit_the_shape_are_refused(change: dict[str, object]) -> None:
    made = checkpoint({0: network()})
    with pytest.raises(UnfitNetwork, match=r"'network-9' is not what it says: "):
        NetworkModel.of(Checkpoint(made.tensors, {**made.facts, "config": change}))


def test_one_that_says_no_number_is_refused() -> None:
    """Half precision overflows without a word."""
    broken = network()
    with torch.no_grad():
        broken.head_out.weight.fill_(1e6)
    with pytest.raises(UnfitNetwork, match="not finite"):
        NetworkModel.of(checkpoint({0: broken}))
