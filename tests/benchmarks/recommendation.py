"""What it costs to find blocks: one recommendation, the nearest vectors, the matrices of likeness.

    python -m tests.benchmarks.recommendation [--many N] [--graph N]

Beside each stands plain NumPy that judges or compares all, on the same arrays. The bars: a recommendation within 5 ms
of 150 moves and within 25 ms of a million blocks, on two cores; a graph that finds 98 % of the nearest ten. Times are
medians over different questions. Where others use the machine the processor's time (of both cores together) says more
than the clock's. Nothing is read from a disk; at a million it needs 4 GB.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.fit import ENERGY_SCALE, TEMPO_SCALE, WEIGHTS, Context, Traits, near_from_below
from gpu_job.choreography.fusion import DIMENSION, Fusion, without
from gpu_job.choreography.nearest import ExactIndex, GraphIndex, Index
from gpu_job.choreography.recommendation import LIKE_WEIGHT, Recommender
from gpu_job.choreography.similarity import Cache, Similarities, object_name
from gpu_job.choreography.suiting import LABELS
from shared.library import Difficulty, Energy, MoveLibrary, Style
from shared.memory import MemoryBlobStore
from shared.music import EMBEDDING, Role
from shared.timeline import FloatArray, IntArray
from shared.wishes import Wishes
from tests.benchmarks.machine import peak_resident_mb, print_table
from tests.gpu_job.choreography.shelf import a_clip, shelf

QUESTIONS = 15
K = 10
MOVES, MOVES_BAR_MS = 150, 5.0
MANY, MANY_BAR_MS = 1_000_000, 25.0
GRAPH, RECALL_BAR = 50_000, 0.98
_CHUNK = 50_000
_CLUSTERS = 2000


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians, in milliseconds; the processor's time is that of all threads."""

    wall_ms: float
    cpu_ms: float

    @property
    def cells(self) -> tuple[str, str]:
        return f"{self.wall_ms:.2f}", f"{self.cpu_ms:.2f}"


def cost_of(work: Callable[[int], object], times: int = QUESTIONS) -> Cost:
    """Of doing ``work(0)``, ``work(1)`` …, after once to warm up."""
    work(0)
    taken = [_once(work, number) for number in range(times)]
    wall, cpu = np.median(taken, axis=0)
    return Cost(float(wall), float(cpu))


def _once(work: Callable[[int], object], number: int) -> tuple[float, float]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work(number)
    return 1000 * (time.perf_counter() - wall_s), 1000 * (time.process_time() - cpu_s)


# --- what is searched ---------------------------------------------------------------------------


def embeddings(many: int, dimension: int, seed: int = 0, *, structured: bool = True) -> FloatArray:
    """``(many, dimension)`` of unit length: in clusters along few directions, or all over the sphere."""
    rng, out = np.random.default_rng(seed), np.empty((many, dimension), np.float32)
    spread = (1 + np.arange(dimension, dtype=np.float32)) ** -0.8 if structured else np.ones(1, np.float32)
    centres = rng.standard_normal((_CLUSTERS, dimension), dtype=np.float32) * structured
    for start in range(0, many, _CHUNK):
        rows = out[start : start + _CHUNK]
        rows[:] = 0.7 * rng.standard_normal(rows.shape, dtype=np.float32)
        rows += centres[rng.integers(0, _CLUSTERS, len(rows))]
        rows *= spread
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return out


def some_traits(many: int) -> Traits:
    """Of blocks that nobody has danced, of all kinds."""
    rng = np.random.default_rng(1)
    return Traits(
        embeddings(many, EMBEDDING, 2), np.zeros(EMBEDDING, np.float32), rng.uniform(110, 150, many),
        rng.uniform(size=many), rng.integers(0, 3, many, dtype=np.int8), rng.uniform(0.4, 1, many),
        rng.integers(0, len(LABELS), many, dtype=np.uint8), rng.uniform(size=(3, many)).astype(np.float32), LABELS,
    )  # fmt: skip


