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

from gpu_job.choreography.shelf import MEZZANINES, MOVES, newest
from gpu_job.notice import Notice
from infra.local import oneshot, show
from infra.local.annotations import DUPLICATE_ID, Annotated, annotated
from infra.local.outcome import ADDED, KEPT, REFUSED, Outcome
from shared.errors import BadMessage, NotFound, PermanentError
from shared.job import Job, Kind, State
from shared.library import Annotation, Move, MoveLibrary
from shared.media import probe
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
    builder.swept()
    return _report(outcomes, out)


class Builder:
    def __init__(self, clips: Path, out: Path, environment: Mapping[str, str], *, anew: bool) -> None:
        self._clips = clips
        self._out = out
        self._anew = anew
        self._settings = oneshot.settings_of(environment)
        self._files: dict[str, list[tuple[Path, Move]]] = {}
        """What there is of each clip, by its id."""
        for path, move in moves_in(out):
            self._files.setdefault(move.id, []).append((path, move))
        self._seen: dict[str, str] = {}
        """Clips by the digest of their content."""
        self._found = _found_before(out)

    def taken(self, entry: Annotated) -> Outcome:
        """The clip, if it can be used, in the library; if not, nothing of what it was before."""
        if not entry.options:
            return self._refused(entry, entry.findings)
        with (self._clips / entry.path).open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if (twin := self._seen.setdefault(digest, entry.clip_id)) != entry.clip_id:
            notice = Notice("DUPLICATE_VIDEO", f"It is the same video as that of {twin}.")
            return self._refused(entry, [*entry.findings, notice])
        if (move := self._unchanged(entry, digest)) and not self._anew:
            self._remove_others(entry.clip_id, move)
            findings = tuple(dict.fromkeys([*entry.findings, *self._found.get(entry.clip_id, ())]))
            return Outcome(entry.clip_id, entry.path, KEPT, len(move.blocks), move.tempo_bpm, findings)
        return self._analysed(entry, digest)

    def _unchanged(self, entry: Annotated, digest: str) -> Move | None:
        moves = newest(move for _, move in self._files.get(entry.clip_id, ()))
        said = Annotation.read(entry.options)
        same = (move for move in moves if move.sha256 == digest and move.annotation == said)
        return next((move for move in same if self._is_filmed(move)), None)

    def _is_filmed(self, move: Move) -> bool:
        """Whether its mezzanine is there, and whole."""
        path = self._out / move.mezzanine
        try:
            return path.is_file() and abs(probe(str(path)).duration_s * move.frame_rate_hz - move.frames) < 2
        except PermanentError:
            return False

    def _analysed(self, entry: Annotated, digest: str) -> Outcome:
        self._remove_others(entry.clip_id, None)  # lest what is damaged be adopted
        job = self._work(entry, digest)
        if job.state is not State.DONE:
            assert job.error
            return self._refused(entry, [*entry.findings, Notice(job.error.code, job.error.message)])
        path = self._out / job.result["objects"]["move"]
        move = Move.from_bytes(path.read_bytes())
        self._files[entry.clip_id] = [(path, move)]
        warnings = tuple(Notice(warning["code"], warning["message"]) for warning in job.result["warnings"])
        findings = (*entry.findings, *warnings)
        return Outcome(entry.clip_id, entry.path, ADDED, len(move.blocks), move.tempo_bpm, findings)

    def _refused(self, entry: Annotated, findings: Sequence[Notice]) -> Outcome:
        """What an earlier build made of it is not what it is any more."""
        self._remove_others(entry.clip_id, None)
        return Outcome(entry.clip_id, entry.path, REFUSED, 0, None, tuple(findings))

    def _work(self, entry: Annotated, digest: str) -> Job:
        """Under a name of its own for each content and annotation: nothing that is there is mistaken for it."""
        said = json.dumps(entry.options, sort_keys=True)
        key = sha256(f"{digest} {said}".encode()).hexdigest()[:16]
        file = oneshot.local_clip(self._clips / entry.path)
        clip = oneshot.Clip(f"{key}/{file.name}", file.size, file.open)
        ports = memory_ports(self._settings, folders={self._settings.library_bucket: self._out})
        options = {name: str(value) for name, value in entry.options.items()}
        return oneshot.work(clip, options, ports, watch=id, kind=Kind.LIBRARY)

    def _remove_others(self, clip_id: str, kept: Move | None) -> None:
        """All that there is of a clip but one move."""
        for path, move in self._files.get(clip_id, []):
            if kept is None or move.mezzanine != kept.mezzanine:
                path.unlink(missing_ok=True)
                (self._out / move.mezzanine).unlink(missing_ok=True)
        self._files[clip_id] = [(path, move) for path, move in self._files.get(clip_id, []) if path.exists()]

    def swept(self) -> None:
        """Without the mezzanines that no move names: a build that was stopped left them."""
        named = {move.mezzanine for files in self._files.values() for _, move in files}
        for path in (self._out / MEZZANINES).glob("*.mp4"):
            if f"{MEZZANINES}{path.name}" not in named:
                path.unlink()


def _found_before(folder: Path) -> Mapping[str, Sequence[Notice]]:
    """What the last report says of each clip's video: it is not looked at again, and not forgotten."""
    try:
        clips = json.loads((folder / REPORT).read_text())["clips"]
        return {
            clip["clip_id"]: [Notice(**finding) for finding in clip["findings"] if finding["code"] != DUPLICATE_ID]
            for clip in clips
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def moves_in(folder: Path) -> list[tuple[Path, Move]]:
    """The moves of a library that can be read, and where."""
    found: list[tuple[Path, Move]] = []
    for path in sorted((folder / MOVES).glob("*.npz")):
        try:
            found.append((path, Move.from_bytes(path.read_bytes())))
        except BadMessage:
            continue  # of another release: analysed again
    return found


def library_in(folder: Path) -> MoveLibrary:
    """Empty where there is none."""
    return MoveLibrary.of(newest(move for _, move in moves_in(folder)))


def _report(outcomes: Sequence[Outcome], out: Path) -> int:
    named = {outcome.clip_id for outcome in outcomes}
    library = library_in(out)
    others = [move.id for move in library.moves if move.id not in named]
    told: dict[str, Any] = {
        "schema": 1, "version": library.version, "moves": len(library.moves), "blocks": len(library),
        "not_in_the_annotations": others, "clips": [asdict(outcome) for outcome in outcomes],
    }  # fmt: skip
    (out / REPORT).write_text(json.dumps(told, indent=1))
    show.library(outcomes, len(library.moves), len(library), others)
    show.say(f"In {out}: {REPORT}, {MOVES}, {MEZZANINES}")
    return 0 if len(library) else 1
