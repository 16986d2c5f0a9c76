"""Signed URLs, version 4: a key to sign with, and the check that Cloud Storage makes.

After https://cloud.google.com/storage/docs/authentication/canonical-requests. Nothing here knows
what is stored.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.crypt import RSAVerifier

from infra.local.web import HttpError, Request

ALGORITHM = "GOOG4-RSA-SHA256"
_MAX_EXPIRES_S = 7 * 24 * 3600
_CLOCK_SKEW = timedelta(minutes=15)
_SPACES = re.compile(r"\s+")


def make_key(project: str) -> dict[str, str]:
    """What the key file of a service account holds; of an account that exists nowhere."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    email = f"local@{project}.iam.gserviceaccount.com"
    token_uri = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address; nobody is asked there
    return {
        "type": "service_account", "project_id": project, "private_key_id": "local", "private_key": pem,
        "client_email": email, "client_id": "local", "token_uri": token_uri,
    }  # fmt: skip


def read_or_make_key(path: Path, project: str) -> dict[str, Any]:
    """Kept in a file that only its owner may read."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps(make_key(project), indent=2))
    return json.loads(path.read_text())


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """Whether a request carries the signature of the one account that is known."""

    email: str
    verifier: RSAVerifier

    @classmethod
    def of_key(cls, key: Mapping[str, str]) -> SignatureCheck:
        private = serialization.load_pem_private_key(key["private_key"].encode(), password=None)
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(key["client_email"], RSAVerifier.from_string(public))

    def check(self, request: Request, now: datetime) -> None:
        """Raises HttpError 403 without a valid signature, 400 where it is malformed or has expired."""
        if "X-Goog-Signature" not in request.query:
            raise _denied("Anonymous caller does not have access to the Google Cloud Storage object.")
        account, _, scope = request.query.get("X-Goog-Credential", "").partition("/")
        if request.query.get("X-Goog-Algorithm") != ALGORITHM or account != self.email:
            raise _denied("The signature is of an algorithm or an account that this stand-in does not know.")
        _check_time(request, now)
        _check_headers(request)
        message = _string_to_sign(request, scope)
        if not self.verifier.verify(message.encode(), _bytes(request.query["X-Goog-Signature"])):
            raise HttpError(HTTPStatus.FORBIDDEN, "SignatureDoesNotMatch", f"What should have been signed: {message!r}")


def _check_time(request: Request, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(request.query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        expires_s = int(request.query["X-Goog-Expires"])
    except (KeyError, ValueError) as error:
        raise _malformed(f"X-Goog-Date and X-Goog-Expires are needed: {error}") from error
    if not 0 <= expires_s <= _MAX_EXPIRES_S:
        raise _malformed("X-Goog-Expires must be at most seven days")
    if now > signed_at + timedelta(seconds=expires_s):
        raise HttpError(HTTPStatus.BAD_REQUEST, "ExpiredToken", "The provided token has expired.")
    if now < signed_at - _CLOCK_SKEW:
        raise _denied("The signature is of the future.")


def _check_headers(request: Request) -> None:
    """The host and every header that says something to Google must be signed."""
    sensitive = {"host"} | {name.lower() for name in request.headers if name.lower().startswith("x-goog-")}
    if unsigned := sensitive - set(_signed_headers(request)):
        message = f"Your request has headers that were not signed: {', '.join(sorted(unsigned))}"
        raise HttpError(HTTPStatus.BAD_REQUEST, "MalformedSecurityHeader", message)


def _string_to_sign(request: Request, scope: str) -> str:
    digest = hashlib.sha256(_canonical_request(request).encode()).hexdigest()
    return "\n".join([ALGORITHM, request.query["X-Goog-Date"], scope, digest])


def _canonical_request(request: Request) -> str:
    names = _signed_headers(request)
    headers = [f"{name}:{_SPACES.sub(' ', request.headers.get(name, '').strip())}" for name in names]
    query = sorted((name, value) for name, value in request.query.items() if name != "X-Goog-Signature")
    parameters = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)
    payload = request.headers.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD")
    return "\n".join([request.method, request.path, parameters, *headers, "", ";".join(names), payload])


def _signed_headers(request: Request) -> list[str]:
    return request.query.get("X-Goog-SignedHeaders", "").split(";")


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise _malformed("X-Goog-Signature is not hexadecimal") from error


def _denied(message: str) -> HttpError:
    return HttpError(HTTPStatus.FORBIDDEN, "AccessDenied", message)


def _malformed(message: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, "AuthorizationQueryParametersError", message)
