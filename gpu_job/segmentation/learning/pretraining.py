"""Masked beats: a network first learns to tell what a dancer does on beats that it is not shown.

After masked modelling of motion (e.g. Zhu et al., MotionBERT, ICCV 2023), on beats. Needs no boundaries, and knows
none. What tells the motion is thrown away afterwards; the network's own head has learnt nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from gpu_job.segmentation.grid import POINTS_PER_HALF_BEAT
from gpu_job.segmentation.inputs import CHANNELS, Batch
from gpu_job.segmentation.learning.examples import Example
from gpu_job.segmentation.network import BoundaryNetwork

_HIDDEN_SHARE, _SPAN_HALF_BEATS = 0.2, (2, 9)
_LEARNING_RATE, _BATCH = 1e-3, 32


def pretrain(network: BoundaryNetwork, pool: Sequence[Example], steps: int, seed: int) -> float:
    """Teach the network so; returns the mean error of the last tenth of the ``steps`` (one at least), in parts of the
    motion's own mean square: 1 is to say nothing."""
    where = next(network.parameters()).device
    head = nn.Linear(network.shape.channels, POINTS_PER_HALF_BEAT * CHANNELS).to(where)
    optimiser = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=_LEARNING_RATE)
    rng = np.random.default_rng([seed, 2])
    network.train()
    errors: list[float] = []
    for _ in range(steps):
        batch = Batch.of([pool[i].inputs for i in rng.integers(len(pool), size=_BATCH)], where).as_taught()
        error = _error(network, head, batch, _hidden(rng, batch).to(where))
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    return float(np.mean(errors[-max(1, steps // 10) :]))


def _error(network: BoundaryNetwork, head: nn.Linear, batch: Batch, hidden: Tensor) -> Tensor:
    """Squared error on the hidden half-beats, relative to saying nothing."""
    points = batch.motion.shape[1]
    shown = ~hidden.repeat_interleave(POINTS_PER_HALF_BEAT, dim=1)[:, :points]
    spoilt = replace(batch, motion=batch.motion * shown, seen=batch.seen * shown, likeness=batch.likeness * ~hidden)
    told = head(network.trunk(spoilt)).unflatten(2, (POINTS_PER_HALF_BEAT, CHANNELS)).flatten(1, 2)[:, :points]
    counted = batch.seen * ~shown
    off = ((told - batch.motion) ** 2 * counted).sum()
    return off / (batch.motion**2 * counted).sum().clamp(min=1e-6)


def _hidden(rng: np.random.Generator, batch: Batch) -> Tensor:
    """``(B, H, 1)`` spans of half-beats, a fifth or so of all."""
    hidden = np.zeros(batch.mask.shape, bool)
    spans = round(_HIDDEN_SHARE * hidden.shape[1] / np.mean(_SPAN_HALF_BEATS))
    for row in hidden:
        for start in rng.integers(0, hidden.shape[1], spans):
            row[start : start + rng.integers(*_SPAN_HALF_BEATS)] = True
    return torch.from_numpy(hidden)
