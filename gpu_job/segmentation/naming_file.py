"""How a checkpoint keeps what names moves: weights of all clips, and for each fold weights that never saw its clips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.naming import NamingWeights
from shared.errors import UnfitNetwork

NAMES = "names"
ALL = "all"
"""The key of the weights of all clips; those of a fold have its number."""


def tensors_of(weights: Mapping[str, NamingWeights]) -> dict[str, Tensor]:
    return {f"{key}.{name}": tensor for key, one in weights.items() for name, tensor in one.tensors().items()}


def facts_of(weights: Mapping[str, NamingWeights]) -> dict[str, Any]:
    return {key: one.facts() for key, one in weights.items()}


def weights_of(checkpoint: Checkpoint, key: str = ALL) -> NamingWeights | None:
    """None where the checkpoint holds none. Raises UnfitNetwork for what cannot be used."""
    facts = checkpoint.facts.get(NAMES)
    if facts is None:
        return None
    prefix = f"{key}."
    own = {n.removeprefix(prefix): tensor for n, tensor in checkpoint.tensors.items() if n.startswith(prefix)}
    try:
        return NamingWeights.of(own, facts[key])
    except (KeyError, TypeError, ValueError) as error:
        raise UnfitNetwork(f"The names of {checkpoint.version!r} are not what they say: {error}") from error
