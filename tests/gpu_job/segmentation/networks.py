"""Networks so small that a test has time for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from gpu_job.segmentation.checkpoint import KIND, Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.learning.training import Recipe, begun
from gpu_job.segmentation.network import BoundaryNetwork, Shape
from gpu_job.segmentation.network_model import tensors_of

TINY = Shape(channels=8, embedding=4, dilations=(1, 2))
GIVEN = {
    "pose": TINY,
    "sound": Shape(channels=8, dilations=(1,), pose=False, sound=True),
    "both": Shape(channels=8, embedding=4, dilations=(1,), sound=True),
}


def network(seed: int = 1, shape: Shape = TINY) -> BoundaryNetwork:
    """Untrained, but with weights as large as a trained one's, so that its answers differ."""
    made = begun(Recipe(shape=shape), seed).network.eval()
    with torch.no_grad():
        made.head_out.weight.mul_(4)
    return made


def checkpoint(
    networks: Mapping[int, BoundaryNetwork],
    seen: Mapping[str, int | None] | None = None,
    folds: Sequence[int] | None = None,
) -> Checkpoint:
    """Of these networks; ``seen`` the fold of each clip by its digest."""
    shape = next(iter(networks.values())).shape
    facts: Mapping[str, Any] = {
        "kind": KIND,
        "version": "network-9",
        "features": INPUT_SCHEMA,
        "config": {"shape": shape.facts(), "folds": list(networks if folds is None else folds)},
        "trained_on": {digest: {"name": digest, "fold": fold} for digest, fold in (seen or {}).items()},
    }
    return Checkpoint(tensors_of(networks), facts)
