"""The worker drains the backlog: in batches, each job once, whoever fails, dies, stops or is late."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gpu_job import __main__ as entry_point
from gpu_job import worker
from gpu_job.worker import Inference, Worker
from shared.errors import DamagedFile, GaveUp, NotFound, Unavailable, UnfitNetwork
from shared.job import INFER, Failure, Job, Kind, State, Step, StepState
from shared.memory import MemoryPorts
from shared.ports import Ports
from tests.functions.support import SETTINGS, Clock, failure, new_ports, ready


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ports(clock: Clock) -> MemoryPorts:
    return new_ports(clock, replace(SETTINGS, batch_size=4, max_executions=2, max_attempts=3))


class Patience(threading.Event):
    """A stop event for which to wait takes the clock's time, and nobody else's."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.passes(timeout or 0)
        return self.is_set()


def nothing(_: object) -> None:
    """No trouble."""


@dataclass
class Fake(Inference):
    """Doubles the number of a job's upload; before each part it does what it is told to."""

    on_load: Callable[[Job], None] = nothing
    on_infer: Callable[[Sequence[int]], None] = nothing
    on_record: Callable[[Job], None] = nothing
    batches: list[list[int]] = field(default_factory=list)
    recorded: list[int] = field(default_factory=list)

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> int:  # noqa: ARG002 - the protocol's
        self.on_load(job)
        assert steps.keys() >= job.plan.keys()
        return job.source.generation

    def infer(self, loaded: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(loaded))
        self.on_infer(loaded)
        return [2 * number for number in loaded]

    def record(self, job: Job, loaded: int, answer: int, ports: Ports) -> Mapping[str, Any]:  # noqa: ARG002
        self.on_record(job)
        self.recorded.append(loaded)
        return {"double": answer}


def new_worker(ports: Ports, fake: Inference, stop: threading.Event | None = None) -> Worker:
    assert isinstance(ports.now, Clock)
    return Worker(ports, {Kind.SEGMENT: fake}, stop or Patience(ports.now))


def run(ports: Ports, fake: Inference, stop: threading.Event | None = None) -> int:
    return new_worker(ports, fake, stop).run()


def fill(ports: Ports, count: int) -> list[Job]:
    return [ready(ports, number) for number in range(1, count + 1)]


def infer_step(ports: Ports, job: Job) -> Step:
    return ports.jobs.steps(job.id)[INFER]


def states(ports: Ports, jobs: Sequence[Job]) -> list[str]:
    return [str(ports.jobs.get(job.id).state) for job in jobs]


def claim(ports: Ports, job: Job) -> Step:
    """Another worker takes the job."""
    return ports.jobs.update_step(job.id, INFER, lambda step: step.claimed(ports.now(), SETTINGS.infer_lease, 99))


def claim_slot(ports: Ports, number: int) -> Step:
    return ports.jobs.update_executor(number, lambda slot: slot.claimed(ports.now(), SETTINGS.infer_lease, 99))


def raising(error: Exception, *, for_job: int = 0) -> Callable[[Job], None]:
    def trouble(job: Job) -> None:
        if for_job in (0, job.source.generation):
            raise error

    return trouble


# What should happen


def test_the_backlog_is_drained_in_batches_oldest_first(ports):
    jobs, fake = fill(ports, 9), Fake()
    assert run(ports, fake) == 9
    assert fake.batches == [[1, 2, 3, 4], [5, 6, 7, 8], [9]]
    for number, job in enumerate(jobs, 1):
        job = ports.jobs.get(job.id)
        assert (job.state, job.progress, job.result) == (State.DONE, 1.0, {"double": 2 * number})
        assert infer_step(ports, job) == Step(INFER, StepState.DONE, 1, output={"double": 2 * number})


def test_an_empty_backlog_ends_the_worker_at_once(ports):
    fake = Fake()
    assert run(ports, fake) == 0
    assert fake.batches == []


def test_a_client_sees_that_its_job_runs(ports):
    job = ready(ports)
    seen: list[State] = []
    run(ports, Fake(on_record=lambda job: seen.append(ports.jobs.get(job.id).state)))
    assert seen == [State.RUNNING]
    assert ports.jobs.get(job.id).state is State.DONE


