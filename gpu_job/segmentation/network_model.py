"""The boundary model that is trained: what its networks say of a performance, as probabilities on half-beats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpu_job.devices import device
from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.inputs import JITTER, Batch, Inputs, inputs
from gpu_job.segmentation.network import BoundaryNetwork, Shape, mean_probability
from gpu_job.segmentation.novelty import NoveltyModel
from gpu_job.segmentation.performance import BoundaryCurve, Performance
from shared.errors import UnfitNetwork
from shared.timeline import BoolArray, FloatArray

BATCH = 32
PREFIX = "boundaries."
_STILL = float(np.log(JITTER + 0.005))  # squared torsos beyond which two postures differ
_DIGITS = 4  # the last bits differ from device to device, and decide nothing


@dataclass(frozen=True, slots=True, eq=False)
class NetworkModel:
    """A :class:`~gpu_job.segmentation.performance.BoundaryModel`.

    ``name``     what results say they were made with
    ``networks`` by fold of the clips: each was trained without the clips of its own fold. What they say is averaged

    Knows no files.
    """

    name: str
    networks: Mapping[int, BoundaryNetwork]

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> NetworkModel:
        """Raises UnfitNetwork where the tensors do not fit the shape that the checkpoint tells."""
        return cls(checkpoint.version, networks_of(checkpoint))

    def only(self, folds: Iterable[int]) -> NetworkModel:
        """With the networks of these folds alone."""
        return NetworkModel(self.name, {fold: self.networks[fold] for fold in folds})

    def probabilities(self, batch: Sequence[Performance]) -> list[BoundaryCurve]:
        novelty = [curve.novelty for curve in NoveltyModel().probabilities(batch)]
        return [
            BoundaryCurve(gathered(probability), change)
            for probability, change in zip(self.exact(batch), novelty, strict=True)
        ]

    def exact(self, batch: Sequence[Performance]) -> list[FloatArray]:
        """For each ``(H,)`` 0 … 1, that a boundary is exactly there."""
        # A processor gains nothing from a batch, and alone each dance gives the same last bits in any company.
        size = BATCH if device().type == "cuda" else 1
        return [found for i in range(0, len(batch), size) for found in self._told(batch[i : i + size])]

    @torch.inference_mode()
    def _told(self, batch: Sequence[Performance]) -> list[FloatArray]:
        dances = inputs(batch)
        told = mean_probability(list(self.networks.values()), Batch.of(dances, device())).cpu().numpy()
        rows = (row[: len(dance)].astype(float) * is_moved(dance) for row, dance in zip(told, dances, strict=True))
        return [np.round(row, _DIGITS) for row in rows]


def is_moved(dance: Inputs) -> BoolArray:
    """``(H,)`` False where the half-beats around each, up to 16 counts apart, differ by no more than jitter does.

    Who stands still begins no move; no network was taught that, for nobody in the clips does.
    """
    known = dance.likeness != 0
    return ~known.any(axis=1) | (np.where(known, dance.likeness, -np.inf).max(axis=1) > _STILL)


def networks_of(checkpoint: Checkpoint) -> dict[int, BoundaryNetwork]:
    """By fold. Raises UnfitNetwork."""
    try:
        config = checkpoint.config
        networks = {int(fold): _network(config["shape"], _tensors(checkpoint, fold)) for fold in config["folds"]}
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UnfitNetwork(f"The segmentation network {checkpoint.version!r} is not what it says: {error}") from error
    if not networks:
        raise UnfitNetwork(f"The segmentation network {checkpoint.version!r} is not what it says: it has no folds.")
    return networks


def _tensors(checkpoint: Checkpoint, fold: int) -> dict[str, Tensor]:
    prefix = f"{PREFIX}{fold}."
    return {
        name.removeprefix(prefix): tensor.float()
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(prefix)
    }


def _network(shape: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> BoundaryNetwork:
    """Raises KeyError, TypeError, ValueError, RuntimeError where the shape is none, or these are not its tensors."""
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise RuntimeError("its weights are not finite")
    network = BoundaryNetwork(Shape.of(shape))
    network.load_state_dict(dict(tensors))
    return network.to(device()).eval()


def tensors_of(networks: Mapping[int, BoundaryNetwork]) -> dict[str, Tensor]:
    """As a checkpoint keeps them, in half precision: what that changes is a thousandth of a probability."""
    return {
        f"{PREFIX}{fold}.{name}": tensor.detach().cpu().half()
        for fold, network in networks.items()
        for name, tensor in network.state_dict().items()
    }


def gathered(exact: FloatArray) -> FloatArray:
    """``(H,)`` 0 … 1: where a boundary is likeliest, that it is there or on a neighbour; elsewhere, that it is there.

    Whether a move ends on the count or half a beat later is often nobody's to say: the doubt about its place is no
    doubt that it is there.
    """
    before, after = np.append(0.0, exact[:-1]), np.append(exact[1:], 0.0)
    peak = (exact >= before) & (exact > after)
    return np.where(peak, np.minimum(1.0, before + exact + after), exact)
