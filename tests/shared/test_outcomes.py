"""A job's end is one record in the log: its kind, state, code and time, told by whoever ended it."""

import json
import logging
from collections.abc import Callable, Generator
from datetime import timedelta

import pytest

from shared.gcp.outcomes import telling
from shared.job import Failure, Job
from shared.logs import JsonFormatter
from tests.contracts.makers import CREATED, a_job

NOW = CREATED + timedelta(seconds=42.5)
FAILURE = Failure("TOO_LONG", "The video lasts an hour.")


class Lines(logging.Handler):
    """What would be sent to the cloud: formatted at once, as the handler of an entry point does."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(json.loads(JsonFormatter("demo").format(record)))


@pytest.fixture
def lines() -> Generator[Lines]:
    logger, handler = logging.getLogger("shared.gcp.outcomes"), Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def on(*jobs: Job) -> Callable[[Callable[[Job], Job]], Job]:
    """An update that meets these one after the other, because others write in between."""

    def update(change: Callable[[Job], Job]) -> Job:
        return [change(job) for job in jobs][-1]

    return update


def test_a_failure_is_told_with_its_code_and_its_time(lines):
    telling(on(a_job()), lambda job: job.failed(FAILURE), NOW)
    (told,) = lines.told
    assert told["event"] == "job-settled"
    assert (told["kind"], told["state"], told["code"]) == ("segment", "FAILED", "TOO_LONG")
    assert told["seconds"] == 42.5
    assert told["job"] == a_job().id


def test_a_success_has_no_code(lines):
    ready = a_job().planned({"audio": {}}, {"duration_s": 3.0}, {}, None).sealed().started()
    telling(on(ready), lambda job: job.done({"moves": []}), NOW)
    assert [(told["state"], told["code"]) for told in lines.told] == [("DONE", "")]


def test_a_change_that_ends_nothing_is_not_told(lines):
    telling(on(a_job()), lambda job: job, NOW)
    assert lines.told == []


def test_an_end_is_told_once_however_often_it_is_written(lines):
    ended = telling(on(a_job()), lambda job: job.failed(FAILURE), NOW)
    telling(on(ended), lambda job: job.failed(FAILURE), NOW)
    assert len(lines.told) == 1


def test_whoever_is_second_in_a_race_says_nothing(lines):
    first = a_job().failed(FAILURE)
    assert telling(on(a_job(), first), lambda job: job.failed(FAILURE), NOW) == first
    assert lines.told == []
