"""What becomes of a folder of couples' clips: blocks, qualities, edges, embeddings, and what they are worth.

    python -m tests.benchmarks.moves FOLDER [--cache FOLDER] [--usual]

``FOLDER/annotations.json`` names the clips and their labels. Poses are read from the cache where they are there
(``NAME.npz``, of a couple) and written to it where they were not; to extract them takes a third of a clip's length.
Labels are of clips, and most blocks of any clip are basic steps: so their likeness is held against that of labels
dealt to the clips anew. ``--usual`` prints what :mod:`gpu_job.choreography.usual` holds, rounded.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.music import analysed
from functions.pose import couple
from functions.pose.model import bundle
from gpu_job.choreography import usual
from gpu_job.choreography.dancing import WITHIN, Dance
from gpu_job.choreography.embedding import channels, parts
from gpu_job.choreography.entry import Entered, Examined, Filed, entries, examined
from gpu_job.choreography.qualities import measures
from shared.couple import Couple
from shared.errors import PermanentError
from shared.features import PoseFeatures
from shared.library import QUALITIES, Annotation, Difficulty, Energy
from shared.media import probe, sound
from shared.music import Music
from shared.timeline import SampleSpan, sample_count
from tests.benchmarks.bars import area_under_roc
from tests.benchmarks.machine import print_table

RATE_HZ, FRAME_RATE_HZ = 15.0, 30.0
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
DEALS = 50
PROFILE_RAD = np.pi / 6  # turned so far aside, a dancer faces right or left


@dataclass(frozen=True, slots=True)
class Given:
    """A clip of the folder and what a teacher said of it."""

    video: Path
    annotation: Annotation


@dataclass(frozen=True, slots=True)
class Taken:
    """``seconds`` of the processor, poses and sound not counted."""

    clip: Examined
    entered: Entered
    seconds: float


def given(folder: Path) -> list[Given]:
    told = json.loads((folder / "annotations.json").read_text())["clips"]
    return [
        Given(
            folder / one["video_path"],
            Annotation(
                one["video_path"], one["move_label"], Difficulty.of(one["difficulty"]), Energy(one["energy_level"]),
                float(one["estimated_tempo"]),
            ),
        )
        for one in told
    ]  # fmt: skip


def taken(clip: Given, cache: Path | None) -> Taken:
    """Raises what :func:`~gpu_job.choreography.entry.examined` raises."""
    duration_s = probe(clip.video).duration_s
    poses, heard = _poses(clip.video, duration_s, cache), _heard(clip.video, duration_s)
    started_s = time.process_time()
    dancers = poses.settled()
    source = Filed(clip.video.name, "", "", "", FRAME_RATE_HZ, int(duration_s * FRAME_RATE_HZ))
    seen = examined(clip.annotation, heard, dancers.lead, dancers.follow, source)
    return Taken(seen, entries([seen])[0], time.process_time() - started_s)


def dancers_of(clip: Given, cache: Path | None) -> tuple[PoseFeatures, PoseFeatures]:
    """Lead and follow of a clip, as the estimator saw them."""
    dancers = _poses(clip.video, probe(clip.video).duration_s, cache).settled()
    return dancers.lead, dancers.follow


def _poses(video: Path, duration_s: float, cache: Path | None) -> Couple:
    kept = cache / f"{video.stem}.npz" if cache else None
    if kept and kept.exists():
        return Couple.from_bytes(kept.read_bytes())
    count = sample_count(duration_s, RATE_HZ)
    found = couple.extract(partial(video.open, "rb"), bundle(None), RATE_HZ, SampleSpan(0, count), count=count)
    if kept:
        kept.write_bytes(found.to_bytes())
    return found


def _heard(video: Path, duration_s: float) -> Music:
    return analysed(sound(video, SAMPLE_RATE_HZ, duration_s), SAMPLE_RATE_HZ, duration_s)


def _print_clips(clips: Sequence[Taken], refused: Sequence[tuple[Given, PermanentError]]) -> None:
    blocks = Counter(len(one.entered.move.blocks) for one in clips)
    total = sum(many * clips for many, clips in blocks.items())
    rows = [
        ("clips", len(clips) + len(refused)),
        ("blocks", f"{total}, {total / (len(clips) + len(refused)):.2f} a clip"),
        *((f"clips of {many} blocks", blocks[many]) for many in sorted(blocks)),
        ("processor seconds a clip", f"{np.mean([one.seconds for one in clips]):.3f}"),
        (
            "confidence of the bars, by tenths",
            np.quantile([one.entered.move.bar_confidence for one in clips], np.linspace(0.1, 0.9, 9)).round(2).tolist(),
        ),
        *((f"refused: {error.code}", clip.annotation.clip_id) for clip, error in refused),
        *_findings(clips),
    ]
    print_table("Clips", ("", ""), rows)


def _findings(clips: Sequence[Taken]) -> list[tuple[str, str]]:
    """By what is said, of how many clips and of which."""
    of: dict[tuple[str, str], list[str]] = {}
    for one in clips:
        for finding in one.entered.findings:
            of.setdefault((finding.code, finding.message), []).append(one.entered.move.id)
    return [
        (f"{code}, {len(names)} clips", f"{message} ({', '.join(names[:3])}{' …' * (len(names) > 3)})")
        for (code, message), names in sorted(of.items())
    ]


def _print_qualities(clips: Sequence[Taken]) -> None:
    found = np.concatenate([measures(one.clip.dance) for one in clips])
    rows = [
        (name, *(f"{value:.2f}" for value in np.quantile(column, QUANTILES)))
        for name, column in zip(QUALITIES, found.T, strict=True)
    ]
    print_table("Measures before their scales", ("", *(f"{share:.0%}" for share in QUANTILES)), rows)
    kept = np.concatenate([one.entered.move.qualities for one in clips])
    labels = np.array([one.entered.move.annotation.label for one in clips for _ in one.entered.move.blocks])
    rows = [(label, *(f"{value:.2f}" for value in kept[labels == label].mean(axis=0))) for label in np.unique(labels)]
    print_table("Qualities by label, means", ("", *QUALITIES), rows)


def _print_together(dances: Sequence[Dance]) -> None:
    """What is known of couples: they mostly hold each other, and face each other."""
    hold = np.concatenate([dance.hold()[:, WITHIN].ravel() for dance in dances])
    rows = [
        ("hand in hand, apart, in between, unseen", ", ".join(f"{share:.0%}" for share in (
            np.mean(hold == 1), np.mean(hold == 0), np.mean((hold > 0) & (hold < 1)), np.mean(np.isnan(hold)),
        ))),
        ("the lead, in profile, looks to where the follow is", f"{_looks(dances, lead=True):.0%}"),
        ("the follow, in profile, looks to where the lead is", f"{_looks(dances, lead=False):.0%}"),
    ]  # fmt: skip
    print_table("Together", ("", ""), rows)


def _looks(dances: Sequence[Dance], *, lead: bool) -> float:
    """Share of the samples in which both are seen apart and this one faces the side."""
    aside = np.concatenate([np.sin((one.lead if lead else one.follow).facing[:, WITHIN]).ravel() for one in dances])
    other = np.concatenate([(1 if lead else -1) * one.apart()[:, WITHIN, 0].ravel() for one in dances])
    told = (abs(aside) > np.sin(PROFILE_RAD)) & (abs(other) > 0.5)
    return float(np.mean(aside[told] * other[told] > 0))


def _print_embeddings(clips: Sequence[Taken]) -> None:
    owner = np.concatenate([np.full(len(one.entered.move.blocks), number) for number, one in enumerate(clips)])
    labels = np.array([one.entered.move.annotation.label for one in clips])
    found = np.concatenate([one.entered.move.pose_embedding for one in clips])
    likeness, of_one_clip = found @ found.T, owner[:, None] == owner
    upper = np.triu(np.ones_like(of_one_clip), 1)
    rng = np.random.default_rng(0)
    dealt = np.array([_by_label(likeness, owner, rng.permutation(labels)) for _ in range(DEALS)])
    told = _by_label(likeness, owner, labels)
    rows = [
        ("blocks of one label nearer than others (area under the curve)", f"{told[0]:.3f}", _spread(dealt[:, 0])),
        ("the nearest block of another clip has the label", f"{told[1]:.1%}", _spread(dealt[:, 1])),
        ("blocks of one clip nearer than others (area under the curve)",
         f"{area_under_roc(likeness[of_one_clip & upper], likeness[~of_one_clip & upper]):.3f}", "0.500"),
        ("cosine of two blocks", f"{likeness[upper].mean():.2f} ± {likeness[upper].std():.2f}", ""),
    ]  # fmt: skip
    print_table("Embeddings", ("", "", f"labels dealt anew {DEALS} times"), rows)


def _by_label(likeness: np.ndarray, owner: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Area under the curve, and share of nearest neighbours, over blocks of different clips."""
    mine, apart = labels[owner], owner[:, None] != owner
    alike = mine[:, None] == mine
    nearest = np.where(apart, likeness, -np.inf).argmax(axis=1)
    return area_under_roc(likeness[alike & apart], likeness[~alike & apart]), float(np.mean(mine[nearest] == mine))


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.3f}, at most {values.max():.3f}"


