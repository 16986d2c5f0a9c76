"""Every function behind the real framework: pushes and CloudEvents arrive, and are answered as they should."""

import base64
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import functions_framework
import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import functions
from shared.errors import MissingSettings
from shared.events import (
    MESSAGE_PUBLISHED,
    STORAGE_FINALIZED,
    FeaturesReady,
    Message,
    StepRequested,
    Tick,
    UploadFinalized,
    encode,
)
from shared.job import INFER, Source, State, StepState
from shared.memory import MemoryPorts
from tests.functions.support import Clock, extracting, failure, finish_steps, new_ports, published, ready

ROOT = Path(functions.__file__).parent
ENTRIES: Mapping[str, str] = {
    "intake": "on_upload_finalized",
    "audio": "on_audio_requested",
    "pose": "on_pose_requested",
    "dispatch": "on_features_ready",
    "sweep": "on_tick_or_dead_letter",
}
NOBODY = Source("uploads", "videos/nobody.mp4", 1, 10)
MESSAGES: Mapping[str, Message] = {
    "intake": UploadFinalized(NOBODY),
    "audio": StepRequested(NOBODY.job_id, "audio"),
    "pose": StepRequested(NOBODY.job_id, "pose-00"),
    "dispatch": FeaturesReady(NOBODY.job_id),
    "sweep": Tick(),
}
FOREIGN: Mapping[str, Message] = {**MESSAGES, "intake": Tick(), "audio": Tick(), "pose": Tick(), "dispatch": Tick()}


@dataclass(frozen=True)
class Function:
    """One function as it is served."""

    client: FlaskClient
    module: ModuleType

    def push(self, message: Message) -> TestResponse:
        """As Pub/Sub pushes it, wrapped."""
        data, attributes = encode(message)
        return self.push_raw(base64.b64encode(data).decode(), attributes)

    def push_raw(self, data: str, attributes: Mapping[str, str]) -> TestResponse:
        body = {
            "message": {
                "data": data, "attributes": dict(attributes), "messageId": "1", "message_id": "1",
                "publishTime": "2026-03-01T00:00:00Z", "publish_time": "2026-03-01T00:00:00Z",
            },
            "subscription": "projects/demo/subscriptions/s",
            "deliveryAttempt": 1,
        }  # fmt: skip
        return self.client.post("/projects/demo/topics/t", json=body)

    def send(self, event: CloudEvent, form=to_binary) -> TestResponse:
        headers, body = form(event)
        return self.client.post("/", headers=headers, data=body)


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock())


