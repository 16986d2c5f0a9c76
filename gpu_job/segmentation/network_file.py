"""Where a network's file lies: beside the code, at a path, in a bucket, or among Weights & Biases' artifacts.

    ""                                              the one packaged with this release
    /models/network.safetensors
    gs://bucket/name.safetensors#sha256=HEX
    wandb:entity/project/name:version#sha256=HEX

What is elsewhere may change without our knowing: so it is loaded by its hash and not otherwise. Knows no network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gpu_job.segmentation.checkpoint import Checkpoint
from shared.errors import MissingTool, NotFound, UnfitNetwork
from shared.ports import BlobStore

PACKAGED = Path(__file__).with_name("network.safetensors")

_PLACE = re.compile(r"(?P<scheme>gs://|wandb:|)(?P<name>.*?)(?:#sha256=(?P<sha256>[0-9a-fA-F]{64}))?", re.DOTALL)
_NAMES = {
    "gs://": re.compile(r"[^/]+/.+"),
    "wandb:": re.compile(r"[^/:]+/[^/:]+/[^/:]+:[^/:]+"),
    "": re.compile(r"(?![A-Za-z0-9]+://).*", re.DOTALL),
}


@dataclass(frozen=True, slots=True)
class Place:
    """``scheme`` ``gs://``, ``wandb:`` or, of a path, nothing; ``sha256`` may be empty of a path alone."""

    scheme: str
    name: str
    sha256: str

    @classmethod
    def read(cls, text: str) -> Place:
        """Raises UnfitNetwork for what is none."""
        found = _PLACE.fullmatch(text)
        if not found or not _NAMES[found["scheme"]].fullmatch(found["name"]):
            raise UnfitNetwork(
                f"DANCEBITS_NETWORK={text!r} is no path, gs://bucket/name or wandb:entity/project/name:v"
            )
        if found["scheme"] and not found["sha256"]:
            raise UnfitNetwork(
                f"DANCEBITS_NETWORK={text!r} is remote, and needs #sha256= and the file's hash behind it"
            )
        return cls(found["scheme"], found["name"], found["sha256"] or "")


def checkpoint_at(text: str, blobs: BlobStore | None, *, features: int) -> Checkpoint:
    """The checkpoint at a place. ``blobs`` are the buckets; ``features`` the schema of the inputs that this code makes.

    Raises UnfitNetwork for what is no place and where it holds no such checkpoint, MissingTool where a package is
    missing, and what the buckets raise.
    """
    place = Place.read(text)
    return Checkpoint.from_bytes(_content(place, blobs), features=features, sha256=place.sha256)


def _content(place: Place, blobs: BlobStore | None) -> bytes:
    match place.scheme:
        case "gs://":
            return _object(place.name, blobs)
        case "wandb:":
            return _artifact(place.name)
        case _:
            return _file(Path(place.name) if place.name else PACKAGED)


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        whose = "this release's segmentation network" if path == PACKAGED else "the segmentation network"
        raise UnfitNetwork(f"{path}, {whose}, cannot be read: {error.strerror}.") from error


def _object(name: str, blobs: BlobStore | None) -> bytes:
    if blobs is None:
        raise UnfitNetwork(f"The segmentation network gs://{name} lies in a bucket, and there are none here.")
    try:
        return blobs.read(*name.split("/", 1))
    except NotFound as error:
        raise UnfitNetwork(f"The segmentation network gs://{name} is not there.") from error


def _artifact(name: str) -> bytes:
    """The one ``.safetensors`` file of an artifact; the key is in ``WANDB_API_KEY``."""
    try:
        import wandb  # an extra of its own
    except ModuleNotFoundError as error:
        raise MissingTool(
            f"The segmentation network wandb:{name} is kept by Weights & Biases: pip install '.[tracking]'"
        ) from error
    with TemporaryDirectory() as folder:
        try:
            wandb.Api().artifact(name).download(root=folder)
        except (wandb.Error, ValueError) as error:
            raise UnfitNetwork(f"The segmentation network wandb:{name} cannot be had: {error}") from error
        files = [*Path(folder).rglob("*.safetensors")]
        if len(files) != 1:
            raise UnfitNetwork(f"The artifact wandb:{name} holds {len(files)} safetensors files, not one.")
        return files[0].read_bytes()
