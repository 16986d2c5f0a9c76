"""What every MessageBus keeps to: what is published arrives, as it was."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from shared.errors import Unavailable
from shared.events import FeaturesReady, Message, StepRequested, Tick, Topic, UploadFinalized, decode
from shared.gcp.pubsub import PubSubBus
from shared.job import Source
from shared.memory import MemoryBus
from shared.ports import MessageBus
from tests.contracts.makers import at_once

UPLOAD = UploadFinalized(
    Source("uploads", "videos/salsa ü #1.mp4", 1_741_000_000_123_456, 2**40, "video/mp4"),
    {"owner": "maria", "style": "sénsual"},
)
MESSAGES = [
    UPLOAD,
    StepRequested("a" * 32, "audio"),
    StepRequested("a" * 32, "pose-07"),
    FeaturesReady("b" * 32),
    Tick(),
]

pytestmark = pytest.mark.timeout(60)


@dataclass(frozen=True, slots=True)
class Line:
    """``receive`` waits for ``count`` messages of a topic."""

    bus: MessageBus
    receive: Callable[[Topic, int], list[Message]]


@pytest.fixture(params=["memory", pytest.param("pubsub", marks=pytest.mark.emulator)])
def line(request: pytest.FixtureRequest) -> Generator[Line]:
    if request.param == "memory":
        yield memory_line()
    else:
        yield from pubsub_line(request.getfixturevalue("pubsub_project"))


def memory_line() -> Line:
    bus = MemoryBus()

    def receive(topic: Topic, count: int) -> list[Message]:
        taken = [message for _ in range(count) if (message := bus.take())]
        assert {message.topic for message in taken} == {topic}
        return taken

    return Line(bus, receive)


def pubsub_line(project: str) -> Generator[Line]:
    publisher = PublisherClient()
    with SubscriberClient() as subscriber:
        for topic in Topic:
            publisher.create_topic(name=f"projects/{project}/topics/{topic}")
            subscriber.create_subscription(name=path(project, topic), topic=f"projects/{project}/topics/{topic}")
        yield Line(PubSubBus(project), lambda topic, count: pulled(subscriber, path(project, topic), count))
    publisher.transport.close()


def path(project: str, topic: Topic) -> str:
    return f"projects/{project}/subscriptions/{topic}"


def pulled(subscriber: SubscriberClient, subscription: str, count: int) -> list[Message]:
    found: list[Message] = []
    while len(found) < count:
        answer = subscriber.pull(subscription=subscription, max_messages=count, timeout=20)
        found += [decode(each.message.data, dict(each.message.attributes)) for each in answer.received_messages]
        subscriber.acknowledge(subscription=subscription, ack_ids=[each.ack_id for each in answer.received_messages])
    return found


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent_on_its_own_topic(line: Line, message: Message) -> None:
    line.bus.publish(message)
    assert line.receive(message.topic, 1) == [message]


def test_messages_published_at_once_all_arrive(line: Line) -> None:
    messages = [FeaturesReady(f"job {i}") for i in range(20)]
    at_once(*(lambda message=message: line.bus.publish(message) for message in messages))
    assert set(line.receive(Topic.FEATURES, 20)) == set(messages)


@pytest.mark.emulator
def test_a_topic_that_is_missing_is_ours_to_mend_and_not_the_dancers(pubsub_project: str) -> None:
    with pytest.raises(exceptions.NotFound):
        PubSubBus(pubsub_project).publish(Tick())


def test_a_pubsub_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")  # the port of "discard": nobody listens
    with pytest.raises(Unavailable, match="Pub/Sub does not answer"):
        PubSubBus("nobody", try_for_s=1.0).publish(Tick())
