"""The comparison of two dances against what it promises, bar by bar.

    python -m tests.benchmarks.comparison [--clips FOLDER] [--cache FOLDER]

Drawn dances, whose every joint is known, always; with ``--clips``, a folder of real dances with their
``annotations.json``, these too, each against true variations of itself and against the others. Poses are looked for
once and kept in ``--cache``: empty it when the estimator changes. The first run takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gpu_job.comparison.comparing import compare
from gpu_job.comparison.findings import Limb, Take
from infra.local.sample.dancer import Camera, Dance, Step, dance
from infra.local.sample.moves import VOCABULARY, Move
from shared.errors import CannotCompare
from shared.features import AudioFeatures
from tests.benchmarks.bars import (
    Row,
    area_under_roc,
    lateness_ms,
    least,
    lowest_limb,
    most,
    rank_correlation,
    score,
    share,
)
from tests.benchmarks.machine import print_table
from tests.benchmarks.takes import Shelf
from tests.gpu_job.comparison.danced import (
    HALVES,
    RATE_HZ,
    disturbed,
    heard,
    late,
    mirrored,
    noisy,
    performed,
    rolled,
    silent,
    song,
    standing,
    taken,
    to_other_music,
    turned,
    with_arms,
    without,
)

SEEDS = range(6)
OTHER_CAMERA_SEEDS = range(6)
SHIFTS_S = (0.3, 0.7, 1.04, 1.5, 2.2, 3.0)
FRAME_RATES_HZ = (24.0, 25.0, 30000 / 1001, 50.0, 60.0)
TEMPI = (0.9, 1.1)
BPM = 126.0
LATE_S = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
NOISE_M = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1)
JITTER_M = 0.01
"""What is added to a drawn student, so that he is no copy of the teacher."""
LEGS = list(range(25, 33))
LONG_S = 60.0
RUNS = 25


def drawn_rows() -> Iterator[Row]:
    teachers = [taken(seed) for seed in SEEDS]
    yield least("the same dance ≥ 99", [score(teacher, teacher) for teacher in teachers], 99)
    yield from unrelated_rows(teachers)
    yield from recording_rows()
    yield from mirror_rows(teachers)
    yield from order_rows()
    yield from lateness_rows()
    yield from limb_rows(teachers)
    yield move_row()
    yield from odd_rows(teachers)


def unrelated_rows(teachers: Sequence[Take]) -> Iterator[Row]:
    one, other = ([performed(seed, vocabulary=half) for seed in SEEDS] for half in HALVES)
    found = [score(student, teacher) for student in one for teacher in other]
    yield Row(
        "other moves to the same song ≤ 25 (median)",
        f"{np.median(found):.1f} in the middle, {max(found):.1f} at most, of {len(found)}",
        float(np.median(found)) <= 25,
    )
    still = [
        score(stood, teacher)
        for teacher in teachers
        for stood in (standing(teacher), noisy(standing(teacher), JITTER_M))
    ]
    yield most("standing still ≤ 15", still, 15)


def recording_rows() -> Iterator[Row]:
    """The same performance, recorded otherwise; and that of somebody who does half of it otherwise."""
    for name, student in (("", performed), (", with other arms", _half_otherwise)):
        yield most(
            f"shifted by 0 to 3 s: ≤ 2{name}", [_shifted(student, seed, s) for seed in SEEDS for s in SHIFTS_S], 2
        )
        rates = [_change(student, seed, frame_rate_hz=rate) for seed in SEEDS for rate in FRAME_RATES_HZ]
        yield most(f"24 to 60 frames/s: ≤ 2{name}", rates, 2)
        tempi = [_change(student, seed, tempo_bpm=BPM * t, duration_s=20 / t) for seed in SEEDS for t in TEMPI]
        yield most(f"tempo ±10 %: ≤ 2{name}", tempi, 2)


def _half_otherwise(seed: int, **recorded: float) -> Take:
    """Dances what is taught, with the arms of another dance."""
    plain, other = performed(seed, **recorded), performed(seed + 100, **recorded)
    return with_arms(plain, other)


def _change(student: Callable[..., Take], seed: int, **recorded: float) -> float:
    """By how much the score of a student changes who is recorded otherwise, against the teacher as she was."""
    teacher = taken(seed)
    return abs(score(student(seed, **recorded), teacher) - score(student(seed), teacher))


def _shifted(student: Callable[..., Take], seed: int, shift_s: float) -> float:
    """The same where his recording begins so much before hers; of what she shows, that is."""
    teacher = performed(seed, start_s=shift_s)
    return abs(score(student(seed), teacher) - score(student(seed, start_s=shift_s), teacher))


def mirror_rows(teachers: Sequence[Take]) -> Iterator[Row]:
    seen = [compare(noisy(mirrored(teacher), JITTER_M), teacher) for teacher in teachers]
    yield share("mirrored found in 100 %", [found.alignment.mirrored for found in seen], 1)
    late_ones = [compare(late(noisy(mirrored(teacher), JITTER_M), 4), teacher) for teacher in teachers]
    yield share("mirrored found in 100 %, 270 ms late", [found.alignment.mirrored for found in late_ones], 1)
    plain = [compare(late(noisy(teacher, JITTER_M), n), teacher) for teacher in teachers for n in range(8)]
    yield share(
        "not mirrored, not found mirrored, 0 to 470 ms late", [not found.alignment.mirrored for found in plain], 1
    )


def order_rows() -> Iterator[Row]:
    noise = [rank_correlation(NOISE_M, [score(noisy(taken(seed), m), taken(seed)) for m in NOISE_M]) for seed in SEEDS]
    yield Row("falls with noise: rank correlation ≤ −0.95", f"{max(noise):.3f} at most", max(noise) <= -0.95)
    lags = [rank_correlation(LATE_S, [score(performed(seed, late_s=s), taken(seed)) for s in LATE_S]) for seed in SEEDS]
    yield Row("falls with lateness: rank correlation ≤ −0.95", f"{max(lags):.3f} at most", max(lags) <= -0.95)


def lateness_rows() -> Iterator[Row]:
    for sign, word in ((1, "late"), (-1, "early")):
        students = [(noisy(performed(seed, late_s=sign * 0.15), JITTER_M), taken(seed)) for seed in SEEDS]
        off = [abs(lateness_ms(compare(*pair)) - sign * 150) for pair in students]
        yield most(f"150 ms {word}: told within 35 ms", off, 35, " ms")
    found = [compare(performed(seed, late_s=0.3), taken(seed)) for seed in SEEDS]
    hidden = [lateness_ms(one) < 265 or (one.overall.score or 0) > 50 for one in found]
    yield share("300 ms late: told, and half of the score gone", [not one for one in hidden], 1)


def limb_rows(teachers: Sequence[Take]) -> Iterator[Row]:
    for student, word in ((None, ""), (JITTER_M, ", with 1 cm of noise")):
        named = [
            lowest_limb(
                compare(disturbed(teacher if student is None else noisy(teacher, student), limb, seed=n), teacher)
            )
            is limb
            for n, teacher in enumerate(teachers)
            for limb in Limb
        ]
        yield share(f"the disturbed limb named in ≥ 95 %{word}", named, 0.95)


def move_row() -> Row:
    """Each move of the vocabulary over and over, to another song, begun on another bar, by a dancer turned aside."""
    taught = [performing(move, BPM, first_beat=0) for move in VOCABULARY]
    plain = [performing(move, BPM * 1.05, first_beat=4) for move in VOCABULARY]
    danced = [noisy(turned(to_other_music(take), 20), JITTER_M) for take in plain]
    scores = np.array([[score(student, teacher) for teacher in taught] for student in danced])
    same = np.eye(len(VOCABULARY), dtype=bool)
    area = area_under_roc(scores[same].tolist(), scores[~same].tolist())
    figure = f"{area:.3f}, {same.sum()} against {(~same).sum()} pairs"
    return Row("the same move against others, to other songs: area ≥ 0.85", figure, area >= 0.85)


def performing(move: Move, tempo_bpm: float, first_beat: int) -> Take:
    """One move over and over, from one beat on."""
    music = song(0, tempo_bpm)
    beats = range(first_beat, len(music.beats) - 8, 8)
    danced = Dance(music.beats, tuple(Step(move, beat, beat + 8) for beat in beats), Camera())
    return Take(danced.features(RATE_HZ, music.duration_s).smoothed(), heard(0, tempo_bpm))


def odd_rows(teachers: Sequence[Take]) -> Iterator[Row]:
    soundless = [abs(score(silent(noisy(one, JITTER_M)), one) - score(noisy(one, JITTER_M), one)) for one in teachers]
    yield most("no sound: within 2", soundless, 2)
    lying = [compare(rolled(one), one) for one in teachers]
    yield share(
        "held sideways: found, score ≥ 99",
        [f.alignment.rolled_deg == 90 and (f.overall.score or 0) >= 99 for f in lying],
        1,
    )
    elsewhere = [abs(score(turned(one, yaw), one) - 100) for one in teachers for yaw in (-30, 30, 60, 180)]
    yield most("turned in space, exactly: ≤ 10", elsewhere, 10)
    legless = [compare(without(one, LEGS), one) for one in teachers]
    told = [f.limbs[Limb.LEFT_LEG].score is None and f.limbs[Limb.LEFT_ARM].score is not None for f in legless]
    yield share("legs out of the picture: no score for legs, one for arms", told, 1)
    blind = [compare(without(one, list(range(33))), one).overall.score for one in teachers]
    yield share("nobody to be seen: no score", [given is None for given in blind], 1)
    yield share("never NaN: damaged takes", [not holds_nan(*pair) for pair in damaged(teachers)], 1)


def damaged(teachers: Sequence[Take]) -> Iterator[tuple[Take, Take]]:
    """Takes with gaps, with bodies of no size, of one sample, of none, with no sound or that of one beat."""
    rng = np.random.default_rng(0)
    for number in range(120):
        pair = [_damaged(teachers[rng.integers(len(teachers))], rng) for _ in range(2)]
        yield pair[0], pair[1] if number % 3 else teachers[0]


def _damaged(take: Take, rng: np.random.Generator) -> Take:
    pose, audio = take.pose, take.audio
    rows = slice(0, (0, 1, 2, 30, len(pose), len(pose))[rng.integers(6)])
    image, world, visibility = pose.image[rows].copy(), pose.world[rows].copy(), pose.visibility[rows].copy()
    gone = rng.random(visibility.shape) < rng.choice([0, 0.1, 0.6])
    image[gone], world[gone], visibility[gone] = np.nan, np.nan, 0
    still = rng.random(len(world)) < rng.choice([0, 0.1, 1])
    image[still], world[still] = 0, 0
    audio = AudioFeatures.silent(len(image) / pose.rate_hz, pose.rate_hz) if rng.random() < 0.3 else audio
    return Take(replace(pose, image=image, world=world, visibility=visibility), audio)


def holds_nan(student: Take, teacher: Take) -> bool:
    """Whether a number is NaN that should be a number or None."""
    try:
        found = compare(student, teacher)
    except CannotCompare:
        return False
    grades = [found.overall, *found.limbs.values()]
    numbers = [n for grade in grades for n in (grade.score, grade.seen, *(grade.interval or ())) if n is not None]
    numbers += [
        found.alignment.offset_s,
        found.alignment.tempo_ratio,
        found.alignment.turned_deg,
        found.alignment.confidence,
    ]
    return not np.isfinite([*numbers, *found.clock.student_s, *found.clock.teacher_s]).all()


def camera_rows(shelf: Shelf) -> Iterator[Row]:
    """The drawn dancer, filmed and seen by the estimator."""
    changes: list[float] = []
    plain: list[float] = []
    for seed in OTHER_CAMERA_SEEDS:
        music = song(seed)
        front, left, right = (
            shelf.drawn(f"drawn{seed}", music, dance(music, seed), yaw_deg=yaw) for yaw in (0.0, 30.0, -30.0)
        )
        plain.append(score(front, front))
        changes += [abs(score(turned, front) - plain[-1]) for turned in (left, right)]
        changes.append(abs(score(front, left) - plain[-1]))
    yield most("filmed from 30° aside: ≤ 10", changes, 10)


def speed_row() -> Row:
    teacher = taken(0, duration_s=LONG_S)
    student = noisy(teacher, JITTER_M)
    spent: list[float] = []
    worked: list[float] = []
    for _ in range(RUNS):
        begun, began = time.perf_counter(), time.process_time()
        compare(student, teacher)
        spent.append(1000 * (time.perf_counter() - begun))
        worked.append(1000 * (time.process_time() - began))
    figure = f"{min(spent):.0f} ms at best of {RUNS}, {min(worked):.0f} ms of them the processor's"
    return Row("two dances of 60 s compared in ≤ 150 ms", figure, min(spent) <= 150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="a folder of real dances with annotations.json")
    parser.add_argument("--cache", type=Path, help="where what was seen and heard is kept")
    chosen = parser.parse_args()
    shelf = Shelf(chosen.cache or Path(tempfile.mkdtemp()))
    head = ("bar", "figure", "met")
    print_table("Drawn dances", head, [row.cells for row in [*drawn_rows(), *camera_rows(shelf), speed_row()]])
    if chosen.clips is None:
        print("\nNo --clips were given: what real dances would show is left out.")
        return
    from tests.benchmarks.comparison_clips import clip_rows

    print_table("Real dances", head, [row.cells for row in clip_rows(shelf, chosen.clips)])


if __name__ == "__main__":
    main()
