"""Adapters of the ports, each on what it was written for."""

import json
import uuid
from collections.abc import Callable, Generator, Mapping
from http import HTTPStatus
from pathlib import Path

import boto3
import pytest
import requests
from google.cloud import storage as cloud_storage
from moto.server import ThreadedMotoServer

from infra.local.storage_fake import RunningFake
from shared.errors import NotAllowed
from shared.gcp.signing import CloudUrlSigner
from shared.gcp.storage import CloudBlobStore
from shared.memory import MemoryBlobStore, MemoryUrlSigner
from shared.ports import SignedRequest
from shared.s3 import S3BlobStore
from tests.contracts.shelves import Counter, Shelf


@pytest.fixture(scope="session")
def s3_url() -> Generator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket() -> str:
    return f"bucket-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def memory_shelf(bucket: str) -> Shelf:
    store = MemoryBlobStore()

    def upload(name: str, content: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        store.put(bucket, name, content, content_type, metadata)

    return Shelf(store, bucket, upload)


@pytest.fixture
def cloud_shelf(bucket: str, storage_project: str) -> Generator[Shelf]:
    client = cloud_storage.Client(storage_project)
    made = client.create_bucket(bucket)

    def upload(name: str, content: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        blob = made.blob(name)
        blob.metadata = metadata
        blob.upload_from_string(content, content_type)

    yield Shelf(CloudBlobStore(storage_project), bucket, upload, lambda name: made.blob(name).delete())
    client.close()


@pytest.fixture
def s3_shelf(bucket: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.Session().client("s3")
    client.create_bucket(Bucket=bucket)

    def upload(name: str, content: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        client.put_object(Bucket=bucket, Key=name, Body=content, ContentType=content_type, Metadata=dict(metadata))

    return Shelf(S3BlobStore(), bucket, upload, lambda name: client.delete_object(Bucket=bucket, Key=name))


@pytest.fixture
def memory_counter(memory_shelf: Shelf) -> Counter:
    store = memory_shelf.store
    assert isinstance(store, MemoryBlobStore)
    signer = MemoryUrlSigner(store)

    def send(request: SignedRequest, headers: Mapping[str, str], content: bytes) -> bool:
        return not _is_refused(lambda: signer.put(request.url, headers, content))

    def fetch(url: str) -> bytes | None:
        return None if _is_refused(lambda: signer.get(url)) else signer.get(url)

    return Counter(signer, store, memory_shelf.bucket, send, fetch)


def _is_refused(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except NotAllowed:
        return True
    return False


@pytest.fixture
def cloud_counter(cloud_shelf: Shelf, storage: RunningFake, storage_project: str, tmp_path: Path) -> Counter:
    store, key = cloud_shelf.store, tmp_path / "key.json"
    assert isinstance(store, CloudBlobStore)
    key.write_text(json.dumps(storage.key))

    def send(request: SignedRequest, headers: Mapping[str, str], content: bytes) -> bool:
        begun = requests.request(request.method, request.url, headers=headers, timeout=10)
        if begun.status_code != HTTPStatus.CREATED:
            return False
        return requests.put(begun.headers["Location"], content, timeout=10).status_code == HTTPStatus.OK

    def fetch(url: str) -> bytes | None:
        answer = requests.get(url, timeout=10)
        return answer.content if answer.status_code == HTTPStatus.OK else None

    return Counter(CloudUrlSigner(storage_project, key=str(key)), store, cloud_shelf.bucket, send, fetch)


@pytest.fixture(params=["memory", "cloud", "s3"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    return request.getfixturevalue(f"{request.param}_shelf")
