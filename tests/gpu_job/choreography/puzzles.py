"""Puzzles small enough to look at every choice, and the best of all."""

from __future__ import annotations

import itertools

import numpy as np

from gpu_job.choreography.plan import Slot
from gpu_job.choreography.puzzle import Puzzle, puzzle
from gpu_job.choreography.repeats import form
from gpu_job.choreography.search import Solution
from shared.music import Role, Section
from shared.timeline import Segment


def a_puzzle(seed: int, *, parts: tuple[tuple[int, int], ...], blocks: int, window: int = 3) -> Puzzle:
    """At random, but with blocks that go on from one another, and some that may not be danced.

    ``parts`` of each section its group and its slots
    """
    rng = np.random.default_rng(seed)
    slots, sections = placed(parts)
    worth = rng.random((len(slots), blocks)) ** 2
    worth[:, rng.random(blocks) < 0.2] = -np.inf
    worth[:, rng.integers(blocks)] = 0.3
    transition = rng.uniform(0.2, 1, (blocks, blocks)).astype(np.float32)
    goes_on = np.flatnonzero(rng.random(blocks - 1) < 0.5)
    transition[goes_on, goes_on + 1] = 0
    material = np.arange(blocks)
    material[-1] = material[0]
    alike = form(slots, sections)
    return puzzle(alike, alike.summed(worth), transition, np.unique(material, return_inverse=True)[1], window)


def placed(parts: tuple[tuple[int, int], ...]) -> tuple[list[Slot], list[Section]]:
    """Slots of two seconds and the sections they are in."""
    ends = list(itertools.accumulate(many for _, many in parts))
    sections = [
        Section(Role.VERSE, 8 * (end - many), 8 * end, Segment(2.0 * (end - many), 2.0 * end), group, 0.5, 0.8)
        for (group, many), end in zip(parts, ends, strict=True)
    ]
    of_slot = [number for number, (_, many) in enumerate(parts) for _ in range(many)]
    slots = [Slot(8 * s, 8, Segment(2.0 * s, 2.0 * s + 2), section, 0.5) for s, section in enumerate(of_slot)]
    return slots, sections


def best_of_all(puzzle: Puzzle) -> Solution:
    """By looking at every choice."""
    each = [np.flatnonzero(np.isfinite(row)) for row in puzzle.worth]
    choices = np.stack(np.meshgrid(*each, indexing="ij"), axis=-1).reshape(-1, puzzle.figures)
    offences = puzzle.offences(choices)
    choices = choices[np.isclose(offences, offences.min())]
    values = puzzle.values(choices)
    best = int(values.argmax())
    return Solution(choices[best], float(values[best]), float(offences.min()), float(values[best]))
