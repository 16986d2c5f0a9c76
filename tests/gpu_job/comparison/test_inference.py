"""Who is held against whom, and what is left of a job's objects."""

from collections.abc import Sequence

import pytest

from gpu_job.comparison.findings import Take
from gpu_job.comparison.inference import WHO_LEADS, CompareInference, Loaded
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
