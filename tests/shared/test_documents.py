"""Jobs and steps survive their way through documents of plain dictionaries."""

from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest
from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TransientError
from shared.gcp.documents import instant, job_document, job_of, plain, step_document, step_of
from shared.job import SCHEMA, Failure, Job, Kind, Recording, Source, State, Step, StepState

INSTANTS = st.datetimes(timezones=st.just(UTC))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)
MAPS = st.dictionaries(st.text(), JSON, max_size=3)
FAILURES = st.one_of(st.none(), st.builds(Failure, st.text(), st.text()))
SOURCES = st.builds(Source, st.text(), st.text(), st.integers(0, 2**53), st.integers(0), st.text())
JOBS = st.builds(
    Job,
    id=st.text(),
    kind=st.sampled_from(Kind),
    owner=st.text(),
    source=SOURCES,
    created_at=INSTANTS,
    expire_at=INSTANTS,
    options=MAPS,
    state=st.sampled_from(State),
    stage=st.text(),
    progress=st.floats(0, 1),
    media=MAPS,
    plan=st.dictionaries(st.text(), st.dictionaries(st.text(), st.integers())),
    error=FAILURES,
    result=MAPS,
    teacher=st.one_of(st.none(), st.builds(Recording, SOURCES, MAPS, st.text())),
    looked_after=st.integers(0, 2**53),
    updated_at=INSTANTS,
)
STEPS = st.builds(
    Step,
    st.text(),
    st.sampled_from(StepState),
    st.integers(0),
    st.one_of(st.none(), INSTANTS),
    MAPS,
    FAILURES,
)


@given(JOBS)
def test_a_job_is_read_as_it_was_written(job: Job) -> None:
    assert job_of(job.id, {**job_document(job), "updatedAt": job.updated_at}) == job


@given(STEPS)
def test_a_step_is_read_as_it_was_written(step: Step) -> None:
    assert step_of(step.name, step_document(step)) == step


@given(JOBS, STEPS)
def test_documents_hold_nothing_that_firestore_does_not_know(job: Job, step: Step) -> None:
    assert kinds(job_document(job)) | kinds(step_document(step)) <= {dict, list, str, int, float, bool, datetime, NONE}


NONE = type(None)


def kinds(value: object) -> set[type]:
    """The very types in it: an enumeration's member is not taken for a string."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return {type(value)}.union(*map(kinds, inner))


def test_frozen_mappings_and_tuples_become_plain() -> None:
    frozen = MappingProxyType({"moves": (MappingProxyType({"counts": (1, 8)}),), 3: None})
    assert plain(frozen) == {"moves": [{"counts": [1, 8]}], "3": None}


@pytest.mark.parametrize("past", [0, 1])
def test_a_document_of_a_later_schema_is_left_alone(past: int) -> None:
    document = {**step_document(Step("audio")), "schema": SCHEMA + past}
    if past:
        with pytest.raises(TransientError, match=f"schema {SCHEMA + past}"):
            step_of("audio", document)
    else:
        assert step_of("audio", document) == Step("audio")


def test_firestores_instants_become_plain_ones() -> None:
    stamp = DatetimeWithNanoseconds(2026, 3, 1, 12, 0, 0, nanosecond=123_456_000, tzinfo=UTC)
    assert type(instant(stamp)) is datetime
    assert instant(stamp) == datetime(2026, 3, 1, 12, 0, 0, 123_456, UTC)
    elsewhere = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    assert instant(elsewhere) == datetime(2026, 3, 1, 12, tzinfo=UTC)
