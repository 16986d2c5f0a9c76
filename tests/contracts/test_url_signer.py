"""What every UrlSigner keeps to: a client that has nothing but the address can do that one thing, and once."""

import time
from datetime import timedelta

import pytest

from shared.ports import Grant, SignedRequest
from tests.contracts.shelves import Counter

HOUR = timedelta(hours=1)
NAME = "videos/maria/0123/mi_baile.mp4"
CONTENT = b"moving pictures"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["memory", "cloud"])
def counter(request: pytest.FixtureRequest) -> Counter:
    return request.getfixturevalue(f"{request.param}_counter")


def granted(counter: Counter, expires: timedelta = HOUR) -> SignedRequest:
    metadata = {"owner": "maria", "min_counts": "4"}
    return counter.signer.upload(Grant(counter.bucket, NAME, "video/mp4", len(CONTENT), metadata), expires)


def is_there(counter: Counter) -> bool:
    return NAME in counter.store.names(counter.bucket)


def test_what_was_granted_can_be_uploaded(counter: Counter) -> None:
    request = granted(counter)
    assert counter.send(request, request.headers, CONTENT)
    blob = counter.store.stat(counter.bucket, NAME)
    assert counter.store.read(counter.bucket, NAME) == CONTENT
    assert (blob.source.size, blob.source.content_type) == (len(CONTENT), "video/mp4")
    assert blob.metadata == {"owner": "maria", "min_counts": "4"}


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"!", CONTENT * 1000])
def test_another_size_is_refused(counter: Counter, content: bytes) -> None:
    request = granted(counter)
    assert not counter.send(request, request.headers, content)
    assert not is_there(counter)


@pytest.mark.parametrize(
    "changes",
    [
        {"content-type": "text/html"},
        {"x-goog-meta-owner": "eve"},
        {"x-goog-meta-min_counts": "1"},
        {"x-goog-meta-teacher": "carmen"},
        {"x-goog-meta-owner": None},
        {"content-type": None},
    ],
)
def test_other_words_are_refused(counter: Counter, changes: dict[str, str | None]) -> None:
    request = granted(counter)
    told = {name: value for name, value in {**request.headers, **changes}.items() if value is not None}
    assert not counter.send(request, told, CONTENT)
    assert not is_there(counter)


def test_an_address_serves_for_one_upload(counter: Counter) -> None:
    request = granted(counter)
    assert counter.send(request, request.headers, CONTENT)
    generation = counter.store.stat(counter.bucket, NAME).source.generation
    assert not counter.send(request, request.headers, CONTENT)
    assert counter.store.stat(counter.bucket, NAME).source.generation == generation


def test_an_address_expires(counter: Counter) -> None:
    request = granted(counter, timedelta(seconds=1))
    time.sleep(2.1)
    assert not counter.send(request, request.headers, CONTENT)
    assert not is_there(counter)


def test_an_object_can_be_read_until_its_address_expires(counter: Counter) -> None:
    counter.store.create(counter.bucket, "job/v1/moves/01 ü.mp4", CONTENT, "video/mp4")
    source = counter.store.stat(counter.bucket, "job/v1/moves/01 ü.mp4").source
    request = counter.signer.download(source, timedelta(seconds=1))
    assert counter.fetch(request.url) == CONTENT
    time.sleep(2.1)
    assert counter.fetch(request.url) is None


def test_an_address_is_of_one_object(counter: Counter) -> None:
    counter.store.create(counter.bucket, "mine.mp4", CONTENT, "video/mp4")
    counter.store.create(counter.bucket, "hers.mp4", CONTENT, "video/mp4")
    request = counter.signer.download(counter.store.stat(counter.bucket, "mine.mp4").source, HOUR)
    assert counter.fetch(request.url.replace("mine", "hers")) is None
