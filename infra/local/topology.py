"""Which topics, subscriptions and buckets there are, and their making on the emulators.

The subscriptions are as the cloud has them, but pulled (see pushing.py) and quicker to try again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, RetryPolicy, Subscription

from infra.local.pushing import ACK_DEADLINE_S
from shared.config import Settings
from shared.events import Topic

MAX_DELIVERY_ATTEMPTS = 5
MAX_BACKOFF_S = 10
KEEP_S = 7 * 24 * 3600
KEEP_TICKS_S = 600
"""The least that Pub/Sub allows: after an outage the ticks that were missed need no sweep each."""


def dead_letters(topic: str) -> str:
    return f"{topic}-dead"


def replay(topic: str) -> str:
    """The subscription that keeps a topic's dead letters until somebody publishes them again."""
    return f"{dead_letters(topic)}-replay"


@dataclass(frozen=True, slots=True)
class Names:
    """Full names in a project. A function's subscription is called as its topic."""

    project: str

    def topic(self, name: str) -> str:
        return f"projects/{self.project}/topics/{name}"

    def subscription(self, name: str) -> str:
        return f"projects/{self.project}/subscriptions/{name}"


def create_subscriptions(channel: grpc.Channel, project: str, topics: Sequence[str], min_backoff_s: float) -> None:
    """Each topic with its subscription; all but the ticks, which are soon repeated, with dead letters."""
    names = Names(project)
    publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
    subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
    retry = RetryPolicy(minimum_backoff=_duration(min_backoff_s), maximum_backoff=_duration(MAX_BACKOFF_S))

    def create(topic: str, subscription: str, dead: DeadLetterPolicy | None = None) -> None:
        request = Subscription(
            name=names.subscription(subscription), topic=names.topic(topic), ack_deadline_seconds=ACK_DEADLINE_S,
            retry_policy=retry, dead_letter_policy=dead, expiration_policy=ExpirationPolicy(),
            message_retention_duration=_duration(KEEP_TICKS_S if topic == Topic.TICKS else KEEP_S),
        )  # fmt: skip
        subscriber.create_subscription(request)

    for topic in topics:
        publisher.create_topic(name=names.topic(topic))
        if topic == Topic.TICKS:
            create(topic, topic)
            continue
        dead = dead_letters(topic)
        publisher.create_topic(name=names.topic(dead))
        policy = DeadLetterPolicy(dead_letter_topic=names.topic(dead), max_delivery_attempts=MAX_DELIVERY_ATTEMPTS)
        create(topic, topic, policy)
        create(dead, dead)
        create(dead, replay(topic))


def create_buckets(host: str, settings: Settings) -> None:
    """The uploads bucket tells the uploads topic of every object that is complete."""
    options = {"api_endpoint": f"http://{host}"}
    client = storage.Client(settings.project, AnonymousCredentials(), client_options=options)
    for name in (settings.uploads_bucket, settings.features_bucket, settings.results_bucket, settings.library_bucket):
        client.create_bucket(name)
    uploads = client.bucket(settings.uploads_bucket)
    uploads.notification(
        Topic.UPLOADS, settings.project, event_types=["OBJECT_FINALIZE"], payload_format="JSON_API_V1"
    ).create()
    client.close()


def _duration(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
