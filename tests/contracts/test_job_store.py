"""What every JobStore keeps to."""

import time
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Timer
from typing import NoReturn

import pytest

from shared.errors import NotFound, PermanentError, StepBusy
from shared.gcp.firestore import FirestoreJobStore
from shared.job import Failure, Job, State, Step, StepState
from shared.memory import MemoryJobStore
from shared.ports import JobStore, Place
from tests.contracts.makers import CREATED, a_job, at_once, counted

LEASE = timedelta(minutes=10)
NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)
PLAN = {"audio": {}, "pose-00": {"start": 0, "stop": 900}}
FAILURE = Failure("TOO_LONG", "The video is too long.")
NESTED = {
    "tempo": 126.5,
    "whole": 8,
    "exact": 0.1 + 0.2,
    "none": None,
    "yes": True,
    "empty": {},
    "nothing": [],
    "dotted.name/with `signs`": {"deep": {"deeper": {"deepest": [1, 2.5, "drei"]}}},
    "moves": [{"start_s": 0.0, "label": "básico", "curve": [0.25, 1.0]}, {"start_s": 3.8, "label": "", "curve": []}],
    "at": datetime(2026, 3, 1, 12, 0, 0, 1, UTC),
}

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
def jobs(request: pytest.FixtureRequest) -> Generator[JobStore]:
    if request.param == "memory":
        yield MemoryJobStore()
        return
    store = FirestoreJobStore(request.getfixturevalue("firestore_project"), timedelta(days=30), pace=timedelta(0))
    yield store
    store.client.close()


def claim(step: Step) -> Step:
    return step.claimed(NOW, LEASE, max_attempts=3)


def refuse(_: object) -> NoReturn:
    raise PermanentError("no")


# Jobs


def test_a_job_comes_back_as_it_was_kept(jobs: JobStore) -> None:
    job = a_job(
        trace="4b" * 16,
        options={"counts": 8.0, "style": "sensual"},
        media=NESTED,
        plan=PLAN,
        result=NESTED,
        error=FAILURE,
    )
    kept = jobs.create(job)
    assert replace(kept, updated_at=None) == job
    assert jobs.get(job.id) == kept


