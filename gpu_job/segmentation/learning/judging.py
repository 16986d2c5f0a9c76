"""Networks and namers on clips that they have never seen: which clips are whose, and what they find in them.

Knows no tables and no files but the checkpoint that is judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.learning.clips import Clip, TooFewClips
from gpu_job.segmentation.learning.course import followed
from gpu_job.segmentation.learning.joins import Joined, Source
from gpu_job.segmentation.learning.naming_trials import Named, named
from gpu_job.segmentation.learning.solos import drill, solo
from gpu_job.segmentation.learning.trials import (
    CONDITIONS,
    USUAL,
    Condition,
    Sureness,
    Trial,
    f_of,
    sureness,
    trials,
)
from gpu_job.segmentation.methods import Method
from gpu_job.segmentation.naming import Namer, TraitNamer
from gpu_job.segmentation.naming_file import ALL, weights_of
from gpu_job.segmentation.network_file import checkpoint_at
from gpu_job.segmentation.network_model import NetworkModel
from gpu_job.segmentation.performance import BoundaryModel, Performance
from gpu_job.segmentation.segmenting import segment_batch
from shared.errors import UnfitNetwork
from shared.timeline import FloatArray

FIRST_SEED = 500_000  # of no training: those begin at a million

IMAGINED: Mapping[str, Callable[[int], Joined]] = {"choreographies": solo, "drills": drill}
LEAST_PROBABLE = 0.1
LEAST_CLIPS = 4  # of a fold, to join dances of


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Clips, the network that has seen none of them, and what names moves likewise, if the checkpoint can."""

    sources: tuple[Source, ...]
    model: NetworkModel
    namer: Namer | None
    seeds: range


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Dances of one condition and the boundaries that were found in them, in seconds."""

    trials: tuple[Trial, ...]
    found_s: tuple[Sequence[float], ...]

    def f(self, tolerance_s: float) -> FloatArray:
        return f_of(self.found_s, self.trials, tolerance_s)


def grouped(clips: Sequence[Clip], place: str, dances: int) -> list[Group]:
    """The clips of each fold with its network, and those that no network has seen with all of them.

    ``dances`` of each. Raises UnfitNetwork, and TooFewClips where no fold has enough to join dances of.
    """
    checkpoint = checkpoint_at(place, None, features=INPUT_SCHEMA)
    model = NetworkModel.of(checkpoint)
    groups = [
        Group(tuple(sources), _without(model, fold), _namer(checkpoint, fold), _seeds(fold, dances))
        for fold, sources in _by_fold(clips, checkpoint.facts["trained_on"]).items()
        if (fold is None or fold in model.networks) and len(sources) >= LEAST_CLIPS
    ]
    if not groups:
        raise TooFewClips(
            f"No network of {model.name} is without {LEAST_CLIPS} usable clips of the same fold, or new to it."
        )
    return groups


def by_label(groups: Sequence[Group]) -> list[Group]:
    """The same clips, those of each label by themselves where there are two or more; as many dances in all, or so."""
    found: list[Group] = []
    for group in groups:
        labels = Counter(source.label for source in group.sources)
        several = sorted(str(label) for label, many in labels.items() if label and many > 1)
        for label in several:
            own = tuple(source for source in group.sources if source.label == label)
            found.append(replace(group, sources=own, seeds=group.seeds[: max(1, len(group.seeds) // len(several))]))
    return found


def _without(model: NetworkModel, fold: int | None) -> NetworkModel:
    return model if fold is None else model.only([fold])


def _namer(checkpoint: Checkpoint, fold: int | None) -> Namer | None:
    weights = weights_of(checkpoint, ALL if fold is None else str(fold))
    return TraitNamer(weights) if weights else None


def _by_fold(clips: Sequence[Clip], seen: Mapping[str, Mapping[str, Any]]) -> dict[int | None, list[Source]]:
    """The usable ones; None of those that were not seen in training at all. Those that every network saw, since people
    marked them, are left out."""
    found: dict[int | None, list[Source]] = {}
    for clip in clips:
        one = followed(clip)
        if one.is_usable and seen.get(clip.digest, {"fold": 0})["fold"] is not None:
            found.setdefault(seen[clip.digest]["fold"] if clip.digest in seen else None, []).append(one)
    return dict(sorted(found.items(), key=lambda item: str(item[0])))


def _seeds(fold: int | None, dances: int) -> range:
    first = FIRST_SEED + 1000 * (0 if fold is None else 1 + fold)
    return range(first, first + dances)


def judge(groups: Sequence[Group], condition: Condition) -> Judged:
    """Joins of each group's clips, by its network."""
    return _judged(groups, lambda group: trials(group.sources, group.seeds, condition))


def judge_imagined(groups: Sequence[Group], make: Callable[[int], Joined], dances: int) -> Judged:
    """Dancers alone, of 17 landmarks, at 78 to 150 BPM; each group's network has its share of them."""
    share = max(1, dances // len(groups))
    return _judged(groups, lambda group: [Trial.of(make(seed)) for seed in group.seeds[:share]])


def _judged(groups: Sequence[Group], dances_of: Callable[[Group], Sequence[Trial]]) -> Judged:
    given: list[Trial] = []
    found: list[Sequence[float]] = []
    for group in groups:
        own = dances_of(group)
        given += own
        found += found_s(own, group.model)
    return Judged(tuple(given), tuple(found))


def found_s(given: Sequence[Trial], model: BoundaryModel) -> list[Sequence[float]]:
    chosen = Method(model.name, model)
    cut = segment_batch([trial.performance for trial in given], methods=lambda _: chosen)
    return [one.boundaries_s for one in cut]


def judge_sureness(groups: Sequence[Group], condition: Condition) -> Sureness:
    """Whether the probabilities are true."""
    own = [(group.model, trials(group.sources, group.seeds, condition)) for group in groups]
    curves = [c.probability for model, dances in own for c in model.probabilities([one.performance for one in dances])]
    return sureness(curves, [one for _, dances in own for one in dances], LEAST_PROBABLE)


def judge_names(groups: Sequence[Group], condition: Condition) -> list[Named]:
    """Every block of joins of each group's clips, by its namer."""
    return [
        one
        for group in groups
        if group.namer
        for one in named(trials(group.sources, group.seeds, condition), group.namer)
    ]


def judge_single_names(groups: Sequence[Group]) -> list[Named]:
    """Every move that each group's network finds in a clip by itself, by the group's namer: as a job of that clip."""
    return [one for group in groups if group.namer for one in _single_names(group, group.namer)]


def _single_names(group: Group, namer: Namer) -> list[Named]:
    own = [source for source in group.sources if source.label]
    chosen = Method(group.model.name, group.model, namer)
    given = [Performance(source.views[0].smoothed(), source.audio) for source in own]
    cut = segment_batch(given, methods=lambda _: chosen)
    return [
        Named(source.label, move.names, namer.told(move.names).label)
        for source, one in zip(own, cut, strict=True)
        for move in one.moves
        if source.label
    ]


def by_another(clips: Sequence[Clip], groups: Sequence[Group], place: str, dances: int) -> Sequence[Sequence[float]]:
    """What another network finds in the same dances. Raises UnfitNetwork where it was trained on other folds."""
    own = grouped(clips, place, dances)
    if [(_names(group), group.seeds) for group in own] != [(_names(group), group.seeds) for group in groups]:
        raise UnfitNetwork(f"{place} was trained on other folds of these clips: nothing can be compared.")
    return judge(own, CONDITIONS[USUAL]).found_s


def _names(group: Group) -> list[str]:
    return [source.name for source in group.sources]
