"""Addresses are signed without a key file: by IAM, in the name of the account that runs."""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud.storage import Client
from google.oauth2 import service_account

from infra.local.storage_fake import RunningFake
from shared.errors import Unavailable
from shared.gcp import signing
from shared.gcp.signing import CloudUrlSigner, own_credentials, signing_credentials
from shared.gcp.storage import CloudBlobStore
from shared.job import Source

EMAIL = "local@local.iam.gserviceaccount.com"


class Answer:
    def __init__(self, status: int, body: Any) -> None:
        self.status, self.data, self.headers = status, json.dumps(body).encode(), {}


class Iam:
    """Signs with a key that only it has, as Google's does."""

    def __init__(self, fake: RunningFake, status: int = 200) -> None:
        self._signer = service_account.Credentials.from_service_account_info(fake.key)
        self._status = status
        self.asked: list[tuple[str, str]] = []

    def __call__(self, url: str, method: str = "GET", body: bytes = b"", **_: Any) -> Answer:
        self.asked.append((method, url))
        payload = base64.b64decode(json.loads(body)["payload"])
        signature = base64.b64encode(self._signer.sign_bytes(payload)).decode()
        return Answer(self._status, {"keyId": "1", "signedBlob": signature} if self._status == 200 else {"error": "no"})


class Running(Credentials):
    """The account of a server: its name is known only after a look at the metadata server."""

    service_account_email = "default"

    def refresh(self, _: Any) -> None:
        self.token = "ya29.token"
        self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
        self.service_account_email = EMAIL


@pytest.fixture
def bucket(storage: RunningFake, storage_project: str) -> str:
    return Client(storage_project, AnonymousCredentials()).create_bucket(f"bucket-{uuid.uuid4().hex[:12]}").name


@pytest.mark.parametrize("email", ["", EMAIL])
def test_an_address_that_iam_signed_is_let_in(storage, storage_project, bucket, monkeypatch, email):
    iam = Iam(storage)
    monkeypatch.setattr(signing.google.auth, "default", lambda **_: (Running(), storage_project))
    monkeypatch.setattr(signing, "Request", lambda: iam)
    store = CloudBlobStore(storage_project)
    store.create(bucket, "job/result.json", b"{}", "application/json")
    source = store.stat(bucket, "job/result.json").source
    request = CloudUrlSigner(storage_project, email).download(source, timedelta(minutes=1))
    assert requests.get(request.url, timeout=10).content == b"{}"
    ((method, url),) = iam.asked
    assert (method, url.partition("/v1/")[2]) == ("POST", f"projects/-/serviceAccounts/{EMAIL}:signBlob")


def test_the_account_must_be_allowed_to_sign(storage, storage_project, monkeypatch):
    monkeypatch.setattr(signing.google.auth, "default", lambda **_: (Running(), storage_project))
    signer = CloudUrlSigner(storage_project)
    monkeypatch.setattr(signing, "Request", lambda: Iam(storage, status=403))
    with pytest.raises(Unavailable, match="IAM"):
        signer.download(Source("b", "x", 1), timedelta(minutes=1))


def test_credentials_can_be_those_of_another_account(storage, monkeypatch):
    iam = Iam(storage)
    monkeypatch.setattr(signing.google.auth, "default", lambda **_: (Running(), "p"))
    assert own_credentials("signer@p.iam.gserviceaccount.com", transport=iam).signer_email.startswith("signer@")
    assert signing_credentials(Running(), EMAIL, iam).signer_email == EMAIL
    assert iam.asked == []
