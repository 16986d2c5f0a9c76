"""One suite for every index: what is nearest is found."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography import nearest
from gpu_job.choreography.nearest import ExactIndex, GraphIndex, Index, index_for, sketched, top
from shared.errors import MissingTool
from tests.gpu_job.choreography.shelf import unit

DIMENSION, MANY = 96, 2000
Maker = Callable[[np.ndarray], Index]


def sketching(vectors: np.ndarray) -> ExactIndex:
    return ExactIndex(vectors, few=0)


MAKERS = [ExactIndex, sketching, GraphIndex]


def structured(many: int = MANY, dimension: int = DIMENSION, seed: int = 0) -> np.ndarray:
    """In clusters, along few directions, as embeddings are. Unit length."""
    rng = np.random.default_rng(seed)
    spread = (1.0 + np.arange(dimension)) ** -0.8
    centres = rng.standard_normal((max(1, many // 50), dimension))
    drawn = (centres[rng.integers(0, len(centres), many)] + 0.7 * rng.standard_normal((many, dimension))) * spread
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def by_brute_force(vectors: np.ndarray, query: np.ndarray, k: int) -> np.ndarray:
    return np.sort(vectors.astype(np.float32) @ query)[::-1][:k]


# --- the contract -------------------------------------------------------------------------------


@pytest.fixture(params=MAKERS, ids=["exact", "sketching", "graph"])
def made(request: pytest.FixtureRequest) -> Maker:
    return request.param


@pytest.mark.parametrize("vectors", [structured(), unit(5, DIMENSION, MANY)], ids=["structured", "without structure"])
def test_the_nearest_are_found(made: Maker, vectors: np.ndarray) -> None:
    index, queries = made(vectors), unit(9, DIMENSION, 20)
    found = index.nearest(queries, 10)
    truth = [set(top(vectors @ query, 10).ids.tolist()) for query in queries]
    recall = np.mean([len(truth[i] & set(found.ids[i].tolist())) / 10 for i in range(len(queries))])
    assert recall >= 0.98


def test_every_vector_is_nearest_to_itself(made: Maker) -> None:
    vectors = structured()
    some = np.arange(0, MANY, 100)
    found = made(vectors).nearest(vectors[some], 1)
    assert found.ids[:, 0].tolist() == some.tolist()
    assert found.similarities[:, 0] == pytest.approx(np.ones(len(some)), abs=2e-3)


def test_the_nearest_come_first_with_their_similarity(made: Maker) -> None:
    vectors, query = structured(), unit(3, DIMENSION)
    found = made(vectors).nearest(query, 25)
    assert found.ids.shape == found.similarities.shape == (25,)
    assert np.all(np.diff(found.similarities) <= 0)
    assert found.similarities == pytest.approx(vectors[found.ids] @ query, abs=2e-3)
    assert len(set(found.ids.tolist())) == 25


def test_several_queries_are_answered_as_each_alone(made: Maker) -> None:
    index, queries = made(structured()), unit(9, DIMENSION, 3)
    together = index.nearest(queries, 5)
    for i, query in enumerate(queries):
        assert together.ids[i].tolist() == index.nearest(query, 5).ids.tolist()


def test_there_are_no_more_neighbours_than_vectors(made: Maker) -> None:
    index = made(unit(1, DIMENSION, 3))
    assert len(index) == 3
    assert sorted(index.nearest(unit(2, DIMENSION), 10).ids.tolist()) == [0, 1, 2]


def test_the_same_is_found_again(made: Maker) -> None:
    first, second = (made(structured()).nearest(unit(9, DIMENSION, 3), 5).ids for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("query", "k"), [(np.zeros(DIMENSION + 1), 1), (np.zeros(DIMENSION), 0)])
def test_a_question_without_sense_is_refused(made: Maker, query: np.ndarray, k: int) -> None:
    with pytest.raises(ValueError, match="nearest"):
        made(unit(1, DIMENSION, 3)).nearest(query, k)


# --- exactness ----------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40), st.sampled_from([np.float32, np.float16]), st.booleans())
def test_a_sketch_loses_nothing(seed: int, k: int, precision: type, has_structure: bool) -> None:
    vectors = (structured if has_structure else lambda n, d, s: unit(s, d, n))(MANY, DIMENSION, seed).astype(precision)
    query = unit(seed + 1, DIMENSION)
    found = sketching(vectors).nearest(query, k)
    assert found.similarities == pytest.approx(by_brute_force(vectors, query, k), abs=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_no_similarity_is_above_what_the_sketch_allows(seed: int, length: float) -> None:
    vectors = structured(2000, seed=seed)
    vectors[0] *= 5  # out of the common range: its codes are cut off
    query = np.float32(length) * unit(seed + 1, DIMENSION)
    assert np.all(vectors @ query <= sketched(vectors).highest(query) + 1e-5 * length)


def test_a_sketch_looks_at_few_of_many() -> None:
    vectors = structured(30_000)
    index = ExactIndex(vectors)
    assert 0 < index.directions <= DIMENSION
    assert index.looked_at(vectors[7], 10) < 300


def test_where_nearly_all_are_alike_all_are_compared() -> None:
    vectors = np.repeat(unit(1, DIMENSION, 1), MANY, axis=0)
    index = sketching(vectors)
    assert index.looked_at(vectors[0], 3) == MANY
    assert index.nearest(vectors[0], 3).ids.tolist() == [0, 1, 2]


def test_zeros_are_like_nothing() -> None:
    vectors = structured()
    vectors[:5] = 0
    assert 0.0 in sketching(vectors).nearest(-vectors[10], MANY).similarities.tolist()
    assert sketching(np.zeros((4, DIMENSION), np.float32)).nearest(vectors[10], 2).ids.tolist() == [0, 1]


def test_whole_numbers_are_multiplied_exactly() -> None:
    drawn = np.random.default_rng(0).integers(-127, 128, (1000, 64))
    column = drawn[7].astype(float)
    products = nearest._products(torch.from_numpy(drawn.astype(np.int8)), column)
    assert products.tolist() == (drawn @ drawn[7]).tolist()


@given(st.lists(st.integers(-3, 3), min_size=1), st.integers(1, 50))
def test_of_equals_the_first_is_taken(values: list[int], k: int) -> None:
    k = min(k, len(values))
    expected = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]
    assert top(np.array(values, dtype=np.float32), k).ids.tolist() == expected


# --- the choice ---------------------------------------------------------------------------------


def test_up_to_a_million_all_are_searched_and_a_graph_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(index_for(unit(1, DIMENSION, 10)), ExactIndex)
    monkeypatch.setattr(nearest, "MOST_EXACT", 9)
    assert isinstance(index_for(unit(1, DIMENSION, 10)), GraphIndex)


def test_without_usearch_a_graph_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingTool, match="usearch"):
        GraphIndex(unit(1, DIMENSION, 10))
