"""Who is held against whom, and what is left of a job's objects."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from functions.intake.handler import handle
from gpu_job.comparison.findings import Take
from gpu_job.comparison.inference import OVERLAY_INCOMPLETE, WHO_LEADS, CompareInference, Loaded
from gpu_job.recordings import described
from gpu_job.segmentation import Method, Name
from gpu_job.segmentation.novelty import NoveltyModel
from shared.errors import NoTeacher
from shared.events import UploadFinalized
from shared.job import POSE, TEACHER, Kind, Recording
from tests.functions.support import Clock, new_ports, ready
from tests.gpu_job.comparison.danced import late, mirrored, silent, taken, without
from tests.shared.media_files import Recipe, write


def compared(students: Sequence[Take], teachers: Sequence[Take], *, is_sure: bool = True):
    (answer,) = CompareInference().infer([Loaded(students, teachers, is_sure, (), {}, {})])
    return answer.dancers


def scores(dancers) -> list[float]:
    return [dancer.comparison.overall.score for dancer in dancers]


@pytest.fixture(scope="module")
def couple() -> list[Take]:
    """Two who dance something else to the same song."""
    return [taken(0), taken(1)]


def test_one_dancer_is_held_against_one(couple):
    (dancer,) = compared(couple[:1], couple[:1])
    assert dancer.role == "dancer"
    assert dancer.comparison.overall.score >= 99


def test_lead_is_held_against_lead_and_follow_against_follow(couple):
    dancers = compared(couple, couple)
    assert [dancer.role for dancer in dancers] == ["lead", "follow"]
    assert min(scores(dancers)) >= 99


def test_who_leads_is_not_turned_round_where_it_is_known(couple):
    assert max(scores(compared(couple[::-1], couple))) < 60


def test_where_it_is_not_known_who_leads_both_ways_are_tried_and_that_is_said(couple):
    dancers = compared(couple[::-1], couple, is_sure=False)
    assert min(scores(dancers)) >= 99
    assert all(WHO_LEADS in dancer.comparison.warnings for dancer in dancers)


def test_features_of_an_earlier_job_that_are_gone_by_now_are_no_teacher():
    ports = new_ports(Clock())
    before, mine = ready(ports, 1), ready(ports, 2)
    output = {"object": "gone", "sha256": "", "seconds": 0.0}
    for name in before.plan:
        ports.jobs.update_step(before.id, name, lambda step: replace(step, output=output))
    for name in mine.plan:
        kept = taken(0).audio if name == "audio" else taken(0).pose
        ports.blobs.create("features", name, kept.to_bytes(), "")
        output = {"object": name, "sha256": "", "seconds": 0.0}
        ports.jobs.update_step(mine.id, name, lambda step, output=output: replace(step, output=output))
    mine = replace(mine, kind=Kind.COMPARE, teacher=Recording(before.source, {}, before.id))
    with pytest.raises(NoTeacher):
        CompareInference().load(mine, ports.jobs.steps(mine.id), ports)


@pytest.mark.parametrize(("fields", "title", "letter"), [
    ({"label": "move-B"}, "move B", "B"),  # as releases told it that knew no names
    ({"label": "unknown", "names": [{"label": "spin", "confidence": 0.3}], "letter": "B"}, "move B", "B"),
    ({"label": "cross_body_lead", "names": [], "letter": "C"}, "cross body lead", "C"),
    ({"label": "unseen", "names": [], "letter": ""}, "unseen", ""),
])  # fmt: skip
def test_moves_of_an_earlier_job_are_known_by_what_it_told_of_them(fields, title, letter):
    ports = new_ports(Clock())
    before, mine = ready(ports, 1), ready(ports, 2)
    told = {"start_s": 0.5, "end_s": 4.5, "counts": 8, "confidence": 0.7, "probability": 1.0, "clip": None, **fields}
    ports.jobs.update(before.id, lambda job: job.started().done({"moves": [told]}))
    for job in (before, mine):
        _extracted(ports, job)
    mine = replace(mine, kind=Kind.COMPARE, media=MEDIA, teacher=Recording(before.source, MEDIA, before.id))
    (move,) = CompareInference().load(mine, ports.jobs.steps(mine.id), ports).moves
    assert (move.title, move.letter, move.counts) == (title, letter, 8)


def test_moves_that_nobody_has_told_are_found_by_the_methods_that_the_worker_has():
    ports = new_ports(Clock())
    before, mine = ready(ports, 1), ready(ports, 2)
    ports.jobs.update(before.id, lambda job: replace(job, kind=Kind.COMPARE))
    for job in (before, mine):
        _extracted(ports, job)
    known = Method("known", NoveltyModel(), Sure())
    mine = replace(mine, kind=Kind.COMPARE, media=MEDIA, teacher=Recording(before.source, MEDIA, before.id))
    moves = CompareInference(lambda _: known).load(mine, ports.jobs.steps(mine.id), ports).moves
    assert {move.title for move in moves} == {"lady turn"}


VIDEO = {"codec": "h264", "width": 64, "height": 48, "rotation": 0}
MEDIA = {"container": "mp4", "duration_s": 20.0, "video": VIDEO, "audio": None}


class Sure:
    """A namer that knows one move."""

    def names(self, _performance, edges):
        return [(Name("lady_turn", 0.9),)] * (len(edges) - 1)

    def told(self, names):
        return names[0]


def _extracted(ports, job):
    """Every step of the job's plan has left a dance of twenty seconds."""
    for name in job.plan:
        place, kept = f"{job.id}/{name}", taken(0).audio if name == "audio" else taken(0).pose
        ports.blobs.create("features", place, kept.to_bytes(), "")
        output = {"object": place, "sha256": "", "seconds": 0.0}
        ports.jobs.update_step(job.id, name, lambda step, output=output: replace(step, output=output))


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_video_that_is_gone_is_told_of_in_the_result_and_on_the_page(is_gone, couple, tmp_path):
    ports, video = new_ports(Clock()), write(tmp_path / "clip.mp4", Recipe(count=600)).read_bytes()
    teacher = ports.blobs.put("uploads", "lent/teacher.mp4", video)
    message = UploadFinalized(ports.blobs.put("uploads", "compare/me.mp4", video), {"teacher": teacher.name})
    handle(message, ports)
    job = ports.jobs.get(message.job_id)
    if is_gone:
        ports.blobs.put("uploads", teacher.name, video)
    facts = {"student": described(job.recording(POSE), ""), "teacher": described(job.recording(TEACHER), "")}
    loaded, inference = Loaded(couple[:1], couple[:1], True, (), facts, {}), CompareInference()
    result = inference.record(job, loaded, inference.infer([loaded])[0], ports)
    told = [{"code": OVERLAY_INCOMPLETE.code, "message": OVERLAY_INCOMPLETE.message}]
    assert result["warnings"] == (told if is_gone else [])
    page = ports.blobs.read("results", result["objects"]["report"]).decode()
    assert (OVERLAY_INCOMPLETE.message in page) == is_gone


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("other", [11, 12, 13])
def test_a_couple_has_one_alignment_though_one_of_them_dances_something_else(other, is_mirrored):
    teachers = [silent(taken(seed)) for seed in (0, 1)]
    students = [silent(late(taken(seed), 15)) for seed in (0, other)]

    lead, follow = compared([mirrored(one) for one in students] if is_mirrored else students, teachers)

    laid, other_laid = lead.comparison.alignment, follow.comparison.alignment
    assert laid.offset_s == other_laid.offset_s == pytest.approx(1, abs=0.1)
    assert laid.tempo_ratio == other_laid.tempo_ratio
    assert laid.mirrored is other_laid.mirrored is is_mirrored
    assert scores([lead])[0] > 90


def test_who_is_not_seen_does_not_change_how_a_couple_is_laid():
    teachers = [silent(taken(0)), silent(taken(1))]
    students = [silent(late(taken(0), 15)), silent(without(taken(1), list(range(33))))]

    lead, follow = compared(students, teachers)

    assert lead.comparison.alignment.offset_s == pytest.approx(1, abs=0.1)
    assert lead.comparison.alignment.confidence == pytest.approx(
        compared(students[:1], teachers[:1])[0].comparison.alignment.confidence
    )
    assert follow.comparison.overall.score is None
