"""Letters: the same where moves are the same, as sure as the difference is clear."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.segmentation.labels import labels, letter
from gpu_job.segmentation.motion import Motion

POINTS = 32  # a move of eight counts


def move(kind: int, points: int = POINTS, jitter: float = 0.0, seed: int = 0) -> np.ndarray:
    """A pattern of its own for each kind. ``(points, 10)``."""
    phases = np.random.default_rng(kind).uniform(0, 2 * np.pi, 10)
    places = np.random.default_rng(kind + 100).normal(0, 1, 10)
    clean = 0.3 * places + 0.3 * np.sin(np.arange(points)[:, None] * np.pi / 8 + phases)
    return clean + np.random.default_rng(seed).normal(0, 0.3, clean.shape) * jitter


def danced(*moves: np.ndarray) -> tuple[Motion, np.ndarray]:
    values = np.concatenate(moves)
    edges = np.concatenate([[0], np.cumsum([len(one) for one in moves])])
    return Motion(values, np.ones(values.shape, dtype=bool)), edges


def test_repeated_moves_get_the_same_letter_in_order_of_appearance() -> None:
    motion, edges = danced(move(5), move(2), move(5), move(7), move(2))
    assert [label.name for label in labels(motion, edges)] == ["move-A", "move-B", "move-A", "move-C", "move-B"]


def test_a_move_is_known_again_through_jitter_and_when_cut_short() -> None:
    motion, edges = danced(move(5, jitter=0.2, seed=1), move(2), move(5, points=16, jitter=0.2, seed=2))
    assert [label.name for label in labels(motion, edges)] == ["move-A", "move-B", "move-A"]


def test_the_more_alike_two_moves_are_the_surer_is_their_letter() -> None:
    near, far = (labels(*danced(move(5), move(2), move(5, jitter=jitter)))[0].confidence for jitter in (0.05, 0.4))
    assert 0 < far < near <= 1


def test_a_single_move_has_nothing_to_be_compared_with() -> None:
    (label,) = labels(*danced(move(1)))
    assert (label.name, label.confidence) == ("move-A", 0.0)


def test_moves_that_are_all_the_same_share_a_letter() -> None:
    found = labels(*danced(*[move(3, jitter=0.05, seed=seed) for seed in range(4)]))
    assert {label.name for label in found} == {"move-A"}
    assert all(0 <= label.confidence <= 1 for label in found)


def test_a_move_out_of_sight_is_called_unseen() -> None:
    motion, edges = danced(move(1), move(2), move(1))
    motion.seen[POINTS : 2 * POINTS] = False
    motion.values[POINTS : 2 * POINTS] = 0
    found = labels(motion, edges)
    assert [label.name for label in found] == ["move-A", "unseen", "move-A"]
    assert found[1].confidence == 1.0


def test_moves_of_which_no_common_part_is_seen_are_kept_apart() -> None:
    motion, edges = danced(move(1), move(1))
    motion.seen[:POINTS, :5] = False
    motion.seen[POINTS:, 5:] = False
    assert [label.name for label in labels(motion, edges)] == ["move-A", "move-B"]


@pytest.mark.parametrize(("number", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB"), (51, "AZ"), (52, "BA")])
def test_letters_do_not_run_out(number: int, name: str) -> None:
    assert letter(number) == name
