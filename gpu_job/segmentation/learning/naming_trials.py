"""Names held against what is danced, in dances joined of clips that the names were not learnt from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.segmentation.learning.calibration import calibration_error
from gpu_job.segmentation.learning.trials import Trial
from gpu_job.segmentation.naming import Name, Namer
from gpu_job.titles import UNKNOWN
from shared.timeline import IntArray


@dataclass(frozen=True, slots=True)
class Named:
    """A block of a dance: its clip's label, and the names that it got, best first; ``told`` is what is told of it."""

    label: str
    names: tuple[Name, ...]
    told: str


@dataclass(frozen=True, slots=True)
class Naming:
    """Shares of ``blocks`` blocks, 0 … 1.

    ``first``, ``third`` whose label is the likeliest, among the three likeliest
    ``off``              expected calibration error of the likeliest's confidence
    ``told``, ``right``  that are told a name at all; of those, rightly
    """

    blocks: int
    first: float
    third: float
    off: float
    told: float
    right: float


def named(trials: Sequence[Trial], namer: Namer) -> list[Named]:
    """Every block of which a label is known and of which two half-beats or more are in the danced part."""
    return [one for trial in trials for one in _named(trial, namer)]


def _named(trial: Trial, namer: Namer) -> list[Named]:
    edges = _edges(trial)
    names = namer.names(trial.performance, edges) if len(edges) > 1 else []
    blocks = [block for block, (a, b) in zip(trial.blocks, itertools.pairwise(_all_edges(trial)), strict=True) if b > a]
    return [
        Named(block.source.label, found, namer.told(found).label)
        for block, found in zip(blocks, names, strict=True)
        if block.source.label
    ]


def _all_edges(trial: Trial) -> IntArray:
    """Half-beats of the danced part at which the blocks begin, and where the last one ends."""
    beats = np.array([*(block.start for block in trial.blocks), *(block.end for block in trial.blocks[-1:])])
    grid = trial.performance.grid
    return np.clip(np.round(2 * (beats - grid.beats[0])).astype(int), 0, len(grid) - 1)


def _edges(trial: Trial) -> IntArray:
    return np.unique(_all_edges(trial))


def naming(found: Sequence[Named]) -> Naming:
    """Raises ValueError where there is no block."""
    if not found:
        raise ValueError("no block has a label")
    right = np.array([bool(one.names) and one.names[0].label == one.label for one in found])
    among = np.array([one.label in [name.label for name in one.names] for one in found])
    sure = np.array([one.names[0].confidence if one.names else 0.0 for one in found])
    told = np.array([one.told != UNKNOWN for one in found])
    return Naming(
        blocks=len(found), first=float(right.mean()), third=float(among.mean()), off=calibration_error(sure, right),
        told=float(told.mean()), right=float(right[told].mean()) if told.any() else 0.0,
    )  # fmt: skip
