"""Whether a planned dance is a good one, and what it costs to plan it.

    python -m tests.benchmarks.planning [libraries]

First against the best of all choices, where these are few enough to be looked at; then upon songs of 48 to 54
eights with libraries of 150 clips (all made up, see ``tests/gpu_job/choreography/making.py``), beside two dances that
keep the same rules: *greedy* takes, block after block, the one that is best beside those before it, and *random* any.
Then the same on the real clips, if their analysis is given:

    python -m tests.benchmarks.planning --library FOLDER

the folder ``moves`` of a library that ``dancebits library build`` has made.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu_job.choreography.fit import contexts, factors
from gpu_job.choreography.fit import fit as mean_fit
from gpu_job.choreography.plan import Plan
from gpu_job.choreography.planning import Planned, materials, planned
from gpu_job.choreography.puzzle import WINDOW, Puzzle, puzzle
from gpu_job.choreography.repeats import form
from gpu_job.choreography.retime import retiming
from gpu_job.choreography.search import Effort, greedy, solve
from gpu_job.choreography.slots import slots
from gpu_job.choreography.transitions import transitions
from shared.library import Difficulty, Move, MoveLibrary
from shared.music import Music, Role
from shared.timeline import FloatArray, IntArray
from shared.wishes import Wishes
from tests.benchmarks.bars import Row, rank_correlation
from tests.benchmarks.machine import print_table
from tests.gpu_job.choreography.making import FORM, Part, a_library, a_song
from tests.gpu_job.choreography.puzzles import a_puzzle, best_of_all

LIBRARIES = 6
FIRST_SEED = 1000  # apart from those that constants were looked at with
CLIPS = 150
RUNS = 15
SMALL = (((0, 7),), ((0, 3), (1, 2), (0, 3)), ((0, 4), (0, 4), (0, 4)), ((0, 2), (1, 3), (0, 2), (1, 3)))
WITHOUT_REPEATS: tuple[Part, ...] = (
    (Role.INTRO, 3), (Role.VERSE, 12), (Role.BRIDGE, 4), (Role.CHORUS, 13), (Role.MAMBO, 9), (Role.VERSE, 10),
    (Role.OUTRO, 3),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A song, a library and the puzzle that they make."""

    music: Music
    library: MoveLibrary
    scores: Mapping[str, FloatArray]
    fit: FloatArray
    transition: FloatArray
    figure: IntArray
    puzzle: Puzzle

    @classmethod
    def of(cls, music: Music, library: MoveLibrary) -> Case:
        places = slots(music)
        scores = factors(library, contexts(music, places), Wishes())
        fit = mean_fit(scores)
        timing = retiming(places, library, np.ones(fit.shape, dtype=bool))
        worth = np.where(timing.fits, fit - timing.cost, -np.inf)
        alike, transition = form(places, music.sections), transitions(library)
        made = puzzle(alike, alike.summed(worth), transition, materials(library))
        return cls(music, library, scores, fit, transition, alike.figure, made)

    def planned(self, wishes: Wishes | None = None, transition: FloatArray | None = None) -> Planned:
        return planned(
            self.music, self.library, wishes or Wishes(), self.fit, scores=self.scores, transition=transition
        )

    def jumps(self, blocks: IntArray) -> float:
        """Mean transition cost."""
        return float(self.transition[blocks[:-1], blocks[1:]].mean())

    def at_random(self, seed: int) -> IntArray:
        """``(S,)`` any blocks that keep the rules."""
        rng = np.random.default_rng(seed)
        worth = np.where(np.isfinite(self.puzzle.worth), rng.random(self.puzzle.worth.shape), -np.inf)
        free = np.zeros_like(self.transition)
        without = Puzzle(
            worth, free, self.puzzle.links, self.puzzle.material, self.puzzle.again, self.puzzle.apart,
            self.puzzle.windows,
        )  # fmt: skip
        return greedy(without)[self.figure]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="?", type=int, default=LIBRARIES)
    parser.add_argument("--library", type=Path)
    chosen = parser.parse_args()
    rows = against_the_best()
    cases = _made_up(chosen.libraries)
    rows += of_dances(f"{len(cases)} made up", cases)
    if chosen.library:
        library = MoveLibrary.of([Move.from_bytes(path.read_bytes()) for path in sorted(chosen.library.glob("*.npz"))])
        rows += of_dances(f"{len(library.moves)} real clips", [Case.of(_song(0, FORM), library)])
    rows += of_time(cases[0])
    print_table("Planning", ("what", "found", "bar met"), [row.cells for row in rows])
    return 0 if all(row.is_met is not False for row in rows) else 1