def test_a_job_sealed_while_a_batch_is_worked_is_worked_too(ports):
    ready(ports, 1)

    def seal_another(_):
        ready(ports, 2)

    assert run(ports, Fake(on_record=seal_another)) == 2


# One job's trouble


@pytest.mark.parametrize("part", ["on_load", "on_record"])
def test_a_permanent_error_fails_its_job_and_costs_no_other(ports, part):
    jobs = fill(ports, 4)
    assert run(ports, Fake(**{part: raising(DamagedFile(), for_job=2)})) == 4
    assert states(ports, jobs) == ["DONE", "FAILED", "DONE", "DONE"]
    assert failure(ports, jobs[1].id) == "DAMAGED_FILE"
    assert infer_step(ports, jobs[1]).error == Failure.of(DamagedFile())


def test_a_batch_that_fails_as_a_whole_is_tried_one_by_one(ports):
    jobs = fill(ports, 4)

    def choke(numbers):
        if 3 in numbers:
            raise DamagedFile

    fake = Fake(on_infer=choke)
    assert run(ports, fake) == 4
    assert fake.batches == [[1, 2, 3, 4], [1], [2], [3], [4]]
    assert states(ports, jobs) == ["DONE", "DONE", "FAILED", "DONE"]


def test_a_batch_too_large_for_the_gpu_is_done_one_by_one(ports):
    def run_out_of_memory(numbers):
        if len(numbers) > 1:
            raise MemoryError

    jobs = fill(ports, 3)
    assert run(ports, Fake(on_infer=run_out_of_memory)) == 3
    assert states(ports, jobs) == ["DONE"] * 3


def test_what_fails_for_now_rests_longer_each_time_and_succeeds(ports, clock):
    job, started = ready(ports), clock.now
    tries: list[float] = []

    def out_for_25_s(_):
        tries.append((clock.now - started).total_seconds())
        if tries[-1] < 25:
            raise Unavailable

    assert run(ports, Fake(on_record=out_for_25_s)) == 1
    assert tries == [0, 10, 30]
    assert infer_step(ports, job).attempt == 3


@pytest.mark.parametrize("error", [Unavailable(), ValueError("a fault of ours")])
def test_what_fails_for_now_too_often_is_given_up(ports, error):
    jobs = fill(ports, 2)
    fake = Fake(on_record=raising(error, for_job=1))
    run(ports, fake)
    assert failure(ports, jobs[0].id) == "GAVE_UP"
    step = infer_step(ports, jobs[0])
    assert (step.state, step.attempt, step.error) == (StepState.FAILED, 3, Failure.of(GaveUp()))
    assert states(ports, jobs) == ["FAILED", "DONE"]
    assert [batch for batch in fake.batches if 2 in batch] == [[1, 2]]


def test_a_job_that_rests_is_taken_by_nobody(ports, clock):
    job, other = ready(ports), Fake()

    class Busy(Patience):
        def wait(self, timeout: float | None = None) -> bool:
            run(ports, other)
            self.set()
            return super().wait(timeout)

    run(ports, Fake(on_record=raising(Unavailable())), Busy(clock))
    assert other.batches == []
    assert infer_step(ports, job).attempt == 1


def test_new_jobs_are_worked_while_another_rests(ports):
    jobs = fill(ports, 1)

    def fail_once(job):
        if job.source.generation == 1 and len(jobs) == 1:
            jobs.append(ready(ports, 2))
            raise Unavailable

    fake = Fake(on_record=fail_once)
    assert run(ports, fake) == 2
    assert fake.recorded == [2, 1]


def test_a_store_that_lets_nothing_be_leased_is_asked_less_and_less_often_and_then_left(ports, clock, monkeypatch):
    ready(ports)
    started, asked = clock.now, []

    def refuse(*_):
        asked.append((clock.now - started).total_seconds())
        raise Unavailable

    monkeypatch.setattr(ports.jobs, "update_step", refuse)
    assert run(ports, Fake()) == 0
    assert asked == [0, 10, 30, 70, 130]