def some_moves(clips: int, blocks: int = 3) -> MoveLibrary:
    rng, levels, energies = np.random.default_rng(3), list(Difficulty), list(Energy)
    return shelf(
        *(
            a_clip(
                f"clip-{i:04d}", LABELS[i % len(LABELS)], difficulty=levels[i % 3], energy=energies[i % 3],
                tempo_bpm=float(rng.uniform(110, 150)), energies=tuple(rng.uniform(size=blocks)),
                detection=float(rng.uniform(0.5, 1)),
            )
            for i in range(clips)
        )
    )  # fmt: skip


def questions(songs: FloatArray) -> list[tuple[Context, Wishes]]:
    """A place of another song each, and another dancer."""
    levels, styles, rng = itertools.cycle(Difficulty), itertools.cycle([None, *Style]), np.random.default_rng(5)
    roles = itertools.cycle(Role)
    return [
        (
            Context(rng.uniform(115, 145, 1), rng.uniform(size=1), (next(roles),), song),
            Wishes(next(levels), None, next(styles)),
        )
        for song in songs
    ]


# --- plain NumPy --------------------------------------------------------------------------------


def judged_plainly(traits: Traits, context: Context, wishes: Wishes, likeness: FloatArray | None = None) -> IntArray:
    """The ten best of all, each factor of each block computed. The named baseline."""
    score = WEIGHTS["audio"] * (1 + traits.audio @ without(traits.common, context.audio[None])[0]) / 2
    score += WEIGHTS["tempo"] / (1 + (np.log(context.tempo_bpm[0] / traits.tempo_bpm) / TEMPO_SCALE) ** 2)
    score += WEIGHTS["energy"] * np.exp(-0.5 * ((context.energy[0] - traits.energy) / ENERGY_SCALE) ** 2)
    score += WEIGHTS["difficulty"] * near_from_below(traits.difficulty, wishes.difficulty)
    score += WEIGHTS["style"] * traits.in_style(wishes.style)
    score += WEIGHTS["role"] * traits.in_role(context.roles[0])
    score += WEIGHTS["quality"] * traits.quality
    if likeness is not None:
        score = (1 - LIKE_WEIGHT) * score + LIKE_WEIGHT * np.maximum(0, likeness)
    score[traits.difficulty > wishes.hardest.rank] = -np.inf
    return _best(score)


def _best(score: FloatArray) -> IntArray:
    ids = np.argpartition(score, len(score) - K)[len(score) - K :]
    return ids[np.argsort(-score[ids])]


def agreement(one: Sequence[int] | IntArray, other: Sequence[int] | IntArray) -> float:
    return len({*map(int, one)} & {*map(int, other)}) / K


# --- tables -------------------------------------------------------------------------------------


def _recommending(what: str, recommender: Recommender, traits: Traits, bar_ms: float) -> tuple[object, ...]:
    asked = questions(embeddings(QUESTIONS, EMBEDDING, 9))
    cost = cost_of(lambda i: recommender.recommended(*asked[i], K))
    plain = cost_of(lambda i: judged_plainly(traits, *asked[i]), 5)
    same = [
        agreement([one.block for one in recommender.recommended(*each, K)], judged_plainly(traits, *each))
        for each in asked
    ]
    return what, *cost.cells, f"≤ {bar_ms:g}", *plain.cells, f"{np.mean(same):.1%}"


def _recommending_like(recommender: Recommender, traits: Traits, fusion: Fusion) -> tuple[object, ...]:
    asked = questions(embeddings(QUESTIONS, EMBEDDING, 9))
    likes = np.random.default_rng(6).integers(0, len(traits), QUESTIONS).tolist()

    def plainly(i: int) -> IntArray:
        products, weights = fusion.vectors @ fusion.vectors[likes[i]], fusion.roots @ fusion.roots[likes[i]]
        likeness = products / np.maximum(weights, 1e-6)
        likeness[likes[i]] = -np.inf
        return judged_plainly(traits, *asked[i], likeness)

    def ours(i: int) -> list[int]:
        return [one.block for one in recommender.recommended(*asked[i], K, like=likes[i])]

    cost, plain = cost_of(ours), cost_of(plainly, 5)
    same = [agreement(ours(i), plainly(i)) for i in range(QUESTIONS)]
    return "the same, like a block", *cost.cells, f"≤ {MANY_BAR_MS:g}", *plain.cells, f"{np.mean(same):.1%}"


