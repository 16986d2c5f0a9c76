"""The boundary network says the same of a dance in any company, and all of it learns."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_job.segmentation.inputs import LAGS, Batch, Inputs, inputs
from gpu_job.segmentation.network import BoundaryNetwork, Shape, distances, mean_probability
from gpu_job.segmentation.performance import Performance
from tests.gpu_job.segmentation.learning.readable import lively
from tests.gpu_job.segmentation.networks import GIVEN, TINY, network

CPU = torch.device("cpu")
every_diet = pytest.mark.parametrize("shape", GIVEN.values(), ids=GIVEN.keys())


def dance(seed: int, duration_s: float) -> Inputs:
    clip = lively(seed, duration_s, rate_hz=15.0)
    (one,) = inputs([Performance(clip.views[0], clip.audio)])
    return one


@pytest.fixture(scope="module")
def short() -> Inputs:
    return dance(1, 9.0)


@pytest.fixture(scope="module")
def long() -> Inputs:
    return dance(2, 16.0)


@every_diet
def test_padding_changes_nothing(shape: Shape, short: Inputs, long: Inputs) -> None:
    net = network(shape=shape)
    with torch.inference_mode():
        together = net(Batch.of([short, long], CPU))
        for row, one in zip(together, (short, long), strict=True):
            np.testing.assert_allclose(row[: len(one)], net(Batch.of([one], CPU))[0], atol=2e-5)


@every_diet
def test_it_answers_with_one_number_a_half_beat_at_first_that_boundaries_are_few(
    shape: Shape, short: Inputs, long: Inputs
) -> None:
    torch.manual_seed(0)
    told = BoundaryNetwork(shape).eval()(Batch.of([short, long], CPU))
    assert told.shape == (2, len(long))
    assert torch.sigmoid(told).mean() < 0.2


@every_diet
def test_all_of_it_learns(shape: Shape, short: Inputs, long: Inputs) -> None:
    net = network(shape=shape)
    net(Batch.of([short, long], CPU)).square().sum().backward()
    idle = [name for name, each in net.named_parameters() if each.grad is None or not each.grad.abs().max() > 0]
    assert idle == []


def test_without_pose_it_sees_no_pose_and_without_sound_it_hears_none(short: Inputs) -> None:
    deaf = replace(short, sound=np.zeros_like(short.sound))
    blind = replace(short, motion=np.zeros_like(short.motion), likeness=np.zeros_like(short.likeness))
    told = {
        name: [network(shape=shape)(Batch.of([one], CPU)).detach().numpy() for one in (short, deaf, blind)]
        for name, shape in GIVEN.items()
    }
    np.testing.assert_array_equal(told["pose"][0], told["pose"][1])
    np.testing.assert_array_equal(told["sound"][0], told["sound"][2])
    for name, other in (("pose", 2), ("sound", 1), ("both", 1), ("both", 2)):
        assert not np.allclose(told[name][0], told[name][other])


def test_distances_are_those_of_the_tokens_around_each_half_beat() -> None:
    tokens = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 40, 3)).astype(np.float32))
    mask = torch.ones(1, 40, 1)
    mask[0, 36:] = 0
    told = distances(tokens * mask, mask)[0].numpy()
    assert told.shape == (40, LAGS)
    for place in range(40):
        for lag in range(1, LAGS + 1):
            first = place - -(-lag // 2)
            if first < 0 or first + lag >= 36:
                assert told[place, lag - 1] == 0
            else:
                apart = tokens[0, first] - tokens[0, first + lag]
                assert told[place, lag - 1] == pytest.approx(float(torch.log((apart**2).mean() + 0.02)), abs=1e-5)


def test_several_networks_are_averaged(short: Inputs) -> None:
    batch = Batch.of([short], CPU)
    one, other = network(1), network(2)
    halfway = (torch.sigmoid(one(batch)) + torch.sigmoid(other(batch))) / 2
    torch.testing.assert_close(mean_probability([one, other], batch), halfway)


def test_a_shape_comes_back_from_json() -> None:
    assert Shape.of(json.loads(json.dumps(TINY.facts()))) == TINY
    with pytest.raises(TypeError, match="hands"):
        Shape.of({**TINY.facts(), "hands": 2})