def _made_up(libraries: int) -> list[Case]:
    seeds = range(FIRST_SEED, FIRST_SEED + libraries)
    return [Case.of(_song(seed, form), a_library(CLIPS, seed)) for seed in seeds for form in (FORM, WITHOUT_REPEATS)]


def _song(seed: int, form: Sequence[Part]) -> Music:
    tempo_bpm = float(np.random.default_rng(seed).uniform(118, 138))
    return a_song(form, tempo_bpm=tempo_bpm, seed=seed, pickup=3, tail=5, broken_after=[9], drift=0.01)


def against_the_best(many: int = 50) -> list[Row]:
    """Small puzzles, as often as there are forms and windows; those whose best is worth next to nothing left out."""
    puzzles = [
        a_puzzle(FIRST_SEED + seed, parts=parts, blocks=6, window=window)
        for seed in range(many) for parts in SMALL for window in (1, 3)
    ]  # fmt: skip
    best = [best_of_all(each) for each in puzzles]
    kept = [number for number, solution in enumerate(best) if solution.value > 1.0]

    def shares(value: Callable[[Puzzle], tuple[float, float]]) -> FloatArray:
        """0 where the rules are broken that need not be."""
        found = [value(puzzles[number]) for number in kept]
        return np.array([
            worth / best[number].value if offences <= best[number].offences + 1e-6 else 0.0
            for number, (worth, offences) in zip(kept, found, strict=True)
        ])  # fmt: skip

    def searched(each: Puzzle) -> tuple[float, float]:
        found = solve(each)
        return found.value, found.offences

    def in_haste(each: Puzzle) -> tuple[float, float]:
        found = solve(each, Effort(width=4, candidates=4, steps=5))
        return found.value, found.offences

    def by_greed(each: Puzzle) -> tuple[float, float]:
        chosen = greedy(each)[None]
        return float(each.values(chosen)[0]), float(each.offences(chosen)[0])

    ours, hasty, greed = shares(searched), shares(in_haste), shares(by_greed)
    bar = f"share of the best of all, worst of {len(kept)} small cases (≥ 99 %)"
    return [
        Row(bar, _percent(ours.min()), bool(ours.min() >= 0.99)),
        Row("the same, mean", _percent(ours.mean()), None),
        Row("with four blocks and four beginnings only, worst and mean", _two(hasty), None),
        Row("greedy, worst and mean", _two(greed), None),
    ]


def of_dances(what: str, cases: Sequence[Case]) -> list[Row]:
    plans = [case.planned() for case in cases]
    blocks = [np.array([placed.block for placed in each.plans[0].placed]) for each in plans]
    greed = [greedy(case.puzzle)[case.figure] for case in cases]
    ours, greedys = (
        np.mean([case.jumps(each) for case, each in zip(cases, of, strict=True)]) for of in (blocks, greed)
    )
    randoms = np.mean([case.jumps(case.at_random(seed)) for case in cases for seed in range(20)])
    shared = [share for case, each in zip(cases, blocks, strict=True) for share in shared_blocks(case, each)]
    again = sum(too_soon(case, each) for case, each in zip(cases, blocks, strict=True))
    energy = [energy_follows(case, each) for case, each in zip(cases, blocks, strict=True)]
    late = np.concatenate([beats_off_ms(case, each.plans[0]) for case, each in zip(cases, plans, strict=True)])
    reached = [each.plans[0].value / each.bound for each in plans]
    lead = [
        each.plans[0].value / float(case.puzzle.values(greedy(case.puzzle)[None])[0])
        for case, each in zip(cases, plans, strict=True)
    ]
    return [
        Row(f"{what}: mean transition cost, greedy's, random's", f"{ours:.3f}, {greedys:.3f}, {randoms:.3f}", None),
        Row(f"{what}: of greedy's (≤ 80 %)", _percent(ours / greedys), bool(ours <= 0.8 * greedys)),
        Row(f"{what}: of random's (≤ 60 %)", _percent(ours / randoms), bool(ours <= 0.6 * randoms)),
        Row(f"{what}: blocks that repeated sections share, least and mean (≥ 75 %)",
            _two(shared), bool(min(shared) >= 0.75)),
        Row(f"{what}: blocks again within {WINDOW} eights, sections repeated apart (0)", str(again), again == 0),
        Row(f"{what}: rank correlation of energy with the song's, least and mean (≥ 0.6)",
            f"{min(energy):.2f}, {np.mean(energy):.2f}", bool(min(energy) >= 0.6)),
        Row(f"{what}: the clips' beats off the song's, as planned, median and 95 % (≤ 20 ms, ≤ 45 ms)",
            f"{np.median(late):.1f} ms, {np.percentile(late, 95):.1f} ms",
            bool(np.median(late) <= 20 and np.percentile(late, 95) <= 45)),
        Row(f"{what}: value, of greedy's, least and mean", _two(lead), None),
        Row(f"{what}: value, of the bound, least and mean",
            _two(reached), None),
        Row(f"{what}: value of other seeds and of three alternatives, of the best's, least", _others(cases[0]), None),
    ]  # fmt: skip


