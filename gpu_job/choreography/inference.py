"""A job of kind ``choreograph``: music and the move library in; a plan, then its video out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from gpu_job.choreography import report
from gpu_job.choreography.choreographing import choreographed
from gpu_job.choreography.cuts import Cuts
from gpu_job.choreography.planning import Planned
from gpu_job.choreography.render import Rendered, rendered
from gpu_job.choreography.shelf import Shelf, Stock, mezzanine
from gpu_job.choreography.shortlist import MOST
from gpu_job.choreography.thumbnail import thumbnail
from gpu_job.choreography.timeline_picture import timeline_png
from gpu_job.choreography.versioned import Cache
from gpu_job.keeping import Keeper
from gpu_job.notice import Notice
from gpu_job.recordings import heard
from shared.errors import NoBeat
from shared.job import AUDIO, Job, Step
from shared.library import Move, MoveLibrary
from shared.music import Music
from shared.ports import Ports
from shared.timeline import FloatArray
from shared.wishes import Wishes

MAKING, PAINTING = "Making the video", "Painting the pictures"
PLANNED, FILMED = 0.2, 0.9  # of the inference
TOLD = 5  # names in a warning


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A job ready to be planned.

    ``transition`` ``(N, N)`` the cost of each cut, None where it is not kept
    ``left_out``   what of the library cannot be danced
    """

    music: Music
    library: MoveLibrary
    transition: FloatArray | None
    wishes: Wishes
    sha256: str
    seconds: Mapping[str, float]
    left_out: tuple[str, ...] = ()

    @property
    def notices(self) -> list[Notice]:
        if not self.left_out:
            return []
        what = f"{', '.join(self.left_out[:TOLD])}{' and others' if len(self.left_out) > TOLD else ''}"
        return [Notice("LIBRARY_INCOMPLETE", f"Parts of the library are missing or damaged and not danced: {what}.")]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    planned: Planned
    seconds: float


class _Held:
    """What is held of the library between jobs."""

    def __init__(self, ports: Ports) -> None:
        self.blobs, bucket = ports.blobs, ports.settings.library_bucket
        self._shelf, self._cuts = Shelf(ports.blobs, bucket), Cache(Cuts, ports.blobs, bucket)

    def stocked(self) -> Stock:
        """Raises EmptyLibrary."""
        return self._shelf.stocked()

    def transition(self, library: MoveLibrary) -> FloatArray | None:
        """Of a large library only those on the shortlist of a song are looked at: those are found when it is known."""
        return self._cuts.of(library).costs if len(library) <= MOST else None


class ChoreographInference:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: _Held | None = None

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> Loaded:
        """Raises NoBeat, EmptyLibrary."""
        found = heard(steps[AUDIO], ports)
        if not len(found.music.beats):
            raise NoBeat
        held, wishes = self._held(ports), Wishes.read(job.options)
        stock = held.stocked()
        cuts = held.transition(stock.library)
        return Loaded(found.music, stock.library, cuts, wishes, found.sha256, found.seconds, stock.left_out)

    def _held(self, ports: Ports) -> _Held:
        """That of the last ports: a worker has but one, and jobs are loaded side by side."""
        with self._lock:
            if self._last is None or self._last.blobs is not ports.blobs:
                self._last = _Held(ports)
            return self._last

    def infer(self, loaded: Sequence[Loaded]) -> Sequence[Answer]:
        """Each has a song of its own, and often a library: nothing is shared but the process."""
        return [_answer(one) for one in loaded]

    def record(self, job: Job, loaded: Loaded, answer: Answer, ports: Ports) -> Mapping[str, Any]:
        """The plan first, so that the dancer sees it while its video is made."""
        started_s = time.monotonic()
        told = report.plan_json(answer.planned, loaded.music, loaded.library, loaded.wishes)
        content = json.dumps(told, indent=1, allow_nan=False).encode()
        # The library may have grown since an earlier attempt, or a clip come or gone: then that one's plan or film is
        # another.
        keep = Keeper(job, ports).with_own("plan.json", content, "application/json")
        seen = {
            **report.summary(told),
            "warnings": [asdict(notice) for notice in (*loaded.notices, *answer.planned.warnings)],
        }
        _tell(job, ports, MAKING, PLANNED, {**seen, "objects": dict(keep.objects)})
        film, keep = _filmed(job, loaded, answer, keep, ports)
        timings_s = {**loaded.seconds, "infer": answer.seconds, "record": round(time.monotonic() - started_s, 3)}
        full = {
            "schema": report.SCHEMA, "kind": str(job.kind), "source": report.source(job, loaded.sha256), **seen,
            "warnings": [*seen["warnings"], *(asdict(notice) for notice in _missing(film))],
            "video": {"duration_s": round(film.duration_s, 3), "cuts": film.cuts}, "timings_s": timings_s,
        }  # fmt: skip
        return {**keep.result(full), "objects": dict(keep.objects)}


def _answer(one: Loaded) -> Answer:
    started_s = time.monotonic()
    found = choreographed(one.music, one.library, one.wishes, one.transition)
    return Answer(found, round(time.monotonic() - started_s, 3))


def _filmed(job: Job, loaded: Loaded, answer: Answer, keep: Keeper, ports: Ports) -> tuple[Rendered, Keeper]:
    """The film, and the pictures to it, in the results bucket; and the keeper of what tells of it."""
    plan, music, library = answer.planned.plans[0], loaded.music, loaded.library
    title = Path(job.source.name).stem
    with TemporaryDirectory() as folder, ExitStack() as files:
        song = files.enter_context(ports.blobs.open(job.source))

        def opened(move: Move) -> BinaryIO:
            return files.enter_context(mezzanine(move, ports))

        path = Path(folder) / "choreography.mp4"
        film = rendered(
            plan, music, library, opened, song, loaded.wishes.quality, path,
            report=lambda share: _tell(job, ports, MAKING, PLANNED + share * (FILMED - PLANNED)),
        )  # fmt: skip
        keep = keep.with_own("choreography.mp4", path, "video/mp4")
        _tell(job, ports, PAINTING, FILMED)
        keep("thumbnail.jpg", thumbnail(plan, music, library, opened, title), "image/jpeg")
    keep("timeline.png", timeline_png(plan, music, library, title), "image/png")
    return film, keep


def _tell(job: Job, ports: Ports, stage: str, progress: float, result: Mapping[str, Any] | None = None) -> None:
    """What is seen at once is written in any case; a mere stage where it costs no waiting."""
    write = ports.jobs.offer if result is None else ports.jobs.update
    write(job.id, lambda now: now.advanced(stage, progress, result))


def _missing(film: Rendered) -> list[Notice]:
    if not film.missing:
        return []
    names = ", ".join(sorted(set(film.missing)))
    return [Notice("CLIPS_MISSING", f"These moves could not be shown, so the ones before them stand still: {names}.")]
