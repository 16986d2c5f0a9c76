"""What the job store in Firestore keeps to beyond the contract: pace, lost answers, listeners, the documents."""

import itertools
import os
import time
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import grpc
import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from shared.errors import Conflict, NotFound, TransientError, Unavailable
from shared.gcp import optimistic
from shared.gcp.firestore import FirestoreJobStore
from shared.job import SCHEMA, Failure, Job, State, Step
from shared.ports import Place
from tests.contracts.indexes import indexes_declared, indexes_used
from tests.contracts.makers import a_job, at_once, counted
from tests.contracts.schema import described_fields

KEEP = timedelta(days=30)
LEASE = timedelta(minutes=10)

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(60)]


@pytest.fixture
def jobs(firestore_project: str) -> Generator[FirestoreJobStore]:
    yield from opened(FirestoreJobStore(firestore_project, KEEP, pace=timedelta(0)))


@pytest.fixture
def paced(firestore_project: str) -> Generator[FirestoreJobStore]:
    yield from opened(FirestoreJobStore(firestore_project, KEEP))


def opened(store: FirestoreJobStore) -> Generator[FirestoreJobStore]:
    yield store
    store.client.close()


def claim(step: Step) -> Step:
    return step.claimed(datetime.now(UTC), LEASE, max_attempts=3)


def document(store: FirestoreJobStore, path: str) -> Any:
    return store.client.document(path).get()


# Pace


def test_updates_of_one_document_are_a_second_apart(paced: FirestoreJobStore) -> None:
    written = [paced.create(a_job()), *(paced.update(a_job().id, counted) for _ in range(2))]
    assert are_a_second_apart(written)


def test_writers_at_once_keep_the_pace_and_all_get_their_turn(paced: FirestoreJobStore) -> None:
    paced.create(a_job())
    written = at_once(*[lambda: paced.update(a_job().id, counted)] * 3)
    by_turn = sorted(written, key=lambda job: job.result["count"])
    assert [job.result["count"] for job in by_turn] == [1, 2, 3]
    assert are_a_second_apart(by_turn)


def are_a_second_apart(jobs: list[Job]) -> bool:
    """But for the milliseconds between Firestore's stamp and its writing."""
    stamps = [job.updated_at for job in jobs if job.updated_at]
    gaps = [after - before for before, after in itertools.pairwise(stamps)]
    return len(gaps) == len(jobs) - 1 and min(gaps) > timedelta(seconds=0.98)


def test_what_writes_nothing_does_not_wait(paced: FirestoreJobStore) -> None:
    paced.create(a_job())
    began = time.monotonic()
    paced.update(a_job().id, lambda job: job)
    assert time.monotonic() - began < 0.9


def test_an_offer_is_forgone_within_a_second_and_taken_up_after(paced: FirestoreJobStore) -> None:
    job = paced.create(a_job())
    began = time.monotonic()
    paced.offer(job.id, counted)
    assert time.monotonic() - began < 0.9
    assert paced.get(job.id) == job
    time.sleep(1.05)
    paced.offer(job.id, counted)
    assert paced.get(job.id).result == {"count": 1}


def test_offers_are_read_for_at_most_once_a_second(paced: FirestoreJobStore) -> None:
    paced.create(a_job())
    time.sleep(1.05)
    asked: list[Job] = []

    def counting(job: Job) -> Job:
        asked.append(job)
        return job

    for _ in range(10):
        paced.offer(a_job().id, counting)
    assert len(asked) == 1


def test_an_offer_gives_way_to_a_writer_at_the_same_moment(jobs: FirestoreJobStore) -> None:
    job = jobs.create(a_job())

    def overtaken(held: Job) -> Job:
        if not held.result:
            jobs.update(job.id, lambda other: replace(other, result={"by": "the other"}))
        return replace(held, result={"by": "the offer"})

    jobs.offer(job.id, overtaken)
    assert jobs.get(job.id).result == {"by": "the other"}


def test_a_writer_that_others_always_overtake_gives_up(
    jobs: FirestoreJobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimistic, "MAX_TRIES", 3)
    job = jobs.create(a_job())
    tries: list[Job] = []

    def overtaken(held: Job) -> Job:
        tries.append(held)
        jobs.client.document(f"jobs/{job.id}").update({"owner": f"owner {len(tries)}"})
        return counted(held)

    with pytest.raises(Conflict, match=f"jobs/{job.id}"):
        jobs.update(job.id, overtaken)
    assert [held.owner for held in tries] == ["maria", "owner 1", "owner 2"]
    assert jobs.get(job.id).result == {}


# Lost answers


@grpc.Call.register
class LineBroken(grpc.RpcError):
    """How gRPC tells it: an error that is the call as well."""

    def __init__(self, status: grpc.StatusCode) -> None:
        super().__init__()
        self.status = status

    def result(self, *_: Any) -> NoReturn:
        raise self

    def code(self) -> grpc.StatusCode:
        return self.status

    def details(self) -> str:
        return "the line broke"

    def trailing_metadata(self) -> tuple[()]:
        return ()


class LostAnswer(grpc.UnaryUnaryClientInterceptor):
    """The first write is carried out, but its answer is lost."""

    def __init__(self) -> None:
        self.is_lost = False

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = continuation(client_call_details, request)
        if self.is_lost or not client_call_details.method.endswith("/Commit"):
            return call
        call.result()
        self.is_lost = True
        return LineBroken(grpc.StatusCode.UNAVAILABLE)


class NoAnswer(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, *_: Any) -> Any:
        return LineBroken(grpc.StatusCode.DEADLINE_EXCEEDED)


