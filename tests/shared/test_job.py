"""Whatever happens in whatever order: progress does not fall, what is settled stays, an overtaken worker is fenced."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.errors import DamagedFile, GaveUp, LostLease, NotFound, SourceGone, StepBusy, TooLong
from shared.job import (
    BACKLOG,
    SETTLED,
    STAGES,
    Failure,
    Job,
    Kind,
    Source,
    State,
    Step,
    StepState,
    failure_in,
    features_name,
    results_name,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LEASE = timedelta(minutes=10)
SOURCE = Source("uploads", "videos/salsa.mp4", 1, 1000, "video/mp4")
FAILURE = Failure.of(TooLong())
JOB = Job(SOURCE.job_id, Kind.SEGMENT, "maria", SOURCE, NOW, NOW + timedelta(days=30))
STEP = Step("audio")

TRANSITIONS = st.one_of(
    st.just(lambda job: job.planned({"audio": {}}, {"duration_s": 9.0}, {"counts": 8.0})),
    st.floats(-1, 2).map(lambda share: lambda job: job.extracted(share)),
    st.sampled_from([Job.sealed, Job.started, Job.cancelled]),
    st.floats(-1, 2).map(lambda share: lambda job: job.advanced("Making the video", share, {"plan": []})),
    st.just(lambda job: job.done({"moves": []})),
    st.just(lambda job: job.failed(FAILURE)),
)
WAY = [*State][:5]


@given(st.lists(TRANSITIONS, max_size=20))
def test_a_job_goes_forward_only_and_stays_where_it_settled(transitions: list) -> None:
    job = JOB
    for transition in transitions:
        after = transition(job)
        assert after.progress >= job.progress
        assert 0 <= after.progress <= 1
        assert after.stage in {STAGES[after.state], *(["Making the video"] if after.state is State.RUNNING else [])}
        assert after == job or not job.is_settled
        if job.state in WAY and after.state in WAY:
            assert WAY.index(after.state) >= WAY.index(job.state)
        job = after
    assert (job.error is not None) == (job.state is State.FAILED)
    assert job.result in ({}, {"plan": []}) or job.state is State.DONE


@given(st.lists(TRANSITIONS, max_size=10), TRANSITIONS)
def test_a_transition_that_runs_twice_does_as_once(before: list, transition) -> None:
    job = JOB
    for earlier in before:
        job = earlier(job)
    assert transition(transition(job)) == transition(job)


def test_the_whole_way_of_a_job() -> None:
    job = JOB.planned({"audio": {}}, {"duration_s": 9.0}, {"counts": 8.0})
    assert (job.state, job.progress, job.plan, job.media) == (
        State.EXTRACTING,
        0.05,
        {"audio": {}},
        {"duration_s": 9.0},
    )
    assert job.options == {"counts": 8.0}
    assert job.extracted(0.5).progress == pytest.approx(0.425)
    job = job.extracted(0.5).sealed()
    assert (job.state, job.progress, job.stage) == (State.READY, 0.8, "Waiting for its turn")
    job = job.started()
    assert (job.state, job.progress) == (State.RUNNING, 0.85)
    job = job.advanced("Making the video", 0.4, {"moves": []})
    assert (job.stage, job.progress, job.result) == ("Making the video", 0.91, {"moves": []})
    assert job.advanced("Painting", 0.2).progress == 0.91
    job = job.done({"moves": [1]})
    assert (job.state, job.progress, job.result) == (State.DONE, 1.0, {"moves": [1]})


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXTRACTING])
def test_only_what_is_being_extracted_can_be_sealed(state: State) -> None:
    job = replace(JOB, state=state)
    assert job.sealed() is job


def test_what_is_settled_and_what_waits_for_the_gpu() -> None:
    assert {state for state in State if replace(JOB, state=state).is_settled} == SETTLED
    assert not SETTLED & BACKLOG


def test_why_a_job_failed_is_a_code_and_a_sentence() -> None:
    failed = JOB.failed(FAILURE)
    assert failed.error == Failure("TOO_LONG", "The video is too long. Please upload a shorter part of it.")
    assert failed.failed(Failure("OTHER", "")) is failed


@given(st.sampled_from(["bucket", "name", "generation"]), st.integers(2, 9))
def test_another_generation_of_an_upload_is_another_job(field: str, value: int) -> None:
    other = replace(SOURCE, **{field: value if field == "generation" else f"other{value}"})
    assert other.job_id != SOURCE.job_id
    assert replace(SOURCE, size=value, content_type="?").job_id == SOURCE.job_id
    assert len(other.job_id) == 32
    assert int(other.job_id, 16) >= 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [("videos/a.mp4", Kind.SEGMENT), ("videos/maria/a.mp4", Kind.SEGMENT), ("a.mp4", None), ("other/a.mp4", None)],
)
def test_the_folder_says_what_is_wanted(name: str, kind: Kind | None) -> None:
    assert replace(SOURCE, name=name).kind is kind


def test_what_a_job_writes_is_named_after_it_and_the_pipeline() -> None:
    assert features_name(JOB, "audio") == f"{JOB.id}/v1/audio.npz"
    assert results_name(JOB, "clips/0.mp4") == f"{JOB.id}/v1/clips/0.mp4"


class Workers(RuleBasedStateMachine):
    """Workers claim one step, die, come back late, finish, fail and release, in any order."""

    MAX_ATTEMPTS = 4

    @initialize()
    def begin(self) -> None:
        self.step = STEP
        self.now = NOW
        self.attempts: list[int] = []
        self.outcomes: list[int] = []

    @rule(seconds=st.integers(1, 900))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: not self.step.is_settled)
    @rule()
    def a_worker_claims(self) -> None:
        before = self.step
        try:
            self.step = before.claimed(self.now, LEASE, self.MAX_ATTEMPTS)
        except StepBusy:
            assert before.is_leased(self.now)
        except GaveUp:
            assert before.attempt == self.MAX_ATTEMPTS
        else:
            assert not before.is_leased(self.now)
            assert self.step.is_leased(self.now)
            self.attempts.append(self.step.attempt)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), deed=st.sampled_from(["finish", "fail", "release", "renew"]))
    def a_worker_records(self, data: st.DataObject, deed: str) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        holds = self.step.state is StepState.RUNNING and self.step.attempt == attempt
        try:
            self.step = self.recorded(deed, attempt)
        except LostLease:
            assert not holds
        else:
            assert holds
            self.outcomes += [attempt] if self.step.is_settled else []

    def recorded(self, deed: str, attempt: int) -> Step:
        match deed:
            case "finish":
                return self.step.finished(attempt, {"by": attempt})
            case "fail":
                return self.step.failed(attempt, FAILURE)
            case "renew":
                return self.step.renewed(attempt, self.now, LEASE)
            case _:
                return self.step.released(attempt)

    @invariant()
    def attempts_grow_by_one(self) -> None:
        assert self.attempts == list(range(1, len(self.attempts) + 1))
        assert len(self.attempts) <= self.MAX_ATTEMPTS

    @invariant()
    def at_most_one_worker_settles_it_the_last_that_claimed(self) -> None:
        assert self.outcomes in ([], [self.step.attempt])
        assert self.step.is_settled == bool(self.outcomes)
        assert self.step.is_leased(self.now) <= (self.step.state is StepState.RUNNING)


TestWorkers = Workers.TestCase


@given(st.integers(0, 3), st.integers(0, 3))
def test_only_the_last_attempt_may_write(attempt: int, other: int) -> None:
    assume(attempt != other)
    held = replace(STEP, state=StepState.RUNNING, attempt=attempt, lease_until=NOW)
    with pytest.raises(LostLease, match=f"attempt {other}"):
        held.finished(other, {})


def test_a_settled_step_is_not_claimed_again() -> None:
    done = STEP.claimed(NOW, LEASE, 3).finished(1, {"beats": 64})
    assert done.claimed(NOW + LEASE, LEASE, 3) is done
    assert done.abandoned() is done


def test_a_lease_holds_to_its_very_end() -> None:
    held = STEP.claimed(NOW, LEASE, 3)
    almost = NOW + LEASE - timedelta(microseconds=1)
    with pytest.raises(StepBusy):
        held.claimed(almost, LEASE, 3)
    assert held.claimed(NOW + LEASE, LEASE, 3).attempt == 2


def test_an_abandoned_step_says_that_we_gave_up() -> None:
    held = STEP.claimed(NOW, LEASE, 1)
    with pytest.raises(GaveUp):
        held.claimed(NOW + LEASE, LEASE, 1)
    abandoned = held.abandoned()
    assert abandoned.state is StepState.FAILED
    assert abandoned.error == Failure.of(GaveUp())
    with pytest.raises(LostLease):
        abandoned.finished(1, {})


@pytest.mark.parametrize(
    ("step", "error", "code", "begins"),
    [
        ("audio", DamagedFile(), "DAMAGED_FILE", "The video is damaged"),
        ("teacher-audio", DamagedFile(), "DAMAGED_FILE", "The teacher's video cannot be used. The video is damaged"),
        ("teacher-audio", SourceGone(), "NO_TEACHER", "The teacher's video is not there"),
        ("teacher-audio", NotFound("no object features/…"), "NOT_FOUND", "We tried several times"),
    ],
)
def test_what_is_wrong_with_the_teachers_video_is_not_said_of_the_students(step, error, code, begins):
    failure = failure_in(step, error)
    assert failure.code == code
    assert failure.message.startswith(begins)
