"""Moves of a known vocabulary are named; strangers, other music and who is out of sight are not."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from gpu_job.segmentation.learning.naming_training import learned
from gpu_job.segmentation.naming import (
    LIKELIEST,
    MORE_ARE_SURER,
    PREFIX,
    UNKNOWN,
    Name,
    NamingWeights,
    TraitNamer,
    distance,
    logits,
    probabilities,
    softmax,
    together,
)
from gpu_job.segmentation.performance import Performance
from gpu_job.segmentation.traits import traced, traits
from shared.features import PoseFeatures
from tests.gpu_job.segmentation.named import (
    MOVES,
    Seen,
    coco,
    eights_of,
    folds,
    library,
    masked,
    performance,
    performed,
)
from tests.gpu_job.segmentation.truth import unseen

Change = Callable[[PoseFeatures], PoseFeatures]
ORDER = [MOVES[i] for i in (2, 0, 3, 1, 0, 2)]


@pytest.fixture(scope="module")
def weights() -> NamingWeights:
    clips = library()
    # Of dances of drawn clips that were held out nearly all are alike: who is a stranger is told from further off.
    taught = learned(clips, folds(clips)).weights
    return replace(taught, near=taught.far + 1.0, far=taught.far + 2.0)


@pytest.fixture(scope="module")
def namer(weights: NamingWeights) -> TraitNamer:
    return TraitNamer(weights)


@pytest.fixture(scope="module")
def seen() -> Seen:
    return performed(ORDER, 77)


def labels(namer: TraitNamer, one: Performance) -> list[str]:
    return [namer.told(each).label for each in namer.names(one, eights_of(one))]


def likeliest(namer: TraitNamer, one: Performance) -> list[str]:
    return [names[0].label for names in namer.names(one, eights_of(one))]


def right(found: list[str]) -> int:
    return sum(a == b.name for a, b in zip(found, ORDER, strict=True))


def test_moves_are_named(namer: TraitNamer, seen: Seen) -> None:
    assert labels(namer, performance(*seen)) == [move.name for move in ORDER]


def test_three_names_come_with_probabilities_best_first(namer: TraitNamer, seen: Seen) -> None:
    one = performance(*seen)
    for names in namer.names(one, eights_of(one)):
        told = [name.confidence for name in names]
        assert len(names) == LIKELIEST
        assert told == sorted(told, reverse=True)
        assert min(told) >= 0
        assert sum(told) <= 1 + 1e-9


@pytest.mark.parametrize("change", [coco, partial(masked, share=0.2)], ids=["17 landmarks", "a fifth missing"])
def test_moves_are_named_from_fewer_landmarks(namer: TraitNamer, seen: Seen, change: Change) -> None:
    pose, beats = seen
    assert right(likeliest(namer, performance(change(pose), beats))) >= len(ORDER) - 1


@pytest.mark.parametrize("rate_hz", [12.0, 30.0, 60.0])
def test_moves_are_named_at_any_rate(namer: TraitNamer, rate_hz: float) -> None:
    assert right(likeliest(namer, performance(*performed(ORDER, 5, rate_hz=rate_hz)))) >= len(ORDER) - 1


@pytest.mark.parametrize("tempo_bpm", [104.0, 148.0])
def test_moves_are_named_at_other_tempi(namer: TraitNamer, tempo_bpm: float) -> None:
    assert right(likeliest(namer, performance(*performed(ORDER, 5, tempo_bpm=tempo_bpm)))) >= len(ORDER) - 1


def test_music_that_is_no_bachata_has_no_such_moves(namer: TraitNamer) -> None:
    one = performance(*performed(ORDER, 5, tempo_bpm=80.0))
    assert set(labels(namer, one)) == {UNKNOWN}
    assert all(name.confidence == 0 for names in namer.names(one, eights_of(one)) for name in names)


def test_names_of_a_stranger_are_in_order_though_none_is_told(weights: NamingWeights, seen: Seen) -> None:
    to_all_a_stranger = TraitNamer(replace(weights, near=-1e9, far=-1e8))
    assert likeliest(to_all_a_stranger, performance(*seen)) == [move.name for move in ORDER]
    assert set(labels(to_all_a_stranger, performance(*seen))) == {UNKNOWN}


def test_a_stranger_is_unknown(namer: TraitNamer, weights: NamingWeights, seen: Seen) -> None:
    pose, beats = seen
    upside_down = PoseFeatures(pose.rate_hz, pose.image * [1, -1], pose.world, pose.visibility)
    stranger = performance(upside_down, beats)
    assert distance(weights, traced(stranger)) > distance(weights, traced(performance(pose, beats))) + 1
    assert set(labels(namer, stranger)) == {UNKNOWN}


def test_a_dancer_out_of_sight_has_no_name(namer: TraitNamer, seen: Seen) -> None:
    pose, beats = seen
    first, last = (round(counts * beats.period_s * pose.rate_hz) for counts in (8, 16))
    one = performance(unseen(pose, first, last), beats)
    names = namer.names(one, eights_of(one))
    assert names[1] == ()
    assert namer.told(names[1]) == Name(UNKNOWN, 1.0)
    assert all([*names[:1], *names[2:]])


def test_no_segment_has_no_names(namer: TraitNamer, seen: Seen) -> None:
    assert list(namer.names(performance(*seen), np.array([0]))) == []


def test_a_segment_of_a_dance_of_many_moves_is_called_what_it_is_alone(namer: TraitNamer, seen: Seen) -> None:
    one = performance(*seen)
    edges = eights_of(one)
    for i, names in enumerate(namer.names(one, edges)):
        (alone,) = namer.names(one, edges[i : i + 2])
        assert names[0].label == alone[0].label
        assert names[0].confidence == pytest.approx(alone[0].confidence, abs=0.05)


def test_a_dance_of_one_move_is_surer_of_it_than_any_part_of_it(namer: TraitNamer) -> None:
    one = performance(*performed([MOVES[2]] * 4, 9))
    edges = eights_of(one)
    for i, names in enumerate(namer.names(one, edges)):
        (alone,) = namer.names(one, edges[i : i + 2])
        assert names[0].label == MOVES[2].name
        assert names[0].confidence >= alone[0].confidence


def test_who_is_out_of_sight_says_nothing_of_the_rest_of_the_dance(namer: TraitNamer) -> None:
    pose, beats = performed([MOVES[2], MOVES[0], MOVES[2]], 9)
    first, last = (round(counts * beats.period_s * pose.rate_hz) for counts in (8, 16))
    one = performance(unseen(pose, first, last), beats)
    edges, weights = eights_of(one), namer.weights
    likely = probabilities(weights, logits(weights, traits(traced(one), edges)), np.diff(edges) / 2)
    before, hidden, after = namer.names(one, edges)
    assert hidden == ()
    assert [before[0].confidence, after[0].confidence] == together(likely[[0, 2]], weights.same).max(axis=1).tolist()


def test_half_a_beat_is_named_with_little_confidence(weights: NamingWeights, seen: Seen) -> None:
    """At the heat of real dancers: drawn ones are told at a glance."""
    one, namer = performance(*seen), TraitNamer(replace(weights, temperature=3.0))
    (short,), (long,) = namer.names(one, np.array([4, 5])), namer.names(one, np.array([0, 16]))
    assert short[0].confidence < long[0].confidence


def test_below_the_threshold_the_label_is_unknown_with_the_rest_of_the_probability(weights: NamingWeights) -> None:
    namer = TraitNamer(replace(weights, least=0.5))
    assert namer.told((Name("a", 0.5), Name("b", 0.2))) == Name("a", 0.5)
    assert namer.told((Name("a", 0.4), Name("b", 0.2))) == Name(UNKNOWN, 0.6)


def test_weights_go_into_tensors_and_facts_and_back(weights: NamingWeights, seen: Seen) -> None:
    tensors = {**weights.tensors(), "boundaries.other": torch.zeros(3)}
    again = NamingWeights.of(tensors, json.loads(json.dumps(weights.facts())))
    assert all(name.startswith(PREFIX) for name in tensors if name != "boundaries.other")
    assert {name for name, each in tensors.items() if each.dtype != torch.float32} == {f"{PREFIX}moments"}
    one = performance(*seen)
    before, after = (TraitNamer(each).names(one, eights_of(one)) for each in (weights, again))
    assert [[n.label for n in names] for names in before] == [[n.label for n in names] for names in after]
    assert [names[0].confidence for names in after] == pytest.approx([n[0].confidence for n in before], abs=1e-4)
    assert again.facts() == weights.facts()


@pytest.mark.parametrize(
    "change", [{"version": 99}, {"temperature": 0.0}, {"same": 1.0}, {"far": -1e9}, {"categories": ["a"]}]
)
def test_weights_that_cannot_be_used_are_refused(weights: NamingWeights, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"weights|above 0"):
        NamingWeights.of(weights.tensors(), {**weights.facts(), **change})


def test_weights_that_lack_a_tensor_are_refused(weights: NamingWeights) -> None:
    tensors = weights.tensors()
    del tensors["names.axes"]
    with pytest.raises(ValueError, match=r"names\.axes"):
        NamingWeights.of(tensors, weights.facts())


def test_more_counts_and_less_heat_are_surer(weights: NamingWeights) -> None:
    values = np.array([[1.0, 0.0, 0.0, 0.0]])
    shorter, longer = (probabilities(weights, values, np.array([counts]))[0, 0] for counts in (2.0, 8.0))
    hotter = probabilities(replace(weights, temperature=2 * weights.temperature), values, np.array([8.0]))[0, 0]
    assert longer > shorter
    assert longer > hotter


def test_moves_that_agree_are_taken_for_one_and_help_the_one_that_is_in_doubt() -> None:
    likely = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.3, 0.4, 0.3]])
    found = together(likely, 0.7)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found.argmax(axis=1).tolist() == [0, 0, 0]
    assert found[2, 0] > 0.5


def test_moves_that_differ_keep_their_names() -> None:
    likely = np.full((9, 9), 0.02) + 0.82 * np.eye(9)
    np.testing.assert_allclose(together(likely, 0.7), likely, atol=0.01)


def test_two_moves_are_weighed_as_they_should_be() -> None:
    """Of two categories: by hand, with the evidence of two moves held down to that of 2 ** 0.7."""
    likely, worth = np.array([[0.9, 0.1], [0.6, 0.4]]), 2 ** (MORE_ARE_SURER - 1)
    explained = ((2 * likely).prod(axis=0) ** worth) / 2
    share = 0.6 * explained.sum() / (0.6 * explained.sum() + 0.4)
    expected = share * explained / explained.sum() + (1 - share) * likely
    np.testing.assert_allclose(together(likely, 0.6), expected)


@pytest.mark.parametrize("moves", [0, 1])
def test_fewer_than_two_moves_are_called_what_they_are_alone(moves: int) -> None:
    likely = np.array([[0.7, 0.3]])[:moves]
    np.testing.assert_array_equal(together(likely, 0.9), likely)


def test_a_dance_of_very_many_moves_has_finite_names() -> None:
    likely = np.tile([[1.0, 0.0, 0.0]], (5000, 1))
    np.testing.assert_allclose(together(likely, 0.05), likely, atol=1e-12)
    np.testing.assert_allclose(together(np.full((5000, 3), 1 / 3), 0.95), 1 / 3)


def test_the_order_of_moves_is_not_asked() -> None:
    likely = softmax(np.random.default_rng(0).normal(0, 1, (5, 4)))
    np.testing.assert_allclose(together(likely[::-1], 0.7), together(likely, 0.7)[::-1])


def test_a_softmax_of_large_numbers_is_finite() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4, -1e4]])), [[0.5, 0.5, 0.0]])
