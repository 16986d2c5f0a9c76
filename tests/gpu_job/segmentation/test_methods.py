"""A job's method is found by its name; a network is loaded once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from gpu_job.kinds import inferences, methods_of
from gpu_job.segmentation import Method, Options, Performance, method, segment_batch
from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.network import BoundaryNetwork, Shape
from gpu_job.segmentation.network_model import tensors_of
from gpu_job.segmentation.novelty import NoveltyModel
from shared.config import Settings
from shared.errors import UnfitNetwork
from shared.job import Kind
from shared.memory import memory_ports
from shared.wishes import MethodName
from tests.functions.support import SETTINGS
from tests.gpu_job.segmentation.checkpoints import facts
from tests.gpu_job.segmentation.truth import danced


def network_file(version: str = "network-0", *, seed: int = 0, **config: Any) -> bytes:
    """A small network that knows nothing."""
    shape = Shape(channels=8, embedding=4, dilations=(1, 2))
    torch.manual_seed(seed)
    told = {"version": version, "features": INPUT_SCHEMA, "config": {"shape": shape.facts(), "folds": [0], **config}}
    return Checkpoint(tensors_of({0: BoundaryNetwork(shape)}), {**facts(), **told}).to_bytes()


def kept(path: Path, version: str = "network-0", *, seed: int = 0) -> str:
    """The place of a network's file."""
    path.write_bytes(network_file(version, seed=seed))
    return str(path)


def performance() -> Performance:
    truth = danced(1, tempo_bpm=120.0, duration_s=20.0)
    return Performance(truth.pose, truth.audio)


def curve_of(found: Method) -> list[float]:
    return found.boundaries.probabilities([performance()])[0].probability.tolist()


def test_novelty_needs_no_network_wherever_that_might_be() -> None:
    found = method(MethodName.NOVELTY, "/nowhere")
    assert found is method(MethodName.NOVELTY)
    assert (found.name, found.boundaries, found.namer) == ("novelty-1", NoveltyModel(), None)


def test_a_network_is_made_of_its_file_and_named_by_its_version(tmp_path: Path) -> None:
    one, other = (method(MethodName.NETWORK, kept(tmp_path / str(n), f"network-{n}", seed=n)) for n in (7, 8))
    assert (one.name, other.name) == ("network-7", "network-8")
    assert curve_of(one) != curve_of(other)


def test_it_is_read_once_in_a_process(tmp_path: Path) -> None:
    place = kept(tmp_path / "net")
    found = method(MethodName.NETWORK, place)
    kept(tmp_path / "net", seed=1)
    assert method(MethodName.NETWORK, place) is found


def test_one_that_could_not_be_read_is_looked_for_again(tmp_path: Path) -> None:
    with pytest.raises(UnfitNetwork, match="cannot be read"):
        method(MethodName.NETWORK, str(tmp_path / "net"))
    assert method(MethodName.NETWORK, kept(tmp_path / "net")).name == "network-0"


@pytest.mark.parametrize("config", [
    {"folds": [0, 1]}, {"shape": {"channels": 8}}, {"shape": {**Shape(channels=16).facts()}},
    {"shape": {**Shape(channels=8, embedding=4, dilations=(1, 2)).facts(), "layers": 3}}, {"folds": None},
])  # fmt: skip
def test_one_that_is_not_what_it_says_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    (tmp_path / "net").write_bytes(network_file(**config))
    with pytest.raises(UnfitNetwork, match="The segmentation network 'network-0' is not what it says"):
        method(MethodName.NETWORK, str(tmp_path / "net"))


def test_a_worker_finds_the_network_that_its_settings_name_in_a_bucket() -> None:
    data = network_file("network-3")
    place = f"gs://library/networks/net.safetensors#sha256={hashlib.sha256(data).hexdigest()}"
    ports = memory_ports(Settings.read({**SETTINGS.environment(), "DANCEBITS_NETWORK": place}))
    ports.blobs.put("library", "networks/net.safetensors", data)
    methods = methods_of(ports)
    assert methods(MethodName.NETWORK).name == "network-3"
    assert inferences(methods).keys() == set(Kind)


def test_a_dance_is_cut_by_the_network_that_was_asked_for(tmp_path: Path) -> None:
    place, asked = kept(tmp_path / "net", "network-5"), Options(method=MethodName.NETWORK)
    (found,) = segment_batch([performance()], [asked], lambda name: method(name, place))
    assert found.method == "network-5"
