"""A job's method is found by its name; a network is loaded once."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from gpu_job.kinds import inferences, methods_of
from gpu_job.segmentation import BoundaryCurve, Options, Performance, segment_batch
from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.methods import method
from gpu_job.segmentation.novelty import NoveltyModel
from shared.config import Settings
from shared.errors import UnfitNetwork
from shared.job import Kind
from shared.memory import memory_ports
from shared.wishes import MethodName
from tests.functions.support import SETTINGS
from tests.gpu_job.segmentation.checkpoints import FEATURES, tiny
from tests.gpu_job.segmentation.truth import danced


@dataclass(frozen=True, slots=True)
class TinyModel:
    """A network of one weight: so probable is a boundary, on every beat that is a one."""

    name: str
    weight: float

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> TinyModel:
        return cls(checkpoint.version, float(checkpoint.tensors["weights"][0]))

    def probabilities(self, batch: Sequence[Performance]) -> list[BoundaryCurve]:
        return [
            BoundaryCurve(np.where(one.grid.positions == 1, self.weight, 0.0), np.zeros(len(one.grid))) for one in batch
        ]


@pytest.fixture(autouse=True)
def _tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    network, inputs = ModuleType("network"), ModuleType("inputs")
    vars(network)["NetworkModel"], vars(inputs)["INPUT_SCHEMA"] = TinyModel, FEATURES
    monkeypatch.setitem(sys.modules, "gpu_job.segmentation.network", network)
    monkeypatch.setitem(sys.modules, "gpu_job.segmentation.inputs", inputs)


def kept(path: Path, weight: float, version: str = "network-0") -> str:
    """The place of a network's file."""
    path.write_bytes(tiny([weight], version=version).to_bytes())
    return str(path)


def test_novelty_needs_no_network_wherever_that_might_be() -> None:
    found = method(MethodName.NOVELTY, "/nowhere")
    assert found is method(MethodName.NOVELTY)
    assert (found.name, found.boundaries, found.namer) == ("novelty-1", NoveltyModel(), None)


def test_a_network_is_made_of_its_file_and_named_by_its_version(tmp_path: Path) -> None:
    found = method(MethodName.NETWORK, kept(tmp_path / "net", 0.75, "network-7"))
    assert (found.name, found.boundaries) == ("network-7", TinyModel("network-7", 0.75))


def test_it_is_read_once_in_a_process(tmp_path: Path) -> None:
    place = kept(tmp_path / "net", 0.75)
    found = method(MethodName.NETWORK, place)
    kept(tmp_path / "net", 0.5)
    assert method(MethodName.NETWORK, place) is found
    assert method(MethodName.NETWORK, kept(tmp_path / "another", 0.5)).boundaries == TinyModel("network-0", 0.5)


def test_one_that_could_not_be_read_is_looked_for_again(tmp_path: Path) -> None:
    with pytest.raises(UnfitNetwork, match="cannot be read"):
        method(MethodName.NETWORK, str(tmp_path / "net"))
    assert method(MethodName.NETWORK, kept(tmp_path / "net", 0.75)).name == "network-0"


def test_a_worker_finds_the_network_that_its_settings_name_in_a_bucket() -> None:
    data = tiny([0.625]).to_bytes()
    place = f"gs://library/networks/net.safetensors#sha256={hashlib.sha256(data).hexdigest()}"
    ports = memory_ports(Settings.read({**SETTINGS.environment(), "DANCEBITS_NETWORK": place}))
    ports.blobs.put("library", "networks/net.safetensors", data)
    methods = methods_of(ports)
    assert methods(MethodName.NETWORK).boundaries == TinyModel("network-0", 0.625)
    assert inferences(methods).keys() == set(Kind)


def test_a_dance_is_cut_by_the_network_that_was_asked_for(tmp_path: Path) -> None:
    truth, place = danced(1, tempo_bpm=120.0, duration_s=20.0), kept(tmp_path / "net", 0.75)
    performance = Performance(truth.pose, truth.audio)
    (found,) = segment_batch([performance], [Options(method=MethodName.NETWORK)], lambda name: method(name, place))
    assert found.method == "network-0"
    assert {move.probability for move in found.moves[1:]} == {0.75}
