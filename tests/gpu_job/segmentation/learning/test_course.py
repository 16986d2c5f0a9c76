"""A course is known by all that its networks come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gpu_job.segmentation.learning import course
from gpu_job.segmentation.learning.clips import Clip
from gpu_job.segmentation.learning.course import Course, Plan
from gpu_job.segmentation.learning.labelled import Marked
from gpu_job.segmentation.learning.training import Recipe
from tests.gpu_job.segmentation.learning.readable import drawn_clip

PLAN = Plan(Recipe(), folds=2)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [drawn_clip(seed) for seed in range(4)]


@pytest.fixture(autouse=True)
def dealt(monkeypatch: pytest.MonkeyPatch) -> None:
    """By label, as an annotation that is changed deals clips anew."""

    def folds(clips: Sequence[Clip], count: int) -> dict[str, int]:
        return {clip.name: (i + len(clip.label or "")) % count for i, clip in enumerate(clips)}

    monkeypatch.setattr(course, "folds", folds)


def test_every_recipe_and_every_seed_is_a_training_of_its_own(clips: list[Clip]) -> None:
    plans = [PLAN, replace(PLAN, seed=2), replace(PLAN, pretraining=5), replace(PLAN, recipe=Recipe(epochs=3))]
    assert len({Course.of(clips, Marked(), plan).name for plan in plans}) == 4
    again = [drawn_clip(seed) for seed in range(4)]
    assert Course.of(again, Marked(), replace(PLAN, wanted=(1,))).name == Course.of(clips, Marked(), PLAN).name


def test_so_are_other_clips_and_the_same_ones_dealt_otherwise(clips: list[Clip]) -> None:
    relabelled = [replace(clips[0], label="a"), *clips[1:]]  # now of the other fold
    others = [replace(clips[0], digest="e" * 64), *clips[1:]]
    names = {Course.of(given, Marked(), PLAN).name for given in (clips, relabelled, others, clips[:3])}
    assert len(names) == 4
    assert Course.of([replace(clips[0], label="ab"), *clips[1:]], Marked(), PLAN).name in names  # of the same fold


def test_and_so_are_other_marks(clips: list[Clip]) -> None:
    video = replace(clips[0], digest="f" * 64)
    marks = [Marked(), Marked((), [video], "1"), Marked((), [video], "2"), Marked((), [clips[1]], "1")]
    assert len({Course.of(clips, each, PLAN).name for each in marks}) == 4


def test_no_fold_knows_its_own_clips(clips: list[Clip]) -> None:
    found = Course.of(clips, Marked(), PLAN)
    for fold, own in ((0, ["dancer0", "dancer2"]), (1, ["dancer1", "dancer3"])):
        assert [one.name for one in found.unknown(fold)] == own
        assert sorted(own + [one.name for one in found.known(fold)]) == [clip.name for clip in clips]
