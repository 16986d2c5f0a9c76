"""One trace from the request that uploads to the worker that infers, whatever carries the word in between."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from cloudevents.http import CloudEvent

from functions.dispatch.handler import handle as dispatch
from functions.intake.handler import handle as intake
from shared.events import (
    MESSAGE_PUBLISHED,
    FeaturesReady,
    Message,
    StepRequested,
    Tick,
    UploadFinalized,
    decode,
    encode,
    trace_of,
)
from shared.job import Job, State
from shared.logs import JsonFormatter, bound, trace_in
from shared.ports import Ports
from shared.step import deliver
from tests.functions.support import Clock, finish_steps, new_ports, published
from tests.shared.media_files import Recipe, write

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Lines(logging.Handler):
    """What Cloud Logging would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter("demo"))
        self.entries: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entries.append(json.loads(self.format(record)))

    @property
    def traces(self) -> set[str]:
        return {entry.get("logging.googleapis.com/trace", "none") for entry in self.entries}


@pytest.fixture
def lines():
    root, handler = logging.getLogger(), Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def push(data: str, attributes: Mapping[str, str], **extensions: str) -> CloudEvent:
    body = {"message": {"data": data, "attributes": dict(attributes), "messageId": "1"}}
    return CloudEvent({"type": MESSAGE_PUBLISHED, "source": "//pubsub", **extensions}, body)


@pytest.mark.parametrize("message", [StepRequested("0" * 32, "audio"), FeaturesReady("0" * 32), Tick()])
def test_a_message_takes_along_the_trace_in_which_it_was_published(message: Message) -> None:
    with bound(trace=TRACE, step="audio"):
        data, attributes = encode(message)
    assert trace_in(attributes) == TRACE
    assert decode(data, attributes) == message
    assert "traceparent" not in encode(message)[1]


def test_the_trace_of_an_event_is_its_messages_or_its_own() -> None:
    assert trace_of(push("", {"traceparent": PARENT})) == TRACE
    assert trace_of(push("", {}, traceparent=PARENT)) == TRACE
    assert trace_of(push("", {})) == ""


@pytest.mark.parametrize("data", [None, "text", [], {"message": None}, {"message": {"attributes": ["traceparent"]}}])
def test_an_event_that_cannot_be_read_has_no_trace(data: Any) -> None:
    assert trace_of(CloudEvent({"type": MESSAGE_PUBLISHED, "source": "//pubsub"}, data)) == ""


def test_what_goes_wrong_with_a_message_is_logged_to_its_trace(lines: Lines) -> None:
    def fail(_message: Message, _ports: Ports) -> None:
        raise AssertionError

    deliver(push("%%%", {"traceparent": PARENT}), fail, new_ports(Clock()))
    assert lines.traces == {f"projects/demo/traces/{TRACE}"}


@pytest.mark.parametrize("metadata", [{"traceparent": PARENT}, {}])
def test_a_job_is_one_trace_from_its_upload_on(metadata: dict[str, str], lines: Lines, tmp_path) -> None:
    """That of the request which uploaded it, or the job's own."""
    ports = new_ports(Clock())
    video = write(tmp_path / "clip.mp4", Recipe(count=60)).read_bytes()
    upload = UploadFinalized(ports.blobs.put("uploads", "videos/clip.mp4", video, "video/mp4", metadata), metadata)
    intake(upload, ports)
    job = ports.jobs.get(upload.job_id)
    assert job.trace == (TRACE if metadata else "")
    finish_steps(ports, job)
    with bound(trace=job.trace):
        dispatch(FeaturesReady(job.id), ports)
    ports.jobs.update(job.id, Job.cancelled)
    assert lines.traces == {f"projects/demo/traces/{job.trace or job.id}"}
    assert ports.jobs.get(job.id).state is State.CANCELLED
    assert published(ports)
