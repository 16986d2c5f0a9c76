"""``dancebits library build``: a folder of annotated clips becomes a move library, clip by clip, through the same
chain as in the cloud.

What is there already and unchanged is kept, so that a build that was stopped goes on where it was. The folder is
the library bucket of a choreography on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from gpu_job.choreography.shelf import MOVES
from gpu_job.notice import Notice
from infra.local import oneshot, show
from infra.local.annotations import Annotated, annotated
from infra.local.outcome import ADDED, KEPT, REFUSED, Outcome
from shared.errors import BadMessage, NotFound
from shared.job import Job, Kind, State
from shared.library import Annotation, Move, MoveLibrary
from shared.memory import memory_ports

REPORT = "report.json"


def build(clips: Path, annotations: Path, out: Path, environment: Mapping[str, str], *, anew: bool = False) -> int:
    """Build or go on building the library in ``out``; 0 where it holds a move, 1 where it holds none.

    ``anew`` analyses what is unchanged again, too. Raises NotFound, BadAnnotations.
    """
    if not clips.is_dir():
        raise NotFound(f"There is no folder {clips}.")
    entries = annotated(annotations, clips)
    out.mkdir(parents=True, exist_ok=True)
    builder = Builder(clips, out, environment, anew=anew)
    with show.counting("Analysing the clips", len(entries)) as told:
        outcomes = [told(entry.clip_id, lambda entry=entry: builder.taken(entry)) for entry in entries]
    return _report(outcomes, out)


class Builder:
    def __init__(self, clips: Path, out: Path, environment: Mapping[str, str], *, anew: bool) -> None:
        self._clips = clips
        self._out = out
        self._settings = oneshot.settings_of(environment)
        self._there = {} if anew else {move.id: move for _, move in moves_in(out)}
        self._seen: dict[str, str] = {}
        """Clips by the digest of their content."""

    def taken(self, entry: Annotated) -> Outcome:
        """The clip, if it can be used, in the library."""
        if not entry.options:
            return Outcome(entry.clip_id, entry.path, REFUSED, 0, None, entry.findings)
        with (self._clips / entry.path).open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if (twin := self._seen.setdefault(digest, entry.clip_id)) != entry.clip_id:
            notice = Notice("DUPLICATE_VIDEO", f"It is the same video as that of {twin}.")
            return Outcome(entry.clip_id, entry.path, REFUSED, 0, None, (*entry.findings, notice))
        if (move := self._there.get(entry.clip_id)) and self._is_unchanged(move, entry, digest):
            return Outcome(entry.clip_id, entry.path, KEPT, len(move.blocks), move.tempo_bpm, entry.findings)
        return self._analysed(entry, digest)

    @staticmethod
    def _is_unchanged(move: Move, entry: Annotated, digest: str) -> bool:
        return move.sha256 == digest and move.annotation == Annotation.read(entry.options)

    def _analysed(self, entry: Annotated, digest: str) -> Outcome:
        job = self._work(entry, digest)
        if job.state is not State.DONE:
            assert job.error
            notice = Notice(job.error.code, job.error.message)
            return Outcome(entry.clip_id, entry.path, REFUSED, 0, None, (*entry.findings, notice))
        self._remove_older(entry.clip_id, job.result["objects"]["move"])
        warnings = tuple(Notice(warning["code"], warning["message"]) for warning in job.result["warnings"])
        blocks, tempo_bpm = len(job.result["blocks"]), job.result["tempo_bpm"]
        return Outcome(entry.clip_id, entry.path, ADDED, blocks, tempo_bpm, (*entry.findings, *warnings))

    def _work(self, entry: Annotated, digest: str) -> Job:
        """The same content, annotated the same, is the same job: it adopts what a stopped build has written of it."""
        said = json.dumps(entry.options, sort_keys=True)
        key = sha256(f"{digest} {said}".encode()).hexdigest()[:16]
        file = oneshot.local_clip(self._clips / entry.path)
        clip = oneshot.Clip(f"{key}/{file.name}", file.size, file.open)
        ports = memory_ports(self._settings, folders={self._settings.library_bucket: self._out})
        options = {name: str(value) for name, value in entry.options.items()}
        return oneshot.work(clip, options, ports, watch=id, kind=Kind.LIBRARY)

    def _remove_older(self, clip_id: str, newest: str) -> None:
        """What an earlier build made of the clip before it was changed."""
        for path, move in moves_in(self._out):
            if move.id == clip_id and path != self._out / newest:
                (self._out / move.mezzanine).unlink(missing_ok=True)
                path.unlink()


def moves_in(folder: Path) -> list[tuple[Path, Move]]:
    """The moves of a library that can be read, and where."""
    found: list[tuple[Path, Move]] = []
    for path in sorted((folder / MOVES).glob("*.npz")):
        try:
            found.append((path, Move.from_bytes(path.read_bytes())))
        except BadMessage:
            continue  # of another release: analysed again
    return found


def _report(outcomes: Sequence[Outcome], out: Path) -> int:
    named = {outcome.clip_id for outcome in outcomes}
    moves = [move for _, move in moves_in(out)]
    others = [move.id for move in moves if move.id not in named]
    library = MoveLibrary.of(moves)
    told: dict[str, Any] = {
        "schema": 1, "version": library.version, "moves": len(library.moves), "blocks": len(library),
        "not_in_the_annotations": others, "clips": [asdict(outcome) for outcome in outcomes],
    }  # fmt: skip
    (out / REPORT).write_text(json.dumps(told, indent=1))
    show.library(outcomes, len(library.moves), len(library), others)
    show.say(f"In {out}: {REPORT}, moves/, mezzanine/")
    return 0 if len(library) else 1