def shared_blocks(case: Case, blocks: IntArray) -> list[float]:
    """Of every two sections of one group, the share of their slots that have the same block."""
    of_slot = np.array([slot.section for slot in slots(case.music)])
    eights = np.array([slot.counts for slot in slots(case.music)]) > 3
    pairs = itertools.combinations(enumerate(case.music.sections), 2)
    of_pairs = [
        [blocks[(of_slot == number) & eights] for number in (one, other)]
        for (one, section), (other, repeated) in pairs if section.group == repeated.group
    ]  # fmt: skip
    return [
        float(np.mean(one[: len(other)] == other[: len(one)]))
        for one, other in of_pairs if min(len(one), len(other)) > 1
    ] or [1.0]  # fmt: skip


def too_soon(case: Case, blocks: IntArray) -> int:
    """Pairs of slots within the window that have one block, though they repeat nothing."""
    return sum(
        bool(blocks[one] == blocks[other] and case.figure[one] != case.figure[other])
        for one in range(len(blocks)) for other in range(one + 1, min(len(blocks), one + WINDOW + 1))
    )  # fmt: skip


def energy_follows(case: Case, blocks: IntArray) -> float:
    return rank_correlation(
        [slot.energy for slot in slots(case.music)], case.library.qualities[blocks, 0].astype(float).tolist()
    )


def beats_off_ms(case: Case, plan: Plan) -> FloatArray:
    """How far each beat of each clip is from that of the song, when every block is played at an even speed."""
    off = []
    for placed in plan.placed:
        move, counts = case.library.move_of(placed.block), np.arange(placed.slot.counts)
        clip_s = move.beats.time_of(move.blocks[case.library.number[placed.block]] + counts)
        song_s = case.music.beats.time_of(placed.slot.first_beat + counts)
        off.append(placed.ratio * (clip_s - clip_s[0]) - (song_s - song_s[0]))
    return 1e3 * np.abs(np.concatenate(off))


def _others(case: Case) -> str:
    best = case.planned().plans[0]
    seeds = [case.planned(Wishes(seed=seed)).plans[0].value / best.value for seed in range(1, 6)]
    found = case.planned(Wishes(alternatives=3))
    three = [plan.value / best.value for plan in found.plans]
    return f"{_percent(min(seeds))}; {_percent(min(three))}, which differ in {_percent(min(found.differences))}"


def of_time(case: Case) -> list[Row]:
    whole = _ms(case.planned)
    cached = _ms(lambda: case.planned(transition=case.transition))
    greed = _ms(lambda: greedy(case.puzzle))
    easier = _ms(lambda: case.planned(Wishes(Difficulty.INTERMEDIATE), case.transition))
    size = f"{CLIPS} clips, {len(case.library)} blocks, {len(case.figure)} slots"
    return [
        Row(f"plan, {size}, transitions computed (≤ 100 ms)", _times(whole), whole.processor <= 100),
        Row("the same, transitions at hand", _times(cached), None),
        Row("the same, intermediate moves at most", _times(easier), None),
        Row("greedy's choice alone", _times(greed), None),
    ]


@dataclass(frozen=True, slots=True)
class Milliseconds:
    wall: float
    processor: float


def _ms(run: Callable[[], object]) -> Milliseconds:
    """Medians, warm. Others may be at work on the machine: the processor's time tells what the work is."""
    run()
    walls, processors = [], []
    for _ in range(RUNS):
        wall_s, processor_s = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall_s)
        processors.append(time.process_time() - processor_s)
    return Milliseconds(1e3 * float(np.median(walls)), 1e3 * float(np.median(processors)))


def _times(measured: Milliseconds) -> str:
    return f"{measured.wall:.1f} ms, {measured.processor:.1f} ms of processors"


def _two(shares: Sequence[float] | FloatArray) -> str:
    """The least and the mean."""
    return f"{_percent(float(np.min(shares)))}, {_percent(float(np.mean(shares)))}"


def _percent(share: float | np.floating) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    sys.exit(main())
