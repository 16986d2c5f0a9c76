"""How a boundary network is trained: on fresh dances every epoch, for a fixed number of steps, the same for each seed.

Knows no files and no clips but those it is given; nothing is chosen by looking at what is held out. Of where dances
come from it knows :data:`Kitchen` alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from gpu_job.devices import device
from gpu_job.segmentation.inputs import Batch
from gpu_job.segmentation.learning.examples import Diet, Example, example
from gpu_job.segmentation.learning.joins import Source
from gpu_job.segmentation.network import BoundaryNetwork, Shape

_SEEDS_APART = 1_000_000  # of one network's dances from another's
_PORTION = 20
_CLIP_NORM = 1.0
_WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """``fresh`` dances join the ``kept`` youngest each epoch; ``steps`` batches are drawn from these.

    ``learning_rate`` the highest; ``batch`` dances a step
    """

    shape: Shape = field(default_factory=Shape)
    diet: Diet = field(default_factory=Diet)
    epochs: int = 16
    fresh: int = 400
    kept: int = 3000
    steps: int = 100
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def kept_epochs(self) -> int:
        """Whose dances are the youngest."""
        return max(1, self.kept // self.fresh)

    def rate_at(self, step: int) -> float:
        """The learning rate: up in a straight line, then down along a cosine (Smith & Topin 2018)."""
        warm = max(1, round(_WARM_UP * self.total_steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * 0.5 * (1 + float(np.cos(np.pi * (step - warm) / (self.total_steps - warm))))


@dataclass(slots=True, eq=False)
class Progress:
    """Where a training is after whole epochs."""

    network: BoundaryNetwork
    optimiser: torch.optim.Optimizer
    epoch: int = 0

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "epoch": self.epoch}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch = int(state["epoch"])


def begun(recipe: Recipe, seed: int) -> Progress:
    """Before the first epoch."""
    torch.manual_seed(seed)
    network = BoundaryNetwork(recipe.shape).to(device())
    weights, decay = network.parameters(), recipe.weight_decay
    return Progress(network, torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=decay))


Kitchen = Callable[[int], Sequence[Example]]
"""The dances that are fresh in an epoch; asked for in the order of the epochs."""


def epochs(
    progress: Progress, dances_of: Kitchen, recipe: Recipe, seed: int, more: Sequence[Example] = ()
) -> Iterator[float]:
    """Train to the end, epoch by epoch; yields the mean loss of each. ``more`` examples are always at hand.

    Taken up again after any epoch, it goes on as if never interrupted.
    """
    if progress.epoch >= recipe.epochs:
        return
    youngest: deque[Sequence[Example]] = deque(maxlen=recipe.kept_epochs)
    for epoch in range(max(0, progress.epoch - recipe.kept_epochs + 1), recipe.epochs):
        youngest.append(dances_of(epoch))
        if epoch == progress.epoch:
            pool = [dance for dances in youngest for dance in dances] + list(more)
            loss = _epoch(progress, pool, recipe, seed)
            progress.epoch += 1
            yield loss


def _epoch(progress: Progress, pool: Sequence[Example], recipe: Recipe, seed: int) -> float:
    rng = np.random.default_rng([seed, progress.epoch])
    torch.manual_seed(int(rng.integers(2**31)))
    progress.network.train()
    losses = [
        _step(progress, [pool[i] for i in rng.integers(len(pool), size=recipe.batch)], recipe, step)
        for step in range(progress.epoch * recipe.steps, (progress.epoch + 1) * recipe.steps)
    ]
    progress.network.eval()
    return float(np.mean(losses))


def _step(progress: Progress, examples: Sequence[Example], recipe: Recipe, step: int) -> float:
    for group in progress.optimiser.param_groups:
        group["lr"] = recipe.rate_at(step)
    loss = loss_of(progress.network, examples)
    progress.optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(progress.network.parameters(), _CLIP_NORM)
    progress.optimiser.step()
    return float(loss.detach())


def loss_of(network: BoundaryNetwork, examples: Sequence[Example]) -> Tensor:
    """Mean cross-entropy per half-beat, in nats."""
    where = next(network.parameters()).device
    batch = Batch.of([one.inputs for one in examples], where).as_taught()
    target, weight = (_padded(examples, name, batch.mask.shape[1]).to(where) for name in ("target", "weight"))
    return (cross_entropy(network(batch), target, reduction="none") * weight).sum() / weight.sum()


def _padded(examples: Sequence[Example], name: str, length: int) -> Tensor:
    padded = np.zeros((len(examples), length), np.float32)
    for row, one in zip(padded, examples, strict=True):
        row[: len(getattr(one, name))] = getattr(one, name)
    return torch.from_numpy(padded)


@contextmanager
def kitchen(sources: Sequence[Source], recipe: Recipe, seed: int) -> Generator[Kitchen]:
    """Makes each epoch's dances of these clips in another process, while the epoch before is learnt.

    That process ends with the context, however it is left.
    """
    cook = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _prepare, (sources, recipe.diet))
    ordered: dict[int, list[Future[Sequence[Example]]]] = {}

    def dances_of(epoch: int) -> Sequence[Example]:
        for wanted in (epoch, epoch + 1):
            if wanted not in ordered and wanted < recipe.epochs:
                ordered[wanted] = [cook.submit(_made, seeds) for seeds in _portions(recipe, seed, wanted)]
        return [dance for portion in ordered.pop(epoch) for dance in portion.result()]

    try:
        yield dances_of
    finally:
        cook.shutdown(cancel_futures=True)


def _portions(recipe: Recipe, seed: int, epoch: int) -> Iterator[range]:
    """Seeds of an epoch's dances. In portions: who leaves early waits for one of them, and not for all."""
    first = seed * _SEEDS_APART + epoch * recipe.fresh
    for start in range(first, first + recipe.fresh, _PORTION):
        yield range(start, min(start + _PORTION, first + recipe.fresh))


_AT_HAND: list[tuple[Sequence[Source], Diet]] = []
"""In the other process: what it makes dances of."""


def _prepare(sources: Sequence[Source], diet: Diet) -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes, and the other one ends this
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _AT_HAND[:] = [(sources, diet)]


def _leave_with_parent() -> None:
    """A parent that is killed cannot end its pool."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _made(seeds: Sequence[int]) -> Sequence[Example]:
    ((sources, diet),) = _AT_HAND
    return [example(sources, seed, diet) for seed in seeds]