def test_a_store_that_lets_jobs_be_leased_again_is_asked_as_before(ports, clock, monkeypatch):
    jobs, update_step = fill(ports, 2), ports.jobs.update_step
    started = clock.now

    def refuse_at_first(*arguments):
        if clock.now - started < timedelta(seconds=10):
            raise Unavailable
        return update_step(*arguments)

    monkeypatch.setattr(ports.jobs, "update_step", refuse_at_first)
    assert run(ports, Fake()) == 2
    assert states(ports, jobs) == ["DONE"] * 2


def test_a_cancelled_job_is_not_inferred(ports):
    jobs = fill(ports, 2)
    looking = ports.jobs.backlog

    def backlog(limit):
        found = looking(limit)
        ports.jobs.update(jobs[0].id, Job.cancelled)
        return found

    ports.jobs.backlog = backlog
    fake = Fake()
    run(ports, fake)
    assert fake.batches == [[2]]
    assert states(ports, jobs) == ["CANCELLED", "DONE"]


def test_a_job_that_is_cancelled_while_it_is_recorded_stays_so(ports):
    job = ready(ports)
    run(ports, Fake(on_record=lambda job: ports.jobs.update(job.id, Job.cancelled)))
    assert ports.jobs.get(job.id).state is State.CANCELLED


def test_a_job_that_is_deleted_meanwhile_costs_no_other(ports):
    jobs = fill(ports, 3)
    fake = Fake(on_record=lambda _: ports.jobs._jobs.pop(jobs[1].id, None))
    run(ports, fake)
    assert states(ports, [jobs[0], jobs[2]]) == ["DONE", "DONE"]
    with pytest.raises(NotFound):
        ports.jobs.get(jobs[1].id)


@pytest.mark.parametrize("method", ["update", "update_step"])
def test_a_store_that_hiccups_costs_no_job_its_end(ports, monkeypatch, method):
    """Once while jobs are leased or started, once while they are settled."""
    jobs = fill(ports, 6)
    writing, calls = getattr(ports.jobs, method), iter(range(10**6))

    def hiccup(*arguments):
        if next(calls) in (1, 8):
            raise Unavailable
        return writing(*arguments)

    monkeypatch.setattr(ports.jobs, method, hiccup)
    run(ports, Fake())
    assert states(ports, jobs) == ["DONE"] * 6


# Leases and fencing


def test_a_job_that_another_holds_is_left_to_it(ports):
    jobs = fill(ports, 2)
    claim(ports, jobs[0])
    fake = Fake()
    assert run(ports, fake) == 1
    assert fake.batches == [[2]]


def test_a_job_whose_worker_died_is_taken_when_the_lease_has_run_out(ports, clock):
    job = ready(ports)
    claim(ports, job)
    ports.jobs.update(job.id, Job.started)
    clock.passes(61)
    assert run(ports, Fake()) == 1
    assert infer_step(ports, job).attempt == 2


def test_a_job_that_kills_its_worker_again_and_again_takes_no_other_with_it(ports, clock):
    class Death(BaseException):
        """Nothing catches it, as nothing catches a SIGKILL."""

    def dies(loaded: Sequence[int]) -> None:
        if 2 in loaded:
            raise Death

    jobs, fake = fill(ports, 5), Fake(on_infer=dies)
    for _ in range(3):
        with pytest.raises(Death):
            run(ports, fake)
        clock.passes(2 * SETTINGS.infer_lease_s)
    run(ports, fake)
    assert states(ports, jobs) == ["DONE", "FAILED", "DONE", "DONE", "DONE"]
    assert failure(ports, jobs[1].id) == "GAVE_UP"


def test_what_was_lost_to_another_is_not_recorded(ports, clock):
    job = ready(ports)

    def overtaken(job):
        clock.passes(61)
        step = claim(ports, job)
        ports.jobs.update_step(job.id, INFER, lambda held: held.finished(step.attempt, {"double": "theirs"}))

    assert run(ports, Fake(on_record=overtaken)) == 0
    assert infer_step(ports, job).output == {"double": "theirs"}


def test_a_failure_after_the_lease_was_lost_is_not_recorded_either(ports, clock):
    job = ready(ports)

    def overtaken(job):
        clock.passes(61)
        claim(ports, job)
        raise DamagedFile

    run(ports, Fake(on_record=overtaken))
    assert infer_step(ports, job).state is StepState.RUNNING
    assert ports.jobs.get(job.id).state is State.RUNNING


