"""The ways to cut a dance and to name its moves, as a job may ask for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.naming import Namer, TraitNamer
from gpu_job.segmentation.naming_file import weights_of
from gpu_job.segmentation.network_file import checkpoint_at
from gpu_job.segmentation.network_model import NetworkModel
from gpu_job.segmentation.novelty import NoveltyModel
from gpu_job.segmentation.performance import BoundaryModel
from shared.ports import BlobStore
from shared.wishes import MethodName


@dataclass(frozen=True, slots=True)
class Method:
    """``name`` is what results say they were made with; without a ``namer`` no move has a name."""

    name: str
    boundaries: BoundaryModel
    namer: Namer | None = None


Methods = Callable[[MethodName], Method]
"""What a job may choose between."""

_NOVELTY = Method("novelty-1", NoveltyModel())
_networks: dict[str, Method] = {}
"""By their place: each is loaded once in a process."""


def method(name: MethodName, place: str = "", blobs: BlobStore | None = None) -> Method:
    """``place`` and ``blobs``, for the network, as in :mod:`.network_file`; without them it is this release's.

    Raises what :func:`~.network_file.checkpoint_at` does, and UnfitNetwork for one that is not what it says.
    """
    if name == MethodName.NOVELTY:
        return _NOVELTY
    if place not in _networks:
        _networks[place] = _network(place, blobs)
    return _networks[place]


def _network(place: str, blobs: BlobStore | None) -> Method:
    checkpoint = checkpoint_at(place, blobs, features=INPUT_SCHEMA)
    weights = weights_of(checkpoint)
    return Method(checkpoint.version, NetworkModel.of(checkpoint), TraitNamer(weights) if weights else None)
