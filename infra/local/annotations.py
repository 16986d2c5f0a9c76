"""What teachers say of their clips, as a JSON file, read with everything that is wrong in it.

A list of clips, or an object with such a list as ``clips``. Of each clip: ``clip_id``, ``video_path`` (below the
folder of clips), ``move_label``, ``difficulty`` and ``energy_level`` (low, medium, high), and where known
``estimated_tempo`` (beats a minute) and ``styles``. Nothing is dropped in silence: what cannot be used is refused
with a sentence, and what can be mended is mended with one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpu_job.notice import Notice
from shared.errors import BadOption, NotFound, PermanentError
from shared.job import Kind
from shared.options import read_options

FIELDS: Mapping[str, str] = {
    "clip_id": "clip_id",
    "label": "move_label",
    "difficulty": "difficulty",
    "energy": "energy_level",
    "tempo_bpm": "estimated_tempo",
    "styles": "styles",
}
"""What an option of a library job is called in the file."""
OPTIONAL = frozenset({"tempo_bpm", "styles"})
DUPLICATE_ID = "DUPLICATE_ID"


class BadAnnotations(PermanentError):
    """The annotations cannot be read: they must be JSON, a list of clips or an object with such a list as "clips"."""

    code = "BAD_ANNOTATIONS"


@dataclass(frozen=True, slots=True)
class Annotated:
    """One clip as the file describes it.

    ``options`` of a library job; empty where the clip is refused
    ``path``    of its video, as the file says it
    ``findings``what was mended, or why it is refused
    """

    clip_id: str
    path: str
    options: Mapping[str, float | str]
    findings: tuple[Notice, ...] = ()


def annotated(file: Path, clips: Path) -> list[Annotated]:
    """All clips of the file, in its order. Raises NotFound, BadAnnotations."""
    read = [_read(entry, number, clips) for number, entry in enumerate(_entries(file), 1)]
    names = {one.clip_id for one in read}
    found: list[Annotated] = []
    taken: set[str] = set()
    for one in read:
        found.append(_renamed(one, names) if one.clip_id in taken else one)
        names.add(found[-1].clip_id)
        taken.add(one.clip_id)
    return found


def _entries(file: Path) -> Sequence[Any]:
    try:
        told = json.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise BadAnnotations(f"The annotations cannot be read: {error}.") from error
    entries = told.get("clips") if isinstance(told, dict) else told
    if not isinstance(entries, list):
        raise BadAnnotations
    return entries


def _read(entry: Any, number: int, clips: Path) -> Annotated:
    if not isinstance(entry, dict):
        return _refused(f"number {number}", "", "BAD_OPTION", "It is no object with clip_id, video_path and the rest.")
    clip_id, path = str(entry.get("clip_id") or f"number {number}"), str(entry.get("video_path") or "")
    try:
        options = read_options(Kind.LIBRARY, _said(entry))
    except BadOption as error:
        return _refused(clip_id, path, error.code, error.message)
    if path and not (clips / path).resolve().is_relative_to(clips.resolve()):
        return _refused(clip_id, path, "NOT_FOUND", f"{path} lies outside the folder of clips.")
    if not path or not (clips / path).is_file():
        return _refused(clip_id, path, "NOT_FOUND", f"There is no file {path or 'named'} in the folder of clips.")
    return Annotated(clip_id, path, options)


def _said(entry: Mapping[str, Any]) -> dict[str, str]:
    """Raises BadOption where what is needed is not there."""
    said = {option: entry.get(field) for option, field in FIELDS.items()}
    for option, value in said.items():
        if value in (None, "", []) and option not in OPTIONAL:
            raise BadOption(f"It has no {FIELDS[option]}.")
    return {name: _text(value) for name, value in said.items() if value not in (None, "", [])}


def _text(value: Any) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _refused(clip_id: str, path: str, code: str, sentence: str) -> Annotated:
    return Annotated(clip_id, path, {}, (Notice(code, sentence),))


def _renamed(one: Annotated, names: Container[str]) -> Annotated:
    """Another clip has its id already: both are kept, and told apart."""
    name = next(name for number in itertools.count(2) if (name := f"{one.clip_id}-{number}") not in names)
    notice = Notice(DUPLICATE_ID, f"The id {one.clip_id} stands there more than once: this clip is called {name}.")
    options = {**one.options, "clip_id": name} if one.options else {}
    return replace(one, clip_id=name, options=options, findings=(*one.findings, notice))
