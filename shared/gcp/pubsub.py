"""Messages on Pub/Sub."""

from __future__ import annotations

from functools import cached_property

from google.api_core.retry import Retry
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings

from shared.events import Message, encode
from shared.gcp.errors import translated

TRY_FOR_S = 30.0
"""Long enough for a hiccup, short enough for a function to refuse its message and be asked again."""


class PubSubBus:
    """A topic is named as its message says. The emulator is used where PUBSUB_EMULATOR_HOST is set."""

    def __init__(self, project: str, try_for_s: float = TRY_FOR_S) -> None:
        self._project = project
        self._try_for_s = try_for_s

    @cached_property
    def _client(self) -> PublisherClient:
        # A publisher of ours waits for each message: there is never a batch to wait for.
        return PublisherClient(BatchSettings(max_messages=1))

    def publish(self, message: Message) -> None:
        """Raises Unavailable; the message may be delivered even so."""
        data, attributes = encode(message)
        topic = self._client.topic_path(self._project, message.topic)
        retry = Retry(timeout=self._try_for_s)
        with translated("Pub/Sub"):
            sent = self._client.publish(topic, data, retry=retry, timeout=self._try_for_s, **attributes)
            sent.result(timeout=2 * self._try_for_s)
