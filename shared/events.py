"""The messages of the system, and the one reader of incoming events."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from shared.errors import BadMessage
from shared.job import Source, listens
from shared.logs import TRACEPARENT, carried, trace_in

STORAGE_FINALIZED = "google.cloud.storage.object.v1.finalized"
MESSAGE_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"


class Topic(StrEnum):
    UPLOADS = "uploads"
    AUDIO_REQUESTS = "audio-requests"
    POSE_REQUESTS = "pose-requests"
    FEATURES = "features"
    TICKS = "ticks"


@dataclass(frozen=True, slots=True)
class UploadFinalized:
    """An object is complete in the uploads bucket. ``metadata`` is the object's own: owner, options."""

    source: Source
    metadata: Mapping[str, str] = field(default_factory=dict)

    topic: ClassVar[Topic] = Topic.UPLOADS

    @property
    def job_id(self) -> str:
        return self.source.job_id


@dataclass(frozen=True, slots=True)
class StepRequested:
    """A step of a job is to be done."""

    job_id: str
    step: str

    @property
    def topic(self) -> Topic:
        return Topic.AUDIO_REQUESTS if listens(self.step) else Topic.POSE_REQUESTS


@dataclass(frozen=True, slots=True)
class FeaturesReady:
    """A step of a job is done: see whether all are."""

    job_id: str

    topic: ClassVar[Topic] = Topic.FEATURES


@dataclass(frozen=True, slots=True)
class Tick:
    """The scheduler's pulse."""

    topic: ClassVar[Topic] = Topic.TICKS


Message = UploadFinalized | StepRequested | FeaturesReady | Tick


class Event(Protocol):
    """As much of a CloudEvent as is read here."""

    data: Any

    def __getitem__(self, key: str, /) -> Any: ...


def encode(message: Message) -> tuple[bytes, dict[str, str]]:
    """A message as Pub/Sub carries it: data and attributes. An upload looks as the bucket would tell it."""
    match message:
        case UploadFinalized(source, metadata):
            resource = {
                "bucket": source.bucket, "name": source.name, "generation": str(source.generation),
                "size": str(source.size), "contentType": source.content_type, "metadata": dict(metadata),
            }  # fmt: skip
            attributes = {
                "eventType": "OBJECT_FINALIZE", "payloadFormat": "JSON_API_V1", "bucketId": source.bucket,
                "objectId": source.name, "objectGeneration": str(source.generation),
            }  # fmt: skip
            return json.dumps(resource).encode(), attributes
        case StepRequested(job_id, step):
            return _ours("step-requested", job=job_id, step=step)
        case FeaturesReady(job_id):
            return _ours("features-ready", job=job_id)
        case Tick():
            return _ours("tick")


def decode(data: bytes, attributes: Mapping[str, str]) -> Message:
    """The inverse of :func:`encode`, and the reader of a bucket's notifications. Raises BadMessage."""
    if "eventType" in attributes:
        return _notification(data, attributes)
    body = _json(data)
    match body.get("type"):
        case "step-requested":
            return StepRequested(_text(body, "job"), _text(body, "step"))
        case "features-ready":
            return FeaturesReady(_text(body, "job"))
        case "tick":
            return Tick()
        case other:
            raise BadMessage(f"a message of unknown type {other!r}")


def read(event: Event) -> Message:
    """The message in a CloudEvent: Eventarc's storage event, or a Pub/Sub push. Raises BadMessage."""
    match event["type"]:
        case "google.cloud.storage.object.v1.finalized":
            return _upload(_mapping(event.data))
        case "google.cloud.pubsub.topic.v1.messagePublished":
            message = _mapping(_mapping(event.data).get("message"))
            return decode(_base64(message.get("data", "")), _mapping(message.get("attributes") or {}))
        case other:
            raise BadMessage(f"an event of type {other!r}, which nobody asked for")


def trace_of(event: Event) -> str:
    """The trace that an event belongs to: its message says so, or the event itself; empty where neither does."""
    message = event.data.get("message") if isinstance(event.data, Mapping) else None
    attributes = message.get("attributes") if isinstance(message, Mapping) else None
    told = attributes.get(TRACEPARENT) if isinstance(attributes, Mapping) else None
    return trace_in({TRACEPARENT: str(told or _extension(event, TRACEPARENT))})


def _extension(event: Event, name: str) -> str:
    try:
        return str(event[name])
    except KeyError:
        return ""


def _ours(kind: str, **names: str) -> tuple[bytes, dict[str, str]]:
    return json.dumps({"type": kind, **names}).encode(), {"type": kind, **names, **carried()}


def _notification(data: bytes, attributes: Mapping[str, str]) -> UploadFinalized:
    if attributes["eventType"] != "OBJECT_FINALIZE":
        raise BadMessage(f"a bucket's notification of {attributes['eventType']!r}, which nobody asked for")
    if attributes.get("payloadFormat") == "JSON_API_V1":
        return _upload(_json(data))
    names = {"bucket": "bucketId", "name": "objectId", "generation": "objectGeneration"}
    return _upload({ours: attributes.get(theirs) for ours, theirs in names.items()})


def _upload(resource: Mapping[str, Any]) -> UploadFinalized:
    try:
        source = Source(
            bucket=_text(resource, "bucket"), name=_text(resource, "name"), generation=int(resource["generation"]),
            size=int(resource.get("size", 0)), content_type=str(resource.get("contentType") or ""),
        )  # fmt: skip
        metadata = {str(key): str(value) for key, value in _mapping(resource.get("metadata") or {}).items()}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadMessage(f"an object without a generation, or with an unreadable size: {error}") from error
    return UploadFinalized(source, metadata)


def _base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise BadMessage(f"a message that is not base64: {error}") from error


def _json(data: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"a message that is not JSON: {error}") from error


def _text(body: Mapping[str, Any], name: str) -> str:
    if isinstance(text := body.get(name), str) and text:
        return text
    raise BadMessage(f"a message whose {name} is {text!r}")


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadMessage(f"expected an object, found {type(value).__name__}")
    return value  # pyright: ignore[reportUnknownVariableType] - JSON: keys are strings
