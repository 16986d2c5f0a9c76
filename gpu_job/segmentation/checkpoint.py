"""A trained network as one file: its tensors, and the facts without which they mean nothing.

The file is a `safetensors` file: reading it runs no code, as unpickling would. The facts are JSON in its metadata,
under one key, so that the same checkpoint is the same bytes. Knows no network, and not where files come from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from shared.errors import UnfitNetwork

KIND = "dancebits-segmentation"
FACTS: Mapping[str, type] = {"kind": str, "version": str, "features": int, "config": dict, "trained_on": object}
"""What every checkpoint tells, and in which type."""

_METADATA, _OUR_KEY = "__metadata__", "facts"
_LENGTH_BYTES = 8  # of the header, little-endian, before it


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a network is made again from.

    ``tensors`` by name
    ``facts``   JSON, :data:`FACTS` and more: ``kind`` :data:`KIND`; ``version`` as results tell it, ``network-1``;
                ``features`` the schema of the network's inputs; ``config`` what builds it; ``trained_on`` what was
                seen in training
    ``sha256``  of the file that it was read from, hexadecimal; empty where it was not read from one
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    sha256: str = ""

    @property
    def version(self) -> str:
        return self.facts["version"]

    @property
    def config(self) -> Mapping[str, Any]:
        return self.facts["config"]

    @classmethod
    def from_bytes(cls, data: bytes, *, features: int, sha256: str = "") -> Checkpoint:
        """``features`` is the schema of the inputs that this code makes; ``sha256``, where given, that of the file.

        Raises UnfitNetwork for another file than the one asked for, and for one that is no such checkpoint.
        """
        digest = hashlib.sha256(data).hexdigest()
        if sha256 and digest != sha256.lower():
            raise UnfitNetwork(f"The segmentation network's file has the SHA-256 {digest}, not {sha256} as asked for.")
        checkpoint = cls(_tensors(data), _facts(data), digest)
        _check(checkpoint.facts, features)
        return checkpoint

    def to_bytes(self) -> bytes:
        """The file. Raises UnfitNetwork where a fact is missing, and ValueError where one is not JSON."""
        _check(self.facts, self.facts.get("features", 0))
        return save(_dense(self.tensors), {_OUR_KEY: json.dumps(dict(self.facts), sort_keys=True, allow_nan=False)})


def version_of(tensors: Mapping[str, Tensor]) -> str:
    """A name that these tensors have and no others: ``network-`` and eight digits of their digest."""
    return f"network-{hashlib.sha256(save(_dense(tensors))).hexdigest()[:8]}"


def _dense(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _tensors(data: bytes) -> Mapping[str, Tensor]:
    try:
        return load(data)
    except SafetensorError as error:
        raise UnfitNetwork(f"The segmentation network's file is no safetensors file: {error}.") from error


def _facts(data: bytes) -> Mapping[str, Any]:
    """Of a file whose header is sound, as loading its tensors has shown."""
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    header = json.loads(data[_LENGTH_BYTES : _LENGTH_BYTES + length])
    try:
        facts = json.loads(header[_METADATA][_OUR_KEY])
    except (KeyError, ValueError):
        facts = None
    if not isinstance(facts, dict):
        raise UnfitNetwork("The file holds tensors, but does not tell of which network.")
    return facts


def _check(facts: Mapping[str, Any], features: int) -> None:
    """Raises UnfitNetwork."""
    for name, kind in FACTS.items():
        if facts.get(name) in ("", None) or not isinstance(facts[name], kind):
            raise UnfitNetwork(f"The segmentation network's file does not tell {name!r}.")
    if facts["kind"] != KIND:
        raise UnfitNetwork(f"The file holds a network of kind {facts['kind']!r}, not {KIND!r}.")
    if facts["features"] != features:
        raise UnfitNetwork(
            f"The segmentation network {facts['version']!r} was trained on inputs of schema {facts['features']}; "
            f"this release makes schema {features}."
        )
