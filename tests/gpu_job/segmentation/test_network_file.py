"""A network is loaded from where the settings say, by its hash where it is not ours, or a sentence says why not."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from gpu_job.segmentation import network_file
from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.naming_file import weights_of
from gpu_job.segmentation.network_file import PACKAGED, Place, checkpoint_at
from gpu_job.segmentation.network_model import NetworkModel
from shared.errors import DanceBitsError, MissingTool, UnfitNetwork
from shared.memory import MemoryBlobStore
from tests.gpu_job.segmentation.checkpoints import FEATURES, tiny

DATA = tiny([0.25, 0.75]).to_bytes()
HASH = hashlib.sha256(DATA).hexdigest()
OBJECT, ARTIFACT = "gs://library/networks/a b.safetensors", "wandb:studio/dance/boundaries:v3"


def loaded(text: str, blobs: MemoryBlobStore | None = None) -> Checkpoint:
    return checkpoint_at(text, blobs, features=FEATURES)


def refusal(error: type[DanceBitsError], text: str, blobs: MemoryBlobStore | None = None) -> str:
    with pytest.raises(error) as caught:
        loaded(text, blobs)
    return caught.value.message


def is_ours(checkpoint: Checkpoint) -> bool:
    return checkpoint.sha256 == HASH and torch.equal(checkpoint.tensors["weights"], torch.tensor([0.25, 0.75]))


@pytest.fixture
def blobs() -> MemoryBlobStore:
    store = MemoryBlobStore()
    store.put("library", "networks/a b.safetensors", DATA)
    return store


@pytest.fixture
def keeps(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
    """What Weights & Biases keeps under the one name that it knows: files by their names."""

    def keeps(files: dict[str, bytes]) -> None:
        monkeypatch.setitem(sys.modules, "wandb", _wandb(files))

    return keeps


def _wandb(files: dict[str, bytes]) -> ModuleType:
    class Error(Exception):
        pass

    class Artifact:
        def download(self, root: str) -> str:
            for name, content in files.items():
                (Path(root) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(root) / name).write_bytes(content)
            return root

    class Api:
        def artifact(self, name: str) -> Artifact:
            if name != ARTIFACT.removeprefix("wandb:"):
                raise Error(f"artifact {name!r} not found")
            return Artifact()

    module = ModuleType("wandb")
    vars(module).update(Error=Error, Api=Api)
    return module


# Places


@pytest.mark.parametrize(("text", "place"), [
    ("", Place("", "", "")),
    ("models/network.safetensors", Place("", "models/network.safetensors", "")),
    ("/models/take #2", Place("", "/models/take #2", "")),
    (f"C# songs/net#sha256={HASH}", Place("", "C# songs/net", HASH)),
    (f"gs://bucket/a/b#c#sha256={HASH}", Place("gs://", "bucket/a/b#c", HASH)),
    (f"wandb:me/dance/net:v3#sha256={HASH.upper()}", Place("wandb:", "me/dance/net:v3", HASH.upper())),
])  # fmt: skip
def test_a_place_is_read(text: str, place: Place) -> None:
    assert Place.read(text) == place


@pytest.mark.parametrize("text", [
    f"gs://bucket#sha256={HASH}", f"gs:///name#sha256={HASH}", f"wandb:me/net:v3#sha256={HASH}",
    f"s3://bucket/net#sha256={HASH}", f"wandb:me/dance/net#sha256={HASH}", f"wandb:me/dance/net:#sha256={HASH}",
])  # fmt: skip
def test_what_is_no_place_is_a_setting_that_cannot_be_read(text: str) -> None:
    assert "is no path, gs://bucket/name or wandb:entity/project/name:v" in refusal(UnfitNetwork, text)


@pytest.mark.parametrize("text", [OBJECT, ARTIFACT, f"{OBJECT}#sha256=12", f"{OBJECT}#sha256={HASH[:-1]}x"])
def test_nothing_remote_is_loaded_without_its_hash(text: str, blobs: MemoryBlobStore) -> None:
    assert "needs #sha256=" in refusal(UnfitNetwork, text, blobs)


# Files


def test_a_file_is_loaded_from_its_path(tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(DATA)
    assert is_ours(loaded(str(tmp_path / "net")))
    assert is_ours(loaded(f"{tmp_path / 'net'}#sha256={HASH.upper()}"))


def test_a_file_that_is_another_than_its_hash_says_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(tiny().to_bytes())
    assert "has the SHA-256" in refusal(UnfitNetwork, f"{tmp_path / 'net'}#sha256={HASH}")


def test_a_file_that_is_not_there_or_no_file_is_named(tmp_path: Path) -> None:
    told = refusal(UnfitNetwork, str(tmp_path / "net"))
    assert told == f"{tmp_path / 'net'}, the segmentation network, cannot be read: No such file or directory."
    assert "Is a directory" in refusal(UnfitNetwork, str(tmp_path))


def test_where_nothing_is_said_it_is_the_one_beside_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(network_file.__file__).parent / "network.safetensors" == PACKAGED
    monkeypatch.setattr(network_file, "PACKAGED", tmp_path / "network.safetensors")
    assert ", this release's segmentation network, cannot be read" in refusal(UnfitNetwork, "")
    (tmp_path / "network.safetensors").write_bytes(DATA)
    assert is_ours(loaded(""))


# Buckets


def test_an_object_is_loaded_by_its_hash(blobs: MemoryBlobStore) -> None:
    assert is_ours(loaded(f"{OBJECT}#sha256={HASH}", blobs))


def test_an_object_that_was_exchanged_is_refused(blobs: MemoryBlobStore) -> None:
    blobs.put("library", "networks/a b.safetensors", tiny([0.3]).to_bytes())
    assert "has the SHA-256" in refusal(UnfitNetwork, f"{OBJECT}#sha256={HASH}", blobs)


@pytest.mark.parametrize("name", ["library/other", "elsewhere/a"])
def test_an_object_that_is_not_there_is_named(name: str, blobs: MemoryBlobStore) -> None:
    told = refusal(UnfitNetwork, f"gs://{name}#sha256={HASH}", blobs)
    assert told == f"The segmentation network gs://{name} is not there."


def test_where_there_are_no_buckets_that_is_said() -> None:
    assert "lies in a bucket, and there are none here" in refusal(UnfitNetwork, f"{OBJECT}#sha256={HASH}")


# Weights & Biases


def test_an_artifact_is_loaded_by_its_hash(keeps: Callable[[dict[str, bytes]], None]) -> None:
    keeps({"network.safetensors": DATA, "notes/card.md": b"# Card"})
    assert is_ours(loaded(f"{ARTIFACT}#sha256={HASH}"))
    assert "has the SHA-256" in refusal(UnfitNetwork, f"{ARTIFACT}#sha256={HASH[::-1]}")


@pytest.mark.parametrize(("files", "many"), [({}, 0), ({"a.safetensors": DATA, "b/c.safetensors": DATA}, 2)])
def test_an_artifact_holds_one_network(
    keeps: Callable[[dict[str, bytes]], None], files: dict[str, bytes], many: int
) -> None:
    keeps(files)
    told = refusal(UnfitNetwork, f"{ARTIFACT}#sha256={HASH}")
    assert told == f"The artifact {ARTIFACT} holds {many} safetensors files, not one."


def test_an_artifact_that_cannot_be_had_is_named_with_the_reason(keeps: Callable[[dict[str, bytes]], None]) -> None:
    keeps({})
    told = refusal(UnfitNetwork, f"wandb:studio/dance/other:v1#sha256={HASH}")
    assert "wandb:studio/dance/other:v1 cannot be had: artifact 'studio/dance/other:v1' not found" in told


def test_where_the_package_is_missing_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert "pip install '.[tracking]'" in refusal(MissingTool, f"{ARTIFACT}#sha256={HASH}")


def test_this_release_has_its_network_and_it_is_small() -> None:
    checkpoint = checkpoint_at("", None, features=INPUT_SCHEMA)
    assert len(NetworkModel.of(checkpoint).networks) == len(checkpoint.config["folds"]) == 5
    assert len(checkpoint.facts["trained_on"]) > 100
    assert weights_of(checkpoint) is not None
    assert PACKAGED.stat().st_size < 4_000_000