@pytest.fixture
def serve(monkeypatch, ports):
    """Makes the app of a function, on ports in memory."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "main", ModuleType("main"))  # the framework's name for it; put back afterwards

    def serve(name: str) -> Function:
        app = functions_framework.create_app(ENTRIES[name], str(ROOT / name / "main.py"), "cloudevent")
        module = sys.modules["main"]
        monkeypatch.setattr(module, "ports", lambda: ports)
        return Function(app.test_client(), module)

    return serve


def published_event(message: Message) -> CloudEvent:
    data, attributes = encode(message)
    body = {"message": {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "1"}}
    return CloudEvent({"type": MESSAGE_PUBLISHED, "source": "//pubsub.googleapis.com/projects/demo/topics/t"}, body)


# What arrives


def test_an_upload_arrives_as_a_push_of_the_buckets_notification(serve, ports):
    source = ports.blobs.put("uploads", "videos/clip.mp4", b"")
    assert serve("intake").push(UploadFinalized(source, {"owner": "maria"})).status_code == 200
    assert ports.jobs.get(source.job_id).owner == "maria"
    assert failure(ports, source.job_id) == "EMPTY_FILE"


@pytest.mark.parametrize("form", [to_binary, to_structured])
def test_an_upload_arrives_as_eventarcs_storage_event(serve, ports, form):
    source = ports.blobs.put("uploads", "videos/clip.mp4", b"")
    body = {"bucket": "uploads", "name": source.name, "generation": str(source.generation), "size": "0"}
    event = CloudEvent({"type": STORAGE_FINALIZED, "source": "//storage.googleapis.com/buckets/uploads"}, body)
    assert serve("intake").send(event, form).status_code == 200
    assert failure(ports, source.job_id) == "EMPTY_FILE"


@pytest.mark.parametrize(("name", "step"), [("audio", "audio"), ("pose", "pose-00")])
@pytest.mark.parametrize("is_push", [True, False])
def test_a_step_request_arrives(serve, ports, monkeypatch, name, step, is_push):
    monkeypatch.setattr("functions.pose.handler.model", lambda *_: Path("no model is needed for a file that is gone"))
    job, function = extracting(ports), serve(name)
    request = StepRequested(job.id, step)
    response = function.push(request) if is_push else function.send(published_event(request))
    assert response.status_code == 200
    assert ports.jobs.steps(job.id)[step].state is StepState.FAILED
    assert failure(ports, job.id) == "SOURCE_GONE"


@pytest.mark.parametrize("is_push", [True, False])
def test_word_of_features_arrives(serve, ports, is_push):
    job = extracting(ports)
    finish_steps(ports, job)
    function, message = serve("dispatch"), FeaturesReady(job.id)
    response = function.push(message) if is_push else function.send(published_event(message))
    assert response.status_code == 200
    assert ports.jobs.get(job.id).state is State.READY
    assert ports.launcher.launched == 1


def test_a_tick_and_a_dead_letter_arrive(serve, ports):
    job, function = ready(ports), serve("sweep")
    assert function.push(Tick()).status_code == 200
    assert ports.launcher.launched == 1
    lost = StepRequested(extracting(ports, 2).id, "audio")
    assert function.push(lost).status_code == 200
    assert published(ports) == [lost]
    assert INFER not in ports.jobs.steps(job.id)


# What is answered


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("data", ["", "%%%", base64.b64encode(b"no JSON").decode(), base64.b64encode(b"[]").decode()])
def test_junk_is_acknowledged_for_no_delivery_will_make_it_better(serve, name, data):
    assert serve(name).push_raw(data, {}).status_code == 200


@pytest.mark.parametrize("name", ENTRIES)
def test_an_event_of_another_type_is_acknowledged(serve, name):
    event = CloudEvent({"type": "google.cloud.audit.log.v1.written", "source": "somewhere"}, {"a": 1})
    assert serve(name).send(event).status_code == 200


@pytest.mark.parametrize("name", ["intake", "audio", "pose", "dispatch"])
def test_another_functions_message_is_acknowledged(serve, name):
    assert serve(name).push(FOREIGN[name]).status_code == 200


@pytest.mark.parametrize("name", ["audio", "pose", "dispatch"])
def test_word_of_a_job_that_nobody_knows_is_acknowledged(serve, name):
    assert serve(name).push(MESSAGES[name]).status_code == 200


@pytest.mark.parametrize("name", ["audio", "pose"])
def test_a_step_that_is_busy_is_refused(serve, ports, name):
    job, step = extracting(ports), "audio" if name == "audio" else "pose-00"
    ports.jobs.update_step(job.id, step, lambda step: step.claimed(ports.now(), timedelta(seconds=9), 5))
    assert serve(name).push(StepRequested(job.id, step)).status_code == 500


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("error", [ConnectionError("no route"), MissingSettings()])
def test_a_function_that_cannot_do_its_work_refuses_the_message(serve, monkeypatch, name, error):
    """So what is ours to mend, a missing setting included, costs nobody a job."""
    function = serve(name)

    def broken() -> Any:
        raise error

    monkeypatch.setattr(function.module, "ports", broken)
    assert function.push(MESSAGES[name]).status_code == 500


def test_settings_are_not_read_before_the_first_message(serve, monkeypatch):
    monkeypatch.delenv("DANCEBITS_PROJECT", raising=False)
    for name in ENTRIES:
        assert serve(name).client.get("/health").status_code in {200, 404, 405}


def test_the_names_of_the_entry_points_are_unique_and_say_the_event():
    texts = {name: (ROOT / name / "main.py").read_text() for name in ENTRIES}
    assert len(set(ENTRIES.values())) == len(ENTRIES)
    assert {"api", *ENTRIES} == {path.parent.name for path in ROOT.glob("*/main.py")}
    for name, entry in ENTRIES.items():
        assert [other for other, text in texts.items() if f"def {entry}(" in text] == [name]
        assert entry.startswith("on_")