def test_the_end_of_a_job_is_told_once_however_many_write_it(jobs: JobStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    job = jobs.create(a_job(state=State.RUNNING, trace="4bf92f3577b34da6a3ce929d0e0e4736"))
    at_once(*[lambda: jobs.update(job.id, lambda now: now.failed(FAILURE))] * 3)
    told = [record.measures for record in caplog.records if hasattr(record, "measures")]
    assert [(each["event"], each["code"]) for each in told] == [("job_settled", "TOO_LONG")]
    assert told[0]["seconds_to_result"] > 0


def test_every_field_of_a_changed_job_comes_back(jobs: JobStore) -> None:
    job = jobs.create(a_job(options={"style": "sensual"}, media=NESTED))
    changed = jobs.update(job.id, lambda job: replace(job.planned(PLAN, {}), result=NESTED, error=FAILURE))
    assert changed == jobs.get(job.id)
    assert replace(changed, updated_at=None) == replace(
        job.planned(PLAN, {}), result=NESTED, error=FAILURE, updated_at=None
    )


def test_instants_are_plain_datetimes_in_utc(jobs: JobStore) -> None:
    job = jobs.create(a_job())
    for instant in (job.created_at, job.expire_at, job.updated_at, jobs.get(job.id).updated_at):
        assert type(instant) is datetime
        assert instant.utcoffset() == timedelta(0)


def test_a_job_that_was_kept_before_stays_as_it_is(jobs: JobStore) -> None:
    first = jobs.create(a_job(owner="maria"))
    assert jobs.create(a_job(owner="another")) == first
    assert jobs.get(first.id) == first


def test_of_many_that_create_a_job_at_once_one_wins(jobs: JobStore) -> None:
    kept = at_once(*(lambda i=i: jobs.create(a_job(owner=f"owner {i}")) for i in range(8)))
    assert len({job.owner for job in kept}) == 1


def test_a_job_that_nobody_created_is_not_found(jobs: JobStore) -> None:
    with pytest.raises(NotFound):
        jobs.get("unknown")
    with pytest.raises(NotFound):
        jobs.update("unknown", counted)
    with pytest.raises(NotFound):
        jobs.offer("unknown", counted)


def test_a_write_is_stamped_later_than_the_one_before(jobs: JobStore) -> None:
    job = jobs.create(a_job())
    time.sleep(0.01)
    changed = jobs.update(job.id, counted)
    assert job.updated_at is not None
    assert changed.updated_at is not None
    assert changed.updated_at > job.updated_at


def test_updates_at_once_are_each_applied_exactly_once(jobs: JobStore) -> None:
    job = jobs.create(a_job())

    def five_times() -> list[int]:
        return [jobs.update(job.id, counted).result["count"] for _ in range(5)]

    seen = at_once(*[five_times] * 8)
    assert sorted(count for counts in seen for count in counts) == list(range(1, 41))
    assert jobs.get(job.id).result == {"count": 40}


def test_a_change_that_raises_writes_nothing(jobs: JobStore) -> None:
    job = jobs.create(a_job())
    with pytest.raises(PermanentError, match="no"):
        jobs.update(job.id, refuse)
    assert jobs.get(job.id) == job


def test_a_change_that_changes_nothing_writes_nothing(jobs: JobStore) -> None:
    job = jobs.create(a_job())
    time.sleep(0.01)
    assert jobs.update(job.id, lambda job: replace(job)) == job
    assert jobs.get(job.id).updated_at == job.updated_at


def test_an_offer_is_taken_up_where_nobody_wrote_just_now(jobs: JobStore) -> None:
    job = jobs.create(a_job())
    jobs.offer(job.id, counted)
    assert jobs.get(job.id).result == {"count": 1}


# Steps and executors


def test_a_step_that_nobody_began_is_waiting_and_not_kept(jobs: JobStore) -> None:
    assert jobs.update_step("job", "audio", lambda step: step) == Step("audio")
    assert jobs.steps("job") == {}


def test_steps_come_back_as_they_were_kept_by_name(jobs: JobStore) -> None:
    jobs.update_step("job", "audio", claim)
    done = jobs.update_step("job", "audio", lambda step: step.finished(1, NESTED))
    failed = jobs.update_step("job", "pose-00", lambda step: claim(step).failed(1, FAILURE))
    running = jobs.update_step("job", "pose-01", claim)
    jobs.update_step("another job", "audio", claim)
    assert done == Step("audio", StepState.DONE, 1, None, NESTED)
    assert failed == Step("pose-00", StepState.FAILED, 1, None, {}, FAILURE)
    assert running == Step("pose-01", StepState.RUNNING, 1, NOW + LEASE)
    assert jobs.steps("job") == {"audio": done, "pose-00": failed, "pose-01": running}


def test_of_many_that_claim_a_step_at_once_one_gets_it(jobs: JobStore) -> None:
    def claimed() -> Step | None:
        try:
            return jobs.update_step("job", "audio", claim)
        except StepBusy:
            return None

    winners = [step for step in at_once(*[claimed] * 8) if step]
    assert winners == [Step("audio", StepState.RUNNING, 1, NOW + LEASE)]


def test_a_refused_claim_writes_nothing(jobs: JobStore) -> None:
    held = jobs.update_step("job", "audio", claim)
    with pytest.raises(StepBusy):
        jobs.update_step("job", "audio", claim)
    assert jobs.steps("job") == {"audio": held}


def test_a_step_may_be_done_before_anybody_asks_for_its_job(jobs: JobStore) -> None:
    jobs.update_step("job", "audio", claim)
    with pytest.raises(NotFound):
        jobs.get("job")


def test_each_executor_is_a_lease_of_its_own(jobs: JobStore) -> None:
    assert jobs.update_executor(0, lambda slot: slot) == Step("executor-0")
    assert jobs.update_executor(0, claim) == Step("executor-0", StepState.RUNNING, 1, NOW + LEASE)
    with pytest.raises(StepBusy):
        jobs.update_executor(0, claim)
    assert jobs.update_executor(1, claim).name == "executor-1"
    released = jobs.update_executor(0, lambda slot: slot.released(1))
    assert (released.state, released.attempt) == (StepState.WAITING, 1)


# Queries


def test_the_backlog_is_what_is_ready_or_running_oldest_first(jobs: JobStore) -> None:
    for i, state in enumerate([*State, *State]):
        jobs.create(a_job(i, state=state, created_at=CREATED - timedelta(hours=i)))
    found = [(job.created_at, job.state) for job in jobs.backlog(limit=100)]
    assert found == sorted(found)
    assert [state for _, state in found] == [State.RUNNING, State.READY] * 2
    assert [(job.created_at, job.state) for job in jobs.backlog(limit=3)] == found[:3]


def test_stale_is_what_is_not_settled_and_was_written_before_longest_unwritten_first(jobs: JobStore) -> None:
    old, older, settled, young = [spaced(jobs, a_job(i)) for i in range(4)]
    jobs.update(settled.id, Job.cancelled)
    old = rewritten(jobs, old)
    young = rewritten(jobs, young)
    assert young.updated_at is not None
    assert [job.id for job in jobs.stale(young.updated_at, limit=9)] == [older.id, old.id]
    assert [job.id for job in jobs.stale(young.updated_at, limit=1)] == [older.id]
    assert jobs.stale(CREATED, limit=9) == []


def spaced(jobs: JobStore, job: Job) -> Job:
    """Kept, and stamped visibly later than the one before."""
    time.sleep(0.01)
    return jobs.create(job)


def rewritten(jobs: JobStore, job: Job) -> Job:
    time.sleep(0.01)
    return jobs.update(job.id, counted)


def test_an_owners_jobs_come_latest_first(jobs: JobStore) -> None:
    for i, owner in enumerate(["maria", "carmen", "maria", "", "maria"]):
        jobs.create(a_job(i, owner=owner, created_at=CREATED + timedelta(hours=i)))
    found = jobs.of_owner("maria", limit=9)
    assert [job.source.generation for job in found] == [4, 2, 0]
    assert jobs.of_owner("maria", limit=2) == found[:2]
    assert jobs.of_owner("eve", limit=9) == []


def test_an_owners_jobs_are_turned_over_page_by_page(jobs: JobStore) -> None:
    """Also those that came at the same moment, and behind one that was deleted meanwhile."""
    for i in range(7):
        jobs.create(a_job(i, created_at=CREATED + timedelta(hours=i // 3)))
    whole = jobs.of_owner("maria", limit=9)
    last = whole[3]
    jobs.delete(last.id)
    pages = [jobs.of_owner("maria", 9, Place(last.created_at, last.id)), jobs.of_owner("maria", 3)]
    assert pages == [whole[4:], whole[:3]]


# Deleting


def test_a_job_is_deleted_with_its_steps(jobs: JobStore) -> None:
    job, other = jobs.create(a_job(1)), jobs.create(a_job(2))
    for each in (job, other):
        jobs.update_step(each.id, "audio", claim)
    for _ in range(2):
        jobs.delete(job.id)
        with pytest.raises(NotFound):
            jobs.get(job.id)
        assert jobs.steps(job.id) == {}
    assert jobs.get(other.id) == other
    assert set(jobs.steps(other.id)) == {"audio"}


def test_the_steps_of_no_job_are_deleted_too(jobs: JobStore) -> None:
    """As a worker leaves them that outlived its job."""
    jobs.update_step("job", "audio", claim)
    jobs.delete("job")
    assert jobs.steps("job") == {}


# Watching


def test_a_watcher_sees_every_state_up_to_the_last(jobs: JobStore) -> None:
    job = jobs.create(a_job())
    way = [lambda job: job.planned(PLAN, {}), Job.sealed, Job.started, lambda job: job.done({"moves": []})]
    with jobs.watch(job.id) as changes:
        seen = [next(changes)]
        for change in way:
            written = jobs.update(job.id, change)
            seen.append(next(changes))
            assert seen[-1] == written
        assert list(changes) == []
    assert [job.state for job in seen] == [
        State.RECEIVED,
        State.EXTRACTING,
        State.READY,
        State.RUNNING,
        State.DONE,
    ]


def test_a_watcher_waits_until_the_job_exists(jobs: JobStore) -> None:
    timer = Timer(0.3, jobs.create, [a_job()])
    with jobs.watch(a_job().id) as changes:
        timer.start()
        assert next(changes).owner == "maria"
    timer.join()


def test_a_watcher_of_a_settled_job_sees_it_once(jobs: JobStore) -> None:
    job = jobs.create(a_job(state=State.FAILED, error=FAILURE))
    with jobs.watch(job.id) as changes:
        assert list(changes) == [job]


def test_a_watcher_may_leave_early(jobs: JobStore) -> None:
    job = jobs.create(a_job())
    with jobs.watch(job.id) as changes:
        assert next(changes) == job
    assert jobs.update(job.id, counted).result == {"count": 1}
