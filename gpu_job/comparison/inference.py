"""A job of kind ``compare``: the features of two videos in; grades, a page to read, a video and pictures out."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from gpu_job.comparison.comparing import compare_all
from gpu_job.comparison.findings import Take
from gpu_job.comparison.moments import moment_png
from gpu_job.comparison.overlay import overlay_video
from gpu_job.comparison.page import Names, report_html
from gpu_job.comparison.report import Dancer, curves_npz, moment_name, overall_score, result
from gpu_job.keeping import Keeper
from gpu_job.notice import Notice
from gpu_job.recordings import SURE, Extracted, described, extracted
from gpu_job.segmentation import Methods, Move, Performance, method, segment_batch
from gpu_job.segmentation.report import told_move
from shared.errors import NobodyFound, NoTeacher, NotFound, SourceGone, TeacherUnseen
from shared.job import POSE, TEACHER, Job, Kind, Recording, Step
from shared.ports import Ports

ALONE: Sequence[str] = ("dancer",)
COUPLE: Sequence[str] = ("lead", "follow")
WHO_LEADS = Notice(
    "WHO_LEADS", "We could not tell for sure who leads, so each of you was held against the teacher who fits better."
)
OVERLAY_INCOMPLETE = Notice(
    "OVERLAY_INCOMPLETE", "Part of a video could not be read, so the overlay shows figures in its place."
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A job ready for inference, and what its steps told.

    ``students`` ``teachers`` one dancer each, or lead and follow, of whom it is known if ``is_sure`` who is who
    ``moves``                 the teacher's
    ``facts``                 what is known of the videos, ``student`` and ``teacher``
    """

    students: Sequence[Take]
    teachers: Sequence[Take]
    is_sure: bool
    moves: Sequence[Move]
    facts: Mapping[str, Mapping[str, Any]]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answer:
    dancers: Sequence[Dancer]
    seconds: float


@dataclass(frozen=True, slots=True)
class CompareInference:
    methods: Methods = method

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> Loaded:
        """Raises TeacherUnseen, and NoTeacher where the features of an earlier job are gone."""
        student = extracted(job.own_steps, steps, ports, job.dancers)
        teacher = _taught(job, steps, ports, self.methods)
        facts = {
            "student": described(job.recording(POSE), student.sha256),
            "teacher": described(job.recording(TEACHER), teacher.found.sha256),
        }
        is_sure = min(student.sureness, teacher.found.sureness) >= SURE
        return Loaded(_takes(student), _takes(teacher.found), is_sure, teacher.moves, facts, student.seconds)

    def infer(self, loaded: Sequence[Loaded]) -> Sequence[Answer]:
        return [_compared(one) for one in loaded]

    def record(self, job: Job, loaded: Loaded, answer: Answer, ports: Ports) -> Mapping[str, Any]:
        keep, started_s = Keeper(job, ports), time.monotonic()
        films = ["overlay", *(f"overlay_{dancer.role}" for dancer in answer.dancers[1:])]
        dancers = [_filmed(job, one, name, keep, ports) for one, name in zip(answer.dancers, films, strict=True)]
        for dancer in dancers:
            _keep_moments(dancer, keep)
        names = Names(loaded.facts["student"]["name"], loaded.facts["teacher"]["name"])
        page = report_html([(dancer.role.capitalize(), dancer.comparison) for dancer in dancers], names)
        keep("report.html", page.encode(), "text/html; charset=utf-8")
        keep("curves.npz", curves_npz(dancers), "application/octet-stream")
        timings_s = {**loaded.seconds, "infer": answer.seconds, "record": round(time.monotonic() - started_s, 3)}
        return {**keep.result(result(dancers, **loaded.facts, timings_s=timings_s)), "objects": dict(keep.objects)}


@dataclass(frozen=True, slots=True)
class _Taught:
    found: Extracted
    moves: Sequence[Move]


def _taught(job: Job, steps: Mapping[str, Step], ports: Ports, methods: Methods) -> _Taught:
    """The teacher's features, and her moves as an earlier job told them, or as they are found now."""
    earlier = job.recording(TEACHER).job
    if not earlier:
        found = extracted([step for step in job.plan if step.startswith(TEACHER)], steps, ports, job.dancers)
        return _Taught(found, _segmented(found, methods))
    try:
        before = ports.jobs.get(earlier)
        found = extracted(before.own_steps, ports.jobs.steps(earlier), ports, before.dancers)
    except NotFound as error:
        raise NoTeacher from error
    return _Taught(found, _told(before) if before.kind is Kind.SEGMENT else _segmented(found, methods))


def _segmented(found: Extracted, methods: Methods) -> Sequence[Move]:
    try:
        return segment_batch([Performance(found.poses[0].smoothed(), found.audio)], methods=methods)[0].moves
    except NobodyFound as error:
        raise TeacherUnseen from error


def _told(job: Job) -> Sequence[Move]:
    return [told_move(move) for move in job.result["moves"]]


def _takes(found: Extracted) -> Sequence[Take]:
    return [Take(pose.smoothed(), found.audio) for pose in found.poses]


def _compared(loaded: Loaded) -> Answer:
    started_s = time.monotonic()
    dancers = _dancers(loaded.students, loaded)
    if not loaded.is_sure:
        dancers = [_unsure(one) for one in max(dancers, _dancers(loaded.students[::-1], loaded), key=_fit)]
    return Answer(dancers, round(time.monotonic() - started_s, 3))


def _dancers(students: Sequence[Take], loaded: Loaded) -> Sequence[Dancer]:
    """Each student held against the teacher in the same place."""
    roles = ALONE if len(students) == 1 else COUPLE
    found = compare_all(students, loaded.teachers, loaded.moves)
    return [Dancer(role, comparison) for role, comparison in zip(roles, found, strict=True)]


def _fit(dancers: Sequence[Dancer]) -> float:
    return overall_score(dancers) or 0.0


def _unsure(dancer: Dancer) -> Dancer:
    found = dancer.comparison
    return replace(dancer, comparison=replace(found, warnings=(*found.warnings, WHO_LEADS)))


def _keep_moments(dancer: Dancer, keep: Keeper) -> None:
    for number, moment in enumerate(dancer.comparison.worst, 1):
        keep(moment_name(dancer.role, number), moment_png(dancer.comparison, moment), "image/png")


def _filmed(job: Job, dancer: Dancer, name: str, keep: Keeper, ports: Ports) -> Dancer:
    """Keep her overlay; she is warned where it could not show both videos."""
    found = dancer.comparison
    if _keep_overlay(job, dancer, name, keep, ports):
        return dancer
    return replace(dancer, comparison=replace(found, warnings=(*found.warnings, OVERLAY_INCOMPLETE)))


def _keep_overlay(job: Job, dancer: Dancer, name: str, keep: Keeper, ports: Ports) -> bool:
    """Whether it shows both videos."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "overlay.mp4"
        with _opened(job.recording(TEACHER), ports) as teacher, _opened(job.recording(POSE), ports) as student:
            is_complete = overlay_video(dancer.comparison, teacher, student, path)
        keep(f"{name}.mp4", path, "video/mp4")
    return is_complete


@contextmanager
def _opened(recording: Recording, ports: Ports) -> Generator[BinaryIO | None]:
    """The video; None where it is gone by now, though its features are not."""
    try:
        file = ports.blobs.open(recording.source)
    except SourceGone:
        yield None
        return
    with file:
        yield file
