"""The security rules, as the emulator applies them: who may do what, and what may be written."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.cloud.firestore_v1 import Client
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from shared.errors import Unavailable
from shared.gcp.watching import snapshots
from shared.job import Kind
from shared.library import Difficulty, Energy, Style
from shared.options import OPTIONS
from tests.contracts.indexes import indexes_declared, indexes_used
from tests.contracts.schema import described_fields
from tests.infra.gcp.asking import RULES, Database, Verdict, token
from tests.infra.gcp.matrix import (
    ASKINGS,
    CASES,
    DEVICE,
    FORGERIES,
    HERS,
    HIS,
    JOB,
    PROFILE,
    WISH,
    WRITINGS,
    Asking,
    Case,
    Who,
    Writing,
    answer,
    ask_everything,
    asked,
    own_jobs,
    tokens,
)

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(60)]


def a_database(host: str) -> Database:
    """A project of its own with our rules."""
    database = Database(host, f"demo-{uuid.uuid4().hex[:12]}")
    assert database.load("firestore.rules") == []
    return database


@pytest.fixture(scope="module")
def server(firestore_host: str) -> Database:
    return a_database(firestore_host)


@pytest.fixture
def owner(server: Database) -> Database:
    return server.asked_by(tokens(server.project)[Who.OWNER])


@pytest.fixture
def other(server: Database) -> Database:
    return server.asked_by(tokens(server.project)[Who.OTHER])


# Who may do what


@pytest.mark.parametrize("case", CASES, ids=str)
def test_everybody_may_do_what_the_matrix_says_and_nothing_else(case: Case, server: Database) -> None:
    assert asked(case, server) is (Verdict.ALLOWED if case.is_allowed else Verdict.DENIED)


@pytest.mark.parametrize("asking", ASKINGS, ids=lambda asking: asking.reason)
def test_a_list_is_of_what_is_ones_own_and_has_an_end(asking: Asking, owner: Database) -> None:
    assert answer(asking, owner) is (Verdict.ALLOWED if asking.is_allowed else Verdict.DENIED)


def test_nobody_else_s_jobs_are_in_a_list_of_ones_own(server: Database, other: Database) -> None:
    server.put("jobs/hers", JOB)
    server.put("jobs/his", {**JOB, "owner": HIS})
    found = [each["document"]["name"] for each in other.found("jobs", own_jobs(HIS)).json()]
    assert [name.rpartition("/")[2] for name in found] == ["his"]


def test_a_job_that_is_still_to_come_may_be_waited_for(owner: Database, server: Database) -> None:
    assert owner.get("jobs/still-to-come") is Verdict.ALLOWED
    assert server.asked_by("").get("jobs/still-to-come") is Verdict.DENIED


def test_a_job_of_nobodys_is_nobodys_to_read(server: Database, owner: Database) -> None:
    server.put("jobs/nobodys", {**JOB, "owner": ""})
    assert owner.get("jobs/nobodys") is Verdict.DENIED
    assert server.asked_by("").get("jobs/nobodys") is Verdict.DENIED


@pytest.mark.parametrize("claims", FORGERIES, ids=str)
def test_a_token_that_is_not_firebases_opens_nothing(claims: dict[str, Any], server: Database) -> None:
    server.put("jobs/0123", JOB)
    forged = server.asked_by(token(HERS, server.project, **claims))
    assert forged.get("jobs/0123") is Verdict.DENIED
    assert forged.get("library/basic-01") is Verdict.DENIED


@pytest.mark.parametrize("junk", ["junk", "a.b.c", "null"])
def test_a_token_that_is_none_opens_nothing(junk: str, server: Database) -> None:
    assert server.asked_by(junk).get("library/basic-01") is not Verdict.ALLOWED


def test_claims_that_google_does_not_hand_on_are_not_missed(server: Database) -> None:
    """Its reference promises neither issuer nor expiry to the rules: it has verified them before."""
    without = server.asked_by(token(HERS, server.project, iss=None, exp=None))
    assert without.get("users/maria") is Verdict.ALLOWED


# What may be written


@pytest.mark.parametrize("writing", WRITINGS, ids=lambda writing: writing.reason)
def test_only_what_is_fit_is_kept_of_what_a_user_writes(writing: Writing, server: Database, owner: Database) -> None:
    expected = Verdict.ALLOWED if writing.is_fit else Verdict.DENIED
    server.delete(writing.path)
    assert owner.create(writing.path, writing.fields) is expected
    server.put(writing.path, writing.fields)
    assert owner.update(writing.path, writing.fields) is expected


def test_what_users_write_has_the_fields_that_the_schema_describes() -> None:
    described = described_fields()
    for path, fields in (("", PROFILE), ("/wishes/{wishId}", WISH), ("/devices/{deviceId}", DEVICE)):
        assert described[f"users/{{uid}}{path}"] == set(fields)


def test_a_wish_may_be_whatever_intake_accepts() -> None:
    choices = {
        "difficulty": {str(one) for one in Difficulty},
        "energy": {*(str(one) for one in Energy), "auto"},
        "style": {str(one) for one in Style},
    }
    fit = [writing.fields for writing in WRITINGS if writing.is_fit and "/wishes/" in writing.path]
    assert {name: {fields[name] for fields in fit if name in fields} for name in choices} == choices
    assert choices.keys() <= OPTIONS[Kind.CHOREOGRAPH].keys()


# Listening


class Bearer(grpc.StreamStreamClientInterceptor):
    """Listens by a token."""

    def __init__(self, token: str) -> None:
        self._metadata = ("authorization", f"Bearer {token}")

    def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        metadata = [*(client_call_details.metadata or ()), self._metadata]
        return continuation(client_call_details._replace(metadata=metadata), request_iterator)


@pytest.fixture
def listening(server: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[Who], Client]:
    """A client whose listeners are somebody's."""

    def client_of(who: Who) -> Client:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", server.host)
        client = Client(project=server.project)
        channel = grpc.insecure_channel(server.host)
        theirs = grpc.intercept_channel(channel, Bearer(tokens(server.project)[who]))
        client._firestore_api_internal = FirestoreClient(transport=FirestoreGrpcTransport(channel=theirs))
        return client

    return client_of


