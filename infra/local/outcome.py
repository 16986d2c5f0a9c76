"""What became of each clip of a library that was built."""

from __future__ import annotations

from dataclasses import dataclass

from gpu_job.notice import Notice

ADDED, KEPT, REFUSED = "added", "kept", "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one clip."""

    clip_id: str
    file: str
    state: str
    blocks: int
    tempo_bpm: float | None
    findings: tuple[Notice, ...]
