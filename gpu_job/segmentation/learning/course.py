"""What networks are trained on and how, fold by fold; what is wrong with that; and what its file tells of it.

Knows no files, and trains nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpu_job.segmentation.checkpoint import KIND
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.learning.clips import Clip, TooFewClips
from gpu_job.segmentation.learning.folds import FOLDS, folds
from gpu_job.segmentation.learning.joins import Source
from gpu_job.segmentation.learning.labelled import Marked
from gpu_job.segmentation.learning.training import Recipe
from gpu_job.segmentation.learning.twins import twins_between
from shared.errors import BadLabels

_NETWORKS_APART = 1000  # seeds


def source(clip: Clip) -> Source:
    """With all its dancers."""
    return Source(clip.name, clip.label, clip.views(), clip.audio)


def followed(clip: Clip) -> Source:
    """As a job sees it: the one dancer that is followed."""
    return Source(clip.name, clip.label, (clip.pose,), clip.audio)


@dataclass(frozen=True, slots=True)
class Plan:
    """``pretraining`` steps on masked beats; ``folds`` so many; ``wanted`` those whose networks are trained, empty for
    all."""

    recipe: Recipe
    seed: int = 1
    pretraining: int = 0
    folds: int = FOLDS
    wanted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """
    ``clips``    that can be used, ``left_out`` the names of the others
    ``dealt``    the fold of each by its name
    ``marked``   what people marked, which every network learns from
    """

    clips: Sequence[Clip]
    left_out: Sequence[str]
    dealt: Mapping[str, int]
    marked: Marked
    plan: Plan

    @classmethod
    def of(cls, clips: Sequence[Clip], marked: Marked, plan: Plan) -> Course:
        usable = [clip for clip in clips if source(clip).is_usable]
        left_out = sorted({clip.name for clip in clips} - {clip.name for clip in usable})
        return cls(usable, left_out, folds(clips, plan.folds), marked, plan)

    def fold_of(self, clip: Clip) -> int:
        return self.dealt[clip.name]

    @property
    def wanted(self) -> Sequence[int]:
        """The folds whose networks are trained."""
        return self.plan.wanted or range(self.plan.folds)

    def seed_of(self, fold: int) -> int:
        return self.plan.seed * _NETWORKS_APART + fold

    def known(self, fold: int) -> list[Source]:
        """What the network of this fold learns from."""
        return [source(clip) for clip in self.clips if self.fold_of(clip) != fold]

    def unknown(self, fold: int) -> list[Source]:
        """What it never sees, as a job would."""
        return [followed(clip) for clip in self.clips if self.fold_of(clip) == fold]

    @property
    def labelled(self) -> Sequence[Clip]:
        """What names of moves are learnt from. None where it is of one fold or of one label: there would be nothing to
        hold names against."""
        found = [clip for clip in self.clips if clip.label]
        several = min(len({clip.label for clip in found}), len({self.fold_of(clip) for clip in found})) > 1
        return found if several else []

    @property
    def name(self) -> str:
        """Another recipe is another training, and so are other clips, the same ones dealt otherwise, or other marks."""
        dealt = [(clip.digest, self.fold_of(clip)) for clip in self.clips]
        marks = self.marked.table, [clip.digest for clip in self.marked.clips]
        asked = INPUT_SCHEMA, self.plan.seed, self.plan.pretraining, self.plan.recipe.facts()
        return hashlib.sha256(json.dumps([dealt, marks, asked], sort_keys=True).encode()).hexdigest()[:12]

    def facts(self, version: str) -> dict[str, Any]:
        """What the networks' file tells of them. A clip's ``fold`` is the one whose network has not seen it: null of
        a video that people marked, which all have seen."""
        recipe = self.plan.recipe
        clips = {clip.digest: {"name": clip.name, "fold": self.fold_of(clip)} for clip in self.clips}
        marked = {clip.digest: {"name": clip.name, "fold": None} for clip in self.marked.clips}
        return {
            "kind": KIND,
            "version": version,
            "features": INPUT_SCHEMA,
            "config": {"shape": recipe.shape.facts(), "folds": list(self.wanted)},
            "trained_on": {**clips, **marked},
            "recipe": {**recipe.facts(), "seed": self.plan.seed, "pretraining": self.plan.pretraining},
        }

    def check(self) -> None:
        """Raises TooFewClips and BadLabels, before anything is learnt."""
        for fold in self.wanted:
            _check_fold(fold, len(self.known(fold)), len(self.unknown(fold)))
        _check_marked(self.clips, self.marked.clips)


def _check_fold(fold: int, known: int, unknown: int) -> None:
    """No dance can be joined of fewer than two clips, be it to learn from or to look at the loss of."""
    if min(known, unknown) < 2:
        raise TooFewClips(
            f"Fold {fold} has {unknown} clips, and {known} are not in it: two of each are the least. "
            "Give more clips, or fewer --folds."
        )


def _check_marked(clips: Sequence[Clip], videos: Sequence[Clip]) -> None:
    """What all networks learn from can be no test of one."""
    name_of = {clip.digest: clip.name for clip in clips}
    if same := next((video for video in videos if video.digest in name_of), None):
        raise _refused(same.name, "is", name_of[same.digest])
    if alike := twins_between([clip.pose for clip in clips], [video.pose for video in videos]):
        clip, video = alike[0]
        raise _refused(videos[video].name, "shows the same dance as", clips[clip].name)


def _refused(video: str, what: str, clip: str) -> BadLabels:
    return BadLabels(
        f"The marked video {video} {what} the clip {clip}: every network would learn from it, also the one that is to "
        "be judged by this clip. Leave it out of the labels, or out of the clips."
    )
