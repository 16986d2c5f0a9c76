"""A choreography as ``plan.json``, ``result.json`` and the job's document tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gpu_job.choreography.plan import Placed, Plan
from gpu_job.choreography.planning import Planned
from shared.job import Job
from shared.library import MoveLibrary
from shared.music import Music
from shared.wishes import Wishes

SCHEMA = 1
BRIEFLY = (
    "number", "start_s", "end_s", "first_count", "counts", "section", "move", "block", "label", "difficulty", "ratio",
    "why",
)  # fmt: skip
"""What a client shows of a block."""


def song(music: Music) -> dict[str, Any]:
    """What was heard, without what is long."""
    return {
        "duration_s": _rounded(music.duration_s),
        "tempo_bpm": _rounded(music.tempo_bpm, 2),
        "tempo_confidence": _rounded(music.tempo_confidence),
        "bar_confidence": _rounded(music.bar_confidence),
        "eight_confidence": _rounded(music.eight_confidence),
        "energy_level": _rounded(music.energy_level),
        "pattern_strength": _rounded(music.pattern_strength),
        "syncopation": _rounded(music.syncopation),
    }


def sections(music: Music) -> list[dict[str, Any]]:
    return [
        {
            "role": str(section.role),
            "start_s": _rounded(section.segment.start_s),
            "end_s": _rounded(section.segment.end_s),
            "counts": section.end_beat - section.first_beat,
            "group": section.group,
            "energy": _rounded(section.energy),
            "confidence": _rounded(section.confidence),
        }
        for section in music.sections
    ]


def blocks(plan: Plan, music: Music, library: MoveLibrary) -> list[dict[str, Any]]:
    """Block by block, as a client shows it."""
    return [_block(number, placed, music, library) for number, placed in enumerate(plan.placed, 1)]


def _block(number: int, placed: Placed, music: Music, library: MoveLibrary) -> dict[str, Any]:
    slot, move, clip = placed.slot, library.move_of(placed.block), library.segment_of(placed.block)
    return {
        "number": number,
        "start_s": _rounded(slot.segment.start_s),
        "end_s": _rounded(slot.segment.end_s),
        "first_count": int(music.counts[slot.first_beat]),
        "counts": slot.counts,
        "section": str(music.role(slot.section)),
        "section_number": slot.section + 1,
        "move": move.id,
        "block": int(library.number[placed.block]) + 1,
        "label": move.annotation.label,
        "difficulty": str(move.annotation.difficulty),
        "clip_start_s": _rounded(clip.start_s),
        "clip_end_s": _rounded(clip.end_s),
        "ratio": _rounded(placed.ratio, 4),
        "why": placed.why,
    }


def full(plan: Plan, music: Music, library: MoveLibrary) -> dict[str, Any]:
    """The same with what spoke for and against each block."""
    placed = zip(blocks(plan, music, library), plan.placed, strict=True)
    return {
        "value": _rounded(plan.value),
        "blocks": [{**block, **_weighed(one)} for block, one in placed],
    }


def plan_json(planned: Planned, music: Music, library: MoveLibrary, wishes: Wishes) -> dict[str, Any]:
    """The first plan with what no plan exceeds, and the alternatives to it with how much they differ."""
    first, *others = (
        {**full(plan, music, library), "difference": _rounded(difference)}
        for plan, difference in zip(planned.plans, planned.differences, strict=True)
    )
    return {
        "schema": SCHEMA,
        "kind": "choreograph",
        "wishes": asdict(wishes),
        "song": song(music),
        "sections": sections(music),
        "beats_s": [_rounded(beat_s, 4) for beat_s in music.beats.beats_s],
        "counts": [int(count) for count in music.counts],
        "energy": [_rounded(energy) for energy in music.energy],
        "library": {"version": library.version, "moves": len(library.moves), "blocks": len(library)},
        "bound": _rounded(planned.bound),
        **first,
        "alternatives": others,
    }


def summary(told: Mapping[str, Any]) -> dict[str, Any]:
    """Of ``plan.json``, what a client shows; what is long stays in the bucket."""
    briefly = [{name: block[name] for name in BRIEFLY} for block in told["blocks"]]
    same = {name: told[name] for name in ("song", "sections", "wishes", "library", "value", "bound")}
    return {**same, "plan": briefly}


def source(job: Job, sha256: str) -> dict[str, Any]:
    """The song as ``result.json`` tells of it."""
    audio = job.media["audio"]
    return {
        "name": job.source.name.rpartition("/")[2],
        "sha256": sha256,
        "container": job.media["container"],
        "codec": audio["codec"],
        "duration_s": job.media["duration_s"],
    }


def _weighed(placed: Placed) -> dict[str, dict[str, float]]:
    return {"scores": _all_rounded(placed.scores), "costs": _all_rounded(placed.costs)}


def _all_rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in values.items()}


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(float(value), digits)
