"""Who is held against whom, and what is left of a job's objects."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gpu_job.comparison.findings import Take
from gpu_job.comparison.inference import WHO_LEADS, CompareInference, Loaded
from shared.errors import NoTeacher
from shared.job import Kind, Recording
from tests.functions.support import Clock, new_ports, ready
from tests.gpu_job.comparison.danced import taken


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
