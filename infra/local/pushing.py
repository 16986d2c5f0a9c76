"""Pub/Sub's push delivery, done by us from pull subscriptions.

The emulator's own push delivers two messages at a time, whatever the subscription, and gives up for
good after some 48 refusals, dead letters included; its pull keeps to the retry policy and counts
deliveries exactly. So threads here pull, and call the function as push would: at most so many at
once as it has instances, one acknowledgement for an answer of success, and a refusal for any other.
Nothing here knows what the messages say.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, cast

import grpc
from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import ReceivedMessage

from infra.local.processes import LOCALHOST

ACK_DEADLINE_S = 600
"""The longest that Pub/Sub waits for an answer to a push."""

_PULL_S = 30.0
_PAUSE_S = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Push:
    """Deliver a subscription (its full name) of a topic (likewise) to a port, so many messages at once."""

    subscription: str
    topic: str
    port: int
    at_once: int


@dataclass(frozen=True, slots=True)
class Mishaps:
    """What at-least-once delivery allows, oftener than it happens, for tests: answers that get lost, so that a message
    comes again although it was dealt with, and delays up to ``delay_s``, so that messages overtake one another."""

    lost_answers: float = 0.0
    """The share of the answers of success."""
    delay_s: float = 0.0
    random: Random = field(default_factory=Random)


@contextmanager
def pushing(pubsub: str, pushes: Sequence[Push], mishaps: Mishaps | None = None) -> Generator[None]:
    """Deliver inside. Messages in delivery at the end are refused, or come back when their deadline has passed."""
    with grpc.insecure_channel(pubsub) as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        stop = threading.Event()
        threads = [
            threading.Thread(
                target=_deliver,
                args=(client, push, mishaps or Mishaps(), stop),
                name=f"push to {push.port}",
                daemon=True,
            )
            for push in pushes
            for _ in range(push.at_once)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()


def _deliver(client: SubscriberClient, push: Push, mishaps: Mishaps, stop: threading.Event) -> None:
    """One message after the other. The channel's end ends what waits for the next."""
    while not stop.is_set():
        try:
            pulled = client.pull(subscription=push.subscription, max_messages=1, timeout=_PULL_S, retry=None)
            for received in pulled.received_messages:
                stop.wait(mishaps.random.uniform(0, mishaps.delay_s))
                is_accepted = _is_accepted(push, received, stop)
                _settle(client, push, received, is_accepted and mishaps.random.random() >= mishaps.lost_answers)
        except DeadlineExceeded:
            continue
        except (GoogleAPICallError, ValueError) as error:  # ValueError: the channel is closed
            if not stop.wait(_PAUSE_S):
                logger.warning("%s cannot be pulled: %s", push.subscription, error)


def _settle(client: SubscriberClient, push: Push, received: ReceivedMessage, is_accepted: bool) -> None:  # noqa: FBT001
    if is_accepted:
        client.acknowledge(subscription=push.subscription, ack_ids=[received.ack_id])
    else:
        client.modify_ack_deadline(subscription=push.subscription, ack_ids=[received.ack_id], ack_deadline_seconds=0)


def _is_accepted(push: Push, received: ReceivedMessage, stop: threading.Event) -> bool:
    """Call the function. While it starts, the request waits, as Cloud Run has it wait for an instance."""
    body = json.dumps(_body(push, received)).encode()
    while not stop.is_set():
        try:
            return 200 <= _post(push, body) < 300
        except ConnectionRefusedError:
            stop.wait(_PAUSE_S)
        except (OSError, http.client.HTTPException) as error:
            logger.warning("the function at port %d broke off: %r", push.port, error)
            return False
    return False


def _post(push: Push, body: bytes) -> int:
    connection = http.client.HTTPConnection(LOCALHOST, push.port, timeout=ACK_DEADLINE_S)
    try:
        # The framework finds the topic in the path.
        connection.request("POST", f"/{push.topic}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def _body(push: Push, received: ReceivedMessage) -> dict[str, Any]:
    """See https://cloud.google.com/pubsub/docs/push#receive_push."""
    message = received.message
    published = cast("datetime", message.publish_time).isoformat().replace("+00:00", "Z")
    return {
        "message": {
            "data": base64.b64encode(message.data).decode(), "attributes": dict(message.attributes),
            "messageId": message.message_id, "message_id": message.message_id,
            "publishTime": published, "publish_time": published,
        },
        "subscription": push.subscription,
        **({"deliveryAttempt": received.delivery_attempt} if received.delivery_attempt else {}),
    }  # fmt: skip
