"""Tokens as Firebase's Auth emulator gives them: unsigned, so that only a system on emulators believes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

VALID_S = 3600


def unsigned_token(user: str, project: str, now: datetime) -> str:
    """Whoever holds it is that user, for an hour."""
    at = int(now.timestamp())
    claims = {
        "iss": f"https://securetoken.google.com/{project}", "aud": project, "sub": user, "user_id": user,
        "iat": at, "auth_time": at, "exp": at + VALID_S, "firebase": {"sign_in_provider": "custom", "identities": {}},
    }  # fmt: skip
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
