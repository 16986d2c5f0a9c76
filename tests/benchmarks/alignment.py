"""Whether the couples of planned dances step with the song: beats of motion against beats of music.

    python -m tests.benchmarks.alignment FOLDER [--cache FOLDER] [--clips N]

A dancer's beats of motion are when the ankles are slowest: a foot is down (kinematic beats: Davis and Agrawala 2018).
How well both kinds agree is the mean, of each beat of the one to the nearest of the other and back, of exp(-d² / 2σ²):
beat alignment (Li et al. 2021, σ of three frames at 60 a second), in both directions, so that neither many nor few
beats of motion win. The null is the same dances with every take shifted by a random part of a beat.

The joints as a whole, hips, trunk and wrists of these couples rest at no part of the beat (a resultant of 0.01 to 0.04
of 5,000 beats of motion); the ankles do, at 15 samples a second, of the follow more than of the lead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gpu_job.choreography.choreographing import choreographed
from gpu_job.choreography.footage import Run, runs_of
from shared.errors import PermanentError
from shared.features import ANKLES, PoseFeatures
from shared.library import MoveLibrary
from shared.music import Music, Role
from shared.timeline import FloatArray
from shared.wishes import Wishes
from tests.benchmarks.machine import print_table
from tests.benchmarks.moves import Taken, dancers_of, given, taken
from tests.gpu_job.choreography.making import a_song

SIGMA_S = 0.05
NULLS = 300
SURE = 0.95
"""Share of the null that the dances must be better than."""
SEEDS = range(8)
"""Of the dances: each takes other clips."""
FORM = (
    (Role.INTRO, 2), (Role.VERSE, 8), (Role.CHORUS, 8), (Role.VERSE, 8), (Role.CHORUS, 8), (Role.MAMBO, 8),
    (Role.OUTRO, 2),
)  # fmt: skip


def resting_s(pose: PoseFeatures) -> FloatArray:
    """When the ankles are slowest, seconds: the minima of their mean speed, which is averaged over three samples."""
    steps = np.gradient(pose.smoothed().image[:, list(ANKLES)], axis=0) if len(pose) > 4 else np.zeros((0, 2, 2))
    speed = np.linalg.norm(steps, axis=2)
    seen = np.isfinite(speed)
    if not seen.any():
        return np.zeros(0)
    mean = np.where(seen, speed, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    calm = np.convolve(np.where(seen.any(axis=1), mean, mean.max()), np.ones(3) / 3, mode="same")
    least = np.flatnonzero((calm[1:-1] < calm[:-2]) & (calm[1:-1] <= calm[2:]) & seen.all(axis=1)[1:-1]) + 1
    before, at, after = calm[least - 1], calm[least], calm[least + 1]
    bend = before - 2 * at + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend > 0)
    return (least + np.clip(shift, -0.5, 0.5)) / pose.rate_hz


def agreement(one_s: FloatArray, other_s: FloatArray) -> float:
    """0 … 1"""
    apart = np.abs(one_s[:, None] - other_s)
    near = np.exp(-0.5 * (apart / SIGMA_S) ** 2)
    return float((near.max(axis=1).mean() + near.max(axis=0).mean()) / 2)


def rests_of(run: Run, resting: Mapping[str, FloatArray], music: Music, shift: float = 0.0) -> FloatArray:
    """Beats of motion of one take, seconds of the song; all ``shift`` beats later."""
    counts = sum(placed.slot.counts for placed in run.placed)
    beats = run.move.beats.beat_of(resting[run.move.id]) - run.clip_beat
    shown = beats[(beats >= 0) & (beats < counts)]
    return music.beats.time_of(run.song_beat + (shown + shift) % counts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--clips", type=int)
    chosen = parser.parse_args()
    clips = _taken(chosen.folder, chosen.cache, chosen.clips)
    resting = {
        clip.entered.move.id: np.sort(np.concatenate([resting_s(pose) for pose in poses])) for clip, poses in clips
    }
    music = a_song(FORM, tempo_bpm=126.0, seed=0, drift=0.01)
    library = MoveLibrary.of([clip.entered.move for clip, _ in clips])
    dances = [runs_of(choreographed(music, library, Wishes(seed=seed)).plans[0], library) for seed in SEEDS]
    return _judged(dances, resting, music, len(clips))


def _taken(folder: Path, cache: Path | None, many: int | None) -> list[tuple[Taken, Sequence[PoseFeatures]]]:
    found = []
    for clip in given(folder)[:many]:
        try:
            found.append((taken(clip, cache), dancers_of(clip, cache)))
        except PermanentError as error:
            print(f"{clip.video.name}: {error.code}")
    return found


def _judged(dances: Sequence[Sequence[Run]], resting: Mapping[str, FloatArray], music: Music, clips: int) -> int:
    rng = np.random.default_rng(0)

    def shifted(runs: Sequence[Run], shifts: FloatArray) -> float:
        moved = [rests_of(run, resting, music, float(shift)) for run, shift in zip(runs, shifts, strict=True)]
        return agreement(np.concatenate(moved), music.beats.beats_s)

    ours = float(np.mean([shifted(runs, np.zeros(len(runs))) for runs in dances]))
    null = np.array([np.mean([shifted(runs, rng.uniform(0, 1, len(runs))) for runs in dances]) for _ in range(NULLS)])
    better = float(np.mean(ours > null))
    takes, rests = sum(map(len, dances)), sum(len(rests_of(run, resting, music)) for runs in dances for run in runs)
    rows = [
        ("clips, dances, takes, beats of motion", f"{clips}, {len(dances)}, {takes}, {rests}"),
        ("symmetric beat alignment", f"{ours:.3f}"),
        ("the null, mean and 95 %", f"{null.mean():.3f}, {np.quantile(null, SURE):.3f}"),
        ("better than the null's mean by", f"{ours - null.mean():.3f}"),
        ("better than so much of the null (≥ 95 %)", f"{better:.1%}"),
    ]
    print_table("Steps on the beat", ("what", "found"), rows)
    return 0 if better >= SURE else 1


if __name__ == "__main__":
    sys.exit(main())
