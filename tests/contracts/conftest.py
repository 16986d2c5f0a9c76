"""Adapters of the ports, each on what it was written for."""

import uuid
from collections.abc import Generator, Mapping

import boto3
import pytest
from google.cloud import storage as cloud_storage
from moto.server import ThreadedMotoServer

from shared.gcp.storage import CloudBlobStore
from shared.memory import MemoryBlobStore
from shared.s3 import S3BlobStore
from tests.contracts.shelves import Shelf


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


@pytest.fixture(params=["memory", "cloud", "s3"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    return request.getfixturevalue(f"{request.param}_shelf")
