"""Every message survives its way; every form of an event is read alike; junk is named as such."""

import base64
import json
from typing import Any

import pytest
from cloudevents.http import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadMessage
from shared.events import (
    MESSAGE_PUBLISHED,
    STORAGE_FINALIZED,
    FeaturesReady,
    Message,
    StepRequested,
    Tick,
    Topic,
    UploadFinalized,
    decode,
    encode,
    read,
)
from shared.job import Source

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
SOURCES = st.builds(
    Source,
    bucket=TEXT,
    name=TEXT,
    generation=st.integers(1, 2**53),
    size=st.integers(0, 2**43),
    content_type=st.one_of(st.just(""), TEXT),
)
MESSAGES = st.one_of(
    st.builds(UploadFinalized, SOURCES, st.dictionaries(TEXT, TEXT, max_size=3)),
    st.builds(StepRequested, TEXT, TEXT),
    st.builds(FeaturesReady, TEXT),
    st.just(Tick()),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)
RESOURCE = {
    "kind": "storage#object", "bucket": "uploads", "name": "videos/a.mp4", "generation": "1741000000123456",
    "metageneration": "1", "contentType": "video/mp4", "size": "31415926", "metadata": {"owner": "maria"},
}  # fmt: skip
UPLOAD = UploadFinalized(
    Source("uploads", "videos/a.mp4", 1_741_000_000_123_456, 31_415_926, "video/mp4"), {"owner": "maria"}
)
NOTIFIED = {
    "eventType": "OBJECT_FINALIZE", "payloadFormat": "JSON_API_V1", "bucketId": "uploads",
    "objectId": "videos/a.mp4", "objectGeneration": "1741000000123456", "notificationConfig": "projects/_/…",
    "eventTime": "2026-03-01T12:00:00Z",
}  # fmt: skip


def event(kind: str, data: Any) -> CloudEvent:
    return CloudEvent({"type": kind, "source": "//tests"}, data)


def pushed(data: bytes, attributes: dict[str, str]) -> CloudEvent:
    message = {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "1"}
    return event(MESSAGE_PUBLISHED, {"message": message, "subscription": "projects/p/subscriptions/s"})


@given(MESSAGES)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    data, attributes = encode(message)
    assert decode(data, attributes) == message
    assert read(pushed(data, attributes)) == message
    assert all(isinstance(value, str) for value in attributes.values())


def test_every_message_has_its_topic() -> None:
    assert UPLOAD.topic == Topic.UPLOADS
    assert StepRequested("job", "audio").topic == Topic.AUDIO_REQUESTS
    assert StepRequested("job", "pose-03").topic == Topic.POSE_REQUESTS
    assert FeaturesReady("job").topic == Topic.FEATURES
    assert Tick().topic == Topic.TICKS
    assert UPLOAD.job_id == UPLOAD.source.job_id


def test_eventarcs_event_and_the_buckets_notification_tell_the_same() -> None:
    assert read(event(STORAGE_FINALIZED, RESOURCE)) == UPLOAD
    assert read(pushed(json.dumps(RESOURCE).encode(), NOTIFIED)) == UPLOAD


def test_a_notification_without_payload_still_names_the_object() -> None:
    bare = decode(b"", NOTIFIED | {"payloadFormat": "NONE"})
    assert bare == UploadFinalized(Source("uploads", "videos/a.mp4", 1_741_000_000_123_456))
    assert bare.job_id == UPLOAD.job_id


def test_an_object_without_type_and_metadata_is_an_upload_too() -> None:
    least = {"bucket": "uploads", "name": "videos/a.mp4", "generation": 5}
    assert read(event(STORAGE_FINALIZED, least)) == UploadFinalized(Source("uploads", "videos/a.mp4", 5))


@pytest.mark.parametrize("missing", ["bucket", "name", "generation"])
@pytest.mark.parametrize("value", [None, "", [], {}])
def test_an_object_without_its_names_is_bad(missing: str, value: Any) -> None:
    for resource in ({**RESOURCE, missing: value}, {key: held for key, held in RESOURCE.items() if key != missing}):
        with pytest.raises(BadMessage):
            read(event(STORAGE_FINALIZED, resource))


@pytest.mark.parametrize("missing", ["bucketId", "objectId", "objectGeneration"])
def test_a_notification_without_its_names_is_bad(missing: str) -> None:
    attributes = {key: value for key, value in NOTIFIED.items() if key != missing} | {"payloadFormat": "NONE"}
    with pytest.raises(BadMessage):
        decode(b"", attributes)


@pytest.mark.parametrize("kind", ["OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE", ""])
def test_other_notifications_of_the_bucket_were_not_asked_for(kind: str) -> None:
    with pytest.raises(BadMessage, match="nobody asked"):
        decode(json.dumps(RESOURCE).encode(), NOTIFIED | {"eventType": kind})


@pytest.mark.parametrize(
    "body",
    [
        {"type": "step-requested", "job": "a"},
        {"type": "step-requested", "job": None, "step": "audio"},
        {"type": "features-ready", "job": 5},
        {"type": "features-ready", "job": ""},
        {"type": "something-else"},
        {},
    ],
)
def test_a_message_that_lacks_something_is_bad(body: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        decode(json.dumps(body).encode(), {})


@given(st.one_of(st.binary(max_size=50), JSON.map(lambda value: json.dumps(value).encode())))
def test_junk_is_bad_and_nothing_else(data: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(data, {})


@given(st.dictionaries(st.sampled_from([*RESOURCE]), JSON, min_size=8))
def test_an_object_of_junk_is_bad_or_an_upload(resource: dict[str, Any]) -> None:
    try:
        assert isinstance(decode(json.dumps(resource).encode(), NOTIFIED), UploadFinalized)
    except BadMessage as error:
        assert error.message  # noqa: PT017 - both ends are right, a third is not


@given(st.one_of(JSON, st.builds(lambda message: {"message": message}, JSON)))
def test_an_event_of_junk_is_bad(data: Any) -> None:
    with pytest.raises(BadMessage):
        read(event(MESSAGE_PUBLISHED, data))


def test_what_nests_too_deep_is_bad() -> None:
    with pytest.raises(BadMessage, match="not JSON"):
        decode(b"[" * 100_000, {})


def test_an_infinite_size_is_bad() -> None:
    with pytest.raises(BadMessage):
        decode(b'{"bucket": "b", "name": "n", "generation": 1, "size": Infinity}', NOTIFIED)


def test_attributes_that_are_no_mapping_are_bad() -> None:
    with pytest.raises(BadMessage, match="expected an object"):
        read(event(MESSAGE_PUBLISHED, {"message": {"data": "", "attributes": [1]}}))


def test_an_event_of_another_type_was_not_asked_for() -> None:
    with pytest.raises(BadMessage, match=r"com\.example"):
        read(event("com.example", {}))
