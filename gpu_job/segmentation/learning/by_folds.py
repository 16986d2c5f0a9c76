"""For each fold of a course a network that never sees its clips, and what names moves likewise; and the file of these.

A training that is stopped is taken up again from its state, which is kept after every epoch.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch

from gpu_job.devices import device
from gpu_job.segmentation import naming_file
from gpu_job.segmentation.checkpoint import Checkpoint, version_of
from gpu_job.segmentation.learning import naming_training
from gpu_job.segmentation.learning.course import Course
from gpu_job.segmentation.learning.curves import Log
from gpu_job.segmentation.learning.examples import Diet, Example, example
from gpu_job.segmentation.learning.naming_training import Figures
from gpu_job.segmentation.learning.pretraining import pretrain
from gpu_job.segmentation.learning.training import Progress, begun, epochs, kitchen, loss_of
from gpu_job.segmentation.naming import NamingWeights
from gpu_job.segmentation.network import BoundaryNetwork
from gpu_job.segmentation.network_model import tensors_of
from gpu_job.segmentation.performance import Performance
from shared.files import write_whole

HELD_OUT_DANCES = 32  # by whose loss the curves tell whether a network learns its clips by heart
_HELD_OUT_SEED = 900_000_000  # far from those of any training


class Teller(Protocol):
    """Who is told how a training goes."""

    def begun(self, fold: int, epoch: int) -> None:
        """After so many epochs that were learnt before."""
        ...

    def pretrained(self, fold: int, error: float) -> None: ...

    def learnt(self, fold: int, epoch: int, loss: float) -> None:
        """One more: ``epoch`` now."""
        ...

    def named(self, figures: Mapping[str, Figures]) -> None:
        """What names are worth on clips held out, by how these are cut."""
        ...


def network(course: Course, fold: int, state: Path, log: Log, teller: Teller) -> BoundaryNetwork:
    """The one that never sees the clips of this fold, trained to its end from wherever it was.

    ``state`` is the folder in which that is kept.
    """
    training, path = begun(course.plan.recipe, course.seed_of(fold)), state / f"fold-{fold}.pt"
    if path.exists():
        training.restore(torch.load(path, map_location=device(), weights_only=True))
    if training.epoch < course.plan.recipe.epochs:
        teller.begun(fold, training.epoch)
        if course.plan.pretraining and not path.exists():
            teller.pretrained(fold, _pretrained(training, course, fold))
        _go_on(training, course, fold, path, log, teller)
    return training.network.eval()


def _pretrained(training: Progress, course: Course, fold: int) -> float:
    known, seed = course.known(fold), course.seed_of(fold)
    pool = [example(known, seed * 7 + i, Diet()) for i in range(course.plan.recipe.fresh)]
    return pretrain(training.network, pool, course.plan.pretraining, seed)


def _go_on(training: Progress, course: Course, fold: int, path: Path, log: Log, teller: Teller) -> None:
    recipe, seed, unknown = course.plan.recipe, course.seed_of(fold), course.unknown(fold)
    held_out = [example(unknown, _HELD_OUT_SEED + i, Diet(solos=0.0, drills=0.0)) for i in range(HELD_OUT_DANCES)]
    with kitchen(course.known(fold), recipe, seed) as dances_of:
        for loss in epochs(training, dances_of, recipe, seed, course.marked.examples):
            # Stopped between the two, a curve lacks a point; the other way round it would have one twice.
            _save(training, path)
            log.told(fold=fold, epoch=training.epoch, loss=loss, held_out_loss=_loss(training, held_out))
            teller.learnt(fold, training.epoch, loss)


@torch.inference_mode()
def _loss(training: Progress, examples: Sequence[Example]) -> float:
    return float(loss_of(training.network, examples))


def _save(training: Progress, path: Path) -> None:
    data = io.BytesIO()
    torch.save(training.state(), data)
    write_whole(path, data.getvalue())


def names(course: Course, teller: Teller) -> Mapping[str, NamingWeights]:
    """What names moves, by the keys of :mod:`~gpu_job.segmentation.naming_file`; nothing where nothing can be learnt.

    A fold without labelled clips has the weights of all: they have seen none of its clips.
    """
    taught = [
        naming_training.Clip(clip.name, clip.label, Performance(clip.pose.smoothed(), clip.audio))
        for clip in course.labelled
        if clip.label
    ]
    if not taught:
        return {}
    fold_of = {clip.name: course.fold_of(clip) for clip in course.labelled}
    found = naming_training.learned(taught, fold_of, course.plan.seed)
    teller.named(found.figures)
    by_fold = {str(fold): found.by_fold.get(fold, found.weights) for fold in range(course.plan.folds)}
    return {naming_file.ALL: found.weights, **by_fold}


def checkpoint(
    course: Course, networks: Mapping[int, BoundaryNetwork], named: Mapping[str, NamingWeights], version: str = ""
) -> Checkpoint:
    """The file. Without a ``version`` it is called after what is in it."""
    tensors = {**tensors_of(networks), **naming_file.tensors_of(named)}
    told = {naming_file.NAMES: naming_file.facts_of(named)} if named else {}
    return Checkpoint(tensors, {**course.facts(version or version_of(tensors)), **told})