def over(interceptor: Any, jobs: FirestoreJobStore) -> None:
    plain = grpc.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])
    transport = FirestoreGrpcTransport(channel=grpc.intercept_channel(plain, interceptor))
    jobs.client._firestore_api_internal = FirestoreClient(transport=transport)


def test_an_update_whose_answer_was_lost_is_applied_once(jobs: FirestoreJobStore) -> None:
    job = jobs.create(a_job())
    line = LostAnswer()
    over(line, jobs)
    assert jobs.update(job.id, counted).result == {"count": 1}
    assert line.is_lost
    assert jobs.get(job.id).result == {"count": 1}


def test_a_claim_whose_answer_was_lost_is_not_taken_for_anothers(jobs: FirestoreJobStore) -> None:
    line = LostAnswer()
    over(line, jobs)
    assert jobs.update_step("job", "audio", claim).attempt == 1
    assert line.is_lost


def test_a_job_whose_creation_was_not_answered_is_adopted(jobs: FirestoreJobStore) -> None:
    line = LostAnswer()
    over(line, jobs)
    assert jobs.create(a_job()).owner == "maria"
    assert line.is_lost


def test_a_firestore_that_does_not_answer_is_unavailable(jobs: FirestoreJobStore) -> None:
    over(NoAnswer(), jobs)
    with pytest.raises(Unavailable, match="Firestore does not answer"):
        jobs.create(a_job())


# Listeners


def test_a_watcher_is_told_that_its_job_was_deleted(jobs: FirestoreJobStore) -> None:
    job = jobs.create(a_job())
    with jobs.watch(job.id) as changes:
        assert next(changes) == job
        jobs.client.document(f"jobs/{job.id}").delete()
        with pytest.raises(NotFound):
            next(changes)


def test_a_listener_that_the_server_refuses_does_not_hang(jobs: FirestoreJobStore) -> None:
    reserved = "__reserved__"
    with jobs.watch(reserved) as changes, pytest.raises(Unavailable, match="listener broke off"):
        next(changes)


def test_a_writer_that_leaves_a_job_as_it_was_is_no_news(jobs: FirestoreJobStore) -> None:
    job = jobs.create(a_job())
    with jobs.watch(job.id) as changes:
        assert next(changes) == job
        jobs.client.document(f"jobs/{job.id}").update({"fieldOfALaterRelease": 1})
        changed = jobs.update(job.id, counted)
        assert next(changes) == changed


# Documents


def test_documents_have_the_fields_that_the_schema_describes(jobs: FirestoreJobStore) -> None:
    job = jobs.create(a_job(error=Failure("TOO_LONG", "The video is too long.")))
    jobs.update_step(job.id, "audio", claim)
    jobs.update_executor(0, claim)
    described = described_fields()
    job_fields = document(jobs, f"jobs/{job.id}").to_dict()
    assert set(job_fields) == described["jobs/{jobId}"]
    assert set(job_fields["source"]) == described["source"]
    assert set(job_fields["error"]) == described["error"]
    assert set(document(jobs, f"jobs/{job.id}/steps/audio").to_dict()) == described["jobs/{jobId}/steps/{step}"]
    assert set(document(jobs, "executors/0").to_dict()) == described["executors/{slot}"]


def test_steps_expire_and_executors_do_not(jobs: FirestoreJobStore) -> None:
    jobs.update_step("job", "audio", claim)
    jobs.update_executor(0, claim)
    expiry = document(jobs, "jobs/job/steps/audio").get("expireAt")
    assert abs(expiry - datetime.now(UTC) - KEEP) < timedelta(minutes=1)
    assert "expireAt" not in document(jobs, "executors/0").to_dict()


def test_a_document_of_a_later_release_is_left_to_it(jobs: FirestoreJobStore) -> None:
    job = jobs.create(a_job())
    jobs.client.document(f"jobs/{job.id}").update({"schema": SCHEMA + 1})
    with pytest.raises(TransientError, match="later"):
        jobs.update(job.id, counted)


@pytest.mark.parametrize("news", [{"schema": SCHEMA + 1}, {"kind": "of-a-later-release"}])
def test_a_job_of_a_later_release_keeps_this_one_from_no_other(
    jobs: FirestoreJobStore, news: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    later = jobs.create(replace(a_job(state=State.READY), id="later"))
    mine = jobs.create(a_job(state=State.READY))
    jobs.client.document(f"jobs/{later.id}").update(news)
    with pytest.raises(TransientError, match="a release later"):
        jobs.get(later.id)
    assert jobs.backlog(limit=9) == [mine]
    assert jobs.stale(datetime.now(UTC) + timedelta(hours=1), limit=9) == [mine]
    assert "passed over: later" in caplog.text


def test_fields_that_this_release_does_not_know_are_kept(jobs: FirestoreJobStore) -> None:
    job = jobs.create(a_job())
    jobs.client.document(f"jobs/{job.id}").update({"fieldOfALaterRelease": 1})
    jobs.update(job.id, counted)
    assert document(jobs, f"jobs/{job.id}").get("fieldOfALaterRelease") == 1


# Indexes


def test_the_declared_indexes_are_those_that_the_queries_need(jobs: FirestoreJobStore) -> None:
    jobs.create(a_job(state=State.READY))
    jobs.backlog(limit=1)
    jobs.stale(datetime.now(UTC), limit=1)
    jobs.of_owner("maria", limit=20, after=Place(datetime.now(UTC), "0" * 32))  # as a client shows its user, too
    assert indexes_used(jobs.client.project) == indexes_declared()