def test_a_step_that_is_settled_settles_its_job_though_its_worker_died_in_between(ports):
    jobs = fill(ports, 2)
    for job, change in zip(
        jobs,
        (lambda step: step.finished(1, {"double": 2}), lambda step: step.failed(1, Failure("X", "x"))),
        strict=True,
    ):
        claim(ports, job)
        ports.jobs.update_step(job.id, INFER, change)
    fake = Fake()
    run(ports, fake)
    assert fake.batches == []
    assert states(ports, jobs) == ["DONE", "FAILED"]
    assert ports.jobs.get(jobs[0].id).result == {"double": 2}


def test_the_leases_of_jobs_and_slot_are_renewed_while_a_batch_is_worked():
    ports = new_ports(Clock(), replace(SETTINGS, infer_lease_s=0.03))
    jobs = fill(ports, 2)

    def leases() -> set[datetime | None]:
        slot = ports.jobs.update_executor(0, lambda slot: slot)
        return {slot.lease_until, *(infer_step(ports, job).lease_until for job in jobs)}

    def take_long(_):
        ports.now.passes(5)
        wait_until(lambda: leases() == {ports.now() + timedelta(seconds=0.03)})

    assert run(ports, Fake(on_infer=take_long)) == 2


def test_the_slot_is_kept_through_batches_shorter_than_a_beat():
    ports = new_ports(Clock(), replace(SETTINGS, infer_lease_s=0.3, batch_size=1))
    fill(ports, 30)
    held = []

    def take_a_moment(_):
        time.sleep(0.03)
        ports.now.passes(0.03)
        held.append(ports.jobs.update_executor(0, lambda slot: slot).is_leased(ports.now()))

    assert run(ports, Fake(on_infer=take_a_moment)) == 30
    assert all(held)


def test_the_heart_stops_with_the_batch(ports):
    fill(ports, 1)
    run(ports, Fake())
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_a_heartbeat_that_cannot_be_written_costs_nothing(monkeypatch):
    ports = new_ports(Clock(), replace(SETTINGS, infer_lease_s=0.03))
    job = ready(ports)
    failed = threading.Event()
    writing = ports.jobs.update_executor

    def update_executor(number, change):
        if threading.current_thread().name == "heartbeat":
            failed.set()
            raise Unavailable
        return writing(number, change)

    monkeypatch.setattr(ports.jobs, "update_executor", update_executor)
    assert run(ports, Fake(on_record=lambda _: wait_until(failed.is_set))) == 1
    assert ports.jobs.get(job.id).state is State.DONE


# Slots


def test_no_more_workers_drain_than_there_are_slots(ports):
    fill(ports, 1)
    claim_slot(ports, 0)
    claim_slot(ports, 1)
    fake = Fake()
    assert run(ports, fake) == 0
    assert fake.batches == []


def test_a_second_worker_takes_the_next_slot(ports):
    fill(ports, 1)
    claim_slot(ports, 0)
    assert run(ports, Fake()) == 1
    assert ports.jobs.update_executor(1, lambda slot: slot).attempt == 1


def test_the_slot_of_a_dead_worker_is_taken_when_its_lease_has_run_out(ports, clock):
    fill(ports, 1)
    claim_slot(ports, 0)
    claim_slot(ports, 1)
    clock.passes(61)
    assert run(ports, Fake()) == 1


def test_a_reserved_slot_is_taken_first_lest_its_reservation_outlast_the_need(ports, clock):
    fill(ports, 1)
    reserved_until = clock.now + timedelta(seconds=180)
    ports.jobs.update_executor(1, lambda slot: replace(slot, lease_until=reserved_until))
    run(ports, Fake())
    assert [ports.jobs.update_executor(number, lambda slot: slot) for number in range(2)] == [
        Step("executor-0"),
        Step("executor-1", attempt=1),
    ]


def test_a_slot_is_free_again_after_the_work_and_after_a_fault(ports, monkeypatch):
    fill(ports, 1)
    run(ports, Fake())
    monkeypatch.setattr(Worker, "_work", _faulty)
    ready(ports, 2)
    with pytest.raises(ZeroDivisionError):
        run(ports, Fake())
    slot = ports.jobs.update_executor(0, lambda slot: slot)
    assert (slot.state, slot.lease_until) == (StepState.WAITING, None)


