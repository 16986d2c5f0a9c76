"""Names are learned from clips, judged on others, and come out the same every time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_job.segmentation.learning.calibration import calibration_error
from gpu_job.segmentation.learning.naming_training import (
    COUNTS,
    Clip,
    Learned,
    figures,
    learned,
    sameness,
    temperature,
    tiling,
)
from gpu_job.segmentation.naming import TraitNamer, softmax, together
from tests.gpu_job.segmentation.named import eights_of, folds, library


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return library()


@pytest.fixture(scope="module")
def found(clips: list[Clip]) -> Learned:
    return learned(clips, folds(clips))


def test_a_drawn_vocabulary_is_told_on_clips_held_out(found: Learned) -> None:
    mixed = found.figures["mixed"]
    assert mixed.top1 > 0.8
    assert mixed.top3 > 0.95
    assert (mixed.chance1, mixed.chance3) == (0.25, 0.75)
    assert found.figures["whole"].stretches == 20


def test_the_same_seed_gives_the_same_weights(clips: list[Clip], found: Learned) -> None:
    again = learned(clips, folds(clips))
    assert again.figures == found.figures
    assert all(torch.equal(a, b) for a, b in zip(again.weights.tensors().values(), found.weights.tensors().values(),
                                                 strict=True))  # fmt: skip


def test_weights_of_a_fold_never_saw_its_clips(clips: list[Clip], found: Learned) -> None:
    """What the clips of the fold are called changes nothing in them but the heat and who is a stranger."""
    deal = folds(clips)
    labels = sorted({clip.label for clip in clips})
    lied = [
        replace(clip, label=labels[(labels.index(clip.label) + 1) % 4]) if deal[clip.name] == 0 else clip
        for clip in clips
    ]
    other = learned(lied, deal)
    assert torch.equal(other.by_fold[0].weight, found.by_fold[0].weight)
    assert not torch.equal(other.by_fold[1].weight, found.by_fold[1].weight)


def test_labels_that_mean_nothing_are_told_no_better_than_by_guessing(clips: list[Clip]) -> None:
    rng = np.random.default_rng(0)
    dealt = [replace(clip, label=str(label)) for clip, label in zip(clips, rng.permutation(20) % 4, strict=True)]
    assert learned(dealt, folds(dealt)).figures["mixed"].top1 < 0.5


def test_every_clip_held_out_is_named_by_its_fold(clips: list[Clip], found: Learned) -> None:
    deal = folds(clips)
    named = [
        TraitNamer(found.by_fold[deal[clip.name]]).names(clip.performance, eights_of(clip.performance))[0][0].label
        for clip in clips
    ]
    assert np.mean([label == clip.label for label, clip in zip(named, clips, strict=True)]) > 0.8


def test_a_clip_without_a_fold_is_refused(clips: list[Clip]) -> None:
    with pytest.raises(ValueError, match=clips[0].name):
        learned(clips, {clip.name: 0 for clip in clips[1:]})


def test_one_fold_is_refused(clips: list[Clip]) -> None:
    with pytest.raises(ValueError, match="two folds"):
        learned(clips, {clip.name: 0 for clip in clips})


def test_a_tiling_keeps_to_its_lengths() -> None:
    shortest, longest = COUNTS
    for seed in range(50):
        lengths = np.diff(tiling(60, np.random.default_rng(seed))) / 2
        assert lengths.min() >= shortest
        assert lengths.max() <= longest + 0.5


def test_what_is_too_short_to_cut_is_one_stretch() -> None:
    assert tiling(3, np.random.default_rng(0)).tolist() == [0, 3]


def test_a_temperature_makes_up_for_what_logits_exaggerate() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (4000, 5))
    label = np.array([rng.choice(5, p=row) for row in softmax(values)])
    assert temperature(values, label) == pytest.approx(1.0, rel=0.1)
    assert temperature(3 * values, label) == pytest.approx(3.0, rel=0.1)


def test_moves_are_less_readily_taken_for_one_by_names_that_lean_to_one() -> None:
    """Moves that are told alike although they are not look like one move."""
    rng = np.random.default_rng(2)
    label, fold = rng.integers(8, size=1200), np.arange(1200) % 3
    values = rng.normal(0, 1, (1200, 8)) + np.eye(8)[label]
    upright, leaning = (sameness(softmax(each), label, fold) for each in (values, values + 1.5 * np.eye(8)[0]))
    assert 0 < leaning < upright < 1


def test_the_thought_of_one_move_costs_dances_of_many_little() -> None:
    rng = np.random.default_rng(3)
    label = rng.integers(8, size=1200)
    likely = softmax(rng.normal(0, 1, (1200, 8)) + np.eye(8)[label])
    same = sameness(likely, label, np.zeros(1200, int))
    told = np.concatenate([together(rows, same) for rows in np.array_split(likely, 100)])
    before, after = (-np.log(each[np.arange(1200), label]).mean() for each in (likely, told))
    assert after < before + 0.01  # other dances than those by which it was chosen


def test_the_calibration_error_is_how_far_confidence_and_truth_are_apart() -> None:
    assert calibration_error(np.full(10, 0.75), np.arange(10) < 5) == pytest.approx(0.25)
    assert calibration_error(np.full(4, 0.5), np.arange(4) < 2) == 0
    assert calibration_error(np.array([1.0, 0.0]), np.array([False, True])) == 1


def test_figures_count_what_is_right() -> None:
    likely = np.array([[0.6, 0.3, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])
    told = figures(likely, np.array([0, 1, 3]), np.array([3, 3, 1]), least=0.3)
    assert (told.stretches, told.top1, told.top3) == (3, pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert (told.told, told.right) == (pytest.approx(2 / 3), 0.5)
    assert (told.chance1, told.majority1) == (0.25, pytest.approx(1 / 3))
