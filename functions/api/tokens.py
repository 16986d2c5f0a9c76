"""Who asks: Firebase's ID tokens and App Check's, verified.

After https://firebase.google.com/docs/auth/admin/verify-id-tokens (third-party libraries) and
https://firebase.google.com/docs/app-check/custom-resource-backend. Where the keys come from is an argument.
That a user was blocked since the token was given is not seen before it expires, within an hour.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from shared.errors import Unauthenticated

LONGEST = 8192
"""Firebase's tokens have about a thousand characters, and a kilobyte of claims of one's own at most."""
SKEW_S = 60.0
"""As much may Google's clock be ahead of ours."""
USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}")
"""Firebase gives 28 letters and digits; ids of one's own making must fit into names of objects and documents."""

Claims = Mapping[str, Any]


class Keys(Protocol):
    """Public keys of an issuer."""

    def key(self, key_id: str) -> RSAPublicKey | None:
        """None where the issuer has no such key. Raises Unavailable."""
        ...


class Signature(Protocol):
    """The check of a token's third part."""

    def check(self, header: Claims, signed: bytes, signature: bytes) -> None:
        """Raises Unauthenticated."""
        ...


@dataclass(frozen=True, slots=True)
class Signed:
    """RS256 and nothing else: whatever the token says of its algorithm."""

    keys: Keys

    def check(self, header: Claims, signed: bytes, signature: bytes) -> None:
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(key_id, str):
            raise Unauthenticated("The token is not signed as it should be.")
        if (key := self.keys.key(key_id)) is None:
            raise Unauthenticated("The token is signed with a key that the issuer does not have.")
        try:
            key.verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise Unauthenticated("The token's signature is wrong.") from error


class Unsigned:
    """As the Auth emulator gives them: ``alg: none``. Whoever asks is whom he says: for emulators alone."""

    def check(self, header: Claims, signed: bytes, signature: bytes) -> None:  # noqa: ARG002 - as signatures are checked
        if header.get("alg") != "none" or signature:
            raise Unauthenticated("This is a system on emulators: it takes unsigned tokens only.")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens for whom are taken."""

    name: str
    audience: str
    signature: Signature
    is_login: bool = True
    """Whether ``auth_time`` must be there."""

    def verified(self, token: str, now: datetime) -> str:
        """The subject. Raises Unauthenticated where anything is wrong with the token, and Unavailable."""
        header, claims, signed, signature = _parts(token)
        self.signature.check(header, signed, signature)
        if claims.get("iss") != self.name or not self._is_for_us(claims.get("aud")):
            raise Unauthenticated("The token is of another project.")
        self._check_times(claims, now.timestamp())
        return _subject(claims)

    def _is_for_us(self, audience: Any) -> bool:
        """App Check names the project by number and by id; an ID token has one audience."""
        if self.is_login:
            return audience == self.audience
        return isinstance(audience, list) and self.audience in audience

    def _check_times(self, claims: Claims, now: float) -> None:
        if not now < _instant(claims, "exp"):
            raise Unauthenticated("The token has expired. Please sign in again.")
        past = ("iat", "auth_time") if self.is_login else ("iat",)
        if any(_instant(claims, name) > now + SKEW_S for name in past):
            raise Unauthenticated("The token is of the future.")


def firebase_issuer(project: str, signature: Signature) -> Issuer:
    """Of a project's users."""
    return Issuer(f"https://securetoken.google.com/{project}", project, signature)


def app_check_issuer(project_number: str, signature: Signature) -> Issuer:
    """Of a project's apps."""
    name = f"https://firebaseappcheck.googleapis.com/{project_number}"
    return Issuer(name, f"projects/{project_number}", signature, is_login=False)


def bearer(header: str | None) -> str:
    """The token of an Authorization header. Raises Unauthenticated."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()


def _parts(token: str) -> tuple[Claims, Claims, bytes, bytes]:
    parts = token.split(".")
    if len(token) > LONGEST or len(parts) != 3 or not token.isascii():
        raise Unauthenticated("This is no token.")
    header, claims, signature = (_decoded(part) for part in parts)
    return _object(header), _object(claims), f"{parts[0]}.{parts[1]}".encode(), signature


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise Unauthenticated("This is no token.") from error


def _object(data: bytes) -> Claims:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unauthenticated("This is no token.") from error
    if not isinstance(value, dict):
        raise Unauthenticated("This is no token.")
    return value  # pyright: ignore[reportUnknownVariableType] - JSON: keys are strings


def _instant(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"The token does not say {name}.")
    return value


def _subject(claims: Claims) -> str:
    subject = claims.get("sub")
    if isinstance(subject, str) and USER_ID.fullmatch(subject):
        return subject
    raise Unauthenticated("The token names nobody.")
