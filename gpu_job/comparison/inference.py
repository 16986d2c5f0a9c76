"""A job of kind ``compare``: the features of two videos in; grades, a page to read, a video and pictures out."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from gpu_job.comparison.comparing import compare
from gpu_job.comparison.findings import Comparison, Take
from gpu_job.comparison.moments import moment_png
from gpu_job.comparison.overlay import overlay_video
from gpu_job.comparison.page import Names, report_html
from gpu_job.comparison.report import Dancer, curves_npz, moment_name, result
from gpu_job.keeping import Keeper
from gpu_job.recordings import Extracted, described, extracted
from gpu_job.segmentation import Move, Performance, segment_batch
from shared.errors import NobodyFound, NoTeacher, NotFound, SourceGone, TeacherUnseen
from shared.job import POSE, TEACHER, Job, Kind, Recording, Step
from shared.ports import Ports

ROLE = "dancer"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A job ready for inference, and what its steps told. ``moves`` are the teacher's."""

    student: Take
    teacher: Take
    moves: Sequence[Move]
    facts: Mapping[str, Mapping[str, Any]]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answer:
    comparison: Comparison
    seconds: float


class CompareInference:
    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> Loaded:
        """Raises TeacherUnseen, and NoTeacher where the features of an earlier job are gone."""
        student = extracted(job.own_steps, steps, ports)
        teacher = _taught(job, steps, ports)
        facts = {
            "student": described(job.recording(POSE), student.sha256),
            "teacher": described(job.recording(TEACHER), teacher.found.sha256),
        }
        return Loaded(_take(student), _take(teacher.found), teacher.moves, facts, student.seconds)

    def infer(self, loaded: Sequence[Loaded]) -> Sequence[Answer]:
        return [_compared(one) for one in loaded]

    def record(self, job: Job, loaded: Loaded, answer: Answer, ports: Ports) -> Mapping[str, Any]:
        keep, started_s, dancer = Keeper(job, ports), time.monotonic(), Dancer(ROLE, answer.comparison)
        for number, moment in enumerate(answer.comparison.worst, 1):
            keep(moment_name(ROLE, number), moment_png(answer.comparison, moment), "image/png")
        names = Names(loaded.facts["student"]["name"], loaded.facts["teacher"]["name"])
        keep("report.html", report_html([(ROLE, answer.comparison)], names).encode(), "text/html; charset=utf-8")
        keep("curves.npz", curves_npz([dancer]), "application/octet-stream")
        _keep_overlay(job, answer.comparison, keep, ports)
        timings_s = {**loaded.seconds, "infer": answer.seconds, "record": round(time.monotonic() - started_s, 3)}
        full = keep.result(result([dancer], **loaded.facts, timings_s=timings_s))
        return {**full, "objects": dict(keep.objects)}


@dataclass(frozen=True, slots=True)
class _Taught:
    found: Extracted
    moves: Sequence[Move]


def _taught(job: Job, steps: Mapping[str, Step], ports: Ports) -> _Taught:
    """The teacher's features, and her moves as an earlier job told them, or as they are found now."""
    earlier = job.recording(TEACHER).job
    if not earlier:
        found = extracted([step for step in job.plan if step.startswith(TEACHER)], steps, ports)
        return _Taught(found, _segmented(found))
    try:
        before = ports.jobs.get(earlier)
        found = extracted(before.own_steps, ports.jobs.steps(earlier), ports)
    except (NotFound, KeyError) as error:
        raise NoTeacher from error
    return _Taught(found, _told(before) if before.kind is Kind.SEGMENT else _segmented(found))


def _segmented(found: Extracted) -> Sequence[Move]:
    try:
        return segment_batch([Performance(found.pose.smoothed(), found.audio)])[0].moves
    except NobodyFound as error:
        raise TeacherUnseen from error


def _told(job: Job) -> Sequence[Move]:
    names = [field.name for field in fields(Move)]
    return [Move(**{name: move[name] for name in names}) for move in job.result["moves"]]


def _take(found: Extracted) -> Take:
    return Take(found.pose.smoothed(), found.audio)


def _compared(loaded: Loaded) -> Answer:
    started_s = time.monotonic()
    comparison = compare(loaded.student, loaded.teacher, loaded.moves)
    return Answer(comparison, round(time.monotonic() - started_s, 3))


def _keep_overlay(job: Job, comparison: Comparison, keep: Keeper, ports: Ports) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "overlay.mp4"
        with _opened(job.recording(TEACHER), ports) as teacher, _opened(job.recording(POSE), ports) as student:
            overlay_video(comparison, teacher, student, path)
        keep("overlay.mp4", path, "video/mp4")


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
