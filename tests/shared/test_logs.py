"""A log record is one line of JSON, and says for which job and step."""

import json
import logging
import sys
from collections.abc import Generator
from typing import Any

import pytest

from shared.logs import JsonFormatter, bound, bound_value, carried, setup, trace_in

JOB = "0123456789abcdef0123456789abcdef"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


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


# Traces


def test_the_trace_of_the_request_goes_before_the_jobs_id() -> None:
    with bound(job=JOB, trace=TRACE):
        entry = formatted()
    assert entry["logging.googleapis.com/trace"] == f"projects/demo/traces/{TRACE}"
    assert "trace" not in entry
    with bound(job=JOB, trace=""):
        assert formatted()["logging.googleapis.com/trace"].endswith(JOB)


@pytest.mark.parametrize(
    "carrier",
    [
        {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        {"Traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"},
        {"X-Cloud-Trace-Context": f"{TRACE}/123456;o=1"},
        {"x-cloud-trace-context": TRACE},
        {"traceparent": "garbage", "X-Cloud-Trace-Context": f"{TRACE}/1"},
    ],
)
def test_a_trace_is_read_from_headers_attributes_and_metadata(carrier: dict[str, str]) -> None:
    assert trace_in(carrier) == TRACE


@pytest.mark.parametrize(
    "text",
    ["", "garbage", f"00-{TRACE}", f"00-{TRACE.upper()}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"],
)
def test_what_is_no_trace_is_passed_over(text: str) -> None:
    assert trace_in({"traceparent": text}) == ""


def test_what_is_carried_on_is_read_back_and_names_its_sender() -> None:
    assert carried() == {}
    with bound(job=JOB):
        assert trace_in(carried()) == JOB
        with bound(trace=TRACE, step="audio"):
            audio = carried()
        with bound(trace=TRACE, step="pose-00"):
            assert trace_in(carried()) == TRACE == trace_in(audio)
            assert carried() != audio
    with bound(job="no hexadecimal digits"):
        assert carried() == {}


def test_measures_are_fields_of_the_record() -> None:
    record = logging.LogRecord("shared.test", logging.INFO, "file.py", 1, "7 wait", (), None)
    record.measures = {"event": "backlog", "waiting": 7}
    with bound(job=JOB, gpu_seconds=1.5):
        entry = json.loads(JsonFormatter("demo").format(record))
        assert bound_value("gpu_seconds") == 1.5
    assert (entry["event"], entry["waiting"], entry["gpu_seconds"], entry["job"]) == ("backlog", 7, 1.5, JOB)
    assert bound_value("gpu_seconds") is None
