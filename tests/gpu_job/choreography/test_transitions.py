"""A cut costs what a spectator sees of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_job.choreography import transitions as module
from gpu_job.choreography.transitions import NEUTRAL, SCALES, WEIGHTS, edge_costs, transitions
from shared.library import JOINTS, Edges, MoveLibrary
from tests.gpu_job.choreography.making import a_library


def _still(blocks: int = 2) -> Edges:
    """Both dancers at the origin of everything, seen whole."""
    return Edges(
        np.zeros((blocks, 2, 2, len(JOINTS), 4)), np.zeros((blocks, 2, 2, 2)), np.zeros((blocks, 2, 2)),
        np.zeros((blocks, 2)),
    )  # fmt: skip


def _cost(edges: Edges) -> float:
    """Of the first block followed by the second."""
    return float(edge_costs(edges)[0, 1])


def test_the_weights_make_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_a_cut_in_which_nothing_jumps_costs_nothing() -> None:
    assert edge_costs(_still()) == pytest.approx(0)


@pytest.mark.parametrize("part", ["pose", "velocity"])
def test_joints_that_jump_by_the_scale_cost_half_of_their_weight(part: str) -> None:
    edges = _still()
    edges.joints[1, 0, :, :, 0 if part == "pose" else 2] = SCALES[part]
    assert _cost(edges) == pytest.approx(WEIGHTS[part] / 2, abs=1e-4)


def test_so_does_the_place() -> None:
    edges = _still()
    edges.place[1, 0] = np.array([0.6, 0.8]) * SCALES["place"]
    assert _cost(edges) == pytest.approx(WEIGHTS["place"] / 2, abs=1e-4)


def test_so_does_the_hold() -> None:
    edges = _still()
    edges.hold[1, 0] = SCALES["hold"]
    assert _cost(edges) == pytest.approx(WEIGHTS["hold"] / 2, abs=1e-4)


def test_so_does_facing_and_a_full_turn_is_none() -> None:
    edges = _still()
    edges.facing[1, 0] = 2 * np.arcsin(SCALES["facing"] / 2)
    assert _cost(edges) == pytest.approx(WEIGHTS["facing"] / 2, abs=1e-4)
    edges.facing[:, 0], edges.facing[:, 1] = np.pi, -np.pi
    assert _cost(edges) == pytest.approx(0, abs=1e-4)


def test_only_the_end_of_the_one_and_the_start_of_the_other_count() -> None:
    edges = _still()
    edges.joints[0, 0] = 5.0
    assert _cost(edges) == pytest.approx(0, abs=1e-4)
    assert edge_costs(edges)[1, 0] > 0.3
    edges.joints[1, 1] = 5.0
    assert edge_costs(edges)[1, 0] == pytest.approx(0, abs=1e-4)


def test_what_nobody_sees_is_neutral() -> None:
    edges = _still()
    for values in (edges.joints, edges.place, edges.facing, edges.hold):
        values[:] = np.nan
    assert _cost(edges) == pytest.approx(NEUTRAL)


def test_one_unseen_dancer_leaves_the_other_her_half() -> None:
    edges = _still()
    edges.joints[0, 1, 1] = np.nan
    assert _cost(edges) == pytest.approx((WEIGHTS["pose"] + WEIGHTS["velocity"]) * NEUTRAL / 2, abs=1e-4)


def test_a_block_that_goes_on_in_its_clip_costs_nothing_to_follow() -> None:
    library = a_library(12)
    costs = transitions(library)
    for one in range(len(library)):
        for other in range(len(library)):
            if library.is_followed_by(one, other):
                assert costs[one, other] == 0
            else:
                assert costs[one, other] > 0.01


def test_a_gap_in_the_clip_is_a_cut() -> None:
    move = next(move for move in a_library(12).moves if len(move.blocks) > 1)
    shifted = replace(move, blocks=np.concatenate([move.blocks[:1], move.blocks[1:] + 1]))
    assert transitions(MoveLibrary.of([shifted]))[0, 1] > 0.001


def test_of_some_blocks_only_those_side_by_side_go_on() -> None:
    library = a_library(12)
    some = np.array([0, 1, 3, 4, 5, 8])
    assert transitions(library, some) == pytest.approx(transitions(library)[np.ix_(some, some)], abs=1.01e-4)


def test_few_and_many_blocks_cost_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = a_library(40).edges
    few = edge_costs(edges)
    monkeypatch.setattr(module, "_FEW", 0)
    assert edge_costs(edges) == pytest.approx(few, abs=1.01e-4)


@pytest.mark.parametrize("clips", [4, 40])
def test_the_threads_of_the_process_are_left_alone(clips: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(threads: int) -> None:
        raise AssertionError(f"{threads} threads for all")

    monkeypatch.setattr(torch, "set_num_threads", forbidden)
    monkeypatch.setattr(module, "_FEW", 40)
    before = torch.get_num_threads()
    edge_costs(a_library(clips).edges)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("few", [0, 1000])
def test_ends_are_done_some_at_a_time(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    edges = a_library(12).edges
    monkeypatch.setattr(module, "_FEW", few)
    whole = edge_costs(edges)
    for name in ("_BY_NUMPY", "_BY_TORCH"):
        monkeypatch.setattr(module, name, replace(getattr(module, name), rows=7))
    assert edge_costs(edges) == pytest.approx(whole, abs=1.01e-4)


def test_nothing_of_nothing() -> None:
    assert transitions(MoveLibrary.of([])).shape == (0, 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_same_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = a_library(40).edges
    monkeypatch.setattr(module, "_FEW", 0)
    on_gpu = edge_costs(edges)
    monkeypatch.setattr(module, "device", lambda: torch.device("cpu"))
    assert edge_costs(edges) == pytest.approx(on_gpu, abs=1.01e-4)
