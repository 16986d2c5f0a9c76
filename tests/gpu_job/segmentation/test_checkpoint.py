"""A checkpoint comes back as it was, is the same bytes every time, and is refused where it cannot be the right one."""

from __future__ import annotations

import hashlib
import pickle
import re
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from gpu_job.segmentation.checkpoint import FACTS, KIND, Checkpoint, version_of
from gpu_job.segmentation.network_model import tensors_of
from shared.errors import PermanentError, UnfitNetwork
from tests.gpu_job.segmentation.checkpoints import FEATURES, facts, tiny
from tests.gpu_job.segmentation.networks import network


def refusal(data: bytes, *, features: int = FEATURES, sha256: str = "") -> str:
    with pytest.raises(UnfitNetwork) as caught:
        Checkpoint.from_bytes(data, features=features, sha256=sha256)
    assert isinstance(caught.value, PermanentError)
    assert caught.value.code == "UNFIT_NETWORK"
    return caught.value.message


def test_what_was_kept_comes_back() -> None:
    kept = tiny(weights=[0.5, -2.0, 1e-30])
    data = kept.to_bytes()
    found = Checkpoint.from_bytes(data, features=FEATURES, sha256=hashlib.sha256(data).hexdigest().upper())
    assert found.facts == kept.facts
    assert found.tensors.keys() == kept.tensors.keys()
    assert all(torch.equal(found.tensors[name], kept.tensors[name]) for name in kept.tensors)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert (found.version, found.config) == ("network-0", {"channels": 3})


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.integers(0, 4)), unique_by=lambda pair: pair[0]))
def test_tensors_of_any_name_and_number_come_back(pairs: list[tuple[str, int]]) -> None:
    kept = Checkpoint({name: torch.arange(many) for name, many in pairs if name != "__metadata__"}, facts())
    found = Checkpoint.from_bytes(kept.to_bytes(), features=FEATURES)
    assert {name: tensor.tolist() for name, tensor in found.tensors.items()} == {
        name: tensor.tolist() for name, tensor in kept.tensors.items()
    }


def test_what_lies_across_or_is_being_trained_is_kept_all_the_same() -> None:
    across = torch.arange(6.0).reshape(2, 3).T.requires_grad_()
    found = Checkpoint.from_bytes(Checkpoint({"w": across}, facts()).to_bytes(), features=FEATURES)
    assert torch.equal(found.tensors["w"], across)


def test_it_is_the_same_bytes_in_whatever_order_it_was_made_and_in_every_process() -> None:
    one = Checkpoint({"a": torch.ones(3), "b": torch.zeros(2)}, facts()).to_bytes()
    turned = {name: facts()[name] for name in reversed(facts())}
    assert Checkpoint({"b": torch.zeros(2), "a": torch.ones(3)}, turned).to_bytes() == one
    code = """if True:
        import sys, torch
        from gpu_job.segmentation.checkpoint import Checkpoint
        from tests.gpu_job.segmentation.checkpoints import facts
        sys.stdout.buffer.write(Checkpoint({"a": torch.ones(3), "b": torch.zeros(2)}, facts()).to_bytes())"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == one


@pytest.mark.parametrize("data", [b"", b"no network", bytes(8), tiny().to_bytes()[:-1], tiny().to_bytes() + b"x"])
def test_what_is_no_safetensors_file_or_part_of_one_is_refused(data: bytes) -> None:
    assert "is no safetensors file" in refusal(data)


def test_a_pickle_is_not_opened() -> None:
    assert "is no safetensors file" in refusal(pickle.dumps(_Alarm()))


class _Alarm:
    """Unpickled, it would say so."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise AssertionError('a pickle was opened')",)


@given(st.integers(0, 400), st.integers(1, 255))
def test_whatever_byte_is_changed_it_is_refused_by_its_hash(place: int, by: int) -> None:
    data = bytearray(tiny().to_bytes())
    data[place % len(data)] ^= by
    assert "has the SHA-256" in refusal(bytes(data), sha256=hashlib.sha256(tiny().to_bytes()).hexdigest())


@given(st.integers(0, 400), st.integers(1, 255))
def test_without_a_hash_a_damaged_file_is_refused_or_still_a_checkpoint(place: int, by: int) -> None:
    data = bytearray(tiny().to_bytes())
    data[place % len(data)] ^= by
    try:
        assert Checkpoint.from_bytes(bytes(data), features=FEATURES).facts["kind"] == KIND
    except UnfitNetwork:
        return


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"facts": "no JSON"}, {"facts": "[1]"}])
def test_tensors_of_which_nothing_is_told_are_refused(metadata: dict[str, str] | None) -> None:
    assert (
        refusal(save({"w": torch.ones(1)}, metadata)) == "The file holds tensors, but does not tell of which network."
    )


@pytest.mark.parametrize("name", FACTS)
def test_a_missing_fact_is_named_when_it_is_read_and_when_it_is_written(name: str) -> None:
    lacking = Checkpoint({}, {each: value for each, value in facts().items() if each != name})
    with pytest.raises(UnfitNetwork, match=f"does not tell '{name}'"):
        lacking.to_bytes()


@pytest.mark.parametrize(("name", "value"), [("version", ""), ("features", "1"), ("config", [1]), ("trained_on", None)])
def test_a_fact_of_another_type_is_a_missing_one(name: str, value: object) -> None:
    with pytest.raises(UnfitNetwork, match=f"does not tell '{name}'"):
        Checkpoint({}, {**facts(), name: value}).to_bytes()


def test_a_network_for_something_else_is_refused() -> None:
    other = save({"w": torch.ones(1)}, {"facts": '{"kind": "poses", "version": "1", "features": 1, "config": {}, '
                                                 '"trained_on": {}}'})  # fmt: skip
    assert refusal(other) == f"The file holds a network of kind 'poses', not {KIND!r}."


def test_one_that_was_trained_on_other_inputs_is_refused() -> None:
    assert refusal(tiny().to_bytes(), features=FEATURES + 1) == (
        "The segmentation network 'network-0' was trained on inputs of schema 7; this release makes schema 8."
    )


def test_a_fact_that_json_does_not_have_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Checkpoint({}, facts(loss=float("nan"))).to_bytes()


def test_a_network_without_a_name_is_called_after_its_weights() -> None:
    one, other = (tensors_of({0: network(seed)}) for seed in (1, 2))
    assert re.fullmatch(r"network-[0-9a-f]{8}", version_of(one))
    assert version_of(dict(reversed(one.items()))) == version_of(one) != version_of(other)