def test_an_owner_hears_of_her_job_from_before_it_exists(listening: Callable[[Who], Client], server: Database) -> None:
    with snapshots(listening(Who.OWNER).document("jobs/awaited")) as heard:
        assert next(heard) is None
        server.put("jobs/awaited", JOB)
        assert (next(heard) or {})["owner"] == HERS


@pytest.mark.parametrize("who", [Who.OTHER, Who.EXPIRED, Who.FORGED])
def test_another_does_not_hear_of_it(who: Who, listening: Callable[[Who], Client], server: Database) -> None:
    server.put("jobs/0123", JOB)
    with snapshots(listening(who).document("jobs/0123")) as heard, pytest.raises(Unavailable, match="broke off"):
        next(heard)


# Everything at once


@pytest.fixture(scope="module")
def everything(firestore_host: str) -> Database:
    """Another project, of which everything in the tables was asked."""
    server = a_database(firestore_host)
    ask_everything(server)
    return server


def test_every_expression_of_the_rules_is_asked_and_every_condition_was_both_true_and_false(
    everything: Database,
) -> None:
    expressions = everything.coverage()
    assert len(expressions) > 100
    assert [(each.line, each.text) for each in expressions if not each.values] == []
    assert [(each.line, each.text) for each in expressions if each.values == {True} or each.values == {False}] == []


def test_phones_need_no_index_that_is_not_declared(everything: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", everything.host)
    used = indexes_used(everything.project)
    assert used == {("jobs", (("owner", "ASCENDING"), ("createdAt", "DESCENDING")))}
    assert used <= indexes_declared()


# As files


@pytest.mark.parametrize("name", ["firestore.rules", "storage.rules"])
def test_the_rules_compile_without_a_warning(name: str, firestore_host: str, project: str) -> None:
    assert Database(firestore_host, project).load(name) == []


def test_no_bucket_is_open_to_phones() -> None:
    """The emulator compiles the rules of buckets, but has no buckets to apply them to."""
    rules = (RULES / "storage.rules").read_text()
    assert re.findall(r"allow .*", rules) == ["allow read, write: if false;"]
    assert "match /{object=**}" in rules