def _print_usual(dances: Sequence[Dance]) -> None:
    """Middle and spread of each number of the embedding's parts, pooled as the table is."""
    kinds, limbs = np.array(usual.CHANNEL_KINDS), np.array(usual.LIMB_KINDS)
    for name, part in parts(channels(dances)).items():
        values = part.cpu().numpy()
        pooled = {"posture": kinds, "spread": kinds, "speed": kinds, "counts": np.tile(limbs, 8),
                  "turning": np.repeat([0, 1], [8, 1]), "rhythm": (np.arange(7)[:, None] * 4 + limbs).ravel(),
                  "travel": np.arange(2), "together": np.tile(np.arange(4), 8)}[name]  # fmt: skip
        told = [np.nanquantile(values[..., pooled == kind], (0.5, 0.16, 0.84)) for kind in range(pooled.max() + 1)]
        print(name, [round(float(middle), 2) for middle, _, _ in told], sep="\n  ")
        print("  " + str([round(float(high - low) / 2, 2) for _, low, high in told]))


def main(folder: Path, cache: Path | None, *, shows_usual: bool) -> None:
    clips: list[Taken] = []
    refused: list[tuple[Given, PermanentError]] = []
    for clip in given(folder):
        try:
            clips.append(taken(clip, cache))
        except PermanentError as error:
            refused.append((clip, error))
    dances = [one.clip.dance for one in clips]
    _print_clips(clips, refused)
    _print_qualities(clips)
    _print_together(dances)
    _print_embeddings(clips)
    if shows_usual:
        _print_usual(dances)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--usual", action="store_true")
    asked = parser.parse_args()
    main(asked.folder, asked.cache, shows_usual=asked.usual)
