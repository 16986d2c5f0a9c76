"""What the comparison makes of real dances: true variations of each, other songs, the same move again.

Clips are known by folder (``move_label``) and name. Couples dance to few songs, often to the same passage of one, but
each clip is a performance of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.extraction import extract as hear
from gpu_job.comparison.comparing import Held, compare, held, told
from gpu_job.comparison.concordance import concordance
from gpu_job.comparison.findings import Limb, Take
from gpu_job.comparison.grading import LEAST_SEEN, LIMB_WEIGHT, pooled
from gpu_job.comparison.laying import LEAST_SOUND_CONFIDENCE
from gpu_job.comparison.listening import same_sound
from shared.errors import CannotCompare
from shared.features import HIPS, AudioFeatures
from shared.media import sound
from shared.timeline import FloatArray
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
from tests.benchmarks.takes import RATE_HZ, Shelf, Variation, resampled
from tests.gpu_job.comparison.danced import disturbed, noisy, silent, standing

EVERY_MANY, EVERY_SOME, EVERY_FEW, EVERY_FEWEST = 4, 8, 16, 32
"""Of the clips in order of name, so that all folders have their part: what costs more is done with fewer."""
PAIRS, SOUNDS = 120, 600
"""Of a kind: drawn from all there are."""
SAME_PASSAGE = 0.78
"""Correlation of two sounds: 0.8 to 0.98 where clips play one passage, up to 0.75 where a song repeats."""
OTHER_TEMPO = 1.01
ASPECT = 16 / 9
FAR = 0.12  # image heights between the hips that were seen: another dancer
FOLLOWED = 0.9
SHIFTS_S, FRAME_RATES_HZ, TEMPI = (0.7, 1.5, 3.0), (24.0, 25.0, 29.97, 50.0, 60.0), (0.9, 1.1)
LATE_S = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
NOISE_M = (0.0, 0.02, 0.04, 0.06, 0.1, 0.15)
JITTER_M = 0.01


@dataclass(frozen=True)
class Clip:
    """A real dance. ``move`` is its name less what does not say what is danced: numbers, moods, tempo."""

    video: Path
    folder: str
    take: Take

    @cached_property
    def move(self) -> str:
        words = re.sub(r"\d", "", self.video.stem).strip("_").split("_")
        return "_".join(word for word in words if word not in ("energetic", "slow", "styled"))

    @property
    def bpm(self) -> float:
        return self.take.audio.tempo_bpm or np.nan


def clips_in(folder: Path, shelf: Shelf) -> list[Clip]:
    told = json.loads((folder / "annotations.json").read_text())["clips"]
    videos = sorted((folder / clip["video_path"], clip["move_label"]) for clip in told)
    return [Clip(video, label, shelf.clip(video)) for video, label in videos]


Pair = tuple[Clip, Clip]


@dataclass(frozen=True, slots=True)
class Pairs:
    """``unrelated`` of other songs, folders and names, in two halves that share no song; ``same_music`` of other
    folders and names to the same passage of a song; ``same_move`` of one name, ``same_folder`` of one folder,
    ``other_move`` of neither."""

    unrelated: tuple[list[Pair], list[Pair]]
    same_music: list[Pair]
    same_move: list[Pair]
    same_folder: list[Pair]
    other_move: list[Pair]


def pairs_of(clips: Sequence[Clip]) -> Pairs:
    both = [(one, other) for n, one in enumerate(clips) for other in clips[:n]]
    other = [pair for pair in both if pair[0].folder != pair[1].folder and pair[0].move != pair[1].move]
    halves = [[pair for pair in other if _are_unrelated(*pair, half)] for half in (0, 1)]
    return Pairs(
        unrelated=(_some(halves[0]), _some(halves[1])),
        same_music=_some([pair for pair in other if plays_the_same(*pair)]),
        same_move=[pair for pair in both if pair[0].move == pair[1].move],
        same_folder=_some([pair for pair in both if pair[0].folder == pair[1].folder]),
        other_move=_some(other),
    )


def _are_unrelated(one: Clip, other: Clip, half: int) -> bool:
    apart = max(one.bpm, other.bpm) / min(one.bpm, other.bpm)
    return apart > OTHER_TEMPO and _half(one) == _half(other) == half


def _half(clip: Clip) -> int:
    """By song, as far as the tempo tells it: 108 and 115, 132 and 127 … are never in one half."""
    return int(clip.bpm // 4) % 2 if np.isfinite(clip.bpm) else -1


def _some(pairs: list[Pair], count: int = PAIRS) -> list[Pair]:
    order = np.random.default_rng(0).permutation(len(pairs))[:count]
    return [pairs[n] for n in sorted(order)]


def plays_the_same(one: Clip, other: Clip) -> bool:
    if not abs(one.bpm / other.bpm - 1) < 0.01:  # also where no beat was heard
        return False
    heard = same_sound(one.take.audio, other.take.audio)
    return heard is not None and heard.lags[0].correlation > SAME_PASSAGE


def clip_rows(shelf: Shelf, folder: Path) -> Iterator[Row]:
    clips = clips_in(folder, shelf)
    many, some, few, fewest = (clips[::n] for n in (EVERY_MANY, EVERY_SOME, EVERY_FEW, EVERY_FEWEST))
    yield least("the same video ≥ 99", [score(clip.take, clip.take) for clip in many], 99)
    pairs = pairs_of(clips)
    yield from sound_rows(clips)
    yield from unrelated_rows(pairs)
    still = [
        score(stood, clip.take)
        for clip in many
        for stood in (standing(clip.take), noisy(standing(clip.take), JITTER_M))
    ]
    yield most("standing still ≤ 15", [each for each in still if np.isfinite(each)], 15)
    yield from variation_rows(shelf, few, fewest)
    yield from mirror_rows(shelf, some)
    yield from order_rows(few)
    yield from limb_rows(shelf, few)
    yield from move_rows(pairs)


def sound_rows(clips: Sequence[Clip]) -> Iterator[Row]:
    """What is taken for the same recording: of songs of another tempo, and of one that is heard through noise."""
    both = [(one, other) for n, one in enumerate(clips) for other in clips[:n]]
    apart = _some([pair for pair in both if max(p.bpm for p in pair) > OTHER_TEMPO * min(p.bpm for p in pair)], SOUNDS)
    taken = [same_sound(one.take.audio, other.take.audio) for one, other in apart]
    wrong = sum(heard is not None and heard.confidence >= LEAST_SOUND_CONFIDENCE for heard in taken)
    yield Row("other songs taken for the same recording: none", f"{wrong} of {len(apart)}", wrong == 0)
    noisy_ones = [(_through_noise(clip, cut_s), cut_s, clip) for clip in clips[::EVERY_SOME] for cut_s in (0.0, 1.5)]
    found = [(same_sound(heard, clip.take.audio), cut_s) for heard, cut_s, clip in noisy_ones]
    placed = [heard is not None and abs(heard.lags[0].offset_s + cut_s) < 0.03 for heard, cut_s in found]
    sure = [heard is not None and heard.confidence >= LEAST_SOUND_CONFIDENCE for heard, _ in found]
    figure = f"{sum(placed)} of {len(placed)} placed within 30 ms, {sum(sure)} surely"
    yield Row("one recording through noise as loud as it: found", figure, all(placed) and np.mean(sure) >= 0.95)


def _through_noise(clip: Clip, cut_s: float) -> AudioFeatures:
    samples = sound(clip.video, SAMPLE_RATE_HZ, clip.take.audio.duration_s)
    assert samples is not None
    samples = samples[round(cut_s * SAMPLE_RATE_HZ) :]
    noise = np.random.default_rng(0).standard_normal(len(samples), dtype=np.float32)
    return hear(samples + samples.std() * noise, SAMPLE_RATE_HZ, RATE_HZ, len(samples) / SAMPLE_RATE_HZ)


def unrelated_rows(pairs: Pairs) -> Iterator[Row]:
    for half, name in zip(pairs.unrelated, ("first half of the songs", "other half"), strict=True):
        found = [score(one.take, other.take) for one, other in half]
        known = [each for each in found if np.isfinite(each)]
        figure = f"{np.median(known):.1f} in the middle, 9 of 10 below {np.quantile(known, 0.9):.1f}, of {len(known)}"
        yield Row(f"unrelated clips ≤ 25 (median), {name}", figure, float(np.median(known)) <= 25)
        yield Row(f"concordance of unrelated clips, {name}", _medians(half), None)
    found = [score(one.take, other.take) for one, other in pairs.same_music]
    known = [each for each in found if np.isfinite(each)]
    figure = f"{np.median(known):.1f} in the middle, 9 of 10 below {np.quantile(known, 0.9):.1f}, of {len(known)}"
    yield Row("other moves to the same music ≤ 25 (median)", figure, float(np.median(known)) <= 25)


def _medians(pairs: Sequence[tuple[Clip, Clip]]) -> str:
    """The figures that ``grading.UNRELATED`` holds: of all, and of each limb."""
    found = np.array([_concordances(one.take, other.take) for one, other in pairs])
    middle = np.nanmedian(found, axis=0)
    return ", ".join(f"{name} {value:.3f}" for name, value in zip(("all", *Limb), middle, strict=True))


def _concordances(student: Take, teacher: Take) -> FloatArray:
    """``(7,)`` of all and of each limb, −1 … 1."""
    try:
        return _in_parts(held(student, teacher))
    except CannotCompare:
        return np.full(1 + len(Limb), np.nan)


def _in_parts(laid: Held) -> FloatArray:
    both = laid.marks.agreement
    common, whole, seen = both.common.sum(axis=0), both.whole.sum(axis=0), both.seen.mean(axis=0)
    together = pooled(common, whole, LIMB_WEIGHT * (seen >= LEAST_SEEN))
    return np.append(together, np.where(seen >= LEAST_SEEN, concordance(common, whole), np.nan))


def variation_rows(shelf: Shelf, clips: Sequence[Clip], fewer: Sequence[Clip]) -> Iterator[Row]:
    kinds = {
        "shifted by 0.7 to 3 s": [Variation(cut_s=shift_s) for shift_s in SHIFTS_S],
        "24 to 60 frames/s": [Variation(frame_rate_hz=rate_hz) for rate_hz in FRAME_RATES_HZ],
        "tempo ±10 %": [Variation(tempo=tempo) for tempo in TEMPI],
    }
    for name, variations in kinds.items():
        pairs = [(resampled(clip.take, clip.video, one), clip.take) for clip in clips for one in variations]
        yield most(f"{name}: ≤ 2, seen once", [100 - score(*pair) for pair in pairs], 2)
    yield _changes_row("the same written anew, seen again", shelf, clips, [Variation()], None)
    for name, variations in kinds.items():
        yield _changes_row(f"{name}: ≤ 2, seen again", shelf, fewer if "frames" in name else clips, variations, 2)
    lying = [compare(shelf.varied(clip.video, Variation(is_lying=True)), clip.take) for clip in fewer]
    yield share("held sideways: found", [found.alignment.rolled_deg == 90 for found in lying], 1)
    again = [(shelf.varied(clip.video, Variation()), clip.take) for clip in clips]
    soundless = [abs(score(silent(one), other) - score(one, other)) for one, other in again]
    yield most("no sound: within 2", soundless, 2)


def _changes_row(
    bar: str, shelf: Shelf, clips: Sequence[Clip], variations: Sequence[Variation], limit: float | None
) -> Row:
    """Of the score of the same performance, where the estimator followed the same dancer."""
    found = [(clip, one, shelf.varied(clip.video, one)) for clip in clips for one in variations]
    told = [(100 - score(take, clip.take), followed(take, clip.take, one)) for clip, one, take in found]
    same = [change for change, near in told if near >= FOLLOWED]
    other = [change for change, near in told if near < FOLLOWED]
    figure = f"{max(same):.1f} at most, {np.median(same):.1f} in the middle, of {len(same)}"
    figure += f" ({len(other)} left out: another dancer followed)" if other else ""
    return Row(bar, figure, None if limit is None else max(same) <= limit)


def followed(take: Take, original: Take, variation: Variation) -> float:
    """The share of samples in which the hips are where they were in the original."""
    times_s = variation.cut_s + np.arange(len(take.pose)) / RATE_HZ * variation.tempo
    rows = np.clip(np.round(times_s * RATE_HZ).astype(int), 0, len(original.pose) - 1)
    there, here = (pose.image[:, HIPS].mean(axis=1) for pose in (original.pose, take.pose))
    here = np.where(variation.is_mirrored, [ASPECT, 0], [0, 0]) + here * ([-1, 1] if variation.is_mirrored else [1, 1])
    apart = np.linalg.norm(there[rows] - here, axis=1)
    return float(np.mean(apart[np.isfinite(apart)] < FAR)) if np.isfinite(apart).any() else 0.0


def mirror_rows(shelf: Shelf, clips: Sequence[Clip]) -> Iterator[Row]:
    mirror = Variation(is_mirrored=True)
    takes = [(clip, shelf.varied(clip.video, mirror)) for clip in clips]
    near = [(compare(take, clip.take), followed(take, clip.take, mirror) >= FOLLOWED) for clip, take in takes]
    yield share("mirrored found in 100 %", [found.alignment.mirrored for found, same in near if same], 1)
    off = [found.alignment.mirrored for found, same in near if not same]
    if off:
        yield Row("mirrored found where another dancer was followed at times", f"{sum(off)} of {len(off)}", None)
    scores = [100 - (found.overall.score or 0) for found, same in near if same]
    yield Row(
        "mirrored, what the score loses", f"{max(scores):.1f} at most, {np.median(scores):.1f} in the middle", None
    )


def order_rows(clips: Sequence[Clip]) -> Iterator[Row]:
    noise = [rank_correlation(NOISE_M, [score(noisy(clip.take, m), clip.take) for m in NOISE_M]) for clip in clips]
    yield Row(
        "falls with noise: rank correlation ≤ −0.95", f"{max(noise):.3f} at most, of {len(noise)}", max(noise) <= -0.95
    )
    late = [[compare(later(clip, s), clip.take) for s in LATE_S] for clip in clips]
    ranks = [rank_correlation(LATE_S, [found.overall.score or 0 for found in each]) for each in late]
    yield Row(
        "falls with lateness: rank correlation ≤ −0.95",
        f"{max(ranks):.3f} at most, of {len(ranks)}",
        max(ranks) <= -0.95,
    )
    off = [abs(lateness_ms(each[LATE_S.index(0.15)]) - 150) for each in late]
    yield most("150 ms late: told within 35 ms", off, 35, " ms")


def later(clip: Clip, late_s: float) -> Take:
    """Dances so much later: the sound begins so much earlier beside the picture."""
    pose = clip.take.pose
    duration_s = len(pose) / pose.rate_hz
    samples = sound(clip.video, SAMPLE_RATE_HZ, duration_s)
    assert samples is not None
    return replace(
        clip.take, audio=hear(samples[round(late_s * SAMPLE_RATE_HZ) :], SAMPLE_RATE_HZ, RATE_HZ, duration_s)
    )


def limb_rows(shelf: Shelf, clips: Sequence[Clip]) -> Iterator[Row]:
    """Of the limbs that can be seen; in couples an arm is often hidden throughout."""
    named: list[bool] = []
    for clip in clips:
        again = shelf.varied(clip.video, Variation())
        seen = [limb for limb, grade in compare(again, clip.take).limbs.items() if grade.score is not None]
        named += [lowest_limb(compare(disturbed(again, limb), clip.take)) is limb for limb in seen]
    yield share("the disturbed limb named in ≥ 95 %", named, 0.95)


def move_rows(pairs: Pairs) -> Iterator[Row]:
    negatives = [_likeness(*pair) for pair in pairs.other_move]
    for name, same in (("name", pairs.same_move), ("folder", pairs.same_folder)):
        positives = [_likeness(*pair) for pair in same]
        areas = [area_under_roc([one[n] for one in positives], [one[n] for one in negatives]) for n in (0, 1)]
        figure = (
            f"{areas[0]:.2f} by score, {areas[1]:.2f} by concordance, {len(positives)} against {len(negatives)} pairs"
        )
        yield Row(f"the same move by {name} against others: area ≥ 0.85", figure, areas[0] >= 0.85)


def _likeness(one: Clip, other: Clip) -> tuple[float, float]:
    """Score and concordance, whichever of the two is the student if that is more; 0 and −1 where none is given."""
    found = [_score_and_concordance(*pair) for pair in ((one.take, other.take), (other.take, one.take))]
    return max(each[0] for each in found), max(each[1] for each in found)


def _score_and_concordance(student: Take, teacher: Take) -> tuple[float, float]:
    try:
        laid = held(student, teacher)
    except CannotCompare:
        return 0.0, -1.0
    return told(laid).overall.score or 0.0, float(np.nan_to_num(_in_parts(laid)[0], nan=-1.0))
