"""A log record is one line of JSON, and says for which job and step."""

import json
import logging
import sys
from collections.abc import Generator
from typing import Any

import pytest

from shared.logs import JsonFormatter, bound, setup

JOB = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def root_as_it_was() -> Generator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def formatted(
    message: str = "hello", *arguments: Any, level: int = logging.INFO, failed: bool = False
) -> dict[str, Any]:
    reason = sys.exc_info() if failed else None
    record = logging.LogRecord("shared.test", level, "file.py", 1, message, arguments, reason)
    line = JsonFormatter("demo").format(record)
    assert "\n" not in line
    return json.loads(line)


def test_a_record_has_what_cloud_logging_reads() -> None:
    entry = formatted("%d moves of %s", 7, "María", level=logging.WARNING)
    assert entry["severity"] == "WARNING"
    assert entry["message"] == "7 moves of María"
    assert entry["logger"] == "shared.test"
    assert entry["time"].endswith("+00:00")


def test_job_and_step_are_on_every_record_inside_and_the_job_is_the_trace() -> None:
    with bound(job=JOB):
        with bound(step="audio"):
            entry = formatted()
            assert (entry["job"], entry["step"]) == (JOB, "audio")
            assert entry["logging.googleapis.com/trace"] == f"projects/demo/traces/{JOB}"
        assert "step" not in formatted()
    assert "job" not in formatted()
    assert "logging.googleapis.com/trace" not in formatted()


def test_what_was_bound_is_unbound_after_an_error() -> None:
    with pytest.raises(ValueError, match="no"), bound(job=JOB):
        raise ValueError("no")
    assert "job" not in formatted()


def test_an_exception_is_told_on_the_same_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        entry = formatted(failed=True, level=logging.ERROR)
    assert "ValueError: two\nlines" in entry["exception"]
    assert "Traceback" in entry["exception"]


@pytest.mark.usefixtures("root_as_it_was")
def test_setup_sends_records_from_its_level_on_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    setup("demo", logging.WARNING)
    logging.getLogger("any").info("too quiet")
    logging.getLogger("any").warning("loud")
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["loud"]
