"""Addresses of single objects, signed (version 4): by the account that runs, without a key file."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any

import google.auth
from google.auth import iam
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import Request
from google.cloud.storage import Client
from google.oauth2 import service_account

from shared.gcp.errors import translated
from shared.job import Source
from shared.ports import Grant, SignedRequest

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address; nobody is asked there


def own_credentials(email: str = "", *, transport: Any = None) -> service_account.Credentials:
    """Those of the account that runs, which has IAM sign (``roles/iam.serviceAccountTokenCreator`` on ``email``,
    which is itself where none is given)."""
    request = transport or Request()
    found, _ = google.auth.default(scopes=[SCOPE])
    if not email:
        found.refresh(request)  # only then the metadata server has told the account's name
        email = found.service_account_email  # pyright: ignore[reportAttributeAccessIssue] - those of a server have it
    return signing_credentials(found, email, request)


def signing_credentials(found: Any, email: str, request: Any) -> service_account.Credentials:
    return service_account.Credentials(iam.Signer(request, found, email), email, TOKEN_URI)


class CloudUrlSigner:
    """``key`` is a key file's path, for emulators; without it :func:`own_credentials` sign. The fake's addresses are
    signed where STORAGE_EMULATOR_HOST is set."""

    def __init__(self, project: str, email: str = "", key: str = "") -> None:
        self._project = project
        self._email = email
        self._key = key

    def upload(self, grant: Grant, expires: timedelta) -> SignedRequest:
        headers = {
            "content-type": grant.content_type,
            "x-goog-content-length-range": f"{grant.size},{grant.size}",
            "x-goog-if-generation-match": "0",  # once: whoever has the address cannot start a job with it each minute
            "x-goog-resumable": "start",
            **{f"x-goog-meta-{name}": value for name, value in grant.metadata.items()},
        }
        url = self._signed(grant.bucket, grant.name, expires, method="POST", headers=dict(headers))
        return SignedRequest("POST", url, headers)

    def download(self, source: Source, expires: timedelta) -> SignedRequest:
        url = self._signed(source.bucket, source.name, expires, method="GET", generation=str(source.generation))
        return SignedRequest("GET", url)

    def _signed(self, bucket: str, name: str, expires: timedelta, **options: Any) -> str:
        blob = self._client.bucket(bucket).blob(name)
        with translated("IAM"):
            return blob.generate_signed_url(version="v4", expiration=expires, credentials=self._credentials, **options)

    @cached_property
    def _client(self) -> Client:
        """Only for the names of buckets: it asks nobody."""
        return Client(self._project, AnonymousCredentials())

    @cached_property
    def _credentials(self) -> service_account.Credentials:
        if self._key:
            return service_account.Credentials.from_service_account_file(self._key)
        return own_credentials(self._email)
