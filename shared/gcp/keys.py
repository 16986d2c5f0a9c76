"""Google's public keys, by which tokens are verified (JSON Web Key Sets, RFC 7517), kept as long as Google says."""

from __future__ import annotations

import base64
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from shared.errors import Unavailable

FIREBASE_KEYS = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
APP_CHECK_KEYS = "https://firebaseappcheck.googleapis.com/v1/jwks"

TIMEOUT_S = 5.0
LEAST_S = 60.0
"""Between two fetches: tokens with invented keys must not make us ask Google each time."""
RETRY_S = 1.0
"""As long as there are none: nobody is let in meanwhile."""
KEEP_S = 3600.0
"""Where the answer does not say how long."""

log = logging.getLogger(__name__)


class GoogleKeys:
    """Fetched when they are first needed, when they have grown old, and for a key that is not among them.

    Where Google does not answer, those that are known go on to serve.
    """

    def __init__(self, url: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._known: Mapping[str, RSAPublicKey] = {}
        self._asked_s = self._fresh_until_s = float("-inf")

    def key(self, key_id: str) -> RSAPublicKey | None:
        """Raises Unavailable where no keys could be had yet."""
        with self._lock:
            now_s = self._clock_s()
            is_due = now_s >= self._fresh_until_s or key_id not in self._known
            if is_due and now_s >= self._asked_s + (LEAST_S if self._known else RETRY_S):
                self._fetch(now_s)
            if not self._known:
                raise Unavailable("Google's keys could not be fetched")
            return self._known.get(key_id)

    def _fetch(self, now_s: float) -> None:
        self._asked_s = now_s
        try:
            answer = requests.get(self._url, timeout=TIMEOUT_S)
            answer.raise_for_status()
            self._known = _keys(answer.json())
        except (requests.RequestException, KeyError, TypeError, ValueError) as error:
            log.warning("Google's keys could not be fetched: %s", error)
            return
        self._fresh_until_s = now_s + _max_age_s(answer.headers.get("Cache-Control", ""))


def _keys(told: Any) -> Mapping[str, RSAPublicKey]:
    """Raises KeyError, TypeError and ValueError for what is no set of keys."""
    if found := {entry["kid"]: _key(entry) for entry in told["keys"] if entry["kty"] == "RSA"}:
        return found
    raise ValueError("there is no RSA key among them")


def _key(entry: Mapping[str, Any]) -> RSAPublicKey:
    return RSAPublicNumbers(_number(entry["e"]), _number(entry["n"])).public_key()


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _max_age_s(cache_control: str) -> float:
    found = re.search(r"max-age=(\d+)", cache_control)
    return float(found[1]) if found else KEEP_S