def test_a_slot_that_was_lost_meanwhile_is_left_to_its_new_holder(ports, clock):
    job = ready(ports)

    def lose_the_slot(_):
        clock.passes(61)
        claim_slot(ports, 0)

    run(ports, Fake(on_record=lose_the_slot))
    assert ports.jobs.update_executor(0, lambda slot: slot).is_leased(ports.now())
    assert ports.jobs.get(job.id).state is State.DONE


def test_a_job_sealed_between_the_last_look_and_giving_up_the_slot_is_not_left_behind(ports, monkeypatch):
    giving_up = Worker._give_up

    def seal_and_give_up(self, slot):
        if not ports.jobs.backlog(1) and not late:
            late.append(ready(ports, 2))
        giving_up(self, slot)

    late: list[Job] = []
    monkeypatch.setattr(Worker, "_give_up", seal_and_give_up)
    ready(ports, 1)
    assert run(ports, Fake()) == 2
    assert states(ports, late) == ["DONE"]


def test_two_workers_at_once_do_each_job_once(ports):
    jobs = fill(ports, 30)
    fakes = [Fake(on_record=lambda _: time.sleep(0.001)) for _ in range(2)]
    threads = [threading.Thread(target=run, args=(ports, fake)) for fake in fakes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(ports, jobs) == ["DONE"] * 30
    assert sorted(fakes[0].recorded + fakes[1].recorded) == list(range(1, 31))


# SIGTERM


def test_a_worker_that_is_to_stop_takes_no_job(ports):
    jobs, stop = fill(ports, 1), threading.Event()
    stop.set()
    assert run(ports, Fake(), stop) == 0
    assert states(ports, jobs) == ["READY"]


def test_a_worker_that_is_stopped_at_work_gives_back_what_it_has_not_recorded(ports):
    jobs, stop = fill(ports, 6), threading.Event()
    assert run(ports, Fake(on_infer=lambda _: stop.set()), stop) == 0
    assert states(ports, jobs) == ["RUNNING"] * 4 + ["READY"] * 2
    assert {(infer_step(ports, job).state, infer_step(ports, job).lease_until) for job in jobs[:4]} == {
        (StepState.WAITING, None)
    }
    assert run(ports, Fake()) == 6
    assert states(ports, jobs) == ["DONE"] * 6


def test_a_worker_that_is_stopped_while_it_waits_ends(ports):
    ready(ports)
    stop = threading.Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    run(ports, Fake(on_record=raising(Unavailable())), stop)
    timer.join()
    assert worker.FIRST_REST_S > 1, "or the wait would have ended by itself"


@pytest.mark.parametrize(("stopped", "jobs", "code"), [(True, 1, 75), (True, 0, None), (False, 1, None)])
def test_an_execution_that_is_stopped_with_work_left_fails_so_that_the_platform_tries_again(
    ports, monkeypatch, stopped, jobs, code
):
    fill(ports, jobs)
    stop = threading.Event()
    if stopped:
        stop.set()
    monkeypatch.setattr(entry_point, "connected", lambda _: ports)
    monkeypatch.setattr(entry_point, "inferences", lambda _: {Kind.SEGMENT: Fake()})
    monkeypatch.setattr(entry_point, "_stop_on_sigterm", lambda: stop)
    assert exit_code(entry_point.main) == code


def test_an_execution_whose_network_cannot_be_had_ends_before_it_begins_a_job(ports, monkeypatch):
    jobs = fill(ports, 2)

    def methods(_name):
        raise UnfitNetwork

    monkeypatch.setattr(entry_point, "connected", lambda _: ports)
    monkeypatch.setattr(entry_point, "methods_of", lambda _: methods)
    monkeypatch.setattr(entry_point, "_stop_on_sigterm", threading.Event)
    with pytest.raises(UnfitNetwork):
        entry_point.main()
    assert states(ports, jobs) == ["READY"] * 2
    assert INFER not in ports.jobs.steps(jobs[0].id)


def exit_code(main: Callable[[], None]) -> object:
    try:
        main()
    except SystemExit as exit_:
        return exit_.code
    return None


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline_s, "it never came so"
        time.sleep(0.005)


def _faulty(*_):
    raise ZeroDivisionError
