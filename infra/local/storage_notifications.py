"""What buckets tell Pub/Sub of their objects, as real ones do; see
https://cloud.google.com/storage/docs/pubsub-notifications."""

from __future__ import annotations

import base64
import itertools
import json
import logging
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

from infra.local.storage_objects import Change, Resource
from infra.local.web import HttpError, not_implemented

PUBSUB_PREFIX = "//pubsub.googleapis.com/"
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_TIMEOUT_S = 30.0

logger = logging.getLogger(__name__)


class Notifications:
    """The notification configurations of all buckets. ``pubsub`` is the emulator's host and port."""

    def __init__(self, pubsub: str) -> None:
        self._pubsub = pubsub
        self._configs: dict[str, dict[str, Resource]] = {}
        self._ids = itertools.count(1)
        self._closed = threading.Event()

    def create(self, bucket: str, config: Resource) -> Resource:
        """Raises HttpError where the topic does not exist."""
        topic = str(config.get("topic", ""))
        if not topic.startswith(PUBSUB_PREFIX):
            raise HttpError(HTTPStatus.BAD_REQUEST, "invalid", f"A topic begins with {PUBSUB_PREFIX}")
        if not self._pubsub:
            raise not_implemented("notifications when it was started without Pub/Sub")
        self._check_topic(topic.removeprefix(PUBSUB_PREFIX))
        number = str(next(self._ids))
        created = {
            "payload_format": "JSON_API_V1",
            **config,
            "kind": "storage#notification",
            "id": number,
            "etag": number,
        }
        self._configs.setdefault(bucket, {})[number] = created
        return created

    def list(self, bucket: str) -> list[Resource]:
        return list(self._configs.get(bucket, {}).values())

    def get(self, bucket: str, number: str) -> Resource:
        try:
            return self._configs[bucket][number]
        except KeyError:
            raise HttpError(HTTPStatus.NOT_FOUND, "notFound", "There is no such notification.") from None

    def delete(self, bucket: str, number: str) -> None:
        self.get(bucket, number)
        del self._configs[bucket][number]

    def tell(self, change: Change) -> None:
        """Returns when every subscriber's message is in Pub/Sub, however long that takes."""
        for config in self.list(change.resource["bucket"]):
            if _wants(config, change):
                self._publish(config, _message(config, change))

    def close(self) -> None:
        """Give up whatever could not be published so far."""
        self._closed.set()

    def _publish(self, config: Resource, message: Mapping[str, Any]) -> None:
        url = f"{config['topic'].removeprefix(PUBSUB_PREFIX)}:publish"
        pause_s = _FIRST_PAUSE_S
        while not self._attempt(lambda: self._call(url, {"messages": [message]})):
            if self._closed.wait(pause_s):
                raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "backendError", "The bucket could not tell of this.")
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _attempt(self, publish: Callable[[], None]) -> bool:
        try:
            publish()
        except (URLError, OSError) as error:
            logger.warning("a notification could not be published and is tried again: %s", error)
            return False
        return True

    def _check_topic(self, topic: str) -> None:
        try:
            self._call(topic)
        except HTTPError as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, "invalid", f"{topic}: {error}") from error

    def _call(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        request = UrlRequest(f"http://{self._pubsub}/v1/{path}", data, {"Content-Type": "application/json"})
        with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310 - the emulator's own address
            response.read()


def _wants(config: Resource, change: Change) -> bool:
    events, prefix = config.get("event_types"), config.get("object_name_prefix") or ""
    return (not events or change.event in events) and change.resource["name"].startswith(prefix)


def _message(config: Resource, change: Change) -> dict[str, Any]:
    resource = change.resource
    attributes = {
        **(config.get("custom_attributes") or {}), **change.attributes,
        "notificationConfig": f"projects/_/buckets/{resource['bucket']}/notificationConfigs/{config['id']}",
        "eventType": change.event, "payloadFormat": config["payload_format"], "bucketId": resource["bucket"],
        "objectId": resource["name"], "objectGeneration": resource["generation"], "eventTime": resource["updated"],
    }  # fmt: skip
    payload = json.dumps(resource).encode() if config["payload_format"] == "JSON_API_V1" else b""
    return {"data": base64.b64encode(payload).decode(), "attributes": attributes}
