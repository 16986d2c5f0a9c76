"""Letters: the same where moves are the same. Names: as a namer tells them."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.segmentation.labels import NAMELESS, Label, Named, labels, letter
from gpu_job.segmentation.motion import Motion
from gpu_job.segmentation.naming import Name

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


def letters(motion: Motion, edges: np.ndarray) -> list[str]:
    return [label.letter for label in labels(motion, edges, [NAMELESS] * (len(edges) - 1))]


def test_repeated_moves_get_the_same_letter_in_order_of_appearance() -> None:
    assert letters(*danced(move(5), move(2), move(5), move(7), move(2))) == ["A", "B", "A", "C", "B"]


def test_a_move_is_known_again_through_jitter_and_when_cut_short() -> None:
    assert letters(*danced(move(5, jitter=0.2, seed=1), move(2), move(5, 16, jitter=0.2, seed=2))) == ["A", "B", "A"]


def test_a_single_move_has_a_letter_too() -> None:
    assert letters(*danced(move(1))) == ["A"]


def test_moves_that_are_all_the_same_share_a_letter() -> None:
    assert letters(*danced(*[move(3, jitter=0.05, seed=seed) for seed in range(4)])) == ["A"] * 4


LIKELIEST = (Name("spin", 0.6), Name("basic", 0.3))


@pytest.mark.parametrize(("named", "told"), [
    (Named(LIKELIEST, LIKELIEST[0]), ("spin", 0.6)), (Named(LIKELIEST, Name("unknown", 0.4)), ("unknown", 0.0)),
    (NAMELESS, ("unknown", 0.0)),
])  # fmt: skip
def test_a_move_is_called_what_the_namer_tells_and_nobody_is_sure_of_unknown(
    named: Named, told: tuple[str, float]
) -> None:
    first, second = labels(*danced(move(1), move(2)), [named, NAMELESS])
    assert (first.label, first.confidence, first.names, first.letter) == (*told, named.names, "A")
    assert second == Label("unknown", 0.0, (), "B")


def test_a_move_out_of_sight_is_called_unseen() -> None:
    motion, edges = danced(move(1), move(2), move(1))
    motion.seen[POINTS : 2 * POINTS] = False
    motion.values[POINTS : 2 * POINTS] = 0
    found = labels(motion, edges, [Named(LIKELIEST, LIKELIEST[0])] * 3)
    assert [label.label for label in found] == ["spin", "unseen", "spin"]
    assert found[1] == Label("unseen", 1.0, (), "")
    assert found[0].letter == found[2].letter == "A"


def test_moves_of_which_no_common_part_is_seen_are_kept_apart() -> None:
    motion, edges = danced(move(1), move(1))
    motion.seen[:POINTS, :5] = False
    motion.seen[POINTS:, 5:] = False
    assert letters(motion, edges) == ["A", "B"]


@pytest.mark.parametrize(("number", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB"), (51, "AZ"), (52, "BA")])
def test_letters_do_not_run_out(number: int, name: str) -> None:
    assert letter(number) == name