def recommending(many: int) -> Iterator[tuple[object, ...]]:
    moves = some_moves(MOVES)
    traits = Traits.of(moves)
    yield _recommending(f"{MOVES} moves, {len(moves)} blocks", Recommender.of(moves), traits, MOVES_BAR_MS)
    traits = some_traits(many)
    rng = np.random.default_rng(8)
    roots = np.sqrt(rng.uniform(0.2, 0.4, many).astype(np.float32))
    fusion = Fusion(embeddings(many, DIMENSION), np.stack([roots, np.sqrt(1 - roots**2)], axis=1))
    recommender = Recommender(traits, fusion, ExactIndex(fusion.vectors))
    yield _recommending(f"{many:,} blocks", recommender, traits, MANY_BAR_MS)
    yield _recommending_like(recommender, traits, fusion)


def _nearest(what: str, index: Index, vectors: FloatArray, note: str = "") -> tuple[object, ...]:
    queries = vectors[np.random.default_rng(4).integers(0, len(vectors), QUESTIONS)]
    cost = cost_of(lambda i: index.nearest(queries[i], K))
    plain = cost_of(lambda i: _best(vectors @ queries[i]), 5)
    recall = np.mean([agreement(index.nearest(query, K).ids, _best(vectors @ query)) for query in queries])
    return what, note, *cost.cells, *plain.cells, f"{recall:.1%}"


def searching(many: int, graph: int) -> Iterator[tuple[object, ...]]:
    for structured in (True, False):
        vectors = embeddings(many, DIMENSION, structured=structured)
        started_s = time.monotonic()
        index = ExactIndex(vectors)
        built_s = time.monotonic() - started_s
        looked = np.mean([index.looked_at(query, K) for query in vectors[:: many // 5]])
        what = f"exact, {many:,}, {'in clusters' if structured else 'without structure'}"
        note = f"made in {built_s:.0f} s, {index.directions} directions, {looked:.0f} looked at"
        yield _nearest(what, index, vectors, note)
        del vectors, index
    vectors = embeddings(graph, DIMENSION)
    started_s = time.monotonic()
    index = GraphIndex(vectors)
    note = f"made in {time.monotonic() - started_s:.0f} s; the bar is {RECALL_BAR:.0%} found"
    yield _nearest(f"graph, {graph:,}, in clusters", index, vectors, note)
    yield _nearest(f"exact, {graph:,}, in clusters", ExactIndex(vectors), vectors)


def likeness() -> Iterator[tuple[object, ...]]:
    library, blobs, bucket = some_moves(134), MemoryBlobStore(), "library"
    yield f"computed, {len(library)} blocks", *cost_of(lambda _: Similarities.of(library)).cells, ""
    warm = Cache(blobs, bucket)
    warm.of(library)
    size = f"{len(blobs.read(bucket, object_name(library.version))) / 1e6:.2f} MB"
    yield "from memory", *cost_of(lambda _: warm.of(library)).cells, ""
    yield "from the bucket's object (in memory)", *cost_of(lambda _: Cache(blobs, bucket).of(library)).cells, size
    yield "to bytes", *cost_of(lambda _: Similarities.of(library).to_bytes(), 5).cells, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--many", type=int, default=MANY)
    parser.add_argument("--graph", type=int, default=GRAPH)
    chosen = parser.parse_args()
    costs = ("wall ms", "CPU ms")
    print_table("The matrices of likeness", ("", *costs, "size"), [*likeness()])
    head = ("one recommendation of", *costs, "bar ms", "NumPy wall ms", "NumPy CPU ms", "the same ten")
    print_table("Recommending, beside NumPy that judges all", head, [*recommending(chosen.many)])
    head = ("the nearest ten of", "", *costs, "NumPy wall ms", "NumPy CPU ms", "found")
    print_table("Searching, beside NumPy that compares all", head, [*searching(chosen.many, chosen.graph)])
    print(f"\nPeak memory {peak_resident_mb():.0f} MB")


if __name__ == "__main__":
    main()
